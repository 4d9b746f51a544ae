//! A real reboot: what systemd does to everything at once, in the order of the units, and what is there afterwards.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::fleet::{RELEASE, active, cursor, each, is_of, pass, pool, said, switch_in, with_fleet};
use super::operators::operate;
use crate::Machine;
use crate::runner::Runner;
use crate::times::HANGS;
use crate::tools::{run, wait_for};

/// Says that the machine was rebooted, and what was registered before.
const BEFORE: &str = "/var/lib/before-the-reboot.json";
/// Where a switch puts units: what is in `/run` is gone after a reboot.
const UNITS: &str = "/etc/systemd/system";

/// Two ephemeral runners and two persistent ones, the first of each with a job.
fn runners(machine: &Machine) -> Result<[Vec<Runner<'_>>; 2]> {
    Ok([pool(machine, "fleet", 2)?, pool(machine, "pool", 2)?])
}

pub fn during_a_drain(machine: &Machine) -> Result<()> {
    if Path::new(BEFORE).exists() { after(machine) } else { before(machine) }
}

fn before(machine: &Machine) -> Result<()> {
    // So that what is said at the end of this boot can be read in the next one.
    fs::create_dir_all("/var/log/journal")?;
    run("journalctl", &["--flush"])?;
    let [ephemeral, persistent] = runners(machine)?;
    let all: Vec<&Runner<'_>> = ephemeral.iter().chain(&persistent).collect();
    let job = format!("while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "long", "command": job } }] }))?;
    for runner in [&ephemeral[0], &persistent[0]] {
        run("systemctl", &["start", &runner.unit])?;
        runner.wait_for_line("Running job: long")?;
    }
    machine.github.script(&json!({}))?;
    for runner in [&ephemeral[1], &persistent[1]] {
        run("systemctl", &["start", &runner.unit])?;
        runner.wait_for_line("Listening for Jobs")?;
    }
    ephemeral.iter().try_for_each(Runner::let_time_pass)?;
    switch_in(UNITS, &ephemeral, 1)?;
    switch_in(UNITS, &persistent, 1)?;
    pass()?;
    for runner in [&ephemeral[1], &persistent[1]] {
        wait_for("the restart of an idle one", || Ok(is_of(runner, 1)?.then_some(())))?;
        runner.settles()?;
    }
    ensure!(!is_of(&ephemeral[0], 1)? && !is_of(&persistent[0], 1)?, "a job was ended");
    let listed: Vec<Vec<u64>> = all.iter().map(|runner| runner.listed()).collect::<Result<_>>()?;
    ensure!(listed.iter().all(|ids| ids.len() == 1), "{listed:?}");
    fs::write(BEFORE, json!(listed).to_string())?;
    run("systemctl", &["reboot", "--no-block"])?;
    thread::sleep(HANGS);
    bail!("the machine did not reboot")
}

fn after(machine: &Machine) -> Result<()> {
    let listed: Vec<Vec<u64>> = serde_json::from_slice(&fs::read(BEFORE)?)?;
    let [ephemeral, persistent] = runners(machine)?;
    for runner in &ephemeral {
        let left = runner.listed()?;
        ensure!(left.is_empty(), "{} survived the host as id {left:?}: {}", runner.name, last_words(runner)?);
        let entry = runner.ledger()?;
        let is_clear = entry["runner"].is_null() && entry["leftBehind"] == json!([]);
        ensure!(is_clear, "{} is in the ledger: {entry}\n{}", runner.name, last_words(runner)?);
    }
    for (runner, before) in persistent.iter().zip(&listed[2..]) {
        ensure!(runner.listed()? == *before, "{} lost its registration: {}", runner.name, last_words(runner)?);
    }
    // What booting does.
    for runners in [&ephemeral, &persistent] {
        runners.iter().try_for_each(Runner::let_time_pass)?;
        each(runners, "start")?;
    }
    for runner in ephemeral.iter().chain(&persistent) {
        wait_for("a listener", || Ok(is_of(runner, 1)?.then_some(())))?;
        runner.settles()?;
    }
    for (runner, before) in persistent.iter().zip(&listed[2..]) {
        ensure!(runner.listed()? == *before, "{} registered anew", runner.name);
    }
    let since = cursor()?;
    let registrations = machine.github.registrations()?;
    ensure!(registrations == ephemeral.len(), "{registrations}");
    pass()?;
    let told = said(&since)?;
    for name in ["fleet-1", "fleet-2", "pool-1", "pool-2"] {
        ensure!(told.contains(&format!("Runner {name} runs as configured")), "{told}");
    }
    ensure!(machine.github.registrations()? == registrations && active(&persistent[0])?);
    let memory: Value = serde_json::from_slice(&fs::read(super::fleet::MEMORY)?)?;
    ensure!(memory["runners"]["pool-1"]["pendingSince"].is_null(), "{memory}");
    let names = ["fleet-1", "fleet-2", "pool-1", "pool-2"].map(Value::from);
    with_fleet(
        |fleet| {
            if let Some(all) = fleet["instances"].as_array_mut() {
                all.retain(|one| names.contains(&one["instance"]));
            }
        },
        || {
            let (code, text) = operate(&["status", "--json"])?;
            ensure!(code == Some(0) && text.contains("\"well\": true"), "{text}");
            Ok(())
        },
    )?;
    each(&ephemeral, "stop")?;
    each(&persistent, "stop")
}

/// What the unit wrote in the boot before this one.
fn last_words(runner: &Runner<'_>) -> Result<String> {
    run("journalctl", &["--no-pager", "--boot=-1", "--output=short-monotonic", "--unit", &runner.unit])
}
