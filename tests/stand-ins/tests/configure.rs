//! `configure` against the GitHub stand-in, and the files it leaves.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::json;

use crate::{
    github::{self, Config, Fault, GitHub, State, TokenKind},
    harness::{PAT, Stand, TOKEN, URL, finish, online, parse},
};

/// A GitHub that knows [`PAT`], and a stand that talks to it.
pub fn pair() -> (GitHub, Stand) {
    let state = State { pats: vec![PAT.to_owned()], ..State::default() };
    let github = github::start(Config { state, ..Config::default() }).unwrap();
    let stand = Stand::with(&online(&github));
    (github, stand)
}

fn registration_token(github: &GitHub, lifetime: u64) -> String {
    let mint = |state: &mut State| state.mint("orgs/octo-org", TokenKind::Registration, lifetime);
    github.change(mint).unwrap().secret
}

/// `configure` with the API token and more.
pub fn with_pat(stand: &Stand, more: &[&str]) -> crate::harness::Ran {
    let mut command = stand.configuration(more);
    command.env_remove("ACTIONS_RUNNER_INPUT_TOKEN");
    finish(command.env("ACTIONS_RUNNER_INPUT_PAT", PAT))
}

#[test]
fn a_registration_token_registers() {
    let (github, stand) = pair();
    let token = registration_token(&github, 60);
    let mut command = stand.configuration(&["--labels", "a,B,,b", "--ephemeral", "--disableupdate"]);
    let ran = finish(command.env("ACTIONS_RUNNER_INPUT_TOKEN", token)).expect(0);
    let art = ran.stdout.find("# Authentication").unwrap();
    insta::assert_snapshot!(ran.stdout[art..].replace("\n\n\n", "\n\n"), @r"
    # Authentication

    √ Connected to GitHub

    # Runner Registration

    √ Runner successfully added

    # Runner settings

    √ Settings Saved.
    ");
    let runner = &github.state().runners[0];
    assert_eq!(runner.entity, "orgs/octo-org");
    assert!(runner.ephemeral && runner.updates_disabled);
    let labels: Vec<&str> = runner.labels.iter().map(|label| label.name.as_str()).collect();
    assert_eq!(labels, ["self-hosted", "Linux", "X64", "a", "B"]);
    let paths: Vec<String> =
        github.records().iter().map(|record| format!("{} {}", record.method, record.path)).collect();
    assert_eq!(
        paths,
        [
            "POST /actions/runner-registration",
            "GET /orgs/octo-org/actions/runner-groups",
            "GET /orgs/octo-org/actions/runners?name=one",
            "POST /actions/runners/register",
        ]
    );
}

#[test]
fn files_have_the_mark_the_order_and_the_modes_of_the_runner() {
    let stand = Stand::new();
    let listener = stand.path("bin/Runner.Listener");
    let script = format!("umask 027; exec {} configure --unattended --url {URL} --name one", listener.display());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]).env("RUNNER_ROOT", stand.path("root"));
    finish(command.env("ACTIONS_RUNNER_INPUT_TOKEN", TOKEN)).expect(0);
    let text = fs::read_to_string(stand.root(".runner")).unwrap();
    insta::assert_snapshot!(text.strip_prefix('\u{feff}').expect("no byte order mark"), @r#"
    {
      "agentId": 1,
      "agentName": "one",
      "poolId": 1,
      "poolName": "Default",
      "gitHubUrl": "https://github.com/octo-org",
      "workFolder": "_work",
      "useV2Flow": true,
      "useRunnerAdminFlow": true,
      "serverUrlV2": "https://broker.actions.example/"
    }
    "#);
    assert_eq!(parse(&stand.root(".credentials"))["data"]["requireFipsCryptography"], "True");
    assert_eq!(parse(&stand.root(".credentials_rsaparams"))["exponent"], "AQAB");
    let mode = |name| fs::metadata(stand.root(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".runner"), 0o640);
    assert_eq!(mode(".credentials"), 0o640);
    assert_eq!(mode(".credentials_rsaparams"), 0o600);
}

#[test]
fn an_api_token_mints_the_registration_token_and_is_never_recorded() {
    let (github, stand) = pair();
    with_pat(&stand, &[]).expect(0);
    let records = github.records();
    assert_eq!(records[0].path, "/orgs/octo-org/actions/runners/registration-token");
    assert_eq!(records[0].host, "api.github.com");
    let authorization = records[0].authorization.as_ref().unwrap();
    assert_eq!(authorization.scheme, "basic");
    assert_eq!(authorization.user.as_deref(), Some("github"));
    let text = serde_json::to_string(&records).unwrap();
    for secret in github.state().secrets() {
        assert!(!text.contains(&secret));
    }
}

