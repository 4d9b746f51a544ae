//! A client of the GitHub stand-in, plain and without any cleverness.

use serde_json::Value;
use ureq::{Agent, http};

use crate::{github::GitHub, harness::PAT};

/// What came back.
pub struct Answer {
    pub status: u16,
    headers: http::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The header of this name; each comes once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).into_iter();
        let value = values.next()?.to_str().unwrap();
        assert!(values.next().is_none(), "{name} came twice");
        Some(value)
    }

    /// The text of an error.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// One request with [`PAT`] as a bearer.
pub fn ask(base: &str, method: &str, path: &str, body: &Value) -> Answer {
    attempt(base, PAT, method, path, body).unwrap()
}

/// One request with another token, and without a body.
pub fn ask_as(github: &GitHub, token: &str, method: &str, path: &str) -> Answer {
    attempt(&github.url(), token, method, path, &Value::Null).unwrap()
}

/// One request that may come to nothing.
///
/// # Errors
///
/// No answer came, or only a part of one.
pub fn attempt(base: &str, token: &str, method: &str, path: &str, body: &Value) -> Result<Answer, ureq::Error> {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{base}{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28")
        .body(if body.is_null() { String::new() } else { body.to_string() })?;
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .proxy(None)
        .timeout_global(Some(crate::times::HANGS))
        .build()
        .into();
    let request = agent.configure_request(request).build();
    let mut response = agent.run(request)?;
    let text = response.body_mut().read_to_string()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
}
