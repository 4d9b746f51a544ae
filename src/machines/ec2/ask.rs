//! One question to EC2, asked again as long as that can help: the same bytes, a little later each time.

use std::cell::Cell;
use std::time::Duration;

use super::answer;
use super::credential::Credential;
use super::form::Form;
use super::refusal::{Said, said};
use super::sign::{Scope, moment, signed};
use crate::contract::cloud::Refusal;
use crate::http::{self, Broken, Method, Response, Surroundings};

/// The most attempts of one question.
const ATTEMPTS: u32 = 5;
/// The most time of one attempt.
const LIMIT: Duration = Duration::from_secs(20);
/// Before the second attempt; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Sends one request. [`http::Post`], but in tests.
pub trait Way {
    /// As [`http::Post::send`].
    ///
    /// # Errors
    ///
    /// No complete answer.
    fn send(&self, form: &http::Form<'_>, limit: Duration) -> Result<Response, Broken>;
}

impl Way for http::Post {
    fn send(&self, form: &http::Form<'_>, limit: Duration) -> Result<Response, Broken> {
        http::Post::send(self, form, limit)
    }
}

/// Where a service is, and as what it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Scheme, host and port, without a path.
    pub endpoint: &'a str,
    /// The scope of signatures.
    pub scope: Scope<'a>,
}

/// Who asks, and how.
pub struct Asker<'a> {
    /// EC2.
    pub service: Service<'a>,
    /// By what.
    pub credential: &'a Credential,
    /// The way there.
    pub way: &'a dyn Way,
    /// Clocks, and who waits.
    pub surroundings: &'a dyn Surroundings,
    /// All attempts together end then, counted as [`Surroundings::passed`] does.
    pub patience: Duration,
    /// How many requests were sent.
    pub requests: Cell<u32>,
}

impl Asker<'_> {
    /// Asks EC2, and gives the body of the answer.
    ///
    /// A refusal behind an attempt without an answer says nothing of that one, so it is not believed to be the end.
    ///
    /// # Errors
    ///
    /// What EC2 refuses, or [`Refusal::Passing`].
    pub fn ask(&self, form: &Form) -> Result<Vec<u8>, Refusal> {
        let headers = [("content-type", FORM)];
        let mut is_unclear = false;
        let mut attempt = 1;
        loop {
            let why = match self.once(self.service, &headers, form.body()) {
                Ok(body) => return Ok(body),
                Err(Said::Refused(refusal))
                    if is_unclear && !matches!(refusal, Refusal::Mismatch(_) | Refusal::Over(_)) =>
                {
                    return Err(Refusal::Passing(format!("{refusal}; the answer before is missing")));
                }
                Err(Said::Refused(refusal)) => return Err(refusal),
                Err(Said::Slower(why)) => why,
                Err(Said::Unclear(why)) => {
                    is_unclear = true;
                    why
                }
            };
            let pause = PAUSE * 2u32.pow(attempt) / 2;
            let pause = pause + pause * self.surroundings.jitter() / 1000;
            let is_late = self.surroundings.passed() + pause >= self.patience;
            if attempt == ATTEMPTS || is_late || !self.surroundings.asker_stays(pause) {
                return Err(if is_unclear { Refusal::Passing(why) } else { Refusal::Slower(why) });
            }
            attempt += 1;
        }
    }

    /// One attempt, to whichever service.
    ///
    /// # Errors
    ///
    /// What it came to.
    pub fn once(&self, service: Service<'_>, headers: &[(&'static str, &str)], body: &str) -> Result<Vec<u8>, Said> {
        let host = service.endpoint.split_once("://").map_or(service.endpoint, |(_, host)| host);
        let moment = moment(self.surroundings.now());
        let headers = signed(self.credential, service.scope, host, headers, &moment, body);
        let address = format!("{}/", service.endpoint);
        let form = http::Form { method: Method::Post, address: &address, headers: &headers, body };
        let left = self.patience.saturating_sub(self.surroundings.passed()).min(LIMIT);
        self.requests.set(self.requests.get() + 1);
        match self.way.send(&form, left.max(Duration::from_secs(1))) {
            Ok(response) if response.status == 200 => Ok(response.body),
            Ok(response) => Err(said(response.status, answer::error(&response.body))),
            Err(broken) if broken.lasting => Err(Said::Refused(Refusal::Configuration(broken.why))),
            Err(broken) => Err(Said::Unclear(broken.why)),
        }
    }
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
