//! Many runners: restarts that wait for jobs, and runners that are not configured any more.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::broker::install_app;
use crate::Machine;
use crate::runner::Runner;
use crate::tools::{run, set_mode, wait_for};

pub(super) const FLEET: &str = "/etc/github-runners/fleet.json";
pub(super) const MEMORY: &str = "/var/lib/github-runner-reconcile/memory.json";
pub(super) const PASS: &str = "github-runner-reconcile.service";
/// Jobs that wait end when this is there.
pub(super) const RELEASE: &str = "/run/stand-in/release";
pub(super) const TOKEN: &str = "ghp_fakeFLEETfleetFLEETfleet";

/// Makes one pass, as its unit does.
pub fn pass() -> Result<()> {
    run("systemctl", &["start", "--wait", PASS]).map(drop)
}

/// What the passes since then said.
pub(super) fn said(since: &str) -> Result<String> {
    run("journalctl", &["--sync"])?;
    run("journalctl", &["--no-pager", "--output=cat", "--unit", PASS, &format!("--after-cursor={since}")])
}

pub(super) fn cursor() -> Result<String> {
    let shown = run("journalctl", &["--lines=1", "--no-pager", "--show-cursor", "--output=cat"])?;
    let cursor = shown.lines().find_map(|line| line.strip_prefix("-- cursor: "));
    cursor.map(str::to_owned).context("the journal has no cursor")
}

/// What a switch that changed these units does under `when-idle`: other texts, and no restart.
pub(super) fn switch(runners: &[Runner<'_>], generation: u32) -> Result<()> {
    switch_in("/run/systemd/system", runners, generation)
}

/// The same with the new texts below `units`.
pub(super) fn switch_in(units: &str, runners: &[Runner<'_>], generation: u32) -> Result<()> {
    for runner in runners {
        let directory = format!("{units}/{}.d", runner.unit);
        fs::create_dir_all(&directory)?;
        fs::write(format!("{directory}/switch.conf"), format!("[Service]\nEnvironment=GENERATION={generation}\n"))?;
    }
    run("systemctl", &["daemon-reload"]).map(drop)
}

/// Whether the listener that runs was started from the unit of this generation.
pub(super) fn is_of(runner: &Runner<'_>, generation: u32) -> Result<bool> {
    let pid = runner.property("MainPID")?;
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    Ok(environment.split('\0').any(|variable| variable == format!("GENERATION={generation}")))
}

pub(super) fn active(runner: &Runner<'_>) -> Result<bool> {
    Ok(runner.property("ActiveState")? == "active")
}

/// Changes what passes remember.
pub(super) fn remember(edit: impl FnOnce(&mut Value)) -> Result<()> {
    let mut memory: Value = serde_json::from_slice(&fs::read(MEMORY)?)?;
    edit(&mut memory);
    fs::write(MEMORY, memory.to_string()).context("Failed to change what passes remember")
}

/// Changes the fleet file until `f` is over.
pub fn with_fleet(edit: impl FnOnce(&mut Value), f: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = fs::read(FLEET)?;
    let mut fleet: Value = serde_json::from_slice(&before)?;
    edit(&mut fleet);
    // On NixOS the file is a link into the store.
    fs::remove_file(FLEET)?;
    fs::write(FLEET, fleet.to_string())?;
    let result = f();
    fs::write(FLEET, before)?;
    result
}

pub fn pool<'a>(machine: &'a Machine, entry: &str, count: usize) -> Result<Vec<Runner<'a>>> {
    install_app(machine)?;
    machine.secrets.add(TOKEN);
    machine.github.accept(TOKEN)?;
    fs::write("/run/secrets/fleet.token", TOKEN)?;
    set_mode("/run/secrets/fleet.token", 0o400)?;
    (1..=count).map(|number| Runner::of_entry(machine, &format!("{entry}-{number}"))).collect()
}

