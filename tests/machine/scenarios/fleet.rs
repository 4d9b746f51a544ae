//! Passes over many runners: restarts that wait for jobs, runners that are not configured any more, and what the server
//! does not list.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::broker::install_app;
use crate::Machine;
use crate::runner::Runner;
use crate::tools::{run, set_mode, wait_for};

const FLEET: &str = "/etc/github-runners/fleet.json";
const MEMORY: &str = "/var/lib/github-runner-reconcile/memory.json";
const PASS: &str = "github-runner-reconcile.service";
/// Jobs that wait end when this is there.
const RELEASE: &str = "/run/stand-in/release";
const TOKEN: &str = "ghp_fakeFLEETfleetFLEETfleet";

/// Makes one pass, as its unit does.
fn pass() -> Result<()> {
    run("systemctl", &["start", "--wait", PASS]).map(drop)
}

/// What the passes since then said.
fn said(since: &str) -> Result<String> {
    run("journalctl", &["--sync"])?;
    run("journalctl", &["--no-pager", "--output=cat", "--unit", PASS, &format!("--after-cursor={since}")])
}

fn cursor() -> Result<String> {
    let shown = run("journalctl", &["--lines=1", "--no-pager", "--show-cursor", "--output=cat"])?;
    let cursor = shown.lines().find_map(|line| line.strip_prefix("-- cursor: "));
    cursor.map(str::to_owned).context("the journal has no cursor")
}

/// What a switch that changed these units does under `when-idle`: other texts, and no restart.
fn switch(runners: &[Runner<'_>], generation: u32) -> Result<()> {
    for runner in runners {
        let directory = format!("/run/systemd/system/{}.d", runner.unit);
        fs::create_dir_all(&directory)?;
        fs::write(format!("{directory}/switch.conf"), format!("[Service]\nEnvironment=GENERATION={generation}\n"))?;
    }
    run("systemctl", &["daemon-reload"]).map(drop)
}

/// Whether the listener that runs was started from the unit of this generation.
fn is_of(runner: &Runner<'_>, generation: u32) -> Result<bool> {
    let pid = runner.property("MainPID")?;
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    Ok(environment.split('\0').any(|variable| variable == format!("GENERATION={generation}")))
}

fn active(runner: &Runner<'_>) -> Result<bool> {
    Ok(runner.property("ActiveState")? == "active")
}

/// Changes what passes remember.
fn remember(edit: impl FnOnce(&mut Value)) -> Result<()> {
    let mut memory: Value = serde_json::from_slice(&fs::read(MEMORY)?)?;
    edit(&mut memory);
    fs::write(MEMORY, memory.to_string()).context("Failed to change what passes remember")
}

/// Changes the fleet file until `f` is over.
fn with_fleet(edit: impl FnOnce(&mut Value), f: impl FnOnce() -> Result<()>) -> Result<()> {
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

fn pool<'a>(machine: &'a Machine, entry: &str, count: usize) -> Result<Vec<Runner<'a>>> {
    install_app(machine)?;
    (1..=count).map(|number| Runner::of_entry(machine, &format!("{entry}-{number}"))).collect()
}

