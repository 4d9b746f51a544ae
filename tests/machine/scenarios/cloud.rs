//! Runners on demand on EC2: instances boot, by their user data, from what their metadata service tells them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::ondemand::{DESK, EXAMPLE, Reply, begin, is_clean, journal, put, queue, script, wait_for_end};
use crate::Machine;
use crate::ec2::Ec2;
use crate::tools::{run, wait_for};

/// A job waits until its metadata service tells nothing any more, and fails if that does not come.
const SEALED: &str = "test ! -r /run/user-data; for i in $(seq 150); do curl --silent --fail --max-time 5 --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token > /dev/null || exit 0; \
    sleep 0.2; done; exit 1";

/// Prepares for one order of this class, whose job does this.
fn order(machine: &Machine, run: u64, job: &str) -> Result<(Ec2, String)> {
    begin(machine)?;
    let ec2 = Ec2::start(&machine.stand_ins, &machine.github)?;
    let label = format!("od-{run}-build");
    queue(machine, run, EXAMPLE, &label)?;
    script(machine, &json!({ "name": "build", "command": job, "repository": EXAMPLE.0, "run": run }))?;
    Ok((ec2, label))
}

/// Asks for the runner until something came of it, however long an instance takes to boot here.
fn online(label: &str) -> Result<Reply> {
    let reply = wait_for(&format!("the runner of {label}"), || {
        let reply = put(label, "cloud", 60)?;
        Ok((reply.status != 202).then_some(reply))
    })
    .with_context(journal)?;
    ensure!(reply.status == 200, "{reply:?}\n{}", journal());
    Ok(reply)
}

/// Waits until all instances are gone, which are as many as this.
fn is_over(ec2: &Ec2, most: usize) -> Result<()> {
    wait_for("the end of all instances", || Ok(ec2.is_over(most).is_ok().then_some(())))
        .or_else(|_| ec2.is_over(most))
        .with_context(journal)
}

/// From the request to nothing left; how long it took to the runner, and to the end, and what EC2 and GitHub were asked.
fn life(machine: &Machine, run: u64, job: &str) -> Result<(Duration, Duration, Value)> {
    let (ec2, label) = order(machine, run, job)?;
    let before = machine.github.by_brokers()?;
    let start = Instant::now();
    let reply = online(&label)?;
    ensure!(reply.body["market"] == "spot", "{reply:?}");
    let online = start.elapsed();
    let ended = wait_for_end(&label)?;
    let over = start.elapsed();
    ensure!(ended["cause"] == "done", "{ended}\n{}", journal());
    is_over(&ec2, 1)?;
    is_clean(machine)?;
    let made = &ec2.instances()?[0];
    ensure!(made["market"] == "spot" && made["shutdownBehavior"] == "terminate", "{made}");
    let asked = json!({ "EC2": ec2.requests()?, "GitHub": machine.github.by_brokers()? - before });
    Ok((online, over, asked))
}

pub fn whole(machine: &Machine) -> Result<()> {
    life(machine, 3_001, SEALED).map(drop)
}

/// What a life costs: with a job that ends when its machine is closed, and so takes as long as that.
pub fn figures(machine: &Machine) -> Result<()> {
    let lives: Vec<_> = (3_100..3_105).map(|run| life(machine, run, SEALED)).collect::<Result<_>>()?;
    let sorted = |times: &mut Vec<u128>| {
        times.sort_unstable();
        format!("median {} ms of {times:?}", times[times.len() / 2])
    };
    let mut online: Vec<u128> = lives.iter().map(|(online, ..)| online.as_millis()).collect();
    let mut over: Vec<u128> = lives.iter().map(|(_, over, _)| over.as_millis()).collect();
    println!("       from the request to the runner online, class cloud: {}", sorted(&mut online));
    println!("       from the request to the end, class cloud: {}", sorted(&mut over));
    println!("       requests of the last one: {}", lives[4].2);
    Ok(())
}