#[test]
fn a_wrong_api_token_fails_after_three_attempts() {
    let (github, stand) = pair();
    github.change(|state| state.pats.clear()).unwrap();
    let ran = with_pat(&stand, &[]).expect(1);
    let line = "Http response code: Unauthorized from 'POST https://api.github.com/orgs/octo-org/actions/runners/registration-token'";
    assert_eq!(ran.stderr.matches(line).count(), 3);
    assert!(ran.stderr.contains("Bad credentials"));
    assert!(ran.stderr.ends_with("Response status code does not indicate success: 401 (Unauthorized).\n"));
    assert!(stand.files().is_empty());
}

#[test]
fn an_expired_token_or_an_api_token_in_its_place_is_not_found_at_once() {
    let (github, stand) = pair();
    for token in [registration_token(&github, 0), PAT.to_owned()] {
        let mut command = stand.configuration(&[]);
        let ran = finish(command.env("ACTIONS_RUNNER_INPUT_TOKEN", token)).expect(1);
        assert_eq!(ran.stderr.matches("Http response code: NotFound").count(), 1);
    }
}

#[test]
fn a_configured_root_is_refused_without_a_request() {
    let (github, stand) = pair();
    for name in [".runner", ".runner_migrated"] {
        fs::write(stand.root(name), "{}").unwrap();
        let ran = with_pat(&stand, &["--replace"]).expect(1);
        assert!(ran.stderr.contains("because it is already configured"));
        fs::remove_file(stand.root(name)).unwrap();
    }
    assert!(github.records().is_empty());
}

#[test]
fn a_name_in_use_is_refused_and_replaced_on_request() {
    let (github, stand) = pair();
    with_pat(&stand, &[]).expect(0);
    let id = stand.runner()["agentId"].clone();
    stand.ran(&["remove", "--local"]).expect(0);
    let ran = with_pat(&stand, &[]).expect(1);
    assert!(ran.stdout.contains("A runner exists with the same name\n"));
    assert_eq!(ran.stderr, "A runner exists with the same name one.\n");
    let ran = with_pat(&stand, &["--replace"]).expect(0);
    assert!(ran.stdout.contains("√ Successfully replaced the runner"));
    assert_eq!(stand.runner()["agentId"], id);
    assert_eq!(github.state().runners.len(), 1);
}

#[test]
fn an_unknown_group_is_refused() {
    let (_github, stand) = pair();
    let ran = with_pat(&stand, &["--runnergroup", "none"]).expect(1);
    assert!(ran.stderr.contains("Could not find any self-hosted runner group named \"none\"."));
    with_pat(&stand, &["--runnergroup", "DEFAULT"]).expect(0);
}

#[test]
fn one_label_too_long_drops_all_of_them() {
    let (github, stand) = pair();
    with_pat(&stand, &["--labels", &format!("good,{}", "x".repeat(257))]).expect(0);
    assert_eq!(github.state().runners[0].labels.len(), 3);
}

#[test]
fn no_default_labels_needs_labels_and_says_so_late() {
    let (github, stand) = pair();
    let ran = with_pat(&stand, &["--no-default-labels"]).expect(1);
    assert!(ran.stderr.contains("without specifying --labels is not supported"));
    assert!(github.records().iter().any(|record| record.path.contains("?name=one")));
    with_pat(&stand, &["--no-default-labels", "--labels", "only"]).expect(0);
    assert_eq!(github.state().runners[0].labels[0].name, "only");
}

#[test]
fn a_server_error_after_the_effect_leaves_an_orphan() {
    let (github, stand) = pair();
    github.inject(Fault { after_effect: true, ..Fault::next("/actions/runners/register", 502) });
    let ran = with_pat(&stand, &[]).expect(1);
    assert!(ran.stderr.contains("BadGateway") && ran.stderr.contains("Already exists"));
    assert_eq!(github.state().runners.len(), 1);
    assert_eq!(Vec::from_iter(stand.files()), [".credentials_rsaparams"]);
}

#[test]
fn a_legacy_server_makes_another_runner_file() {
    let stand = Stand::with(&json!({ "offline": { "legacy": true } }));
    let ran = stand.configure(&[]).expect(0);
    assert!(ran.stdout.contains("√ Runner connection is good"));
    assert_eq!(stand.runner()["useRunnerAdminFlow"], json!(null));
    assert_eq!(stand.runner()["serverUrl"], "https://pipelines.actions.example/fake/");
}
