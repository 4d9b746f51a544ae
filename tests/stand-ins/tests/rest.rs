//! The GitHub stand-in by itself, as a library and as a program.

use std::fs;

use serde_json::{Value, json};

use crate::{
    client::{ask, attempt},
    github::{self, Config, Fault, GitHub, Label, Runner, State},
    harness::{PAT, Running, Stand, example},
    wait::wait_for,
};

fn runner(id: u64) -> Runner {
    serde_json::from_value(json!({ "id": id, "name": format!("r{id}"), "entity": "repos/octo-org/app" })).unwrap()
}

/// A GitHub with `count` runners of one repository.
fn github(count: u64) -> GitHub {
    let state = State { pats: vec![PAT.to_owned()], runners: (1..=count).map(runner).collect(), ..State::default() };
    github::start(Config { state, ..Config::default() }).unwrap()
}

const RUNNERS: &str = "/repos/octo-org/app/actions/runners";

#[test]
fn lists_come_in_pages_with_links() {
    let github = github(65);
    let first = ask(&github.url(), "GET", RUNNERS, &Value::Null);
    assert_eq!(first.body["total_count"], 65);
    assert_eq!(first.body["runners"].as_array().unwrap().len(), 30);
    let next = format!("<{}{RUNNERS}?per_page=30&page=2>; rel=\"next\"", github.url());
    assert!(first.header("link").unwrap().starts_with(&next));
    let last = ask(&github.url(), "GET", &format!("{RUNNERS}?per_page=30&page=3"), &Value::Null);
    assert_eq!(last.body["runners"].as_array().unwrap().len(), 5);
    assert_eq!(last.header("link"), None);
    let one = ask(&github.url(), "GET", &format!("/api/v3{RUNNERS}?name=R7"), &Value::Null);
    assert_eq!(one.body["runners"][0]["id"], 7);
}

#[test]
fn a_runner_is_found_deleted_and_then_missing() {
    let github = github(1);
    let (url, path) = (github.url(), format!("{RUNNERS}/1"));
    assert_eq!(ask(&url, "GET", &path, &Value::Null).body["name"], "r1");
    assert_eq!(ask(&url, "DELETE", &path, &Value::Null).status, 204);
    assert_eq!(ask(&url, "DELETE", &path, &Value::Null).status, 404);
    assert_eq!(ask(&url, "GET", &path, &Value::Null).body["message"], "Not Found");
}

#[test]
fn what_is_left_of_the_rate_limit_is_told_and_asking_for_it_is_free() {
    let github = github(1);
    let url = github.url();
    for _ in 0..2 {
        ask(&url, "GET", RUNNERS, &Value::Null);
        let told = ask(&url, "GET", "/api/v3/rate_limit", &Value::Null);
        assert_eq!(told.status, 200);
        assert_eq!(told.header("x-ratelimit-used"), Some(told.body["rate"]["used"].to_string().as_str()));
    }
    let rate = &ask(&url, "GET", "/rate_limit", &Value::Null).body["resources"]["core"];
    assert_eq!((&rate["limit"], &rate["used"], &rate["remaining"]), (&json!(5_000), &json!(2), &json!(4_998)));
    assert_eq!(attempt(&url, "ghp_other", "GET", "/rate_limit", &Value::Null).unwrap().status, 401);
}

#[test]
fn a_busy_runner_cannot_be_deleted() {
    let github = github(1);
    let url = github.url();
    assert_eq!(ask(&url, "POST", "/_stand-in/runners/1/busy", &json!(true)).status, 200);
    let refused = ask(&url, "DELETE", &format!("{RUNNERS}/1"), &Value::Null);
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["message"], "Runner \"r1\" is currently running a job and cannot be deleted");
}

