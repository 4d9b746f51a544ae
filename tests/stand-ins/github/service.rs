//! From HTTP to routes and back: takes requests apart, records them, and keeps the
//! files up to date.
//!
//! All of it happens under one lock, which is released before the answer is sent:
//! requests are answered one at a time, and a record is complete before its answer
//! leaves.

use std::{
    collections::HashMap,
    fs::File,
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use axum::{
    body::to_bytes,
    extract::{Query, Request, State as Shared},
    http::{HeaderMap, header, request::Parts},
    response::Response,
};
use serde_json::Value;

use super::{
    answer::Answer,
    auth::{self, Credential},
    control::{self, Controlled},
    delivery,
    faults::{self, Delivery, Fault},
    jwt,
    record::{Record, redact, redact_json},
    replace,
    routes::{self, Seen},
    shared::Utc,
    state::State,
};

/// Larger bodies than this are not read; a registration has about a kilobyte.
const LARGEST_BODY: usize = 1 << 20;

/// Everything behind the lock.
pub struct Inner {
    pub state: State,
    pub faults: Vec<Fault>,
    pub records: Vec<Record>,
    /// JSON web tokens of Apps that were seen; they must not appear in a record.
    pub jwts: Vec<String>,
    pub state_file: Option<PathBuf>,
    pub record_file: Option<File>,
}

/// One way to reach what is behind the lock.
#[derive(Clone)]
pub struct Door {
    pub inner: Arc<Mutex<Inner>>,
    /// Whether it is the one with TLS.
    pub secure: bool,
}

impl Door {
    /// Takes the lock.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers one request.
pub async fn serve(Shared(door): Shared<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let (answer, fault) = door.lock().answer(&parts, body, door.secure);
    delivery::deliver(answer, fault).await
}

impl Inner {
    /// The answer, and the fault that says how to send it.
    fn answer(&mut self, parts: &Parts, body: Value, secure: bool) -> (Answer, Option<Fault>) {
        let path = parts.uri.path();
        let (answer, fault) = match path.strip_prefix("/_stand-in") {
            Some(path) => {
                let Self { state, faults, records, .. } = self;
                let controlled = Controlled { state, faults, records };
                (control::control((parts.method.as_str(), path), body, controlled), None)
            }
            None => self.recorded(parts, body, secure),
        };
        match self.save() {
            Ok(()) => (answer, fault),
            Err(error) => (Answer::error(500, &format!("{error:#}")), None),
        }
    }

    fn recorded(&mut self, parts: &Parts, body: Value, secure: bool) -> (Answer, Option<Fault>) {
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let (credential, authorization) = auth::read(text(&parts.headers, header::AUTHORIZATION.as_str()));
        if let Credential::Api(secret) = &credential
            && jwt::looks_like(secret)
            && !self.jwts.contains(secret)
        {
            self.jwts.push(secret.clone());
        }
        let seen = Seen {
            method: method.to_owned(),
            scheme: if secure { "https" } else { "http" },
            path: path.to_owned(),
            query: Query::<HashMap<_, _>>::try_from_uri(&parts.uri).map_or_else(|_| HashMap::new(), |query| query.0),
            host: text(&parts.headers, header::HOST.as_str()).unwrap_or_default().to_owned(),
            credential,
            body,
        };
        let user_agent = text(&parts.headers, header::USER_AGENT.as_str()).map(str::to_owned);
        // Before the effect, so that a token is still known when it is used up.
        let mut secrets = [self.state.secrets(), self.jwts.clone()].concat();
        let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
        let fault = if self.state.is_down() {
            Some(Fault::badly("", Delivery::Closed))
        } else {
            faults::take(&mut self.faults, method, target)
        };
        let answer = match &fault {
            Some(fault) => {
                let deserved = fault.has_effect().then(|| self.deserved(&seen, user_agent.is_some()));
                fault.answer(deserved)
            }
            None => self.deserved(&seen, user_agent.is_some()),
        };
        let answer = self.with_common_headers(answer, &seen);
        secrets.extend(self.state.secrets());
        let redacted = redact(target, &secrets);
        let mut headers: Vec<String> = parts.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        let closed = fault.as_ref().is_some_and(|fault| fault.delivery == Delivery::Closed);
        self.keep(Record {
            method: seen.method,
            secret_in_path: redacted != target,
            path: redacted,
            host: seen.host,
            secure,
            user_agent,
            accept: text(&parts.headers, header::ACCEPT.as_str()).map(str::to_owned),
            api_version: text(&parts.headers, "x-github-api-version").map(str::to_owned),
            headers,
            authorization,
            body: redact_json(&seen.body, &secrets),
            status: if closed { 0 } else { answer.status },
        });
        (answer, fault)
    }

    fn deserved(&mut self, seen: &Seen, has_user_agent: bool) -> Answer {
        if !has_user_agent {
            return Answer::error(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
            );
        }
        if !seen.path.ends_with("/rate_limit") && !self.state.count_request() {
            return Answer::error(403, "API rate limit exceeded for user ID 1.");
        }
        routes::route(&mut self.state, seen)
    }

    /// Headers that every answer has, unless a fault has set them already.
    fn with_common_headers(&self, mut answer: Answer, seen: &Seen) -> Answer {
        let State { rate_limit, rate_used, rate_reset, .. } = self.state;
        let now = self.state.now();
        let mut common = vec![
            ("date", Utc::from_unix(now).http()),
            ("x-github-request-id", format!("STAND:IN:{}", self.records.len() + 1)),
            ("x-ratelimit-limit", rate_limit.to_string()),
            ("x-ratelimit-remaining", rate_limit.saturating_sub(rate_used).to_string()),
            ("x-ratelimit-used", rate_used.to_string()),
            ("x-ratelimit-reset", rate_reset.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ];
        if let Credential::Api(secret) = &seen.credential
            && let Some(pat) = self.state.limited_pat(secret).filter(|pat| !pat.expired(now))
            && let Some(expiration) = pat.expiration()
        {
            common.push(("github-authentication-token-expiration", expiration));
        }
        for (name, value) in common {
            if !answer.headers.iter().any(|(present, _)| present.eq_ignore_ascii_case(name)) {
                answer = answer.with(name, &value);
            }
        }
        answer
    }

    fn keep(&mut self, record: Record) {
        if let (Some(file), Ok(line)) = (&mut self.record_file, serde_json::to_string(&record)) {
            // The records in memory stay the authority; a full disk must not stop a test.
            _ = writeln!(file, "{line}");
        }
        self.records.push(record);
    }

    /// Rewrites the state file, if there is one.
    pub fn save(&self) -> Result<()> {
        match &self.state_file {
            None => Ok(()),
            Some(path) => replace(path, serde_json::to_string_pretty(&self.state)?.as_bytes()),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
