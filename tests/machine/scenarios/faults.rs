//! Starts that fail, at every place where they can, and the start after.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{names, run, wait_for};

/// Where the listener dies or lies during `configure`.
const POINTS: &[&str] = &[
    "die-before-server",
    "die-after-server",
    "truncate-credentials",
    "die-after-credentials",
    "truncate-runner",
    "empty-runner",
    "no-runner",
    "no-credentials",
    "no-key",
    "zero-id",
    "wrong-name",
    "wrong-url",
    "wrong-ephemeral",
];

pub fn refused(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "refused")?;
    runner.restart()?;
    runner.stop()?;
    // Another token means another registration, but the name is still taken.
    runner.set_token("ghp_fakeSECONDTOKEN222222222222")?;
    let said = runner.fail_to_start()?;
    for part in [
        "A runner exists with the same name",
        "What to do: a runner `refused` is already registered",
        "https://github.com/octo-org/example/settings/actions/runners",
        "`replace = true`",
    ] {
        ensure!(said.contains(part), "expected {part:?}: {said}");
    }
    ensure!(names(runner.state("."))?.iter().all(|name| !name.contains("token")), "no secret is left");

    for old in machine.github.runners("refused")? {
        machine.github.remove(old["id"].as_u64().unwrap_or_default())?;
    }
    runner.restart()?;
    runner.registered_id()?;
    runner.stop()
}

pub fn missing_token(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "basic")?;
    runner.restart()?;
    let id = runner.registered_id()?;
    runner.stop()?;
    let token = "/run/secrets/basic.token";
    let content = fs::read(token)?;
    for bad in ["", "two\nlines\n"] {
        fs::write(token, bad)?;
        ensure!(runner.fail_to_start()?.contains(&format!("Token file {token}")));
    }
    fs::remove_file(token)?;
    ensure!(runner.fail_to_start()?.contains("does not exist"));
    fs::write(token, content)?;
    runner.restart()?;
    ensure!(runner.registered_id()? == id, "the registration was lost");
    runner.stop()
}

pub fn each_point(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "faulty")?;
    for (number, point) in POINTS.iter().enumerate() {
        // A new token makes every start a registration.
        runner.set_token(&format!("ghp_fakeFAULT{number:020}"))?;
        machine.github.script(&json!({ "fault": point }))?;
        runner.fail_to_start().with_context(|| format!("at {point}"))?;
        heal(machine, &mut runner).with_context(|| format!("after {point}"))?;
    }
    // Registered all the same: the exit code is not the whole truth, and the next start finds it.
    runner.set_token("ghp_fakeFAULTafterrunner0000000")?;
    for point in ["die-after-runner", "fail-after-runner"] {
        machine.github.script(&json!({ "fault": point }))?;
        runner.fail_to_start().with_context(|| format!("at {point}"))?;
        heal(machine, &mut runner).with_context(|| format!("after {point}"))?;
        runner.set_token(&format!("ghp_fakeFAULT{point}00000000"))?;
    }
    for (point, signal) in [("hang-before-server", "KILL"), ("hang-after-server", "KILL"), ("hang-after-server", "INT")]
    {
        machine.github.script(&json!({ "fault": point }))?;
        runner.set_token(&format!("ghp_fakeHANG{signal}{point}00"))?;
        runner.mark()?;
        run("systemctl", &["restart", "--no-block", &runner.unit])?;
        runner.wait_for_line("Configuring runner faulty")?;
        wait_for("the listener to hang", || Ok((machine.github.is_hanging(point)?).then_some(())))?;
        run("systemctl", &["kill", "--signal", signal, &runner.unit])?;
        wait_for("the failed start", || Ok((runner.property("ActiveState")? == "failed").then_some(())))?;
        heal(machine, &mut runner).with_context(|| format!("after SIG{signal} at {point}"))?;
    }
    runner.stop()
}

fn heal(machine: &Machine, runner: &mut Runner<'_>) -> Result<()> {
    machine.github.script(&json!({}))?;
    runner.restart()?;
    let id = runner.registered_id()?;
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    ensure!(runner.registered_id()? == id);
    Ok(())
}
