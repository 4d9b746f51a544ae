//! A GitHub App as the credential, from its key to the runner.

use github_runners::contract::protocol::{Issue, Outcome, Verb, Whom};
use serde_json::{Value, json};

use super::harness::{NAME, Stand, idle};
use crate::github::{APP_KEY, APP_PUBLIC_KEY, App, Fault, Installation, Permissions};

const REPOSITORY: &str = "https://github.com/octo-org/example";
const ORGANIZATION: &str = "https://github.com/octo-org";

/// An App with an installation.
pub fn app() -> App {
    let permissions = ["administration", "organization_self_hosted_runners"].map(|name| (name.into(), "write".into()));
    App {
        id: 5,
        client_id: "Iv1.0000".into(),
        public_key: APP_PUBLIC_KEY.into(),
        installations: vec![Installation {
            id: 77,
            account: "octo-org".into(),
            account_type: "Organization".into(),
            repositories: Some(vec!["example".into(), "old".into()]),
            permissions: Permissions::from(permissions),
            suspended: false,
        }],
    }
}

/// A runner that this App registers.
pub fn stand(url: &str, app: App) -> Stand {
    let mut stand = Stand::at(url);
    stand.github.change(|state| (state.pats.clear(), state.apps.push(app))).unwrap();
    stand.manifest["registration"]["tokenFile"] = Value::Null;
    stand.manifest["githubApp"] =
        json!({ "id": "Iv1.0000", "login": null, "privateKeyFile": "/run/secrets/key", "installationId": null });
    stand.credential = APP_KEY.into();
    stand
}

/// What the token of the App was limited to.
fn narrowed(stand: &Stand) -> Value {
    let records = stand.github.records();
    let made: Vec<_> = records.iter().filter(|record| record.path.ends_with("/access_tokens")).collect();
    assert_eq!(made.len(), 1);
    made[0].body.clone()
}

#[test]
fn an_app_gets_a_token_that_is_good_for_runners_only() {
    for (url, look_up, limits) in [
        (
            REPOSITORY,
            "GET /repos/octo-org/example/installation 200",
            json!({ "repositories": ["example"], "permissions": { "administration": "write" } }),
        ),
        (
            ORGANIZATION,
            "GET /orgs/octo-org/installation 200",
            json!({ "permissions": { "organization_self_hosted_runners": "write" } }),
        ),
    ] {
        let stand = stand(url, app());
        let told = stand.ask(&Verb::Issue(Issue::Token));
        assert!(matches!(told.answer.outcome, Outcome::Token(_)), "{}", told.journal);
        assert_eq!(told.answer.credential_expires, None);
        assert_eq!(stand.seen()[..2], [look_up, "POST /app/installations/77/access_tokens 201"]);
        assert_eq!((stand.seen().len(), narrowed(&stand)), (3, limits));
        let ready = stand.ask(&Verb::Preflight).answer.outcome;
        assert!(matches!(ready, Outcome::Ready { newest_runner: Some(_), .. }), "{ready:?}");
    }
}

#[test]
fn an_app_makes_and_deletes_a_runner() {
    let mut stand = stand(REPOSITORY, app());
    let made = stand.ask(&Verb::Issue(Issue::Jit { work_folder: "/work".into() })).answer.outcome;
    let Outcome::Jit { id, .. } = made else { panic!("{made:?}") };
    stand.know(id, NAME, REPOSITORY);
    assert_eq!(stand.ask(&Verb::Retire { id, url: REPOSITORY.into() }).answer.outcome, Outcome::Retired);
    assert!(stand.runners().is_empty());
}

#[test]
fn a_runner_of_another_repository_needs_a_token_for_that_one() {
    let mut stand = stand(REPOSITORY, app());
    stand.add_runner(7, NAME, "repos/octo-org/old");
    stand.know(7, NAME, "https://github.com/octo-org/old");
    assert_eq!(
        stand.ask(&Verb::Retire { id: 7, url: "https://github.com/octo-org/old".into() }).answer.outcome,
        Outcome::Retired
    );
    assert_eq!(narrowed(&stand)["repositories"], json!(["old"]));
}

