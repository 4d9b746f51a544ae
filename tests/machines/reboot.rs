//! A host that goes down while a job runs. Only `tests/machine/gitlab` has one: it boots twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use github_runners::machines::{Machines as _, Token};
use serde_json::json;

use crate::host::{Host, is_booted, run, start};
use crate::times::FOREVER;

/// A number that no other claim has.
const JOB: u64 = 4_712;

/// Says that the host went down.
const MARK: &str = "/var/lib/went-down";

/// Ends the host at once: nothing is stopped, and nothing is taken away. What the loss of power does to a disk is not shown.
#[test]
#[ignore = "restarts the host"]
fn the_host_goes_down_while_a_job_runs() {
    assert!(is_booted(), "this restarts the host, so it is for the one that tests/machine/gitlab boots");
    let host = Host::new(&json!({}));
    host.made(JOB);
    let script = "mkdir -p /deep/er && touch /deep/er/file && chmod 0 /deep; echo ready; sleep 3600";
    let mut stage = start(&host, JOB, script);
    stage.says("ready");
    assert!(files().join("upper/deep/er/file").exists(), "there is something to be taken away");
    fs::write(MARK, "").unwrap();
    let said = Command::new("systemctl").args(["reboot", "--force", "--force"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    // Everything ends in this moment.
    thread::sleep(FOREVER);
}

fn files() -> PathBuf {
    format!("/var/lib/gitlab-nspawn/jobs/{JOB}").into()
}

#[test]
fn nothing_of_a_job_outlives_the_host_that_it_ran_on() {
    if !crate::host::can_make_machines() || !is_booted() {
        return;
    }
    assert!(Path::new(MARK).exists(), "the host did not go down before");
    assert!(!files().exists(), "the rule at boot takes them away");
    let host = Host::new(&json!({}));
    host.made(JOB);
    assert_eq!(run(&host, JOB, "ls -d /deep || echo nothing of the last").stdout, "nothing of the last\n");
    host.client().delete(Token(JOB)).unwrap();
    host.nothing_is_left();
}