fn each(runners: &[Runner<'_>], verb: &str) -> Result<()> {
    let mut arguments = vec![verb];
    arguments.extend(runners.iter().map(|runner| runner.unit.as_str()));
    run("systemctl", &arguments).map(drop)
}

pub fn ends_no_job(machine: &Machine) -> Result<()> {
    machine.secrets.add(TOKEN);
    machine.github.accept(TOKEN)?;
    fs::write("/run/secrets/fleet.token", TOKEN)?;
    set_mode("/run/secrets/fleet.token", 0o400)?;
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
    let begin = Instant::now();
    pass()?;
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

/// The last one about this entry: by now its second runner has run for some time.
pub fn deleted_while_running(machine: &Machine) -> Result<()> {
    let runner = pool(machine, "pool", 2)?.remove(1);
    if !active(&runner)? {
        runner.let_time_pass()?;
        run("systemctl", &["start", &runner.unit])?;
    }
    let old = runner.settles()?;
    pass()?;
    machine.github.remove(old)?;
    let invocation = || runner.property("InvocationID");
    let before = invocation()?;
    pass()?;
    ensure!(invocation()? == before, "one look is not enough");
    remember(|memory| memory["runners"]["pool-2"]["lost"]["since"] = json!(1))?;
    let start = Instant::now();
    while invocation()? == before {
        // A unit that was started just now is given a minute.
        ensure!(start.elapsed() < Duration::from_secs(90), "it was never restarted");
        pass()?;
        std::thread::sleep(Duration::from_millis(500));
    }
    runner.wait_for_line("Listening for Jobs")?;
    ensure!(runner.settles()? != old);
    runner.stop()
}

pub fn ten_passes_down(machine: &Machine) -> Result<()> {
    let mut runners = pool(machine, "pool", 3)?;
    // The second one is left alone, see `deleted_while_running`.
    runners.remove(1);
    for runner in &mut runners {
        runner.restart()?;
        runner.settles()?;
    }
    switch(&runners, 2)?;
    machine.github.down(true)?;
    let result = (0..10).try_for_each(|_| pass());
    let untouched = runners.iter().map(|runner| Ok(active(runner)? && !is_of(runner, 2)?)).collect::<Result<Vec<_>>>();
    machine.github.down(false)?;
    result?;
    ensure!(untouched?.iter().all(|untouched| *untouched), "something was restarted blindly");
    pass()?;
    for runner in &runners {
        wait_for("the restart", || Ok(is_of(runner, 2)?.then_some(())))?;
        runner.settles()?;
        runner.stop()?;
        runner.remove_drop_ins()?;
    }
    Ok(())
}

pub fn two_at_once(machine: &Machine) -> Result<()> {
    let mut runner = pool(machine, "pool", 1)?.remove(0);
    runner.restart()?;
    let id = runner.settles()?;
    let mut manifest = runner.manifest()?;
    manifest["registration"]["extraLabels"] = json!(["other"]);
    runner.reconfigure(&manifest)?;
    runner.let_time_pass()?;
    let before = machine.github.registrations()?;
    let path = "/run/machine-tests/pool-1.json";
    with_fleet(
        |fleet| {
            for one in fleet["instances"].as_array_mut().into_iter().flatten() {
                if one["instance"] == "pool-1" {
                    one["manifest"] = json!(path);
                }
            }
        },
        || {
            let program = run("systemctl", &["show", "--value", "--property=ExecStart", PASS])?;
            let program = program.split("path=").nth(1).and_then(|rest| rest.split(' ').next()).context("a program")?;
            std::thread::scope(|scope| {
                let passes: Vec<_> =
                    (0..2).map(|_| scope.spawn(|| run(program, &["reconcile", "--fleet", FLEET]))).collect();
                passes
                    .into_iter()
                    .try_for_each(|pass| pass.join().map_err(|_| anyhow::anyhow!("a pass panicked"))?.map(drop))
            })?;
            runner.wait_for_line("Registering pool-1 anew: extraLabels changed: ")?;
            runner.wait_for_line("Listening for Jobs")?;
            ensure!(runner.settles()? != id);
            pass()
        },
    )?;
    ensure!(machine.github.registrations()? == before + 1, "one registration");
    runner.stop()?;
    runner.remove_drop_ins()
}

pub fn reboot_during_a_drain(machine: &Machine) -> Result<()> {
    let runners = pool(machine, "fleet", 2)?;
    let job = format!("while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "long", "command": job } }] }))?;
    for runner in &runners {
        runner.let_time_pass()?;
    }
    each(&runners, "start")?;
    for runner in &runners {
        runner.wait_for_line("Running job: long")?;
    }
    machine.github.script(&json!({}))?;
    switch(&runners, 3)?;
    pass()?;
    // What shutting down and booting do to units and to the directories in memory.
    each(&runners, "stop")?;
    for runner in &runners {
        ensure!(runner.listed()? == [0_u64; 0], "an ephemeral runner survived the host");
        runner.let_time_pass()?;
    }
    each(&runners, "start")?;
    for runner in &runners {
        runner.settles()?;
        wait_for("a listener", || Ok(is_of(runner, 3)?.then_some(())))?;
    }
    let since = cursor()?;
    let before = machine.github.registrations()?;
    pass()?;
    let told = said(&since)?;
    ensure!(told.contains("Runner fleet-1 runs as configured"), "{told}");
    ensure!(machine.github.registrations()? == before);
    each(&runners, "stop")?;
    runners.iter().try_for_each(Runner::remove_drop_ins)
}

pub fn deadline(machine: &Machine) -> Result<()> {
    let mut runners = pool(machine, "fleet", 1)?;
    let job = format!("while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "endless", "command": job } }] }))?;
    runners[0].restart()?;
    runners[0].wait_for_line("Running job: endless")?;
    machine.github.script(&json!({}))?;
    runners[0].let_time_pass()?;
    switch(&runners, 4)?;
    let since = cursor()?;
    with_fleet(
        |fleet| {
            for one in fleet["instances"].as_array_mut().into_iter().flatten() {
                one["drainTimeout"] = json!(2);
            }
        },
        || {
            pass()?;
            ensure!(!is_of(&runners[0], 4)?, "it was not given its time: {}", said(&since)?);
            std::thread::sleep(Duration::from_secs(2));
            pass()
        },
    )?;
    wait_for("the restart", || Ok(is_of(&runners[0], 4)?.then_some(())))?;
    let told = said(&since)?;
    ensure!(told.contains("restarts although it may run a job, because its `drainTimeout` is over"), "{told}");
    runners[0].settles()?;
    runners[0].stop()?;
    runners[0].remove_drop_ins()
}

pub fn unknown(machine: &Machine) -> Result<()> {
    let mut runner = pool(machine, "pool", 1)?.remove(0);
    runner.restart()?;
    runner.settles()?;
    machine.github.tell("runners", &json!({ "id": 99_001, "name": "pool-77", "entity": "orgs/octo-org" }))?;
    machine.github.tell("runners", &json!({ "id": 99_002, "name": "poolside", "entity": "orgs/octo-org" }))?;
    let since = cursor()?;
    pass()?;
    pass()?;
    let told = said(&since)?;
    ensure!(told.contains("GitHub lists the offline runner \"pool-77\", id 99001"), "{told}");
    ensure!(!told.contains("poolside"), "{told}");
    let old = |memory: &mut Value| {
        memory["unknown"]["https://github.com/octo-org#99001"] = json!(1);
    };
    remember(old)?;
    pass()?;
    ensure!(machine.github.runners("pool-77")?.len() == 1, "nobody asked for it to be deleted");
    with_fleet(
        |fleet| fleet["deleteUnknownOffline"] = json!(true),
        || {
            remember(old)?;
            pass()
        },
    )?;
    ensure!(machine.github.runners("pool-77")?.is_empty(), "{}", said(&since)?);
    ensure!(machine.github.runners("poolside")?.len() == 1);
    machine.github.remove(99_002)?;
    runner.settles()?;
    runner.stop()
}

/// The exit code and the output of the operators' program.
fn operate(arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let program = run("systemctl", &["show", "--value", "--property=ExecStart", PASS])?;
    let program = program.split("path=").nth(1).and_then(|rest| rest.split(' ').next()).context("a program")?;
    let output = std::process::Command::new(program).args(arguments).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}

pub fn operators(machine: &Machine) -> Result<()> {
    let mut persistent = pool(machine, "pool", 1)?.remove(0);
    persistent.restart()?;
    let id = persistent.settles()?;
    let invocation = persistent.property("InvocationID")?;
    let (code, text) = operate(&["restart", "pool-1"])?;
    ensure!(code == Some(0) && text.contains("Runner pool-1 was idle, and restarts"), "{text}");
    wait_for("another run", || Ok((persistent.property("InvocationID")? != invocation).then_some(())))?;
    wait_for("a listener", || Ok(active(&persistent)?.then_some(())))?;
    ensure!(persistent.settles()? == id, "a restart keeps the registration");

    let (code, text) = operate(&["status", "--json"])?;
    let report: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    let rows = report["runners"].as_array().context("rows")?;
    let row = rows.iter().find(|row| row["instance"] == "pool-1").context("a row")?;
    ensure!(row["registration"]["id"] == id && row["registration"]["state"] == "online", "{row}");
    ensure!(code == Some(1) && report["well"] == false, "other runners of this machine do not run");
    let (_, text) = operate(&["status"])?;
    ensure!(text.contains("pool-1") && !text.contains('\x1b'), "{text}");

    let (code, text) = operate(&["retire", "pool-1"])?;
    ensure!(code == Some(0) && text.contains(&format!("took id {id} back, and is stopped")), "{text}");
    ensure!(!active(&persistent)? && persistent.listed()? == [0_u64; 0]);
    let (code, text) = operate(&["retire", "nobody"])?;
    ensure!(code == Some(1) && text.contains("There is no runner `nobody`"), "{text}");

    let mut ephemeral = pool(machine, "fleet", 1)?.remove(0);
    let job = format!("while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "long", "command": job } }] }))?;
    ephemeral.restart()?;
    ephemeral.wait_for_line("Running job: long")?;
    machine.github.script(&json!({}))?;
    let (code, text) = operate(&["retire", "fleet-1"])?;
    ensure!(code == Some(1) && text.contains("runs a job; `github-runnerctl drain` waits for that"), "{text}");
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| operate(&["drain", "fleet-1"]));
        std::thread::sleep(Duration::from_millis(1_500));
        ensure!(!drain.is_finished() && active(&ephemeral)?, "a drain that does not wait");
        fs::write(RELEASE, "")?;
        let (code, text) = drain.join().map_err(|_| anyhow::anyhow!("a drain that panicked"))??;
        ensure!(code == Some(0) && text.contains("Runner fleet-1 runs a job; waiting"), "{text}");
        Ok(())
    })?;
    fs::remove_file(RELEASE)?;
    ephemeral.expect("Job long completed with result: Succeeded")?;
    ensure!(!active(&ephemeral)? && ephemeral.listed()? == [0_u64; 0], "it was stopped after its job");
    Ok(())
}
