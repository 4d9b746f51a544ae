//! Registrations that are taken back, and those that are not ours to take.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::wait_for;

pub fn changed(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "retired")?;
    runner.restart()?;
    let old = runner.settles()?;
    let mut manifest = runner.manifest()?;
    for labels in [json!(["nixos", "fast"]), json!(["nixos", "slow"])] {
        manifest["registration"]["extraLabels"] = labels;
        runner.reconfigure(&manifest)?;
        runner.restart()?;
        runner.expect("Took back the former registration \"retired\", id ")?;
        runner.settles()?;
    }
    // The server hears of the end of the old one before it hears of the new one.
    let records = machine.github.records()?;
    let find = |method: &str, path: &str| {
        records.iter().position(|record| {
            record["method"] == method && record["path"].as_str().is_some_and(|found| found.ends_with(path))
        })
    };
    let deleted = find("DELETE", &format!("/actions/runners/{old}"));
    ensure!(deleted.is_some(), "id {old} was not deleted");
    let registered_after =
        records[deleted.unwrap_or_default()..].iter().any(|record| record["path"].to_string().contains("/register"));
    ensure!(registered_after, "the old one was deleted after the new one came");
    runner.stop()?;
    ensure!(runner.listed()?.len() == 1, "a persistent registration stays over a stop");
    runner.remove_drop_ins()
}

pub fn stopped(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "jit")?;
    runner.restart()?;
    runner.settles()?;
    runner.stop()?;
    ensure!(runner.listed()? == [0_u64; 0], "unused, it is still listed");
    runner.expect("stopped without having finished a job; no registration is left")?;

    machine
        .github
        .script(&json!({ "run": [{ "job": { "name": "long", "command": "echo started > mark; sleep 600" } }] }))?;
    runner.restart()?;
    wait_for("the job", || Ok(fs::metadata(runner.work("mark")).is_ok().then_some(())))?;
    runner.stop()?;
    machine.github.script(&json!({}))?;
    let ledger = runner.ledger()?;
    let (listed, owed) = (runner.listed()?, ledger["leftBehind"].as_array().map_or(0, Vec::len));
    ensure!(listed.len() == owed, "interrupted, GitHub lists {listed:?}, and the ledger says {ledger}");
    runner.restart()?;
    runner.settles()?;
    runner.stop()?;
    ensure!(runner.listed()? == [0_u64; 0]);
    Ok(())
}

pub fn foreign(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "retired")?;
    runner.stop()?;
    for id in runner.listed()? {
        machine.github.remove(id)?;
    }
    machine.github.tell(
        "runners",
        &json!({ "id": 4711, "name": "retired", "entity": "repos/octo-org/example", "status": "online" }),
    )?;
    let said = runner.fail_to_start()?;
    for part in ["name \"retired\", id 4711, online, exists already", "`replace = true`", "/settings/actions/runners"] {
        ensure!(said.contains(part), "expected {part:?}: {said}");
    }
    ensure!(runner.listed()? == [4711]);
    let mut manifest = runner.manifest()?;
    manifest["replace"] = json!(true);
    runner.reconfigure(&manifest)?;
    runner.restart()?;
    runner.expect("id 4711, online, will be replaced, because `replace` is set")?;
    ensure!(runner.settles()? == 4711, "the listener takes a runner over under its id");
    runner.stop()?;
    runner.remove_drop_ins()
}

pub fn debt(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "retired")?;
    runner.restart()?;
    let old = runner.settles()?;
    let mut manifest = runner.manifest()?;
    manifest["registration"]["extraLabels"] = json!(["after-the-outage"]);
    runner.reconfigure(&manifest)?;
    machine.github.down(true)?;
    let said = runner.fail_to_start()?;
    ensure!(
        said.contains("Failed to take back the former registration") && said.contains("stays in the ledger"),
        "{said}"
    );
    ensure!(runner.ledger()?["leftBehind"][0]["runner"]["id"] == old, "{}", runner.ledger()?);
    machine.github.down(false)?;
    ensure!(runner.listed()? == [old]);
    runner.restart()?;
    ensure!(runner.settles()? != old);
    runner.stop()?;
    runner.remove_drop_ins()
}
