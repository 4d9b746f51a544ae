//! Jobs from the coordinator to the machine: what GitLab says of them, and that nothing is left after each.
//!
//! Runner and coordinator are the stand-ins, or the real runner with `tests/peers/run gitlab`; driver, supervisors and machines are
//! the real ones.

mod exchange;
mod kills;

use std::fs;
use std::time::Instant;

use serde_json::json;

use crate::gitlab::Cancel;
use crate::host::Host;
use crate::is_root;
use crate::outcomes::{script_failure, success, system_failure, with_after_script};
use crate::times::{AT_ONCE, FOREVER};

/// A host whose machines do not boot and have no network; `None` where nobody may make machines.
fn host() -> Option<Host> {
    is_root().then(|| Host::new(|_| {}))
}

#[test]
fn a_job_runs_as_root_of_a_machine_of_its_own() {
    let Some(host) = host() else { return };
    let (ended, log) =
        host.script(1, &["id -u", "hostname", "pwd", "cat /proc/self/uid_map", "echo done; touch /root/x"]);
    assert_eq!(ended, success(), "{log}");
    assert!(log.contains("\n0\n") && log.contains("/builds/octo-org/example") && log.contains("done"), "{log}");
    let outside = fs::read_to_string("/proc/self/uid_map").unwrap();
    assert!(!log.contains(outside.trim()), "{log}");
    assert!(log.contains("Preparing a machine of image debian-unbooted"), "{log}");
}

#[test]
fn the_next_job_sees_nothing_of_the_last_one() {
    let Some(host) = host() else { return };
    assert_eq!(host.script(1, &["echo mine > /root/left; echo mine > /left; rm -rf /usr/share/doc"]).0, success());
    let look = "[[ ! -e /root/left && ! -e /left && -d /usr/share/doc && ! -e /builds/octo-org/example/x ]]";
    for id in [2, 1] {
        assert_eq!(host.script(id, &[look, "touch x"]).0, success());
    }
}

#[test]
fn the_exit_code_of_a_script_is_the_one_that_gitlab_shows() {
    let Some(host) = host() else { return };
    for (id, code) in (1..).zip([1, 2, 42, 126, 127, 143, 255]) {
        let (ended, log) = host.script(id, &["true", &format!("(exit {code})"), "echo never"]);
        assert_eq!(ended, script_failure(code), "{log}");
        assert!(!log.contains("\nnever"), "{log}");
    }
}

#[test]
fn a_script_that_a_signal_ends_has_128_and_its_number() {
    let Some(host) = host() else { return };
    // The script's own shell, which gitlab-runner starts within another one.
    for (id, (signal, code)) in (1..).zip([("KILL", 137), ("SEGV", 139), ("ABRT", 134)]) {
        let (ended, log) = host.script(id, &[&format!("kill -{signal} $BASHPID; exit 99")]);
        assert_eq!(ended, script_failure(code), "{log}");
    }
}

#[test]
fn a_cancelled_script_is_over_when_after_script_begins_and_the_machine_is_not() {
    let Some(host) = host() else { return };
    let scripts = [
        "echo begun; sleep 3600",
        "trap 'exit 0' TERM; echo begun; while :; do sleep 0.05; done",
        "trap '' TERM; echo begun; while :; do sleep 0.05; done",
        // In another session, with another parent.
        "setsid bash -c \"trap '' TERM; while :; do sleep 0.05; done\" & echo begun; wait",
    ];
    for (id, script) in (1..).zip(scripts) {
        let kept = "touch /root/kept";
        let after = "[[ -e /root/kept ]] && echo machine is there; pgrep sleep || ls /proc/[0-9]*/exe -l | grep sleep || echo nothing runs";
        let job = with_after_script(host.job(id, &[kept, script]), &[after]);
        let mut working = host.site.start(job);
        host.wait_for_log(id, "\nbegun\n");
        host.cancel(id, Cancel::Canceling);
        working.wait();
        let log = host.log(id);
        assert!(log.contains("\nmachine is there\n") && log.contains("\nnothing runs\n"), "{script}: {log}");
        assert_eq!(host.ended(id).unwrap().state, "failed");
        host.nothing_is_left_of(id);
    }
}

#[test]
fn a_job_that_is_given_up_leaves_nothing_whatever_it_does() {
    let Some(host) = host() else { return };
    for (id, (script, after, text)) in (1..).zip([
        ("echo begun; sleep 3600", "true", "\nbegun\n"),
        ("true", "echo after; sleep 3600", "\nafter\n"),
        // While the machine is made.
        ("true", "true", "Preparing a machine"),
    ]) {
        let mut working = host.site.start(with_after_script(host.job(id, &[script]), &[after]));
        host.wait_for_log(id, text);
        host.cancel(id, Cancel::Canceled);
        working.wait();
        host.nothing_is_left_of(id);
    }
    let mut job = host.job(9, &["trap 'exit 0' TERM; while :; do sleep 0.05; done"]);
    job["runner_info"]["timeout"] = json!(5);
    assert_eq!(host.run(job).reason, "job_execution_timeout");
}

