//! Registrations that fail: the error says what happened, quotes the listener and says what to do; the secret is
//! gone all the same.

use serde_json::{Value, json};

use super::desk::Desk;
use crate::host::{Host, TOKEN};

const PAGE: &str = "https://github.com/octo-org/example/settings/actions/runners";

/// What is said by a `configure` that fails.
#[track_caller]
fn refused(script: Value, edit: impl FnOnce(&mut Host)) -> String {
    let desk = Desk::with(script, edit);
    let said = desk.configure().bad();
    desk.assert_nowhere(TOKEN);
    assert!(!said.contains(TOKEN), "{said}");
    assert!(!desk.0.state(".staged-token").exists());
    // The error is one block, after what the listener said while it ran.
    let at = said.find("error: ").unwrap_or_else(|| panic!("no error in: {said}"));
    said[at..].to_string()
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

fn refusal(step: &str, status: u16, message: &str) -> Value {
    let body = json!({ "message": message }).to_string();
    json!({ "offline": { "refuse": { "step": step, "status": status, "body": body } } })
}

#[test]
fn a_success_that_left_the_wrong_files_is_a_failure() {
    for (fault, part) in [
        ("wrong-name", ".runner has the name \"someone-else\" instead of \"runner1\""),
        ("wrong-url", ".runner has the url \"https://github.com/someone-else\" instead of"),
        ("wrong-ephemeral", ".runner is ephemeral, unlike the configuration"),
        ("zero-id", ".runner has no positive agent id"),
        ("no-credentials", ".credentials is missing"),
        ("no-key", ".credentials_rsaparams is missing"),
        ("no-runner", ".runner is missing"),
    ] {
        let said = refused(json!({ "fault": fault }), |_| ());
        assert_says(&said, &["the listener reported success, but", part, "Settings Saved.", "What to do:", PAGE]);
    }
}

#[test]
fn a_failure_after_everything_was_written_is_a_failure() {
    let said = refused(json!({ "fault": "fail-after-runner" }), |_| ());
    assert_says(&said, &["the listener ended with exit code 1", "runsvc.sh", "a runner `runner1` appears at", PAGE]);
}

#[test]
fn a_listener_that_dies_is_a_failure() {
    let said = refused(json!({ "fault": "die-after-credentials" }), |_| ());
    assert_says(&said, &["the listener was ended by signal 9", "What to do:"]);
}

#[test]
fn a_taken_name_is_advised_about_with_replace_and_the_page_and_leaves_a_mark() {
    let taken = json!({ "offline": { "taken": ["runner1"] } });
    let desk = Desk::with(taken.clone(), |_| ());
    desk.configure().bad();
    assert!(desk.0.state(".name-taken").is_file());
    let said = refused(taken, |_| ());
    assert_says(&said, &["A runner exists with the same name runner1", "`replace = true`", PAGE]);
}

#[test]
fn an_unknown_runner_group_is_advised_about() {
    let said = refused(json!({}), |host| *host.registration("runnerGroup") = json!("absent"));
    assert_says(&said, &["named \"absent\"", "What to do: check `runnerGroup`"]);
}

#[test]
fn a_registration_token_that_github_does_not_accept_is_advised_about() {
    for (status, message) in [(401, "Bad credentials"), (403, "Forbidden"), (404, "Not Found")] {
        let said = refused(refusal("tenant", status, message), |_| ());
        assert_says(&said, &["did not accept the registration token", "died after its hour", PAGE]);
        assert_says(&said, &["`tokenType = \"access\"`"]);
    }
    let mut desk = Desk::new(refusal("tenant", 404, "Not Found"));
    let app = json!({ "id": "Iv1.fake", "login": null, "privateKeyFile": "/nowhere", "installationId": null });
    desk.0.manifest["githubApp"] = app;
    *desk.0.registration("tokenFile") = json!(null);
    assert_says(&desk.configure().bad(), &["that it gave to the App just before", PAGE]);
}

#[test]
fn a_version_that_github_does_not_register_is_told_with_its_package_and_leaves_a_mark() {
    for status in [400, 404] {
        let message =
            "Your runner version is out of date and can no longer register. Please update to the latest version.";
        let desk = Desk::new(refusal("tenant", status, message));
        let said = desk.configure().bad();
        assert_says(
            &said,
            &[message, "registers no runner of this version any more", "Set `package` to a newer one than"],
        );
        assert!(!said.contains("registration token"), "{said}");
        assert!(desk.0.state(".version-refused").is_file());
        assert_eq!(desk.dumps().len(), 1, "a new token would not help");
    }
    let desk = Desk::new(refusal("tenant", 403, "Forbidden"));
    desk.configure().bad();
    assert!(!desk.0.state(".version-refused").exists());
}

#[test]
fn the_quote_is_the_end_of_what_the_listener_said() {
    let said = refused(json!({ "fault": ["flood-stdout", "die-before-server"] }), |_| ());
    assert_says(&said, &["The listener said last:", "a line of a flood"]);
    assert!(said.lines().count() < 30, "only the last lines are quoted");
}

#[test]
fn a_listener_that_is_not_there_is_named() {
    let said = refused(json!({}), |host| host.manifest["listener"] = json!("/nix/store/absent/bin/Runner.Listener"));
    assert_says(&said, &["Failed to start /nix/store/absent/bin/Runner.Listener"]);
}

#[test]
fn no_default_labels_without_labels_never_reaches_the_listener() {
    let mut host = Host::new();
    *host.registration("noDefaultLabels") = json!(true);
    *host.registration("extraLabels") = json!([]);
    let said = host.prepare().bad();
    assert_says(&said, &["noDefaultLabels", "extraLabels"]);
}