pub fn each(runners: &[Runner<'_>], verb: &str) -> Result<()> {
    let mut arguments = vec![verb];
    arguments.extend(runners.iter().map(|runner| runner.unit.as_str()));
    run("systemctl", &arguments).map(drop)
}

pub fn ends_no_job(machine: &Machine) -> Result<()> {
    let mut runners = pool(machine, "fleet", 20)?;
    let idle = runners.split_off(5);
    let busy = runners;
    let job = format!("while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "long", "command": job } }] }))?;
    each(&busy, "start")?;
    for runner in &busy {
        runner.wait_for_line("Running job: long")?;
    }
    machine.github.script(&json!({}))?;
    let begin = Instant::now();
    each(&idle, "start")?;
    for runner in &idle {
        runner.wait_for_line("Listening for Jobs")?;
    }
    println!(
        "figure from start to listener of 15 ephemeral runners of one credential: {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    ensure!(idle[0].property("MemoryMax")? == "1073741824" && idle[0].property("TasksMax")? == "500");
    ensure!(idle[0].property("Slice")? == "github-runners-fleet.slice", "{}", idle[0].property("Slice")?);

    // Or the restarts would wait for the end of the minute between two registrations.
    idle.iter().try_for_each(Runner::let_time_pass)?;
    let since = cursor()?;
    switch(&busy, 1)?;
    switch(&idle, 1)?;
    // As a switch does, which waits for the units that it starts.
    let begin = Instant::now();
    run("systemctl", &["restart", PASS])?;
    let (waited, state) = (begin.elapsed(), run("systemctl", &["show", "--value", "--property=ActiveState", PASS])?);
    ensure!(state.trim() == "active", "a switch that waits until the pass is {state}");
    wait_for("the end of the pass", || {
        let state = run("systemctl", &["show", "--value", "--property=ActiveState", PASS])?;
        Ok((state.trim() == "inactive").then_some(()))
    })?;
    println!("figure a switch waits for its pass: {} ms", waited.as_millis());
    println!("figure pass that restarts 15 of 20 runners: {:.1} s", begin.elapsed().as_secs_f64());
    for runner in &idle {
        wait_for(&format!("the restart of {}", runner.name), || Ok(is_of(runner, 1)?.then_some(())))
            .with_context(|| said(&since).unwrap_or_default())?;
    }
    for runner in &busy {
        ensure!(!is_of(runner, 1)? && active(runner)?, "{} was restarted during its job", runner.name);
    }
    let told = said(&since)?;
    ensure!(told.contains("Runner fleet-1 is to be restarted since "), "{told}");
    pass()?;
    ensure!(said(&since)?.matches("Runner fleet-1 is to be").count() == 1, "a drain is told once");
    fs::write(RELEASE, "")?;
    for runner in &busy {
        runner.wait_for_line("Job long completed with result: Succeeded")?;
        wait_for(&format!("the restart of {}", runner.name), || Ok(is_of(runner, 1)?.then_some(())))?;
    }
    fs::remove_file(RELEASE)?;
    for runner in busy.iter().chain(&idle) {
        wait_for("a listener", || Ok(active(runner)?.then_some(())))?;
        runner.settles()?;
        ensure!(!runner.journal()?.contains("Canceled"), "{} lost its job", runner.name);
    }
    let before = machine.github.registrations()?;
    pass()?;
    pass()?;
    ensure!(machine.github.registrations()? == before, "a pass over what is as it should be does nothing");
    each(&busy, "stop")?;
    each(&idle, "stop")?;
    for runner in busy.iter().chain(&idle) {
        ensure!(runner.listed()? == [0_u64; 0], "{} is still listed", runner.name);
        runner.remove_drop_ins()?;
    }
    Ok(())
}

pub fn removed(machine: &Machine) -> Result<()> {
    let mut runners = pool(machine, "pool", 3)?;
    for runner in &mut runners {
        runner.restart()?;
        runner.settles()?;
    }
    let last = &mut runners[2];
    let job = format!("while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "long", "command": job } }] }))?;
    last.restart()?;
    last.wait_for_line("Running job: long")?;
    machine.github.script(&json!({}))?;
    // Passes are made every minute.
    pass()?;

    // What a switch does to a runner that is not configured any more: its units are gone, and it is left alone.
    let units =
        [last.unit.clone(), "github-runner-broker-pool-3@.service".into(), "github-runner-broker-pool-3.socket".into()];
    let kept = Path::new("/run/machine-tests/removed");
    fs::create_dir_all(kept)?;
    for unit in &units {
        fs::rename(format!("/etc/systemd/system/{unit}"), kept.join(unit)).or_else(|_| {
            fs::copy(format!("/etc/systemd/system/{unit}"), kept.join(unit))?;
            fs::remove_file(format!("/etc/systemd/system/{unit}"))
        })?;
    }
    run("systemctl", &["daemon-reload"])?;
    let result = with_fleet(
        |fleet| {
            if let Some(all) = fleet["instances"].as_array_mut() {
                all.retain(|one| one["instance"] != "pool-3");
            }
        },
        || {
            let since = cursor()?;
            pass()?;
            ensure!(active(last)?, "it was stopped during its job: {}", said(&since)?);
            ensure!(last.listed()?.len() == 1);
            for (property, value) in [("LoadState", "loaded"), ("DynamicUser", "yes"), ("Restart", "no")] {
                ensure!(last.property(property)? == value, "{property} of a running unit is lost to the switch");
            }
            fs::write(RELEASE, "")?;
            last.wait_for_line("Job long completed with result: Succeeded")?;
            wait_for("an idle runner", || {
                Ok(machine.github.runners("pool-3")?.iter().all(|seen| seen["busy"] == false).then_some(()))
            })?;
            pass()?;
            let told = said(&since)?;
            ensure!(told.contains("Runner pool-3 is not configured any more: took its registrations back"), "{told}");
            ensure!(last.listed()? == [0_u64; 0], "GitHub still lists it: {told}");
            ensure!(!active(last)?, "it still runs: {told}");
            for path in ["/var/lib/github-runner/pool-3", "/var/log/github-runner/pool-3", "/run/github-runner/pool-3"]
            {
                ensure!(fs::symlink_metadata(path).is_err(), "{path} is still there");
            }
            ensure!(!last.ledger_path().exists());
            ensure!(last.property("LoadState")? == "not-found", "the copy of its unit is still there");
            pass()
        },
    );
    fs::remove_file(RELEASE)?;
    for unit in &units {
        fs::copy(kept.join(unit), format!("/etc/systemd/system/{unit}"))?;
    }
    run("systemctl", &["daemon-reload"])?;
    result?;
    // Configured again.
    run("systemctl", &["restart", "github-runner-broker-pool-3.socket"])?;
    last.restart()?;
    last.settles()?;
    last.stop()?;
    runners[0].stop()
}
