//! Failures on demand: the next matching requests get a chosen status.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::Answer;

/// A failure to inject.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// Method to match; absent means any.
    #[serde(default)]
    pub method: Option<String>,
    /// A piece of the path to match, such as `/actions/runners/register`; empty means any.
    #[serde(default)]
    pub path: String,
    /// The status to answer with.
    pub status: u16,
    /// How many matching requests fail before the fault is spent.
    #[serde(default = "once")]
    pub times: u32,
    /// Do what was asked and then fail nevertheless, like a gateway that gives up.
    #[serde(default)]
    pub after_effect: bool,
    /// The `message` of the body.
    #[serde(default = "injected")]
    pub message: String,
    /// Further headers, such as `retry-after`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

fn once() -> u32 {
    1
}

fn injected() -> String {
    "Injected by the stand-in".to_owned()
}

impl Fault {
    /// A fault that hits the next request whose path contains `path`.
    pub fn next(path: &str, status: u16) -> Self {
        Self {
            method: None,
            path: path.to_owned(),
            status,
            times: once(),
            after_effect: false,
            message: injected(),
            headers: BTreeMap::new(),
        }
    }

    /// The failing answer.
    pub fn answer(&self) -> Answer {
        let mut answer = Answer::error(self.status, &self.message);
        answer.headers.extend(self.headers.clone());
        answer
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let method_fits = self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
        self.times > 0 && method_fits && path.contains(&self.path)
    }
}

/// Uses up one turn of the first fault that matches, and returns that fault.
pub fn take(faults: &mut Vec<Fault>, method: &str, path: &str) -> Option<Fault> {
    let fault = faults.iter_mut().find(|fault| fault.matches(method, path))?;
    fault.times -= 1;
    let taken = fault.clone();
    faults.retain(|fault| fault.times > 0);
    Some(taken)
}
