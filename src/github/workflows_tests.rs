//! What is read of runs, jobs and artifacts. Touches nothing: the server is a list of answers.

use super::super::client::Client;
use super::super::fake::Fake;
use super::*;
use crate::contract::protocol::Secret;
use crate::model::RegistrationUrl;
use serde_json::{Value, json};

fn api<'a>(client: &'a Client<'a>) -> Api<'a> {
    let url = RegistrationUrl::parse("https://github.com/octo-org/example").unwrap();
    Api::new(client, Secret::new("github_pat_fake".into()), url)
}

fn answers(body: &Value) -> Fake {
    Fake::new().answers(200, &[], &body.to_string())
}

fn run() -> Value {
    json!({ "id": 7, "status": "queued", "run_attempt": 2, "name": "new", "repository": { "id": 3 },
        "head_repository": { "id": 4 } })
}

fn job(status: &str, labels: &Value) -> Value {
    json!({ "id": 9, "run_id": 7, "status": status, "labels": labels, "runner_id": null })
}

#[test]
fn a_run_is_read_with_its_repositories_and_its_state() {
    for (status, state) in [
        ("queued", RunState::Queued),
        ("in_progress", RunState::InProgress),
        ("completed", RunState::Completed),
        ("waiting", RunState::Held),
        ("pending", RunState::Held),
        ("requested", RunState::Held),
        ("of tomorrow", RunState::Held),
    ] {
        let mut body = run();
        body["status"] = json!(status);
        let fake = answers(&body);
        let seen = api(&fake.client(9)).run(7).unwrap().unwrap();
        assert_eq!(seen, WorkflowRun { id: 7, repository: 3, head_repository: Some(4), state, attempt: 2 });
        assert_eq!(fake.asked(), ["GET /repos/octo-org/example/actions/runs/7"]);
    }
    let mut body = run();
    body["head_repository"] = Value::Null;
    assert_eq!(api(&answers(&body).client(9)).run(7).unwrap().unwrap().head_repository, None);
}

#[test]
fn a_run_that_lacks_something_is_no_run() {
    for field in ["id", "status", "run_attempt", "repository"] {
        let mut body = run();
        body.as_object_mut().unwrap().remove(field);
        assert!(matches!(api(&answers(&body).client(9)).run(7), Err(Failure::Unreachable(_))), "{field}");
    }
    for (field, value) in
        [("id", json!(0)), ("id", json!("7")), ("repository", json!({ "id": 0 })), ("status", json!(1))]
    {
        let mut body = run();
        body[field] = value;
        assert!(matches!(api(&answers(&body).client(9)).run(7), Err(Failure::Unreachable(_))), "{field}");
    }
}

#[test]
fn there_is_no_run_only_if_the_repository_can_be_seen() {
    let missing = |status| Fake::new().answers(404, &[], "{}").answers(status, &[], "{}");
    let fake = missing(200);
    assert_eq!(api(&fake.client(9)).run(7).unwrap(), None);
    assert_eq!(fake.asked()[1..], ["GET /repos/octo-org/example"]);
    for status in [403, 404] {
        let fake = missing(status);
        let Err(Failure::Refused(text)) = api(&fake.client(9)).run(7) else { panic!() };
        assert!(text.contains("\"octo-org/example\"") && text.contains("Actions: Read-only"), "{text}");
    }
}

#[test]
fn only_jobs_that_wait_are_told_and_only_labels_that_could_be_ours() {
    let long = "x".repeat(65);
    let jobs = json!([
        job("queued", &json!(["OD-7-Build", "self-hosted", "with blank", "ü", "a\"b", long, ""])),
        job("in_progress", &json!(["od-7-build"])),
        job("completed", &json!(["od-7-build"])),
        job("waiting", &json!(["od-7-build"])),
        job("queued", &json!(vec!["od-7-build"; 21])),
        job("queued", &json!([])),
    ]);
    let fake = answers(&json!({ "total_count": 6, "jobs": jobs }));
    let queued = api(&fake.client(9)).queued_jobs(7).unwrap();
    let expected = [vec!["od-7-build".into(), "self-hosted".into(), String::new()], vec![]];
    assert_eq!(queued.into_iter().map(|job| job.labels).collect::<Vec<_>>(), expected);
    assert_eq!(fake.asked(), ["GET /repos/octo-org/example/actions/runs/7/jobs?filter=latest&per_page=100&page=1"]);
}

#[test]
fn of_endless_jobs_a_thousand_are_looked_at() {
    let page = json!({ "jobs": vec![job("queued", &json!(["od"])); 100] }).to_string();
    let more = ("link", "<https://evil.example/?page=2>; rel=\"next\"");
    let fake = (0..12).fold(Fake::new(), |fake, _| fake.answers(200, &[more], &page));
    assert_eq!(api(&fake.client(9)).queued_jobs(7).unwrap().len(), MOST_JOBS);
    assert_eq!(fake.asked().len(), 10);
}

#[test]
fn refusals_of_jobs_and_artifacts_speak_of_workflows() {
    for status in [403, 404] {
        let fake = || Fake::new().answers(status, &[], "{}").answers(status, &[], "{}");
        let jobs = api(&fake().client(9)).queued_jobs(7).map(drop);
        for failure in [jobs, api(&fake().client(9)).artifact(7, "od").map(drop)] {
            let Err(Failure::Refused(text)) = failure else { panic!("{failure:?}") };
            assert!(text.contains("does not show the credential the workflows of"), "{text}");
        }
    }
}

#[test]
fn a_new_name_of_a_repository_is_told_and_not_followed() {
    for status in [301, 307, 308] {
        let fake = Fake::new().answers(status, &[("location", "https://api.github.com/repositories/3")], "{}");
        let Err(Failure::Refused(text)) = api(&fake.client(9)).run(7) else { panic!() };
        assert!(text.contains("octo-org/example has another name now: correct it in `repositories`"), "{text}");
        assert_eq!(fake.asked().len(), 1);
    }
}

#[test]
fn the_youngest_artifact_of_exactly_the_name_is_told() {
    let upload = |name: &str, at: &str| {
        json!({ "id": 1, "name": name, "created_at": at, "expired": false, "size_in_bytes": 9,
            "workflow_run": { "id": 7, "repository_id": 3, "head_repository_id": 4, "head_sha": "0" } })
    };
    let mut without_run = upload("od.x", "2026-12-24T12:00:00Z");
    without_run["workflow_run"] = Value::Null;
    let fake = answers(&json!({ "artifacts": [
        upload("od.x", "2026-12-24T10:00:00Z"),
        upload("od.x", "2026-12-24T10:00:01Z"),
        upload("OD.X", "2026-12-24T10:00:02Z"),
        upload("od.xy", "2026-12-24T10:00:03Z"),
        upload("od.x", "yesterday"),
        without_run,
    ] }));
    let seen = api(&fake.client(9)).artifact(7, "od.x").unwrap().unwrap();
    let expected = Artifact {
        name: "od.x".into(),
        created_at: 1_798_106_401,
        expired: false,
        run: 7,
        repository: 3,
        head_repository: Some(4),
    };
    assert_eq!(seen, expected);
    assert_eq!(fake.asked(), ["GET /repos/octo-org/example/actions/runs/7/artifacts?name=od.x&per_page=100&page=1"]);
    assert_eq!(api(&answers(&json!({ "artifacts": [] })).client(9)).artifact(7, "od.x").unwrap(), None);
}
