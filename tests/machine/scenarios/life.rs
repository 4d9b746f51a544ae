//! The ordinary life of a runner.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{mode_and_owner, names, wait_for};

pub fn first_start(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "basic")?;
    runner.restart()?;
    runner.expect("this is the first start")?;
    let id = runner.registered_id()?;
    runner.expect(&format!("Recorded runner \"basic\", id {id}"))?;

    let (_, user) = mode_and_owner(runner.work("."))?;
    ensure!(user >= 61184, "user id {user} is none of systemd's dynamic ones");
    ensure!(mode_and_owner(runner.ledger_path())? == (0o600, 0), "the ledger entry is root's alone");
    ensure!(mode_and_owner("/var/lib/github-runner-registrations")? == (0o700, 0), "so is its directory");
    let linked = [".credentials", ".credentials_rsaparams", ".runner", "_diag"];
    for name in linked {
        let target = fs::read_link(runner.work(name)).with_context(|| format!("{name} is no link"))?;
        ensure!(target.starts_with("/var/lib/github-runner/basic"), "{name}: {}", target.display());
        ensure!(fs::metadata(runner.work(name)).is_ok(), "{name} leads nowhere");
    }
    ensure!(!names(runner.state("."))?.iter().any(|name| name.contains("token")), "{:?}", names(runner.state("."))?);
    runner.stop()?;
    let logs = names(runner.logs("."))?;
    ensure!(logs.iter().any(|name| name.starts_with("Runner_")), "the listener's logs are kept: {logs:?}");
    ensure!(mode_and_owner(runner.logs("."))? == (0o750, 0), "by root alone");
    Ok(())
}

pub fn unchanged_restart(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "basic")?;
    runner.restart()?;
    let (id, registrations) = (runner.registered_id()?, machine.github.registrations()?);
    for _ in 0..3 {
        runner.restart()?;
        runner.expect("Keeping the registration of basic")?;
        ensure!(runner.registered_id()? == id && machine.github.registrations()? == registrations);
    }
    runner.stop()?;
    ensure!(runner.property("Result")? == "success", "SIGINT ends the listener well");
    runner.restart()?;
    ensure!(runner.registered_id()? == id, "a stop keeps the registration, too");
    runner.stop()
}

pub fn stop_during_a_job(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "basic")?;
    machine
        .github
        .script(&json!({ "run": [{ "job": { "name": "long", "command": "echo started > mark; sleep 600" } }] }))?;
    runner.restart()?;
    let id = runner.registered_id()?;
    wait_for("the job", || Ok(fs::metadata(runner.work("mark")).is_ok().then_some(())))?;
    runner.stop()?;
    ensure!(runner.property("ActiveState")? == "inactive", "the unit is {}", runner.property("ActiveState")?);
    machine.github.script(&json!({}))?;
    runner.restart()?;
    ensure!(runner.registered_id()? == id);
    ensure!(fs::metadata(runner.work("mark")).is_err(), "the work directory was emptied");
    runner.stop()
}

pub fn ephemeral(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "ephemeral")?;
    // Each job reads what it has to leave to the next one: nothing.
    let job = r#"test "$CI_CACHE" = /var/cache/ci && test ! -e left-over && touch left-over"#;
    machine.github.script(&json!({ "run": [{ "job": { "name": "build", "command": job } }] }))?;
    let before = machine.github.registrations()?;
    runner.restart()?;
    wait_for("three jobs", || {
        let done = runner.journal()?.matches("completed with result: Succeeded").count();
        Ok((done >= 3).then_some(()))
    })?;
    machine.github.script(&json!({}))?;
    wait_for("the registration after the last job", || {
        Ok((machine.github.registrations()? >= before + 4 && runner.registered_id().is_ok()).then_some(()))
    })?;
    ensure!(!runner.journal()?.contains("completed with result: Failed"), "a job failed: {}", runner.journal()?);
    ensure!(machine.github.runners("ephemeral")?.len() == 1, "GitHub lists only the waiting runner");
    ensure!(runner.ledger()?["leftBehind"] == json!([]), "used-up registrations are no debt");
    let labels = machine.github.runners("ephemeral")?[0]["labels"].to_string();
    ensure!(labels.contains("fast") && !labels.contains("self-hosted"), "labels: {labels}");
    runner.stop()
}
