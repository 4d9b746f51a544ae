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
    let id = runner.registered_id()?;
    // GitHub does not know this one.
    let token = "ghp_fakeREVOKED22222222222222222";
    machine.secrets.add(token);
    fs::write("/run/secrets/refused.token", token)?;
    let said = runner.fail_to_start()?;
    ensure!(said.contains("Failed to take back") && said.contains("Failed to register: "), "{said}");
    ensure!(runner.listed()? == [id], "the old registration is still there");
    ensure!(names(runner.state("."))?.iter().any(|name| name == ".runner"), "and so is its state");
    runner.set_token(token)?;
    runner.restart()?;
    ensure!(runner.settles()? != id);
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
    runner.hurry()?;
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
        runner.wait_for_line("Runner faulty: ")?;
        heal(machine, &mut runner).with_context(|| format!("after SIG{signal} at {point}"))?;
    }
    runner.stop()?;
    runner.remove_drop_ins()
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
