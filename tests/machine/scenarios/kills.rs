//! SIGKILL for `prepare`, the broker and the listener while the server works: whatever it did by then, the end is exactly
//! the registration that the ledger names, and after a stop none.

use anyhow::{Context as _, Result, ensure};

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{run, wait_for};

/// How long the server takes for what is interrupted, in milliseconds.
const DELAY: u64 = 800;

pub fn everywhere(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "jit")?;
    runner.hurry()?;
    let broker = "github-runner-broker-jit@*.service";
    // What the server is at when the kill comes; an ephemeral runner that was not used is deleted at each start.
    let steps = [
        ("POST", "/actions/runners/generate-jitconfig"),
        ("GET", "/actions/runners?"),
        ("GET", "/actions/runners/"),
        ("DELETE", "/actions/runners/"),
    ];
    for (method, path) in steps {
        for victim in [broker, &runner.unit.clone()] {
            let context = || format!("after a kill of {victim} at {method} {path}");
            runner.restart().with_context(context)?;
            runner.settles().with_context(context)?;
            machine.github.delay(method, path, DELAY)?;
            let before = machine.github.asked(method, path)?;
            runner.begin()?;
            let asked = || Ok((machine.github.asked(method, path)? > before).then_some(()));
            wait_for("a request that takes its time", asked).with_context(context)?;
            run("systemctl", &["kill", "--kill-whom=all", "--signal=KILL", victim]).with_context(context)?;
            runner.restart().with_context(context)?;
            runner.settles().with_context(context)?;
        }
    }
    // The listener itself, idle.
    run("systemctl", &["kill", "--kill-whom=main", "--signal=KILL", &runner.unit])?;
    wait_for("the next registration", || Ok((runner.property("ActiveState")? != "active").then_some(())))?;
    runner.restart()?;
    runner.settles()?;
    runner.stop()?;
    ensure!(runner.listed()? == [0_u64; 0], "GitHub still lists {:?}", runner.listed()?);
    runner.remove_drop_ins()
}
