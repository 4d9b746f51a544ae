//! Jobs of GitLab in machines of their own, told step by step: `cargo run --release --example gitlab-job`.
//!
//! It exists so that somebody with a Debian machine and root sees what happens to a job, without a GitLab and without systemd's
//! units. Driver, supervisors and machines are the real ones, with the texts of docs/gitlab.md; GitLab and gitlab-runner are
//! the stand-ins of the tests. Every fact that is told is checked first, so this is a test as well.
//!
//! It writes into a temporary directory, and the image into the cache of the tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "shares its host with the tests, which fail by panicking")]
#![allow(clippy::print_stdout, reason = "tells what happens")]

mod programs;

#[path = "../../tests/stand-ins/gitlab/mod.rs"]
mod gitlab;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/gitlab/host.rs"]
mod host;
#[allow(dead_code, reason = "tests use more of it")]
#[path = "../../tests/support/nspawn.rs"]
mod nspawn;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/support/gitlab.rs"]
mod site;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/support/times.rs"]
mod times;
#[path = "../../tests/support/wait.rs"]
mod wait;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use gitlab::Cancel;
use host::Host;

/// The program that the configuration names.
fn driver() -> &'static str {
    programs::DRIVER.get().map_or("", String::as_str)
}

fn main() -> Result<()> {
    ensure!(nix::unistd::Uid::effective().is_root(), "Machines are made by root: run this as root");
    programs::build()?;
    println!("A pipeline of three jobs. Each gets a machine of its own, made from one image:");
    let host = Host::new(|settings| {
        settings["machines"]["network"]["mode"] = json!("host");
        settings["defaultImage"] = json!("debian");
    });
    build(&host)?;
    test(&host)?;
    deploy(&host)?;
    host.wait_until_no_unit_is_left();
    println!("\nNo process, mount, file or user id of the three jobs is left on this host.");
    Ok(())
}

/// The first stage: a machine that boots, root in it, and an artifact.
fn build(host: &Host) -> Result<()> {
    let script = [
        "systemctl is-system-running || true",
        "id --user --name",
        "grep --max-count 1 . /proc/self/uid_map",
        "mkdir out && echo built > out/program",
    ];
    let mut job = host.job(1, &script);
    job["artifacts"] = json!([{"name": "program", "paths": ["out/"], "when": "on_success"}]);
    let (ended, took) = timed(|| host.run(job));
    let log = host.log(1);
    ensure!(ended.state == "success" && log.contains("\nroot\n"), "{log}");
    ensure!(host.site.coordinator.job(host.id(1)).is_some_and(|job| job.artifacts.len() == 1), "{log}");
    let map = log.lines().find(|line| line.trim_end().ends_with("65536")).context("no user ids in the log")?;
    let first = map.split_whitespace().nth(1).context("no user ids in the log")?;
    println!(
        "\n  build   passed in {took} ms. The image's init was started, and the script was root: user {first} of this host."
    );
    println!("          Its artifact went to GitLab by the gitlab-runner in the machine.");
    Ok(())
}

/// The second stage: another machine, the artifact of the first one, and an exit code.
fn test(host: &Host) -> Result<()> {
    let mut job = host.job(2, &["cat out/program", "echo testing", "exit 42"]);
    let id = host.id(1);
    let token = host.site.coordinator.job(id).map(|job| job.token().to_owned());
    let file = json!({"filename": "artifacts.zip", "size": 1});
    job["dependencies"] = json!([{"id": id, "token": token, "name": "build", "artifacts_file": file}]);
    with_after_script(&mut job, "test ! -e /root/built-here && echo after the script, in the same machine");
    let (ended, took) = timed(|| host.run(job));
    let log = host.log(2);
    ensure!(log.contains("\nbuilt\n") && log.contains("\nafter the script, in the same machine\n"), "{log}");
    ensure!(ended.reason == "script_failure" && ended.exit_code == 42, "{ended:?}\n{log}");
    println!("\n  test    failed in {took} ms with exit code 42, which is the script's own, and not a system failure.");
    println!("          It had the artifact of the first job, and nothing else of it.");
    Ok(())
}

/// The third stage: a cancel.
fn deploy(host: &Host) -> Result<()> {
    let mut job = host.job(3, &["echo deploying", "sleep 3600"]);
    with_after_script(&mut job, "ls -l /proc/[0-9]*/exe 2> /dev/null | grep sleep || echo nothing of the script runs");
    let mut working = host.site.start(job);
    host.wait_for_log(3, "\ndeploying\n");
    let ((), took) = timed(|| {
        host.cancel(3, Cancel::Canceling);
        working.wait();
    });
    let log = host.log(3);
    ensure!(log.contains("\nnothing of the script runs\n"), "{log}");
    host.nothing_is_left_of(3);
    println!(
        "\n  deploy  was cancelled. {took} ms later its script, after_script and the machine had ended, in this order."
    );
    println!("          When after_script began, no process of the script was there any more.");
    Ok(())
}

fn with_after_script(job: &mut Value, command: &str) {
    let step = json!({"name": "after_script", "script": [command], "timeout": 300, "when": "always"});
    if let Some(steps) = job["steps"].as_array_mut() {
        steps.push(step);
    }
}

/// What it gives, and how many milliseconds it took.
fn timed<T>(run: impl FnOnce() -> T) -> (T, u128) {
    let since = Instant::now();
    (run(), since.elapsed().as_millis())
}