#[test]
fn every_fault_of_an_app_is_told_with_the_way_out() {
    let mut suspended = app();
    suspended.installations[0].suspended = true;
    let mut elsewhere = app();
    elsewhere.installations[0].account = "other".into();
    let mut lacking = app();
    lacking.installations[0].permissions.remove("administration");
    let mut unselected = app();
    unselected.installations[0].repositories = Some(vec![]);
    let other = App { client_id: "Iv1.1111".into(), ..app() };
    for (app, part) in [
        (suspended, "is suspended"),
        (elsewhere, "is not installed in the account \"octo-org\""),
        (lacking, "lacks the permission \"Administration: Read and write\""),
        (unselected, "with access to repository \"example\""),
        (other, "knows no App \"Iv1.0000\""),
    ] {
        let text = stand(REPOSITORY, app).ask(&Verb::Preflight).refusal();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_is_configured_about_the_installation_has_to_be_true() {
    let mut stand = stand(REPOSITORY, app());
    stand.manifest["githubApp"]["login"] = json!("Octo-Org");
    assert!(matches!(stand.ask(&Verb::Preflight).answer.outcome, Outcome::Ready { .. }));
    stand.manifest["githubApp"]["login"] = json!("other");
    let text = stand.ask(&Verb::Preflight).refusal();
    assert!(text.contains("belongs to the account \"octo-org\", not to \"other\""), "{text}");
}

#[test]
fn a_clock_that_is_wrong_is_told_with_both_times() {
    for skew in [-1_200, 1_200] {
        let stand = stand(REPOSITORY, app());
        stand.github.change(|state| state.clock_skew = skew).unwrap();
        let text = stand.ask(&Verb::Preflight).refusal();
        assert!(text.contains("The clock of this host says") && text.contains("set the clock"), "{text}");
    }
}

#[test]
fn what_is_no_key_of_an_app_is_refused() {
    let mut stand = stand(REPOSITORY, app());
    for credential in ["ghp_fakeFAKEfakeFAKE", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"]
    {
        stand.credential = credential.into();
        let text = stand.ask(&Verb::Preflight).refusal();
        assert!(text.contains("file of `githubApp.privateKeyFile` holds"), "{text}");
    }
    assert!(stand.seen().is_empty());
}

#[test]
fn a_token_that_is_not_known_everywhere_yet_is_tried_again() {
    for status in [401, 403, 404] {
        let stand = stand(REPOSITORY, app());
        stand.add_runner(7, "other", "repos/octo-org/example");
        stand.inject(Fault { times: 2, ..Fault::next("/actions/runners", status) });
        let ready = stand.ask(&Verb::Preflight).answer.outcome;
        assert!(matches!(ready, Outcome::Ready { .. }), "{status}: {ready:?}");
        stand.inject(Fault::next("/generate-jitconfig", status));
        let made = stand.ask(&Verb::Issue(Issue::Jit { work_folder: "/work".into() })).answer.outcome;
        assert!(matches!(made, Outcome::Jit { .. }), "{status}: {made:?}");
        // That it is not shown to the token is no proof that it is gone.
        stand.inject(Fault::next("/actions/runners/7", status));
        let seen = stand.ask(&Verb::Observe(Whom::Id { id: 7, url: REPOSITORY.into() })).answer.outcome;
        assert_eq!(seen, Outcome::Seen(Some(idle(7, "other"))), "{status}");
        assert_eq!(stand.count("POST", "/access_tokens"), 3);
    }
}

#[test]
fn an_app_that_is_refused_hears_of_no_access_token_and_is_not_asked_for_ever() {
    for (status, part) in [(401, "see whether the App is still installed"), (403, "\"Administration: Read and write\"")]
    {
        let stand = stand(REPOSITORY, app());
        stand.inject(Fault { message: "Forbidden".into(), times: 99, ..Fault::next("/actions/runners", status) });
        let text = stand.ask(&Verb::Issue(Issue::Token)).refusal();
        assert!(text.contains(part) && !text.contains("tokenFile"), "{text}");
        assert_eq!(stand.count("POST", "/registration-token"), 4, "{status}");
    }
    // What GitHub gives a reason for does not pass.
    let stand = stand(REPOSITORY, app());
    let message = "Repository was archived so is read-only.".into();
    stand.inject(Fault { message, times: 99, ..Fault::next("/actions/runners", 403) });
    assert!(stand.ask(&Verb::Issue(Issue::Token)).refusal().contains("is archived"));
    assert_eq!(stand.count("POST", "/registration-token"), 1);
}
