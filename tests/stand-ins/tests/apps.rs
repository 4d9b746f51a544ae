//! GitHub Apps: a JWT that is really verified, and tokens that reach no further than they should.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::{
    client::{Answer, ask_as, attempt},
    github::{self, APP_KEY, APP_PUBLIC_KEY, App, Config, GitHub, State},
};

const CLIENT_ID: &str = "Iv23fake";
const ORG: &str = "/orgs/octo-org/actions/runners";
const REPO: &str = "/repos/octo-org/app/actions/runners";

/// A GitHub with one App, installed in an organisation and at a user.
fn github() -> GitHub {
    let granted = json!({ "administration": "write", "metadata": "read", "organization_self_hosted_runners": "write" });
    let app: App = serde_json::from_value(json!({
        "id": 7,
        "client-id": CLIENT_ID,
        "public-key": APP_PUBLIC_KEY,
        "installations": [
            { "id": 70, "account": "octo-org", "permissions": granted },
            { "id": 71, "account": "octocat", "account-type": "User", "repositories": ["app"], "permissions": {} },
        ],
    }))
    .unwrap();
    let state = State { apps: vec![app], users: vec!["octocat".to_owned()], ..State::default() };
    github::start(Config { state, ..Config::default() }).unwrap()
}

fn jwt_of(claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(APP_KEY.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

/// A JWT for the App, good by GitHub's clock.
fn jwt(github: &GitHub) -> String {
    let now = github.state().now();
    jwt_of(&json!({ "iss": CLIENT_ID, "iat": now - 60, "exp": now + 540 }))
}

/// A token of the first installation; fails with the refusal.
fn token(github: &GitHub, narrowing: &Value) -> Result<(String, Value), Box<Answer>> {
    let path = "/app/installations/70/access_tokens";
    let answer = attempt(&github.url(), &jwt(github), "POST", path, narrowing).unwrap();
    match answer.body["token"].as_str() {
        Some(token) => Ok((token.to_owned(), answer.body.clone())),
        None => Err(Box::new(answer)),
    }
}

#[test]
fn an_app_is_itself_by_client_id_or_number() {
    let github = github();
    let now = github.state().now();
    for issuer in [json!(CLIENT_ID), json!("7"), json!(7)] {
        let jwt = jwt_of(&json!({ "iss": issuer, "iat": now, "exp": now + 600 }));
        let answer = ask_as(&github, &jwt, "GET", "/app");
        assert_eq!((answer.status, &answer.body["client_id"]), (200, &json!(CLIENT_ID)));
    }
}

#[test]
fn a_jwt_with_a_wrong_time_issuer_or_signature_is_refused() {
    let github = github();
    let now = github.state().now();
    let far = "'Expiration time' claim ('exp') is too far in the future";
    for (claims, status, text) in [
        (json!({ "iss": CLIENT_ID, "iat": now, "exp": now + 700 }), 401, far),
        (json!({ "iss": CLIENT_ID, "iat": now - 120, "exp": now - 1 }), 401, "'Expiration time' claim ('exp') must be"),
        (json!({ "iss": CLIENT_ID, "iat": now }), 401, "'Expiration time' claim ('exp') must be"),
        (json!({ "iss": CLIENT_ID, "iat": now + 100, "exp": now + 500 }), 401, "'Issued at' claim ('iat')"),
        (json!({ "iss": "other", "iat": now, "exp": now + 500 }), 404, "Integration not found"),
    ] {
        let answer = ask_as(&github, &jwt_of(&claims), "GET", "/app");
        assert_eq!(answer.status, status, "{claims}");
        assert!(answer.message().starts_with(text), "{claims}: {}", answer.message());
    }
    let good = jwt(&github);
    let (signed, _) = good.rsplit_once('.').unwrap();
    for wrong in ["ghp_no_jwt", &format!("{signed}.AAAA"), "eyA.eyB.c"] {
        let answer = ask_as(&github, wrong, "GET", "/app");
        assert_eq!((answer.status, answer.message()), (401, "A JSON web token could not be decoded"));
    }
    assert_eq!(ask_as(&github, &good, "GET", ORG).status, 401, "a JWT is no API token");
}

#[test]
fn a_clock_that_differs_makes_a_good_jwt_bad() {
    let github = github();
    let good = jwt(&github);
    github.change(|state| state.clock_skew = -600).unwrap();
    let answer = ask_as(&github, &good, "GET", "/app");
    assert!(answer.message().starts_with("'Issued at' claim"), "{}", answer.message());
    github.change(|state| state.clock_skew = 900).unwrap();
    assert_eq!(ask_as(&github, &good, "GET", "/app").status, 401);
}

#[test]
fn installations_are_found_by_account_and_repository() {
    let github = github();
    for (path, found) in [
        ("/orgs/OCTO-org/installation", Some(70)),
        ("/repos/octo-org/app/installation", Some(70)),
        ("/repos/octocat/app/installation", Some(71)),
        ("/users/octocat/installation", Some(71)),
        ("/repos/octocat/other/installation", None),
        ("/orgs/octocat/installation", None),
        ("/users/octo-org/installation", None),
    ] {
        let answer = ask_as(&github, &jwt(&github), "GET", path);
        assert_eq!(answer.body["id"].as_u64(), found, "{path}");
        assert_eq!(answer.status, if found.is_some() { 200 } else { 404 });
    }
    let page = ask_as(&github, &jwt(&github), "GET", "/app/installations?per_page=1");
    assert_eq!(page.body[0]["account"]["login"], "octo-org");
    assert!(page.header("link").unwrap().contains("page=2>; rel=\"next\""));
}

#[test]
fn a_token_can_be_narrowed_but_not_widened() {
    let github = github();
    let (_, whole) = token(&github, &Value::Null).ok().unwrap();
    assert_eq!((&whole["repository_selection"], &whole["repositories"]), (&json!("all"), &Value::Null));
    let narrowing = json!({ "repositories": ["app"], "permissions": { "administration": "read" } });
    let (_, narrow) = token(&github, &narrowing).ok().unwrap();
    assert_eq!(narrow["permissions"], json!({ "administration": "read", "metadata": "read" }));
    assert_eq!(narrow["repositories"][0]["full_name"], "octo-org/app");
    github.change(|state| state.entities = vec!["repos/octo-org/app".to_owned()]).unwrap();
    for (narrowing, text) in [
        (json!({ "permissions": { "contents": "read" } }), "The permissions requested are not granted"),
        (json!({ "permissions": { "metadata": "write" } }), "The permissions requested are not granted"),
        (json!({ "repositories": ["absent"] }), "There is at least one repository that does not exist"),
    ] {
        let refused = token(&github, &narrowing).err().unwrap();
        assert_eq!(refused.status, 422);
        assert!(refused.message().starts_with(text), "{}", refused.message());
    }
}

#[test]
fn a_token_reaches_what_it_was_granted_and_no_more() {
    let github = github();
    let whole = token(&github, &Value::Null).ok().unwrap().0;
    let app = json!({ "repositories": ["app"], "permissions": { "administration": "write" } });
    let app = token(&github, &app).ok().unwrap().0;
    let reading = json!({ "permissions": { "organization_self_hosted_runners": "read" } });
    let reading = token(&github, &reading).ok().unwrap().0;
    let mint = |base: &str| format!("{base}/registration-token");
    for (name, token, method, path, status) in [
        ("whole", &whole, "POST", mint(ORG), 201),
        ("whole", &whole, "POST", mint(REPO), 201),
        ("whole", &whole, "GET", "/orgs/other/actions/runners".to_owned(), 403),
        ("whole", &whole, "GET", "/enterprises/e/actions/runners".to_owned(), 403),
        ("app", &app, "POST", mint(REPO), 201),
        ("app", &app, "POST", mint(ORG), 403),
        ("app", &app, "POST", mint("/repos/octo-org/other/actions/runners"), 403),
        ("app", &app, "GET", "/repos/octo-org/app".to_owned(), 200),
        ("app", &app, "GET", "/repos/octo-org/other".to_owned(), 404),
        ("reading", &reading, "GET", ORG.to_owned(), 200),
        ("reading", &reading, "POST", mint(ORG), 403),
    ] {
        let answer = ask_as(&github, token, method, &path);
        assert_eq!(answer.status, status, "{name} {method} {path}");
    }
    let refused = ask_as(&github, &app, "GET", ORG);
    assert_eq!(refused.message(), "Resource not accessible by integration");
    let accepted = refused.header("x-accepted-github-permissions");
    assert_eq!(accepted, Some("organization_self_hosted_runners=write"));
}

#[test]
fn a_revoked_or_expired_token_and_a_suspended_installation_are_refused() {
    let github = github();
    let (first, second) = (token(&github, &Value::Null).ok().unwrap().0, token(&github, &Value::Null).ok().unwrap().0);
    assert_eq!(ask_as(&github, &first, "DELETE", "/installation/token").status, 204);
    assert_eq!(ask_as(&github, &first, "GET", ORG).status, 401);
    github.change(|state| state.apps[0].installations[0].suspended = true).unwrap();
    assert_eq!(ask_as(&github, &second, "GET", ORG).message(), "This installation has been suspended");
    let refused = token(&github, &Value::Null).err().unwrap();
    assert_eq!((refused.status, refused.message()), (403, "This installation has been suspended"));
    github.change(|state| state.apps[0].installations[0].suspended = false).unwrap();
    github.change(|state| state.clock_skew = 3_601).unwrap();
    assert_eq!(ask_as(&github, &second, "GET", ORG).message(), "Bad credentials");
}

#[test]
fn neither_a_jwt_nor_a_token_is_ever_recorded() {
    let github = github();
    let jwt = jwt(&github);
    ask_as(&github, &jwt, "GET", &format!("/app?{jwt}"));
    let token = token(&github, &Value::Null).ok().unwrap().0;
    let body = json!({ "note": token });
    attempt(&github.url(), &token, "POST", &format!("{ORG}/remove-token?x={token}"), &body).unwrap();
    let records = github.records();
    assert!(records[0].secret_in_path && records.last().unwrap().secret_in_path);
    let text = serde_json::to_string(&records).unwrap();
    assert!(!text.contains(&token) && !text.contains(&jwt));
}

#[test]
fn apps_are_added_and_changed_from_outside() {
    let github = github();
    let mut app = json!(github.state().apps[0]);
    assert_eq!(attempt(&github.url(), "", "DELETE", "/_stand-in/apps", &Value::Null).unwrap().status, 204);
    assert_eq!(ask_as(&github, &jwt(&github), "GET", "/app").status, 404);
    for suspended in [false, true] {
        app["installations"][0]["suspended"] = json!(suspended);
        assert_eq!(attempt(&github.url(), "", "POST", "/_stand-in/apps", &app).unwrap().status, 204);
        assert_eq!(token(&github, &Value::Null).is_err(), suspended);
    }
}
