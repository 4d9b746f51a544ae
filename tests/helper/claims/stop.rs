//! A stop that is ordered while a start prepares.

use std::fs;
use std::io::Read as _;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::recovery::{edit, now};
use super::register::registered;
use crate::host::{Host, Said};

/// A start that waits, as the step of this run of the unit.
fn waiting(host: &Host, invocation: Option<&str>) -> Child {
    let mut command = host.command("prepare");
    command.env_remove("INVOCATION_ID").stderr(Stdio::piped());
    if let Some(invocation) = invocation {
        command.env("INVOCATION_ID", invocation);
    }
    let mut child = command.spawn().unwrap();
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"Waiting 300 s") {
        let read = child.stderr.as_mut().unwrap().read(&mut byte).unwrap();
        assert!(read > 0, "it does not wait: {}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    child
}

fn failing() -> Host {
    let (host, _server) = registered();
    let exit = json!({ "at": now() + 60, "kind": "crashed", "said": "it fell", "failures": 9, "alike": 9 });
    edit(&host, |ledger| ledger["lastExit"] = exit);
    host
}

fn end(mut child: Child, signals: &[Signal]) -> Option<i32> {
    for signal in signals {
        kill(Pid::from_raw(child.id().cast_signed()), *signal).unwrap();
    }
    child.wait().unwrap().code()
}

#[test]
fn a_stop_while_a_start_waits_is_no_failure() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let host = failing();
        fs::write(host.state(".staged-token"), "AFAKETOKEN").unwrap();
        // As systemd stops a unit.
        assert_eq!(end(waiting(&host, Some("1f")), &[signal, Signal::SIGCONT]), Some(0));
        // It runs the steps that are left, which have nothing to do.
        for step in ["configure", "record"] {
            let said: Said = host.command(step).env("INVOCATION_ID", "1f").output().unwrap().into();
            assert_eq!(said.good(), "", "{step}");
        }
        let said = host.settle("success", None).good();
        assert!(said.contains("stopped before its listener ran") && !said.contains("warning"), "{said}");
        let exit = &host.ledger()["lastExit"];
        assert_eq!((&exit["kind"], &exit["failures"]), (&json!("clean"), &json!(0)));
        assert_eq!(host.tree("state").len(), 3);
    }
}

#[test]
fn a_signal_that_is_no_stop_does_not_let_the_unit_go_on() {
    // As `systemctl kill` sends it.
    let host = failing();
    assert_eq!(end(waiting(&host, Some("1f")), &[Signal::SIGINT]), Some(130));
    // Nor is it one outside of a unit.
    let host = failing();
    assert_eq!(end(waiting(&host, None), &[Signal::SIGTERM, Signal::SIGCONT]), None);
}

#[test]
fn the_mark_of_a_stop_concerns_that_run_only() {
    let host = failing();
    assert_eq!(end(waiting(&host, Some("1f")), &[Signal::SIGINT, Signal::SIGCONT]), Some(0));
    fs::remove_file(host.state(".credentials")).unwrap();
    let record =
        |invocation: &str| -> Said { host.command("record").env("INVOCATION_ID", invocation).output().unwrap().into() };
    record("1f").good();
    assert!(record("20").bad().contains(".credentials is missing"));
}
