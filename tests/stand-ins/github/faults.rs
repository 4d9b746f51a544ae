//! Failures on demand: the next matching requests are refused, or answered badly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::Answer;

/// A failure to inject.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// Method to match; absent means any.
    pub method: Option<String>,
    /// A piece of the path with its query to match, such as `/actions/runners/register`; empty means any.
    pub path: String,
    /// The status to answer with; absent means what the request deserves.
    pub status: Option<u16>,
    /// How many matching requests fail before the fault is spent.
    pub times: u32,
    /// Do what was asked and then fail nevertheless, like a gateway that gives up.
    pub after_effect: bool,
    /// The `message` of the body.
    pub message: String,
    /// Further headers, such as `retry-after`.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds to wait before the answer begins.
    pub delay_ms: u64,
    /// A page for people instead of JSON, as a gateway sends it.
    pub html: bool,
    /// How the answer is sent.
    pub delivery: Delivery,
    /// Milliseconds between the pieces of a slow body.
    pub pause_ms: u64,
}

/// How an answer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// As it should be.
    #[default]
    Whole,
    /// In small pieces with pauses.
    SlowBody,
    /// Half of the body, although `content-length` announces all of it.
    CutOff,
    /// Not at all: the connection is closed.
    Closed,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            method: None,
            path: String::new(),
            status: None,
            times: 1,
            after_effect: false,
            message: "Injected by the stand-in".to_owned(),
            headers: BTreeMap::new(),
            delay_ms: 0,
            html: false,
            delivery: Delivery::Whole,
            pause_ms: 50,
        }
    }
}

impl Fault {
    /// A fault that hits the next request whose path contains `path`.
    pub fn next(path: &str, status: u16) -> Self {
        Self { path: path.to_owned(), status: Some(status), ..Self::default() }
    }

    /// A fault that answers the next such request well, but sends the answer badly.
    pub fn badly(path: &str, delivery: Delivery) -> Self {
        Self { path: path.to_owned(), delivery, ..Self::default() }
    }

    /// Whether what was asked for happens.
    pub fn has_effect(&self) -> bool {
        self.after_effect || (self.status.is_none() && self.delivery != Delivery::Closed)
    }

    /// The answer that is sent instead of `deserved`, the one of the effect if there was any.
    pub fn answer(&self, deserved: Option<Answer>) -> Answer {
        let mut answer = match (self.status, deserved) {
            (None, Some(deserved)) => deserved,
            (status, _) => Answer::error(status.unwrap_or(503), &self.message),
        };
        answer.headers.extend(self.headers.clone());
        answer
    }

    fn matches(&self, method: &str, target: &str) -> bool {
        let method_fits = self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
        self.times > 0 && method_fits && target.contains(&self.path)
    }
}

/// Uses up one turn of the first fault that matches, and returns that fault.
pub fn take(faults: &mut Vec<Fault>, method: &str, target: &str) -> Option<Fault> {
    let fault = faults.iter_mut().find(|fault| fault.matches(method, target))?;
    fault.times -= 1;
    let taken = fault.clone();
    faults.retain(|fault| fault.times > 0);
    Some(taken)
}
