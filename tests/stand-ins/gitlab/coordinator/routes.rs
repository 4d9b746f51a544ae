//! Which request does what: section 9 of the contract.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::jobs::{Ended, Job};
use super::{Door, RUNNER_TOKEN, git};

/// The largest body: artifacts, and what a test lets git push.
const LARGEST_BODY: usize = 256 << 20;

/// Answers one request.
pub async fn serve(State(door): State<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let Some(path) = path.strip_prefix("/api/v4/") else {
        // Its program is waited for, so not in the thread that answers.
        let answer = tokio::task::spawn_blocking(move || git::serve(door.repositories.as_deref(), &parts, &bytes));
        return answer.await.unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR));
    };
    let json: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let segments: Vec<&str> = path.split('/').collect();
    let is_known = json["token"] == RUNNER_TOKEN;
    match (parts.method.as_str(), segments.as_slice()) {
        ("POST", ["runners", "verify"] | ["jobs", "request"]) if !is_known => empty(StatusCode::FORBIDDEN),
        ("POST", ["runners", "verify"]) => {
            answer(StatusCode::OK, &json!({"id": 1, "token": RUNNER_TOKEN, "token_expires_at": null}))
        }
        ("POST", ["jobs", "request"]) => match door.lock().next() {
            Some(job) => answer(StatusCode::CREATED, &job),
            None => empty(StatusCode::NO_CONTENT),
        },
        ("DELETE", ["runners", ..]) => empty(StatusCode::NO_CONTENT),
        (method, ["jobs", id, rest @ ..]) => {
            let mut jobs = door.lock();
            match id.parse().ok().and_then(|id| jobs.get_mut(id)) {
                Some(job) => of_job(job, (method, rest), &parts, &json, &bytes),
                None => empty(StatusCode::NOT_FOUND),
            }
        }
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn of_job(job: &mut Job, what: (&str, &[&str]), parts: &Parts, json: &Value, bytes: &[u8]) -> Response {
    let by_header = text(&parts.headers, "job-token").is_some_and(|token| token == job.token());
    let by_body = json["token"] == job.token();
    match what {
        ("PUT", []) if by_body => update(job, json),
        ("PATCH", ["trace"]) if by_header => append(job, parts, bytes),
        ("POST", ["artifacts"]) if by_header => match file_of(parts, bytes) {
            Some(file) => {
                job.artifacts.push(file.to_vec());
                answer(StatusCode::CREATED, &json!({}))
            }
            None => empty(StatusCode::BAD_REQUEST),
        },
        ("GET", ["artifacts"]) if by_header => match job.artifacts.last() {
            Some(file) => with(StatusCode::OK, &[("content-type", "application/octet-stream")], file.clone()),
            None => empty(StatusCode::NOT_FOUND),
        },
        _ => empty(StatusCode::FORBIDDEN),
    }
}

fn update(job: &mut Job, json: &Value) -> Response {
    let word = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let state = word("state");
    if state != "running" {
        let exit_code = json["exit_code"].as_i64().unwrap_or_default();
        job.ended = Some(Ended { state, reason: word("failure_reason"), exit_code });
    }
    with(StatusCode::OK, &status(job), Vec::new())
}

/// Takes a part of the log that begins where the last one ended.
fn append(job: &mut Job, parts: &Parts, bytes: &[u8]) -> Response {
    let from = text(&parts.headers, "content-range").and_then(|range| range.split('-').next()?.parse::<usize>().ok());
    let range = |length: usize| format!("0-{length}");
    if from != Some(job.log.len()) {
        return with(StatusCode::RANGE_NOT_SATISFIABLE, &[("range", &range(job.log.len()))], Vec::new());
    }
    job.log.extend(bytes);
    let range = range(job.log.len());
    let mut headers = status(job).to_vec();
    headers.push(("range", &range));
    with(StatusCode::ACCEPTED, &headers, Vec::new())
}

fn status(job: &Job) -> [(&'static str, &str); 2] {
    [("job-status", job.status()), ("x-gitlab-trace-update-interval", "1")]
}

/// The part `file` of a form, whose other fields are in the address.
fn file_of<'a>(parts: &Parts, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (_, boundary) = text(&parts.headers, header::CONTENT_TYPE.as_str())?.split_once("boundary=")?;
    let end = format!("\r\n--{}", boundary.trim_matches('"'));
    let find = |from: usize, what: &[u8]| bytes[from..].windows(what.len()).position(|window| window == what);
    let name = find(0, b"name=\"file\"")?;
    let start = name + find(name, b"\r\n\r\n")? + 4;
    Some(&bytes[start..start + find(start, end.as_bytes())?])
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn empty(status: StatusCode) -> Response {
    with(status, &[], Vec::new())
}

fn answer(status: StatusCode, body: &Value) -> Response {
    with(status, &[("content-type", "application/json")], body.to_string().into_bytes())
}

fn with(status: StatusCode, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
    let response = headers
        .iter()
        .fold(Response::builder().status(status), |response, (name, value)| response.header(*name, *value));
    let failed = |_| Response::new(Body::from("a header is not allowed"));
    response.body(Body::from(body)).unwrap_or_else(failed)
}
