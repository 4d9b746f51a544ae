//! What the door asks the desk, and what the desk answers: one line of JSON each way, one question a connection. Pure.
//!
//! The door reads strangers' bytes, so the desk believes it no more than that: a question is checked here once more when it is
//! read, has a bounded length, and says nothing about what is to be done, only what was asked for. An answer names no machine,
//! no id and nobody's order but the one with the label.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::label::{Class, Label, Run};
use super::order::{Reason, State};
use super::refusal::Explanation;
use super::source::Source;
use crate::contract::protocol::Secret;
use crate::model::Repository;

/// The version of the protocol. Both sides come from one release; this finds out when they do not.
pub const VERSION: u64 = 1;

/// The longest question, in bytes with its end of line: a head's worth of token, and the rest.
pub const LONGEST_QUESTION: usize = 24 * 1024;

/// The longest answer, in bytes with its end of line.
pub const LONGEST_ANSWER: usize = 64 * 1024;

/// The longest wait, in seconds.
pub const LONGEST_WAIT: u16 = 300;

/// The most labels or classes of one question.
pub const MOST_NAMES: usize = 8;

/// The longest ID token, in bytes.
pub const LONGEST_TOKEN: usize = 12 * 1024;

/// One question.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Question {
    /// [`VERSION`].
    pub version: u64,
    /// Who asks.
    pub source: Source,
    /// How many seconds the desk may wait for what is wished for; at most [`LONGEST_WAIT`].
    pub wait: u16,
    /// The caller's ID token: in form one, not checked.
    pub token: Option<Secret>,
    /// What is asked.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Ask {
    /// A runner of each class. The same question again is the same order. Waits until all are online or over.
    Create {
        /// What they are called by.
        label: Label,
        /// Their classes: one at least, none twice.
        classes: Vec<Class>,
        /// Whose run it is; without it the only configured one.
        repository: Option<Repository>,
        /// Which run, if the label names none.
        run: Option<Run>,
    },
    /// What became of them. Waits as before.
    Look {
        /// What they are called by.
        label: Label,
    },
    /// The caller needs them no more, which is a hint. Does not wait.
    Destroy {
        /// What they are called by: one label at least, none twice.
        labels: Vec<Label>,
    },
    /// How things are, without a word on anybody's orders.
    Status,
}

/// One answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Answer {
    /// [`VERSION`].
    pub version: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a question.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// `create`, `look`, `destroy`: the runners of the labels, in the order of the question; none if the labels have none.
    Runners(Vec<Runner>),
    /// `status`.
    Status(Status),
    /// Refused, for this reason.
    Refused(Explanation),
}

/// A runner that was asked for, as its caller may see it. Times are in seconds since 1970.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Runner {
    /// What it is called by.
    pub label: Label,
    /// Its class.
    pub class: Class,
    /// What was reached.
    pub state: State,
    /// When.
    pub since: u64,
    /// When it ends, whatever it does.
    pub deadline: u64,
    /// On which market its machine was bought, for kinds of machines that have several.
    pub market: Option<String>,
    /// Why it ends or has ended.
    pub reason: Option<Reason>,
}

impl Runner {
    /// Whether nobody needs to wait for it any more: its runner is there, or never will be again.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state >= State::Online
    }
}

/// How things are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Status {
    /// Open orders, all together.
    pub open: u64,
    /// Why nothing is ordered at the moment, as a sentence.
    pub paused: Option<String>,
    /// Each class.
    pub classes: BTreeMap<Class, Use>,
}

/// How far a class is used.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Use {
    /// Its open orders.
    pub open: u64,
    /// The most that it can have.
    pub max: u64,
}

impl Question {
    /// How it is sent.
    ///
    /// # Errors
    ///
    /// If it is longer than the desk reads.
    pub fn line(&self) -> Result<Vec<u8>> {
        line(self, LONGEST_QUESTION)
    }

    /// Reads one line, with or without its end.
    ///
    /// # Errors
    ///
    /// If it is no question of this version, or asks for more at once than a question may.
    pub fn of_line(line: &[u8]) -> Result<Self> {
        let question: Self = of_line(line, LONGEST_QUESTION)?;
        ensure!(
            question.wait <= LONGEST_WAIT,
            "Failed to read a question: it waits longer than {LONGEST_WAIT} seconds"
        );
        let fits = match &question.ask {
            Ask::Create { classes, .. } => are_different(classes),
            Ask::Destroy { labels } => are_different(labels),
            Ask::Look { .. } | Ask::Status => true,
        };
        ensure!(fits, "Failed to read a question: it names nothing, one thing twice, or more than {MOST_NAMES}");
        let is_good = question.token.as_ref().is_none_or(|token| is_token(token.expose()));
        ensure!(is_good, "Failed to read a question: its token is none");
        Ok(question)
    }
}

impl Answer {
    /// An answer of this version.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self { version: VERSION, outcome }
    }

    /// How it is sent.
    ///
    /// # Errors
    ///
    /// If it is longer than the door reads.
    pub fn line(&self) -> Result<Vec<u8>> {
        line(self, LONGEST_ANSWER)
    }

    /// Reads one line, with or without its end.
    ///
    /// # Errors
    ///
    /// If it is no answer of this version.
    pub fn of_line(line: &[u8]) -> Result<Self> {
        of_line(line, LONGEST_ANSWER)
    }
}

/// Whether a text has the form of an ID token, a JWT: three parts of base64 for addresses. Says nothing of what is in it.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= LONGEST_TOKEN && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// Whether there is something, not too much of it, and nothing twice.
#[must_use]
pub fn are_different<T: PartialEq>(names: &[T]) -> bool {
    let is_first = |at: usize| !names[..at].contains(&names[at]);
    (1..=MOST_NAMES).contains(&names.len()) && (0..names.len()).all(is_first)
}

#[derive(Deserialize)]
struct Header {
    version: u64,
}

fn line(value: &impl Serialize, longest: usize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    ensure!(line.len() <= longest, "Failed to write a line: it has {} bytes, more than {longest}", line.len());
    Ok(line)
}

fn of_line<T: DeserializeOwned>(line: &[u8], longest: usize) -> Result<T> {
    ensure!(line.len() <= longest, "Failed to read a line: it has more than {longest} bytes");
    let Header { version } = serde_json::from_slice(line).context("Failed to read a line: it has no version")?;
    ensure!(
        version == VERSION,
        "Failed to read a line: it has version {version}, and this program knows {VERSION} only; restart what is older"
    );
    serde_json::from_slice(line).context("Failed to read a line")
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
