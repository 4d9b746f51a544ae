//! Runs of workflows, and the issuer of ID tokens, of the GitHub stand-in.

use serde_json::{Value, json};
use ureq::Agent;

use crate::{
    client::{ask, ask_as},
    github::{self, Config, GitHub, KEY_ID, Pat, State},
    harness::PAT,
};

const RUN: &str = "/repos/octo-org/app/actions/runs/7";

/// A GitHub with one run, made as a test in another process does it.
fn github() -> GitHub {
    let github =
        github::start(Config { state: State { pats: vec![PAT.to_owned()], ..State::default() }, ..Config::default() });
    let github = github.unwrap();
    let jobs: Vec<Value> = (1..=31).map(|id| json!({ "id": id, "labels": ["od-7-build"] })).collect();
    let run = json!({
        "id": 7, "repository": "octo-org/app", "repository-id": 3, "head-repository-id": null, "jobs": jobs,
        "artifacts": [{ "name": "a", "created": 0 }, { "name": "b", "created": 0, "expired": true }],
    });
    assert_eq!(ask(&github.url(), "POST", "/_stand-in/runs", &run).status, 204);
    github
}

#[test]
fn a_run_is_shown_with_its_jobs_and_its_artifacts() {
    let github = github();
    let get = |path: &str| ask(&github.url(), "GET", path, &Value::Null);
    let run = get(RUN).body;
    assert_eq!(
        (&run["status"], &run["conclusion"], &run["head_repository"]),
        (&json!("queued"), &Value::Null, &Value::Null)
    );
    let jobs = get(&format!("{RUN}/jobs?filter=latest"));
    assert_eq!((jobs.body["total_count"].as_u64(), jobs.body["jobs"].as_array().unwrap().len()), (Some(31), 30));
    assert!(jobs.header("link").unwrap().contains("page=2>; rel=\"next\""));
    let artifacts = get(&format!("{RUN}/artifacts?name=b")).body;
    assert_eq!((artifacts["total_count"].as_u64(), &artifacts["artifacts"][0]["expired"]), (Some(1), &json!(true)));
    assert_eq!(artifacts["artifacts"][0]["created_at"], "1970-01-01T00:00:00Z");
    for path in ["/repos/octo-org/app/actions/runs/8", "/repos/octo-org/other/actions/runs/7"] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    assert_eq!(ask(&github.url(), "DELETE", "/_stand-in/runs", &Value::Null).status, 204);
    assert_eq!(get(RUN).status, 404);
}

#[test]
fn a_run_is_shown_to_good_credentials_only() {
    let github = github();
    assert_eq!(ask_as(&github, "ghp_other", "GET", RUN).status, 401);
    github.change(|state| state.limited_pats.push(Pat { permission: false, ..Pat::new("ghp_limited") })).unwrap();
    assert_eq!(ask_as(&github, "ghp_limited", "GET", RUN).status, 403);
}

#[test]
fn an_id_token_is_signed_by_the_first_key() {
    let github = github();
    let claims = json!({ "run_id": "7" });
    let token = ask(&github.url(), "POST", "/_stand-in/id-tokens", &claims).body["value"].as_str().unwrap().to_owned();
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!((header.alg, header.kid.as_deref()), (jsonwebtoken::Algorithm::RS256, Some(KEY_ID)));
    // Anybody may read the keys, at the issuer's host or below its path.
    let get = |path: &str, host: &str| -> Value {
        let mut answer =
            Agent::new_with_defaults().get(format!("{}{path}", github.url())).header("host", host).call().unwrap();
        answer.body_mut().read_json().unwrap()
    };
    let host = "token.actions.githubusercontent.com";
    assert_eq!(get("/.well-known/openid-configuration", host)["jwks_uri"], format!("https://{host}/.well-known/jwks"));
    let below = get("/_services/token/.well-known/openid-configuration", "ghes.example");
    assert_eq!(below["issuer"], "https://ghes.example/_services/token");
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(get("/.well-known/jwks", host)).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    let decode = |kid: &str| {
        let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(kid).unwrap()).unwrap();
        jsonwebtoken::decode::<Value>(&token, &key, &validation).map(|token| token.claims)
    };
    assert_eq!(decode(KEY_ID).unwrap(), claims);
    assert!(decode("stand-in-2").is_err());
}
