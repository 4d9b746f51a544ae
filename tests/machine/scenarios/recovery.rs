//! Runners that come back by themselves.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::times::AT_ONCE;
use crate::tools::{run, wait_for};

pub fn down_and_kept(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "recovering")?;
    runner.restart()?;
    let id = runner.settles()?;
    machine.github.down(true)?;
    let start = Instant::now();
    let result = runner.restart();
    let took = start.elapsed();
    machine.github.down(false)?;
    result?;
    runner.expect("Could not see whether GitHub still knows id")?;
    ensure!(took < AT_ONCE, "it took {took:?}");
    ensure!(runner.settles()? == id);
    runner.stop()
}

pub fn down_and_back(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "recovering-jit")?;
    machine.github.down(true)?;
    let before = machine.github.registrations()?;
    runner.begin()?;
    let failed = || Ok(runner.ledger().is_ok_and(|ledger| ledger["lastExit"]["kind"] == "notStarted").then_some(()));
    wait_for("a start that failed", failed)?;
    machine.github.down(false)?;
    // Nobody touches the unit from here on.
    runner.wait_for_line("Listening for Jobs")?;
    runner.settles()?;
    ensure!(machine.github.registrations()? == before + 1, "one registration for one start");
    runner.stop()?;
    ensure!(runner.listed()? == [0_u64; 0]);
    Ok(())
}

pub fn deleted(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "recovering")?;
    runner.restart()?;
    let old = runner.settles()?;
    let before = machine.github.registrations()?;
    // While it is stopped.
    runner.stop()?;
    machine.github.remove(old)?;
    runner.restart()?;
    runner.expect(&format!("GitHub does not know id {old} any more"))?;
    let second = runner.settles()?;
    ensure!(machine.github.registrations()? == before + 1, "once");

    // While it runs: the listener ends, keeps its files, and the unit comes back without anybody's help.
    runner.let_time_pass()?;
    runner.mark()?;
    machine.github.remove(second)?;
    run("systemctl", &["kill", "--kill-whom=main", "--signal=KILL", &runner.unit])?;
    runner.wait_for_line(&format!("GitHub does not know id {second} any more"))?;
    runner.wait_for_line("Listening for Jobs")?;
    runner.settles()?;
    runner.stop()
}

pub fn exit_codes(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "recovering")?;
    let mut id = 0;
    for (step, kind, said) in [
        (json!({ "end": "session-conflict" }), "sessionConflict", "another session"),
        (json!({ "end": "polling-failed" }), "crashed", "exit code 2"),
        (json!({ "exit": 134 }), "crashed", "signal ABRT"),
        (json!({ "exit": 1 }), "terminated", "ended for good (exit code 1)"),
    ] {
        machine.github.script(&json!({}))?;
        runner.restart()?;
        id = runner.settles()?;
        machine.github.script(&json!({ "run": [step] }))?;
        runner.stop()?;
        runner.begin()?;
        runner.wait_for_line(said)?;
        wait_for("the end in the ledger", || {
            Ok((runner.ledger()?["lastExit"]["kind"] == kind && runner.ledger()?["lastExit"]["failures"] != 0)
                .then_some(()))
        })?;
        // It comes back by itself; what fails twice waits for longer than systemd does.
        if kind == "crashed" && said.contains("signal") {
            runner.wait_for_line("Waiting ")?;
        }
        machine.github.script(&json!({}))?;
        runner.wait_for_line("Listening for Jobs")?;
        ensure!(runner.settles()? == id, "{said} costs no registration");
    }
    // Another start would change nothing about this one.
    machine.github.script(&json!({ "run": [{ "end": "version-too-old" }] }))?;
    runner.stop()?;
    runner.begin()?;
    runner.wait_for_line("GitHub no longer accepts ")?;
    wait_for("the unit to stay down", || Ok((runner.property("ActiveState")? == "failed").then_some(())))?;
    runner.expect("its version is too old (exit code 7)")?;
    runner.expect("set `package`")?;
    machine.github.script(&json!({}))?;
    runner.restart()?;
    ensure!(runner.settles()? == id);
    runner.stop()
}

pub fn conflict(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "recovering")?;
    runner.restart()?;
    let old = runner.settles()?;
    runner.stop()?;
    machine.github.script(&json!({ "run": [{ "end": "session-conflict" }] }))?;
    runner.begin()?;
    for failures in 1..=3 {
        wait_for("the end in the ledger", || {
            let exit = &runner.ledger()?["lastExit"];
            Ok((exit["kind"] == "sessionConflict" && exit["failures"] == failures).then_some(()))
        })?;
        if failures == 3 {
            machine.github.script(&json!({}))?;
        }
        // Nobody starts it: only the waits are made shorter.
        runner.let_time_pass()?;
    }
    runner.wait_for_line("GitHub saw another session of this runner 3 times in a row")?;
    runner.wait_for_line(&format!("Took back the former registration \"recovering\", id {old}"))?;
    runner.wait_for_line("Listening for Jobs")?;
    ensure!(runner.settles()? != old, "a fresh identity");
    runner.stop()
}

pub fn stopped_while_it_waits(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "recovering")?;
    runner.restart()?;
    let id = runner.settles()?;
    runner.stop()?;
    machine.github.script(&json!({ "run": [{ "end": "polling-failed" }, { "end": "polling-failed" }] }))?;
    runner.begin()?;
    runner.wait_for_line("Waiting ")?;
    machine.github.script(&json!({}))?;
    run("systemctl", &["stop", &runner.unit])?;
    ensure!(runner.property("ActiveState")? == "inactive", "{}", runner.property("ActiveState")?);
    ensure!(runner.property("Result")? == "success", "{}", runner.property("Result")?);
    let exit = &runner.ledger()?["lastExit"];
    ensure!(exit["kind"] == "clean" && exit["failures"] == 0, "{exit}");
    runner.restart()?;
    ensure!(runner.settles()? == id, "nothing was lost");
    runner.stop()
}

pub fn version_refused(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "recovering")?;
    runner.restart()?;
    let manifest = runner.manifest()?;
    let mut changed = manifest.clone();
    changed["registration"]["extraLabels"] = json!(["another"]);
    runner.reconfigure(&changed)?;
    let message = "Your runner version is out of date and can no longer register.";
    let path = "/actions/runner-registration";
    machine.github.tell("faults", &json!({ "path": path, "status": 404, "times": 99, "message": message }))?;
    let before = machine.github.asked("POST", path)?;
    runner.begin()?;
    runner.wait_for_line("stays down until somebody starts it")?;
    wait_for("the unit to stay down", || Ok((runner.property("ActiveState")? == "failed").then_some(())))?;
    ensure!(runner.property("NRestarts")? == "0", "systemd starts it again");
    ensure!(machine.github.asked("POST", path)? == before + 1, "it is not asked for again and again");
    ensure!(runner.ledger()?["lastExit"]["kind"] == "versionDeprecated");
    // Whoever starts it wants it tried.
    machine.github.reset()?;
    runner.restart()?;
    runner.settles()?;
    runner.reconfigure(&manifest)?;
    runner.restart()?;
    runner.settles()?;
    runner.stop()
}