#[test]
fn a_machine_that_ends_under_a_script_is_a_system_failure_with_the_reason() {
    let Some(host) = host() else { return };
    // Without an init the job's own command is the one that tells the kernel.
    for (id, (script, sentence)) in
        (1..).zip([("poweroff -ff", "powered its machine off"), ("reboot -ff", "rebooted its machine")])
    {
        let begun = Instant::now();
        let (ended, log) = host.script(id, &[script, "echo never"]);
        assert_eq!(ended, system_failure(), "{log}");
        assert!(begun.elapsed() < AT_ONCE && log.contains(sentence), "{script}: {log}");
    }
    // Everything but the first process of the machine, which is the agent, and the one that kills.
    let (ended, log) = host.script(3, &["kill -9 -1; sleep 3600"]);
    assert_eq!(ended, script_failure(137), "{log}");
    let (ended, log) = host.script(4, &["kill -9 1 || true", "echo still here"]);
    assert_eq!(ended, success(), "{log}");
    assert!(log.contains("\nstill here\n"), "{log}");
}

/// Beside an init the agent is a process like others, which root of the machine can kill.
#[test]
fn a_booted_machine_whose_job_kills_everything_or_powers_off_is_a_system_failure_with_the_reason() {
    if !is_root() {
        return;
    }
    let host = Host::new(|settings| settings["defaultImage"] = json!("debian"));
    for (id, (script, sentence)) in (1..).zip([
        ("kill -9 -1; sleep 3600", "killed the agent in its machine"),
        ("systemctl poweroff; sleep 3600", "powered its machine off"),
    ]) {
        let (ended, log) = host.script(id, &[script, "echo never"]);
        assert_eq!(ended, system_failure(), "{script}: {log}");
        assert!(log.contains(sentence) && !log.contains("\nnever"), "{script}: {log}");
    }
    host.wait_until_no_unit_is_left();
}

#[test]
fn output_comes_as_it_is_and_complete() {
    let Some(host) = host() else { return };
    let config = host.site.path("config.toml");
    let text = fs::read_to_string(&config).unwrap().replace("limit = 4", "limit = 4\n  output_limit = 400000");
    fs::write(config, text).unwrap();
    let digits = "0123456789".repeat(10);
    let lines = format!("seq --format '%.0f {digits}' 900000; echo last line");
    let (ended, log) = host.script(1, &[&lines]);
    assert_eq!(ended, success());
    assert!(log.len() > 90_000_000 && log.matches(&digits).count() >= 900_000, "{} bytes", log.len());
    assert!(log.contains("\nlast line\n") && log.contains(&format!("\n900000 {digits}\n")));
    let (ended, log) = host.script(2, &["head -c 100000 /dev/zero; printf 'no end'"]);
    assert_eq!(ended, success());
    assert!(log.matches('\0').count() == 100_000 && log.contains("no end"), "{} bytes", log.len());
}

#[test]
fn a_process_that_keeps_the_output_open_keeps_nobody_waiting_and_is_ended() {
    let Some(host) = host() else { return };
    let begun = Instant::now();
    let left = format!("setsid sleep {} & echo begun", FOREVER.as_secs());
    let job = with_after_script(host.job(1, &[&left]), &["ls -l /proc/[0-9]*/exe | grep sleep || echo nothing runs"]);
    assert_eq!(host.run(job), success());
    assert!(begun.elapsed() < AT_ONCE);
    assert!(host.log(1).contains("\nnothing runs\n"), "{}", host.log(1));
}

#[test]
fn two_thousand_processes_end_with_their_stage() {
    let Some(host) = host() else { return };
    let many = "for ((i = 0; i < 2000; i++)); do sleep 3600 & done; echo begun";
    let job = with_after_script(host.job(1, &[many]), &["ls -d /proc/[0-9]* | wc -l"]);
    assert_eq!(host.run(job), success());
    let log = host.log(1);
    let left = log.lines().rev().find_map(|line| line.parse::<u32>().ok());
    assert!(left.is_some_and(|left| left < 50), "{log}");
}

#[test]
fn ten_jobs_at_once_are_ten_machines() {
    let Some(host) = host() else { return };
    let mut all: Vec<_> =
        (1..=10).map(|id| host.site.start(host.job(id, &["cat /proc/self/uid_map", "hostname"]))).collect();
    for working in &mut all {
        working.wait();
    }
    let mut seen = std::collections::BTreeSet::new();
    for id in 1..=10 {
        let log = host.log(id);
        assert_eq!(host.ended(id), Some(success()), "{log}");
        let map = log.lines().find(|line| line.trim_start().starts_with("0 ") && line.trim_end().ends_with("65536"));
        assert!(seen.insert(map.expect("a range of ids").to_owned()), "two machines have the same ids: {log}");
        host.nothing_is_left_of(id);
    }
    host.wait_until_no_unit_is_left();
}

#[test]
fn an_unknown_image_is_refused_at_once_with_the_names() {
    let Some(host) = host() else { return };
    for (id, image) in (1..).zip(["../../etc", "alpine"]) {
        let mut job = host.job(id, &["true"]);
        job["image"]["name"] = json!(image);
        assert_eq!(host.run(job), script_failure(1));
        assert!(host.log(id).contains("Its images are: debian, debian-unbooted"));
    }
}
