//! Runners on demand: from a request at the door to nothing left, in units of this host and in machines of it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::Machine;
use crate::tools::{names, run, set_mode, wait_for};

/// The door, as nginx reaches it.
const DOOR: &str = "/run/github-runner-door/http.sock";
pub const DESK: &str = "github-runner-on-demand.service";
const BOOK: &str = "/var/lib/github-runner-on-demand";
const TOKEN: &str = "ghp_fake0000000000000000000000ondemand";
/// Where the listener of machines reads what it is to do.
const IMAGE_SCRIPT: &str = "home/runner/actions-runner/bin/stand-in.json";
/// Images of machines.
const IMAGES: [&str; 2] = ["/var/lib/images/debian", crate::ec2::IMAGE];

/// An answer of the door.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// Asks the door as a caller behind nginx does.
pub fn ask(method: &str, path: &str, body: &Value) -> Result<Reply> {
    let mut stream = UnixStream::connect(DOOR).with_context(|| format!("Failed to reach {DOOR}"))?;
    stream.set_read_timeout(Some(crate::times::HANGS))?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: ci.example.org\r\nx-real-ip: 192.0.2.{}\r\ncontent-length: {length}\r\n\r\n",
        // One source each, as callers of GitHub's have.
        Instant::now().elapsed().subsec_nanos() % 200 + 1
    );
    stream.write_all((head + &body).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let status = status.with_context(|| format!("no answer of HTTP: {answer:?}"))?;
    Ok(Reply { status, body: serde_json::from_str(body).unwrap_or(Value::Null) })
}

