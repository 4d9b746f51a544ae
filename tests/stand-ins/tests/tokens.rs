//! Personal access tokens with limits.

use serde_json::json;

use crate::{
    client::{ask_as, attempt},
    github::{self, Config, GitHub, Pat, State},
};

const LIMITED: &str = "github_pat_fakeFAKE";
const RUNNERS: &str = "/orgs/octo-org/actions/runners";

/// A GitHub that knows one token with limits.
fn github(limit: impl FnOnce(&mut Pat)) -> GitHub {
    let mut pat = Pat::new(LIMITED);
    limit(&mut pat);
    let state = State { limited_pats: vec![pat], ..State::default() };
    github::start(Config { state, ..Config::default() }).unwrap()
}

#[test]
fn a_token_that_ends_says_when_with_every_answer() {
    let github = github(|pat| pat.expires = Some(1_798_106_400));
    for path in [RUNNERS, "/nothing"] {
        let answer = ask_as(&github, LIMITED, "GET", path);
        let expiration = answer.header("github-authentication-token-expiration");
        assert_eq!(expiration, Some("2026-12-24 10:00:00 UTC"), "{path}");
    }
    github.change(|state| state.limited_pats[0].expires = Some(1)).unwrap();
    let answer = ask_as(&github, LIMITED, "GET", RUNNERS);
    assert_eq!((answer.status, answer.message()), (401, "Bad credentials"));
}

#[test]
fn a_token_without_the_permission_is_told_which() {
    let github = github(|pat| pat.permission = false);
    let answer = ask_as(&github, LIMITED, "GET", "/repos/octo-org/app/actions/runners");
    assert_eq!((answer.status, answer.message()), (403, "Resource not accessible by personal access token"));
    assert_eq!(answer.header("x-accepted-github-permissions"), Some("administration=write"));
}

#[test]
fn a_token_that_needs_single_sign_on_is_told_where() {
    let github = github(|pat| pat.sso_required = true);
    let answer = ask_as(&github, LIMITED, "GET", RUNNERS);
    assert_eq!(answer.status, 403);
    assert!(answer.message().starts_with("Resource protected by organization SAML enforcement."));
    let url = "https://github.com/orgs/octo-org/sso?authorization_request=fake";
    assert_eq!(answer.header("x-github-sso"), Some(format!("required; url={url}").as_str()));
}

#[test]
fn what_a_token_has_no_access_to_is_missing() {
    let github = github(|pat| pat.entities = Some(vec!["repos/octo-org/app".to_owned()]));
    assert_eq!(ask_as(&github, LIMITED, "GET", "/repos/octo-org/app/actions/runners").status, 200);
    assert_eq!(ask_as(&github, LIMITED, "GET", RUNNERS).status, 404);
    assert_eq!(ask_as(&github, LIMITED, "GET", "/repos/octo-org/other").status, 404);
    assert_eq!(ask_as(&github, LIMITED, "GET", "/repos/octo-org/app").body["full_name"], "octo-org/app");
}

#[test]
fn both_forms_are_accepted_from_outside() {
    let github = github(|_| {});
    let control = |method, body| attempt(&github.url(), "", method, "/_stand-in/pats", &body).unwrap().status;
    assert_eq!(control("DELETE", json!(null)), 204);
    assert_eq!(ask_as(&github, LIMITED, "GET", RUNNERS).status, 401);
    assert_eq!(control("POST", json!({ "token": LIMITED, "permission": false })), 204);
    assert_eq!(ask_as(&github, LIMITED, "GET", RUNNERS).status, 403);
    assert_eq!(control("POST", json!("ghp_plain")), 204);
    assert_eq!(ask_as(&github, "ghp_plain", "GET", RUNNERS).status, 200);
    assert_eq!(control("POST", json!({ "token": LIMITED, "permissions": false })), 400);
}