pub fn without_room(machine: &Machine) -> Result<()> {
    let (ec2, label) = order(machine, 3_002, "sleep 5")?;
    ec2.rules(&json!([
        { "action": "RunInstances", "code": "InsufficientInstanceCapacity", "status": 500, "market": "spot", "times": 1, "answer": "refuse" },
        { "action": "RunInstances", "code": "Server.InsufficientInstanceCapacity", "market": "spot", "times": 1, "answer": "capacityLater" },
        { "action": "RunInstances", "code": "InternalError", "status": 500, "market": "on-demand", "times": 1, "answer": "lost" },
    ]))?;
    online(&label)?;
    let ended = wait_for_end(&label)?;
    ensure!(ended["cause"] == "done", "{ended}\n{}", journal());
    is_over(&ec2, 2)?;
    let markets: Vec<Value> = ec2.instances()?.iter().map(|one| one["market"].clone()).collect();
    ensure!(markets == ["spot", "on-demand"], "{markets:?}");
    is_clean(machine)
}

/// The instance that runs.
fn running(ec2: &Ec2) -> Result<Value> {
    let all = ec2.instances()?;
    all.iter().find(|one| one["state"] == "running").cloned().with_context(|| format!("none runs of {all:?}"))
}

pub fn interrupted(machine: &Machine) -> Result<()> {
    let (ec2, label) = order(machine, 3_003, "sleep 1000")?;
    online(&label)?;
    let name = format!("{label}-cloud");
    let busy = || Ok(machine.github.runners(&name)?.iter().any(|runner| runner["busy"] == true).then_some(()));
    wait_for("the job", busy)?;
    ec2.interrupt(&running(&ec2)?)?;
    // The order sees it. GitHub counts the job until it gives it up, and keeps the registration as long.
    wait_for("the end of an instance that was taken away", || Ok(ec2.is_over(1).is_ok().then_some(())))?;
    for runner in machine.github.runners(&name)? {
        machine.github.tell(&format!("runners/{}/busy", runner["id"]), &json!(false))?;
    }
    wait_for_end(&label)?;
    is_clean(machine)
}

pub fn forgotten(machine: &Machine) -> Result<()> {
    let (ec2, label) = order(machine, 3_004, "sleep 1000")?;
    put(&label, "cloudshort", 0)?;
    wait_for("an instance", || Ok((!ec2.instances()?.is_empty()).then_some(()))).with_context(journal)?;
    // This host says nothing more. However long it takes to boot, the instance sees that its time is over.
    run("systemctl", &["stop", DESK, "github-runner-on-demand.socket", "github-runner-on-demand.timer"])?;
    let over = is_over(&ec2, 1);
    run("systemctl", &["start", "github-runner-on-demand.socket", "github-runner-on-demand.timer"])?;
    over?;
    let ended = &ec2.instances()?[0]["stateReason"];
    ensure!(ended.to_string().contains("Client.InstanceInitiatedShutdown"), "{ended}");
    for runner in machine.github.runners(&format!("{label}-cloudshort"))? {
        machine.github.tell(&format!("runners/{}/busy", runner["id"]), &json!(false))?;
    }
    wait_for_end(&label)?;
    is_clean(machine)
}

pub fn killed(machine: &Machine) -> Result<()> {
    for (number, run_number) in (3_200..3_206).enumerate() {
        let (ec2, label) = order(machine, run_number, "sleep 1")?;
        put(&label, "cloud", 0)?;
        // Later each time, so that each part of its life is cut off once.
        let delay = Duration::from_millis(400 * number as u64);
        sleep(delay);
        run("systemctl", &["kill", "--kill-whom=all", "--signal=KILL", DESK])?;
        wait_for_end(&label)?;
        is_over(&ec2, 1).and_then(|()| is_clean(machine)).with_context(|| format!("killed after {delay:?}"))?;
    }
    Ok(())
}
