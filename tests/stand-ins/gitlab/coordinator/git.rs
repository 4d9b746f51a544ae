//! Repositories over HTTP, by git's own `http-backend`: the runner asks for shallow clones, which need its smart protocol.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;

/// Hands a request on as RFC 3875 says, and the answer back.
pub fn serve(repositories: Option<&Path>, parts: &Parts, body: &[u8]) -> Response {
    let answer = repositories.and_then(|repositories| run(repositories, parts, body));
    answer.unwrap_or_else(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    })
}

fn run(repositories: &Path, parts: &Parts, body: &[u8]) -> Option<Response> {
    let of =
        |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let protocol = parts.headers.get("git-protocol").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROTOCOL", protocol)
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", of(header::CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", of(header::CONTENT_ENCODING))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(body).ok()?;
    let output = child.wait_with_output().ok()?.stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).ok()?.lines() {
        let (name, value) = line.split_once(": ")?;
        response = if name.eq_ignore_ascii_case("status") {
            response.status(value.split(' ').next()?.parse::<u16>().ok()?)
        } else {
            response.header(name, value)
        };
    }
    response.body(Body::from(output[end + 4..].to_vec())).ok()
}
