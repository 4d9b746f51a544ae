//! Faults happen where they say, and leave exactly what they should.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Running, Stand, TOKEN};
use crate::wait::wait_for;

const KEY: &str = ".credentials_rsaparams";

#[test]
fn each_death_leaves_exactly_the_files_written_before_it() {
    for (fault, files, ids) in [
        ("die-before-server", &[KEY][..], 0),
        ("die-after-server", &[KEY], 1),
        ("truncate-credentials", &[".credentials", KEY], 1),
        ("die-after-credentials", &[".credentials", KEY], 1),
        ("truncate-runner", &[".credentials", KEY, ".runner"], 1),
        ("empty-runner", &[".credentials", KEY, ".runner"], 1),
        ("die-after-runner", &[".credentials", KEY, ".runner"], 1),
    ] {
        let stand = Stand::with(&json!({ "fault": fault }));
        stand.configure(&[]).expect(137);
        assert_eq!(Vec::from_iter(stand.files()), files, "{fault}");
        assert_eq!(stand.path("bin/stand-in-ids").exists(), ids == 1, "{fault}");
    }
}

#[test]
fn a_truncated_or_empty_runner_file_aborts_every_command() {
    for fault in ["truncate-runner", "empty-runner", "truncate-credentials"] {
        let stand = Stand::with(&json!({ "fault": fault }));
        stand.configure(&[]).expect(137);
        for command in [&["remove", "--local"][..], &["--version"], &["configure"], &["run"]] {
            let ran = stand.ran(command).expect(134);
            assert!(ran.stderr.starts_with("Unhandled exception. "), "{}", ran.stderr);
        }
    }
}

#[test]
fn an_empty_credentials_file_aborts_nothing() {
    let stand = Stand::new();
    fs::write(stand.root(".credentials"), "").unwrap();
    stand.ran(&["--version"]).expect(0);
}

#[test]
fn a_root_without_a_place_for_the_log_aborts() {
    let stand = Stand::new();
    fs::write(stand.root("_diag"), "").unwrap();
    stand.ran(&["--version"]).expect(134);
}

#[test]
fn a_hanging_listener_ends_with_1_on_an_interrupt() {
    for fault in ["hang-before-server", "hang-after-server"] {
        let stand = Stand::with(&json!({ "fault": fault }));
        let running = Running::start(&mut stand.configuration(&[]));
        wait_for("the hang", || hangs(&stand).then_some(()));
        running.signal(Signal::SIGINT);
        let ran = running.end().expect(1);
        assert!(ran.stdout.ends_with("Exiting...\n"));
    }
}

#[test]
fn a_deaf_listener_dies_only_by_force() {
    let stand = Stand::with(&json!({ "fault": ["deaf", "hang-after-server"] }));
    let running = Running::start(&mut stand.configuration(&[]));
    wait_for("the hang", || hangs(&stand).then_some(()));
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        running.signal(signal);
        running.line("stand-in: deaf to a signal");
    }
    running.signal(Signal::SIGKILL);
    running.end().expect(137);
}

fn hangs(stand: &Stand) -> bool {
    stand.root("_diag").exists() && stand.diagnostics().contains("stand-in: hanging")
}

#[test]
fn noise_comes_on_both_outputs_and_changes_nothing_else() {
    let stand = Stand::with(&json!({ "fault": ["flood-stdout", "flood-stderr", "non-utf8", "echo-secret"] }));
    let output = stand.configuration(&[]).output().unwrap();
    assert!(output.status.success());
    for bytes in [&output.stdout, &output.stderr] {
        assert!(bytes.len() > 7 << 20);
        assert!(std::str::from_utf8(bytes).is_err());
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(text.matches(TOKEN).count(), 2);
    }
    assert!(stand.root(".runner").exists());
}

#[test]
fn lies_end_in_success_with_the_wrong_files() {
    for (fault, field, value) in [
        ("zero-id", "agentId", json!(null)),
        ("wrong-name", "agentName", json!("someone-else")),
        ("wrong-url", "gitHubUrl", json!("https://github.com/someone-else")),
        ("wrong-ephemeral", "ephemeral", json!(true)),
    ] {
        let stand = Stand::with(&json!({ "fault": fault }));
        stand.configure(&[]).expect(0);
        assert_eq!(stand.runner()[field], value, "{fault}");
    }
    for (fault, missing) in [("no-runner", ".runner"), ("no-credentials", ".credentials"), ("no-key", KEY)] {
        let stand = Stand::with(&json!({ "fault": fault }));
        stand.configure(&[]).expect(0);
        assert!(!stand.root(missing).exists() && stand.files().len() == 2, "{fault}");
    }
}

#[test]
fn a_late_failure_leaves_a_configured_runner() {
    let stand = Stand::with(&json!({ "fault": "fail-after-runner" }));
    stand.configure(&[]).expect(1);
    assert_eq!(stand.files().len(), 3);
}

#[test]
fn an_offline_refusal_prints_its_body() {
    let refuse = json!({ "step": "register", "status": 409, "body": "{\"message\":\"taken\"}" });
    let stand = Stand::with(&json!({ "offline": { "refuse": refuse } }));
    let ran = stand.configure(&[]).expect(1);
    assert_eq!(
        ran.stderr
            .matches("Http response code: Conflict from 'Post https://api.github.com/actions/runners/register'")
            .count(),
        3
    );
    assert!(ran.stderr.contains("{\"message\":\"taken\"}"));
}

#[test]
fn an_unknown_name_in_the_script_is_an_error_of_the_test() {
    let stand = Stand::with(&json!({ "falt": "none" }));
    let ran = stand.ran(&["--version"]).expect(99);
    assert!(ran.stderr.contains("falt"));
}
