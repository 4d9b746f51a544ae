//! A server and a clock for tests: answers come from a list, and waiting takes no time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use super::{ApiBase, Client};
use crate::contract::protocol::Secret;
use crate::http::{Broken, Call, Response, Surroundings, Transport};
use crate::model::RegistrationUrl;

/// When it always is, in seconds since 1970.
pub const NOW: u64 = 1_790_000_000;

/// The server, the clock and the asker.
#[derive(Default)]
pub struct Fake {
    answers: RefCell<VecDeque<Result<Response, Broken>>>,
    asked: RefCell<Vec<(Call, String)>>,
    waited: RefCell<Vec<Duration>>,
    asker_left: bool,
}

impl Fake {
    pub fn new() -> Self {
        Self::default()
    }

    /// The next answer; JSON unless the headers say otherwise.
    pub fn answers(self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        if !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".into(), "application/json".into()));
        }
        self.answers.borrow_mut().push_back(Ok(Response { status, headers, body: body.into() }));
        self
    }

    /// The next answer does not come.
    pub fn fails(self, broken: Broken) -> Self {
        self.answers.borrow_mut().push_back(Err(broken));
        self
    }

    pub fn asker_leaves(self) -> Self {
        Self { asker_left: true, ..self }
    }

    pub fn client(&self, seconds: u64) -> Client<'_> {
        let url = RegistrationUrl::parse("https://github.com/o").unwrap();
        Client::new(ApiBase::of(&url), self, self, Duration::from_secs(seconds))
    }

    /// The same for the issuer of ID tokens.
    pub fn issuer(&self, seconds: u64) -> Client<'_> {
        let url = RegistrationUrl::parse("https://github.com/o").unwrap();
        Client::new(ApiBase::issuer_for(&url), self, self, Duration::from_secs(seconds))
    }

    /// What was asked, as `METHOD /path`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().iter().map(|(call, _)| format!("{} {}", call.method.word(), call.path)).collect()
    }

    /// The credential of each request.
    pub fn credentials(&self) -> Vec<String> {
        self.asked.borrow().iter().map(|(_, bearer)| bearer.clone()).collect()
    }

    pub fn waited(&self) -> Vec<Duration> {
        self.waited.borrow().clone()
    }
}

impl Transport for Fake {
    fn send(&self, address: &str, call: &Call, bearer: Option<&Secret>, _: Duration) -> Result<Response, Broken> {
        let host = if bearer.is_some() { "api.github.com" } else { "token.actions.githubusercontent.com" };
        assert!(address.starts_with(&format!("https://{host}/")), "{address}");
        self.asked.borrow_mut().push((call.clone(), bearer.map(Secret::expose).unwrap_or_default().into()));
        let missing = || Err(Broken { why: "the list of answers ended".into(), lasting: true });
        self.answers.borrow_mut().pop_front().unwrap_or_else(missing)
    }
}

impl Surroundings for Fake {
    fn now(&self) -> u64 {
        NOW
    }

    fn passed(&self) -> Duration {
        self.waited.borrow().iter().sum()
    }

    fn asker_stays(&self, wait: Duration) -> bool {
        if !wait.is_zero() {
            self.waited.borrow_mut().push(wait);
        }
        !self.asker_left
    }

    fn sleep(&self, wait: Duration) {
        if !wait.is_zero() {
            self.waited.borrow_mut().push(wait);
        }
    }

    fn jitter(&self) -> u32 {
        1000
    }
}