/// Prepares the machine for a scenario: nothing is ordered, and the server knows the token.
pub fn begin(machine: &Machine) -> Result<()> {
    if !fs::exists("/run/secrets/token")? {
        machine.secrets.add(TOKEN);
        machine.github.accept(TOKEN)?;
        fs::write("/run/secrets/token", TOKEN)?;
        set_mode("/run/secrets/token", 0o400)?;
    }
    machine.github.reset()?;
    // Another desk, which counts requests of each source anew.
    run("systemctl", &["stop", DESK])?;
    run("systemctl", &["reset-failed"])?;
    let there = if fs::exists(BOOK)? { names(BOOK)? } else { vec![] };
    for name in there.into_iter().filter(|name| name != "registrations") {
        let path = format!("{BOOK}/{name}");
        if fs::metadata(&path)?.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

/// A run of a repository, with a job that waits for a runner of this label.
pub fn queue(machine: &Machine, run: u64, repository: (&str, u64), label: &str) -> Result<()> {
    let (name, id) = repository;
    let jobs: Vec<Value> = if label.is_empty() { vec![] } else { vec![json!({ "id": run * 10, "labels": [label] })] };
    machine.github.tell(
        "runs",
        &json!({
            "id": run, "repository": name, "repository-id": id, "head-repository-id": id, "status": "in_progress",
            "jobs": jobs,
        }),
    )
}

pub const EXAMPLE: (&str, u64) = ("octo-org/example", 1);

/// What the listener of a unit does, or that of a machine.
pub fn script(machine: &Machine, job: &Value) -> Result<()> {
    machine.github.script(&json!({ "run": [{ "job": job }] }))?;
    let text = fs::read_to_string("/run/stand-in/listener.json")?;
    for image in IMAGES {
        let path = format!("{image}/{IMAGE_SCRIPT}");
        // A host without a cloud has no image for it.
        if fs::exists(image)? {
            fs::write(&path, &text)?;
            set_mode(&path, 0o644)?;
        }
    }
    Ok(())
}

pub fn put(label: &str, class: &str, wait: u16) -> Result<Reply> {
    let body = json!({ "class": class, "repository": EXAMPLE.0 });
    ask("PUT", &format!("/v1/runners/{label}?wait={wait}"), &body)
}

pub fn wait_for_end(label: &str) -> Result<Value> {
    wait_for(&format!("the end of {label}"), || {
        let reply = ask("GET", &format!("/v1/runners/{label}"), &Value::Null)?;
        // A desk that was killed is started again, and until then nobody answers.
        let runner = reply.body["runners"][0].clone();
        Ok((reply.status == 200 && runner["state"] == "ended").then_some(runner))
    })
    .with_context(journal)
}

/// What desk and brokers said, for whoever looks why something failed.
pub fn journal() -> String {
    run("journalctl", &["--no-pager", "--output=short-precise", "--lines=60"]).unwrap_or_default()
}

/// Waits until nothing of any order is left, on the server or on this host.
pub fn is_clean(machine: &Machine) -> Result<()> {
    let mut last = String::new();
    wait_for("nothing to be left", || match is_clean_now(machine) {
        Ok(()) => Ok(Some(())),
        Err(error) => {
            last = format!("{error:#}");
            Ok(None)
        }
    })
    .with_context(|| format!("{last}\n{}", journal()))
}

fn is_clean_now(machine: &Machine) -> Result<()> {
    for label in names(format!("{BOOK}/orders"))? {
        let stem = label.trim_end_matches(".json").replace('.', "-");
        ensure!(machine.github.runners(&stem)?.is_empty(), "{stem} is registered");
    }
    for directory in ["/run/github-runner-on-demand/orders", "/run/github-runner-order", "/run/gitlab-nspawn/jobs"] {
        let left = if fs::exists(directory)? { names(directory)? } else { vec![] };
        ensure!(left.is_empty(), "{directory} has {left:?}");
    }
    let units = run("systemctl", &["list-units", "--plain", "--no-legend", "--all", "github-runner-on-demand-*@*"])?;
    ensure!(units.trim().is_empty(), "units are left: {units}");
    Ok(())
}

fn whole_life(machine: &Machine, run: u64, class: &str) -> Result<Duration> {
    begin(machine)?;
    let label = format!("od-{run}-build");
    queue(machine, run, EXAMPLE, &label)?;
    let job =
        "test \"$PWD\" != / && ! ls /var/lib/github-runner-on-demand /run/github-runner-on-demand/orders 2> /dev/null";
    script(machine, &json!({ "name": "build", "command": job, "repository": EXAMPLE.0, "run": run }))?;
    let start = Instant::now();
    let reply = put(&label, class, 120)?;
    let took = start.elapsed();
    ensure!(reply.status == 200, "{reply:?}\n{}", journal());
    let ended = wait_for_end(&label)?;
    ensure!(ended["cause"] == "done", "{ended}\n{}", journal());
    is_clean(machine)?;
    // A label is served once.
    ensure!(put(&label, class, 0)?.body["state"] == "ended", "the label was served again");
    Ok(took)
}

pub fn of_this_host(machine: &Machine) -> Result<()> {
    whole_life(machine, 1_001, "host").map(drop)
}

pub fn in_a_machine(machine: &Machine) -> Result<()> {
    whole_life(machine, 1_002, "machine").map(drop)
}

pub fn figures(machine: &Machine) -> Result<()> {
    for (class, first) in [("host", 1_100), ("machine", 1_200)] {
        let times: Vec<Duration> =
            (first..first + 5).map(|run| whole_life(machine, run, class)).collect::<Result<_>>()?;
        let mut sorted: Vec<u128> = times.iter().map(Duration::as_millis).collect();
        sorted.sort_unstable();
        println!("       from the request to the runner online, class {class}: median {} ms of {sorted:?}", sorted[2]);
    }
    Ok(())
}

pub fn original(machine: &Machine) -> Result<()> {
    begin(machine)?;
    let (one, two) = ("rr_runner_0123456789abcdef0123456789abcdef", "rr_runner_fedcba9876543210fedcba9876543210");
    script(machine, &json!({ "name": "build", "command": "true", "repository": "octo-org/rr" }))?;
    let body = json!({ "operation": "create", "label": one, "architectures": ["host", "machine"], "repository": "octo-org/rr" });
    let reply = ask("POST", "/", &body)?;
    // Whose fork it is nobody can tell, so a class for strangers is needed.
    ensure!(reply.status == 200, "{reply:?}\n{}", journal());
    let body = json!({ "operation": "create", "label": two, "architecture": "host", "repository": "octo-org/rr" });
    wait_for("room for another one", || Ok((ask("POST", "/", &body)?.status == 200).then_some(())))?;
    let reply = ask("POST", "/", &json!({ "operation": "destroy", "labels": [one, two] }))?;
    ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    for label in [one, two] {
        wait_for(&format!("the end of {label}"), || {
            let reply = ask("GET", &format!("/v1/runners/{label}"), &Value::Null)?;
            let runners = reply.body["runners"].as_array().cloned().unwrap_or_default();
            Ok(runners.iter().all(|runner| runner["state"] == "ended").then_some(()))
        })
        .with_context(journal)?;
    }
    is_clean(machine)
}

pub fn time_is_over(machine: &Machine) -> Result<()> {
    begin(machine)?;
    let label = "od-1003-build";
    queue(machine, 1_003, EXAMPLE, label)?;
    script(machine, &json!({ "name": "build", "command": "sleep 1000", "repository": EXAMPLE.0, "run": 1_003 }))?;
    let start = Instant::now();
    let reply = put(label, "short", 50)?;
    ensure!(reply.status == 200 && reply.body["state"] != "ended", "{reply:?}\n{}", journal());
    // Also if nobody looks: the unit ends by itself.
    run("systemctl", &["stop", DESK])?;
    wait_for("the end of a unit whose time is over", || {
        let units = run("systemctl", &["list-units", "--plain", "--no-legend", "github-runner-on-demand-short@*"])?;
        Ok(units.trim().is_empty().then_some(()))
    })?;
    ensure!(start.elapsed() > Duration::from_secs(45), "it ended after {:?} already", start.elapsed());
    // Where systemd takes the listener of a PID namespace for another's child, it kills it at once. GitHub gives up jobs of runners
    // that are silent.
    for runner in machine.github.runners("od-1003-build-short")? {
        machine.github.tell(&format!("runners/{}/busy", runner["id"]), &json!(false))?;
    }
    wait_for_end(label)?;
    is_clean(machine)
}

pub fn killed(machine: &Machine) -> Result<()> {
    for (number, run_number) in (2_000..2_006).enumerate() {
        begin(machine)?;
        let label = format!("od-{run_number}-build");
        queue(machine, run_number, EXAMPLE, &label)?;
        script(machine, &json!({ "name": "build", "command": "sleep 2", "repository": EXAMPLE.0, "run": run_number }))?;
        put(&label, "host", 0)?;
        // Later each time, so that each part of its life is cut off once.
        std::thread::sleep(Duration::from_millis(300 * number as u64));
        run("systemctl", &["kill", "--kill-whom=all", "--signal=KILL", DESK])?;
        wait_for_end(&label)?;
        is_clean(machine).with_context(|| format!("killed after {} ms", 300 * number))?;
    }
    Ok(())
}

pub fn operator(machine: &Machine) -> Result<()> {
    let ctl = "/opt/runnerctl/bin/github-runnerctl";
    begin(machine)?;
    let label = "od-1004-build";
    queue(machine, 1_004, EXAMPLE, label)?;
    machine.github.script(&json!({}))?;
    let reply = put(label, "host", 300)?;
    ensure!(reply.status == 200, "{reply:?}\n{}", journal());
    ensure!(run(ctl, &["on-demand", "list"])?.contains(label), "the list lacks it");
    run(ctl, &["on-demand", "stop", "until Monday"])?;
    queue(machine, 1_005, EXAMPLE, "od-1005-build")?;
    let refused = put("od-1005-build", "host", 0)?;
    ensure!(refused.status == 503 && refused.body["message"].to_string().contains("until Monday"), "{refused:?}");
    run(ctl, &["on-demand", "start"])?;
    run(ctl, &["on-demand", "end", label])?;
    let ended = wait_for_end(label)?;
    ensure!(ended["cause"] == "operator", "{ended}");
    is_clean(machine)
}

pub fn strangers(machine: &Machine) -> Result<()> {
    begin(machine)?;
    for (method, path, body, status) in [
        ("PUT", "/v1/runners/od-4711-build?wait=20", json!({ "class": "host", "repository": EXAMPLE.0 }), 403),
        ("PUT", "/v1/runners/od-1-build", json!({ "class": "host", "repository": "octo-org/other" }), 403),
        ("PUT", "/v1/runners/od-1-build", json!({ "class": "nothing", "repository": EXAMPLE.0 }), 400),
        ("PUT", "/v1/runners/..%2F..", json!({ "class": "host" }), 400),
        ("POST", "/", json!({ "operation": "create", "label": "rr_runner_*", "architecture": "host" }), 400),
        ("GET", "/v1/runners/od-1-build", Value::Null, 404),
    ] {
        let reply = ask(method, path, &body)?;
        ensure!(reply.status == status, "{method} {path}: {reply:?}");
    }
    ensure!(names(format!("{BOOK}/orders"))?.is_empty(), "a stranger's request is an order");
    let pid = run("systemctl", &["show", "--value", "--property=MainPID", "github-runner-door.service"])?;
    let pid = pid.trim();
    ensure!(pid != "0", "the door does not run");
    let links = fs::read_to_string(format!("/proc/{pid}/net/dev"))?;
    ensure!(links.lines().skip(2).all(|line| line.trim_start().starts_with("lo:")), "the door has a network: {links}");
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    ensure!(!status.contains("Uid:\t0"), "the door runs as root");
    Ok(())
}
