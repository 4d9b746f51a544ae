//! Accounts, runner groups, downloads, and the headers of every answer.

use serde_json::{Value, json};

use crate::{
    client::{ask, ask_as},
    github::{self, Config, GitHub, Group, State},
    harness::PAT,
};

fn github() -> GitHub {
    let state = State { pats: vec![PAT.to_owned()], users: vec!["octocat".to_owned()], ..State::default() };
    github::start(Config { state, ..Config::default() }).unwrap()
}

#[test]
fn accounts_are_users_or_organisations_or_missing() {
    let github = github();
    github.change(|state| state.entities = vec!["orgs/octo-org".to_owned(), "repos/other/app".to_owned()]).unwrap();
    for (path, status, field, value) in [
        ("/users/octocat", 200, "type", json!("User")),
        ("/users/octo-org", 200, "type", json!("Organization")),
        ("/users/other", 200, "type", json!("Organization")),
        ("/users/nobody", 404, "message", json!("Not Found")),
        ("/orgs/octo-org", 200, "login", json!("octo-org")),
        ("/orgs/octocat", 404, "message", json!("Not Found")),
        ("/orgs/octocat/actions/runners", 404, "message", json!("Not Found")),
        ("/repos/other/app", 200, "full_name", json!("other/app")),
        ("/repos/other/absent", 404, "message", json!("Not Found")),
    ] {
        let answer = ask(&github.url(), "GET", path, &Value::Null);
        assert_eq!((answer.status, &answer.body[field]), (status, &value), "{path}");
    }
    assert_eq!(ask_as(&github, "ghp_unknown", "GET", "/users/octocat").status, 401);
}

#[test]
fn runner_groups_come_in_pages_for_organisations_and_enterprises() {
    let github = github();
    let group = |id| Group { default: false, is_hosted: id == 2, ..Group::new(id, &format!("g{id}")) };
    github.change(|state| state.groups.extend((2..=40).map(group))).unwrap();
    for entity in ["orgs/octo-org", "enterprises/octo"] {
        let path = format!("/{entity}/actions/runner-groups");
        let first = ask(&github.url(), "GET", &path, &Value::Null);
        assert_eq!(first.body["total_count"], 40);
        assert_eq!(first.body["runner_groups"].as_array().unwrap().len(), 30);
        assert_eq!(first.body["runner_groups"][0]["default"], true);
        assert!(first.header("link").unwrap().contains("page=2>; rel=\"next\""));
    }
    let path = "/repos/octo-org/app/actions/runner-groups";
    assert_eq!(ask(&github.url(), "GET", path, &Value::Null).status, 404);
}

#[test]
fn downloads_name_the_file_and_its_digest() {
    let answer = ask(&github().url(), "GET", "/orgs/octo-org/actions/runners/downloads", &Value::Null);
    assert_eq!(answer.body[0]["filename"], "actions-runner-linux-x64-2.336.0.tar.gz");
    assert_eq!(answer.body[0]["sha256_checksum"].as_str().unwrap().len(), 64);
}

#[test]
fn every_answer_has_a_date_that_can_be_wrong() {
    let github = github();
    github.change(|state| state.clock_skew = 4_102_444_800 - i64::try_from(state.now()).unwrap()).unwrap();
    let date = ask(&github.url(), "GET", "/nothing", &Value::Null);
    let date = date.header("date").unwrap();
    assert!(date.starts_with("Fri, 01 Jan 2100 00:00:0"), "{date}");
    assert_eq!(ask(&github.url(), "POST", "/_stand-in/clock-skew", &json!(0)).status, 204);
    let date = ask(&github.url(), "GET", "/nothing", &Value::Null);
    assert!(!date.header("date").unwrap().contains("2100"));
}

#[test]
fn every_answer_tells_the_rate_limit_and_an_exceeded_one_refuses() {
    let github = github();
    let answer = ask(&github.url(), "GET", "/nothing", &Value::Null);
    let header = |name: &str| answer.header(&format!("x-ratelimit-{name}"));
    assert_eq!([header("limit"), header("remaining"), header("used")], [Some("5000"), Some("4999"), Some("1")]);
    assert_eq!(header("resource"), Some("core"));
    let reset: u64 = header("reset").unwrap().parse().unwrap();
    assert!(reset > github.state().now());
    assert_eq!(ask(&github.url(), "POST", "/_stand-in/rate-limit", &json!(1)).status, 204);
    assert_eq!(ask(&github.url(), "GET", "/users/octocat", &Value::Null).status, 200);
    let refused = ask(&github.url(), "GET", "/users/octocat", &Value::Null);
    assert_eq!((refused.status, refused.header("x-ratelimit-remaining")), (403, Some("0")));
    assert!(refused.message().starts_with("API rate limit exceeded"));
    github.change(|state| state.clock_skew = 3_601).unwrap();
    assert_eq!(ask(&github.url(), "GET", "/users/octocat", &Value::Null).status, 200);
}

#[test]
fn records_hold_what_a_client_asked_for() {
    let github = github();
    ask(&github.url(), "GET", "/users/octocat", &Value::Null);
    let record = &github.records()[0];
    assert_eq!(record.accept.as_deref(), Some("application/vnd.github+json"));
    assert_eq!(record.api_version.as_deref(), Some("2022-11-28"));
    assert!(!record.secure);
}
