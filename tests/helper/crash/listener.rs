//! A listener that dies at each point of registering, and a helper that dies while it waits for the listener.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::kills::{assert_sound, holds_token};
use crate::harness::{example, parse};
use crate::host::Host;
use crate::wait::wait_for;

/// A host whose listener is the stand-in.
fn host(script: &Value) -> Host {
    let host = Host::new();
    fs::create_dir(host.path("dump")).unwrap();
    let link = host.path("listener/Runner.Listener");
    std::os::unix::fs::symlink(example("stand-in-listener"), link).unwrap();
    write_script(&host, script);
    host
}

fn write_script(host: &Host, script: &Value) {
    let mut script = script.clone();
    script["dump"] = json!(host.path("dump"));
    fs::write(host.path("listener/stand-in.json"), script.to_string()).unwrap();
}

/// A whole start with a sound listener ends in a complete registration, which the next one keeps.
fn ends_registered(host: &Host, when: &str) {
    write_script(host, &json!({}));
    for step in ["prepare", "configure", "record"] {
        host.step(step).good();
    }
    let id = parse(&host.state(".runner"))["agentId"].clone();
    assert_eq!(host.ledger()["runner"]["id"], id, "{when}");
    assert!(host.prepare().good().starts_with("Keeping"), "{when}");
}

fn assert_no_token_left(host: &Host, when: &str) {
    for name in host.tree("") {
        let is_given = ["token", "manifest.json"].contains(&name.as_str());
        assert!(is_given || !holds_token(&host.path(&name)), "{when}: {name} holds the token");
    }
}

#[test]
fn wherever_the_listener_dies_the_next_start_ends_registered() {
    for (fault, kept) in [
        ("die-before-server", false),
        ("die-after-server", false),
        ("truncate-credentials", false),
        ("die-after-credentials", false),
        ("truncate-runner", false),
        ("empty-runner", false),
        ("no-runner", false),
        ("no-credentials", false),
        ("no-key", false),
        ("die-after-runner", true),
        ("fail-after-runner", true),
    ] {
        let host = host(&json!({ "fault": fault }));
        host.prepare().good();
        host.step("configure").bad();
        assert_no_token_left(&host, fault);
        assert_sound(&host, None, fault);
        let before = fs::read(host.state(".runner")).ok();
        ends_registered(&host, fault);
        assert_eq!(before.is_some() && before == fs::read(host.state(".runner")).ok(), kept, "{fault}");
    }
}

#[test]
fn a_registration_that_record_refused_is_made_anew() {
    for fault in ["wrong-name", "wrong-url", "wrong-ephemeral", "zero-id"] {
        let host = host(&json!({ "fault": fault }));
        host.prepare().good();
        host.step("configure").bad();
        host.step("record").bad();
        assert_sound(&host, None, fault);
        ends_registered(&host, fault);
    }
}

#[test]
fn a_helper_killed_while_the_listener_hangs_leaves_no_token_and_no_registration() {
    for fault in ["hang-before-server", "hang-after-server"] {
        let host = host(&json!({ "fault": fault }));
        host.prepare().good();
        let mut helper = host.command("configure").stderr(Stdio::null()).spawn().unwrap();
        let listener = wait_for("the listener to hang", || {
            let hangs = host
                .tree("state")
                .iter()
                .any(|name| fs::read_to_string(host.state(name)).is_ok_and(|text| text.contains("stand-in: hanging")));
            let dump = host.tree("dump").into_iter().find(|name| !name.starts_with('.'));
            dump.filter(|_| hangs).map(|name| parse(&host.path("dump").join(name)))
        });
        helper.kill().unwrap();
        helper.wait().unwrap();
        // systemd kills what is left in the unit; here it is the listener's process group.
        let listener = Pid::from_raw(i32::try_from(listener["pid"].as_u64().unwrap()).unwrap());
        killpg(listener, Signal::SIGKILL).unwrap();
        wait_for("the listener to be gone", || is_gone(listener).then_some(()));
        assert_no_token_left(&host, fault);
        assert_sound(&host, None, fault);
        ends_registered(&host, fault);
    }
}

/// Gone, or dead and only waiting to be collected by whoever adopted it.
fn is_gone(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    kill(process, None).is_err() || stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}
