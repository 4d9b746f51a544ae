//! `doctor` on real units: what systemd does with users and directories is what it has to understand.

use anyhow::{Context as _, Result, ensure};

use crate::Machine;
use crate::runner::Runner;
use crate::tools::run;

const CTL: &str = "/opt/runnerctl/bin/github-runnerctl";

/// What `doctor` says; a fault is an error.
pub fn doctor(arguments: &[&str]) -> Result<String> {
    run(CTL, &[&["doctor"], arguments].concat())
}

/// What is said about the one who is asked for, without faults, while its unit runs and while it does not.
pub fn knows(machine: &Machine) -> Result<()> {
    for (name, decides) in [
        ("basic", "it keeps the registration"),
        ("on-disk", "it keeps the registration"),
        ("override-static-user", "it keeps the registration"),
        ("jit", "it registers anew: an ephemeral runner registers at every start"),
    ] {
        let mut runner = Runner::new(machine, name)?;
        runner.restart()?;
        let about = |what: &str| format!("{name}, {what}");
        let text = doctor(&[name]).with_context(|| about("running"))?;
        ensure!(text.contains("is active since") && text.contains(decides), "{name}: {text}");
        ensure!(text.contains("takes the credential"), "{name}: {text}");
        runner.stop()?;
        let text = doctor(&[name]).with_context(|| about("stopped"))?;
        ensure!(text.contains("does not run") && text.contains(decides), "{name}: {text}");
        let text = doctor(&[name, "--start-check"]).with_context(|| about("before a start"))?;
        ensure!(text.contains(decides), "{name}: {text}");
        runner.restart()?;
        runner.expect(if name == "jit" { "Registering jit anew" } else { "Keeping the registration of" })?;
        runner.stop()?;
    }
    // Those that have no credential yet are faults, and keep nobody from being looked at.
    let all = run("sh", &["-c", &format!("{CTL} doctor --start-check || test $? = 1")])?;
    ensure!(all.contains("Runner basic\n  ok  ") && all.contains("Runner fleet-20\n"), "{all}");
    Ok(())
}