#[test]
fn labels_come_and_go_but_for_the_runners_own() {
    let github = github(1);
    let own = Label { name: "Linux".to_owned(), kind: "read-only".to_owned() };
    github.change(|state| state.runners[0].labels.push(own)).unwrap();
    let path = format!("{RUNNERS}/1/labels");
    for (method, path, body, names) in [
        ("POST", path.clone(), json!({ "labels": ["GPU", "linux"] }), &["Linux", "gpu"][..]),
        ("PUT", path.clone(), json!({ "labels": ["a", "b"] }), &["Linux", "a", "b"]),
        ("DELETE", format!("{path}/a"), Value::Null, &["Linux", "b"]),
        ("DELETE", path.clone(), Value::Null, &["Linux"]),
        ("GET", path.clone(), Value::Null, &["Linux"]),
    ] {
        let answer = ask(&github.url(), method, &path, &body).body;
        let labels = answer["labels"].as_array().unwrap();
        let found: Vec<&str> = labels.iter().map(|label| label["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{method}");
    }
    assert_eq!(ask(&github.url(), "DELETE", &format!("{path}/linux"), &Value::Null).status, 422);
    assert_eq!(ask(&github.url(), "DELETE", &format!("{path}/a"), &Value::Null).status, 404);
}

#[test]
fn unknown_entities_are_not_found_and_unknown_tokens_unauthorized() {
    let github = github(1);
    github.change(|state| state.entities.push("orgs/octo-org".to_owned())).unwrap();
    assert_eq!(ask(&github.url(), "GET", RUNNERS, &Value::Null).status, 404);
    github.change(|state| state.pats.clear()).unwrap();
    let answer = ask(&github.url(), "GET", RUNNERS, &Value::Null);
    assert_eq!((answer.status, &answer.body["message"]), (401, &json!("Bad credentials")));
}

#[test]
fn faults_can_be_injected_from_outside_and_are_spent() {
    let github = github(1);
    let fault = json!({ "method": "get", "path": "/runners", "status": 429, "headers": { "retry-after": "7" } });
    assert_eq!(ask(&github.url(), "POST", "/_stand-in/faults", &fault).status, 204);
    assert_eq!(ask(&github.url(), "GET", RUNNERS, &Value::Null).status, 429);
    assert_eq!(ask(&github.url(), "GET", RUNNERS, &Value::Null).status, 200);
    github.inject(Fault::next("", 503));
    assert_eq!(ask(&github.url(), "GET", RUNNERS, &Value::Null).status, 503);
    assert_eq!(ask(&github.url(), "POST", "/_stand-in/faults", &json!({ "stat": 1 })).status, 400);
}

#[test]
fn a_secret_in_a_url_is_noticed_and_not_kept() {
    let github = github(0);
    ask(&github.url(), "GET", &format!("{RUNNERS}?name={PAT}"), &Value::Null);
    let records = ask(&github.url(), "GET", "/_stand-in/records", &Value::Null).body;
    assert_eq!(records[0]["secret-in-path"], true);
    assert!(!records.to_string().contains(PAT));
}

#[test]
fn the_program_keeps_its_state_over_a_restart() {
    let stand = Stand::new();
    let (state, address) = (stand.path("state.json"), stand.path("address"));
    fs::write(&state, json!({ "pats": [PAT] }).to_string()).unwrap();
    let start = || {
        let mut command = std::process::Command::new(example("stand-in-github"));
        command.arg("--address-file").arg(&address).arg("--state-file").arg(&state);
        let running = Running::start(command.arg("--record").arg(stand.path("records")));
        let text = wait_for("the address", || fs::read_to_string(&address).ok());
        (running, format!("http://{}", text.trim()))
    };
    let (running, url) = start();
    let minted = ask(&url, "POST", &format!("{RUNNERS}/registration-token"), &Value::Null);
    assert_eq!(minted.status, 201);
    assert_eq!(ask(&url, "POST", "/_stand-in/runners", &json!(runner(0))).status, 201);
    drop(running);
    fs::remove_file(&address).unwrap();
    let (_running, url) = start();
    let listed = ask(&url, "GET", RUNNERS, &Value::Null);
    assert_eq!(listed.body["runners"][0]["id"], 2);
    let records = fs::read_to_string(stand.path("records")).unwrap();
    assert_eq!(records.lines().count(), 2);
}
