//! Registrations that succeed: how the listener is called, and what is left afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::desk::Desk;
use crate::github::{self, Config, Fault, State, TokenKind};
use crate::harness::PAT;
use crate::host::{Host, TOKEN, mode};

fn names(dump: &Value) -> Vec<String> {
    dump["environment"].as_object().unwrap().keys().cloned().collect()
}

fn argv(desk: &Desk) -> String {
    let argv: Vec<String> = serde_json::from_value(desk.dump()["argv"].clone()).unwrap();
    desk.short(&argv[1..].join(" "))
}

#[test]
fn a_registration_is_complete_and_its_secret_gone() {
    let desk = Desk::new(json!({}));
    let said = desk.configure().good();
    assert!(said.contains("Configuring runner runner1 for https://github.com/octo-org/example"), "{said}");
    assert!(said.contains("Runner successfully added"), "{said}");
    assert!(said.ends_with("Configured runner runner1\n"), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
    let state: Vec<_> = desk.0.tree("state").into_iter().filter(|name| !name.starts_with("_diag")).collect();
    assert_eq!(state, [".credentials", ".credentials_rsaparams", ".runner"]);
    desk.assert_nowhere(TOKEN);
    desk.0.step("record").good();
    assert_eq!(desk.0.ledger()["runner"]["id"], 1);
    assert!(desk.0.prepare().good().starts_with("Keeping"));
}

#[test]
fn a_registration_reaches_github() {
    let github = github::start(Config::default()).unwrap();
    let mint = |state: &mut State| state.mint("repos/octo-org/example", TokenKind::Registration, 60);
    let minted = github.change(mint).unwrap().secret;
    let desk = Desk::with(json!({ "github": github.url() }), |host| fs::write(host.path("token"), &minted).unwrap());
    desk.configure().good();
    desk.assert_nowhere(&minted);
    let known: Vec<String> = github.state().runners.iter().map(|runner| runner.name.clone()).collect();
    assert_eq!(known, ["runner1"]);
}

#[test]
fn a_registration_token_that_is_not_known_everywhere_yet_is_tried_again() {
    let github = github::start(Config::default()).unwrap();
    let mint = |state: &mut State| state.mint("repos/octo-org/example", TokenKind::Registration, 60);
    let minted = github.change(mint).unwrap().secret;
    github.inject(Fault::next("/actions/runner-registration", 404));
    let desk = Desk::with(json!({ "github": github.url() }), |host| fs::write(host.path("token"), &minted).unwrap());
    desk.configure().good();
    assert_eq!((desk.dumps().len(), github.state().runners.len()), (2, 1));
    desk.assert_nowhere(&minted);
}

#[test]
fn nothing_staged_means_that_no_listener_starts() {
    let desk = Desk::new(json!({}));
    desk.configure().good();
    assert_eq!(desk.configure().good(), "");
    assert_eq!(desk.dumps().len(), 1);
}

#[test]
fn the_listener_learns_no_secret_from_its_command_line() {
    let desk = Desk::new(json!({}));
    desk.configure().good();
    insta::assert_snapshot!(argv(&desk), @"configure --unattended --disableupdate --work /HOST/work --url https://github.com/octo-org/example --labels nixos --name runner1");
}

#[test]
fn everything_that_is_asked_for_is_on_the_command_line() {
    let desk = Desk::with(json!({ "offline": { "groups": ["trusted"], "taken": ["runner1"] } }), |host| {
        host.manifest["replace"] = json!(true);
        *host.registration("ephemeral") = json!(true);
        *host.registration("noDefaultLabels") = json!(true);
        *host.registration("runnerGroup") = json!("trusted");
        *host.registration("extraLabels") = json!(["a", "b c"]);
    });
    assert!(desk.configure().good().contains("Successfully replaced the runner"));
    insta::assert_snapshot!(argv(&desk), @"configure --unattended --disableupdate --work /HOST/work --url https://github.com/octo-org/example --labels a,b c --name runner1 --runnergroup trusted --replace --ephemeral --no-default-labels");
}

#[test]
fn the_listener_starts_in_a_short_and_closed_environment() {
    let desk = Desk::new(json!({}));
    desk.configure().good();
    let dump = desk.dump();
    insta::assert_snapshot!(names(&dump).join(" "), @"ACTIONS_RUNNER_INPUT_TOKEN DOTNET_EnableDiagnostics HOME PATH RUNNER_ROOT");
    assert_eq!(dump["umask"], "0077");
    assert_eq!(dump["stdin-is-null"], true);
    // What whoever runs the tests left open for everybody is not the helper's.
    let given = |number: &str| std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
    let mut descriptors: BTreeMap<String, PathBuf> = serde_json::from_value(dump["descriptors"].clone()).unwrap();
    descriptors.retain(|number, target| given(number) != *target);
    assert_eq!(descriptors, BTreeMap::new());
    assert_eq!(desk.short(dump["cwd"].as_str().unwrap()), "/HOST/state");
    for name in desk.0.tree("state") {
        assert_eq!(mode(&desk.0.state(&name)) & 0o077, 0, "{name}");
    }
}

#[test]
fn an_access_token_never_comes_near_the_service_user() {
    for (text, kind) in
        [(PAT, "auto"), ("github_pat_FAKEFAKEFAKE", "auto"), ("gho_FAKEFAKE", "auto"), (TOKEN, "access")]
    {
        let mut host = Host::new();
        fs::write(host.path("token"), text).unwrap();
        host.manifest["tokenType"] = json!(kind);
        let said = host.prepare().bad();
        assert!(said.contains("its broker did not answer"), "{kind}: {said}");
        assert_eq!(host.tree("state"), [""; 0], "{kind}");
    }
}

#[test]
fn the_log_of_a_registration_is_kept_at_its_end() {
    let desk = Desk::new(json!({}));
    desk.configure().good();
    assert!(desk.0.tree("logs").is_empty(), "the service user cannot write there");
    desk.0.settle("success", None).good();
    assert!(!desk.0.state("_diag").exists());
    let logs = desk.0.tree("logs");
    assert!(logs.iter().any(|name| name.starts_with("Runner_")), "{logs:?}");
}

#[test]
fn a_left_over_env_file_is_removed_before_the_listener_could_obey_it() {
    let desk = Desk::new(json!({}));
    fs::write(desk.0.state(".env"), "EVIL=1\nPATH=/nowhere\n").unwrap();
    let said = desk.configure().good();
    assert!(said.contains("warning: Removed a left-over .env"), "{said}");
    assert!(!desk.0.state(".env").exists());
    assert!(!names(&desk.dump()).contains(&"EVIL".to_string()));
}

#[test]
fn a_secret_that_the_listener_prints_is_not_shown() {
    let desk = Desk::new(json!({ "fault": "echo-secret" }));
    let said = desk.configure().good();
    assert!(!said.contains(TOKEN), "{said}");
    assert_eq!(said.matches("The token is ***, whole.").count(), 2, "{said}");
    assert_eq!(said.matches("The token is ***, halved.").count(), 2, "{said}");
    desk.assert_nowhere(TOKEN);
}

#[test]
fn noise_neither_stops_a_registration_nor_reaches_the_journal_raw() {
    let desk = Desk::new(json!({ "fault": ["flood-stdout", "flood-stderr", "non-utf8"] }));
    let output = desk.0.command("configure").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).expect("only UTF-8 reaches the journal");
    assert!(text.len() > 7 << 20, "the journal is told everything");
    assert!(text.lines().all(|line| line.len() < 16 * 1024 && !line.contains('\u{1b}')), "lines are cut and harmless");
    assert!(text.contains("not UTF-8: "));
}

#[test]
fn a_host_without_a_name_is_registered_by_its_own() {
    let desk = Desk::with(json!({}), |host: &mut Host| *host.registration("name") = json!(null));
    desk.configure().good();
    assert!(!argv(&desk).contains("--name"));
}
