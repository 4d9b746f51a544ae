//! A work directory that starts leave as it is, and the room that a start asks for.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{mode_and_owner, run};

const CTL: &str = "/opt/runnerctl/bin/github-runnerctl";
const WORK: &str = "/var/lib/gh-work/kept";

pub fn kept(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "kept-work")?;
    // It has to find what the job before left, but for the first one.
    let job = r#"echo job >> "$HOME/jobs" && mkdir -p repo && touch repo/cache"#;
    machine.github.script(&json!({ "run": [{ "job": { "name": "build", "command": job } }] }))?;
    for _ in 0..2 {
        runner.restart()?;
        runner.wait_for_line("completed with result: Succeeded")?;
    }
    machine.github.script(&json!({}))?;
    ensure!(fs::read_to_string(format!("{WORK}/jobs"))? == "job\njob\n");
    let user: u32 = run("id", &["-u", "gh-runner"])?.trim().parse()?;
    ensure!(mode_and_owner(WORK)? == (0o700, user));
    let id = runner.registered_id()?;
    runner.stop()?;

    run("mount", &["-t", "tmpfs", "-o", "size=8m", "small", WORK])?;
    let full = full(&mut runner, id);
    run("umount", &[WORK])?;
    full?;
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    ensure!(runner.registered_id()? == id && Path::new(WORK).join("repo/cache").exists());
    runner.stop()
}

fn full(runner: &mut Runner<'_>, id: u64) -> Result<()> {
    // Known as this runner's, because it is at the same place.
    fs::write(format!("{WORK}/large"), vec![0; 5 << 20])?;
    run("chown", &["gh-runner:gh-runner", WORK])?;
    let said = format!("work directory {WORK} has 3 MiB left, and `minFreeSpace` is 4 MiB");
    let journal = runner.fail_to_start()?;
    ensure!(journal.contains(&format!("not offered to GitHub, because {said}")), "{journal}");
    ensure!(journal.contains(&format!("Runner kept-work: failed to start (exit-code); {said}")), "{journal}");
    ensure!(runner.registered_id()? == id, "the registration stays");
    // Others are well or not; it is about this one.
    let tell = |command: &str| run("sh", &["-c", &format!("{CTL} {command} || test $? = 1")]);
    let status = tell("status --json")?;
    ensure!(status.contains(&said), "{status}");
    let fault = "are left: a start does not offer the runner to GitHub, because `minFreeSpace` is 4M";
    let doctor = tell("doctor kept-work")?;
    ensure!(doctor.contains(fault), "{doctor}");
    Ok(())
}
