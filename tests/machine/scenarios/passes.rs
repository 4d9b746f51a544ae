//! Passes when something is in the way: a server that is down, another pass, a reboot, a deadline, runners that nobody knows or
//! that the server does not list.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::fleet::{FLEET, PASS, RELEASE, active, cursor, is_of, pass, pool, remember, said, switch, with_fleet};
use crate::Machine;
use crate::times::HANGS;
use crate::tools::{run, wait_for};

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
        ensure!(start.elapsed() < HANGS, "it was never restarted");
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

pub fn busy_and_changed(machine: &Machine) -> Result<()> {
    let mut runner = pool(machine, "pool", 1)?.remove(0);
    let job = format!("while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "long", "command": job } }] }))?;
    runner.restart()?;
    runner.wait_for_line("Running job: long")?;
    machine.github.script(&json!({}))?;
    let id = runner.settles()?;
    let mut manifest = runner.manifest()?;
    manifest["registration"]["extraLabels"] = json!(["for-others"]);
    runner.reconfigure(&manifest)?;
    runner.let_time_pass()?;
    with_fleet(
        |fleet| {
            for one in fleet["instances"].as_array_mut().into_iter().flatten() {
                if one["instance"] == "pool-1" {
                    one["manifest"] = json!("/run/machine-tests/pool-1.json");
                }
            }
        },
        || {
            let since = cursor()?;
            pass()?;
            let told = said(&since)?;
            ensure!(told.contains("Runner pool-1 is to be restarted") && told.contains("runs a job"), "{told}");
            ensure!(runner.settles()? == id, "{told}");
            std::fs::write(RELEASE, "")?;
            runner.wait_for_line("Job long completed with result: Succeeded")?;
            wait_for("an idle runner", || {
                Ok(machine.github.runners("pool-1")?.iter().all(|seen| seen["busy"] == false).then_some(()))
            })?;
            pass()?;
            let told = said(&since)?;
            ensure!(told.contains(&format!("Runner pool-1 was idle: took id {id} back")), "{told}");
            runner.wait_for_line("Registering pool-1 anew: ")?;
            ensure!(runner.settles()? != id, "{told}");
            let listed = machine.github.runners("pool-1")?;
            ensure!(listed[0]["labels"].to_string().contains("for-others"), "{listed:?}");
            Ok(())
        },
    )?;
    std::fs::remove_file(RELEASE)?;
    runner.stop()?;
    runner.remove_drop_ins()
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
