//! What is answered instead of a runner: a code for programs, a sentence for people, and when to ask again. Pure.
//!
//! Whoever decides names the case; the sentence is made here, at the edge. A text of a caller or a server comes into it cut and
//! without control characters, and no refusal says anything about other people's orders.

use serde::{Deserialize, Serialize};

use super::label::LabelFault;
use super::order::Try;
use crate::model::shown;

/// The longest that a caller is told to wait, in seconds: clients give up on more.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

/// The word by which a program knows a refusal. The words are an interface.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request is none.
    Malformed,
    /// The label is none.
    Label,
    /// There is no such class.
    Class,
    /// The ID token proves nothing.
    Token,
    /// The repository is not served.
    Repository,
    /// The run is over, or there is none.
    RunOver,
    /// No job waits for such a runner.
    NotQueued,
    /// Runs of this kind are not served.
    Event,
    /// There is nothing at this address.
    NotFound,
    /// The address takes other methods.
    Method,
    /// The label is another order's.
    OtherOrder,
    /// The body is too long.
    BodyTooLong,
    /// The head is too long.
    HeadTooLong,
    /// A limit is reached.
    Limit,
    /// HTTP knows it, and this service does not.
    NotImplemented,
    /// There is no room for a machine.
    NoCapacity,
    /// The operator or a run of faults stopped it.
    Paused,
    /// GitHub does not answer.
    Github,
    /// There is too much to do at the moment.
    Busy,
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// Requests of one source.
    Requests,
    /// Open orders, all together.
    Open,
    /// Open orders of the class.
    Class,
    /// Open orders of the repository.
    Repository,
    /// Open orders of the run.
    Run,
    /// Orders of the run, also those that are over.
    RunEver,
    /// Open orders of forks, all together.
    Forks,
    /// Open orders without a proof.
    Unproven,
    /// Orders that wait for their proof.
    Waiting,
    /// Machines asked for in an hour.
    Starts,
    /// Processors, all together.
    Processors,
    /// Cost of a day.
    Cost,
}

/// After how many seconds the same label may be asked for again for which there was no room.
pub const ROOM_AGAIN: u64 = 300;

/// Why a caller gets no runner. Texts may be strangers'.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The request cannot be read; what is wrong with it and the way out, as a sentence.
    Malformed(String),
    /// The label, and what is wrong with it.
    Label(String, LabelFault),
    /// The class that was asked for, and those that there are.
    Class(String, Vec<String>),
    /// Why an ID token proves nothing, as a sentence with the way out.
    Token(String),
    /// The text is no name of a repository; why, as a sentence.
    RepositoryName(String),
    /// The repository is not configured, or not for this proof.
    Repository(String),
    /// The label names no run, and none was given otherwise, or another one.
    Run,
    /// The run is over, or the repository has none of this number.
    RunOver,
    /// No job of the run waits for a runner with this label.
    NotQueued,
    /// The run's artifact of the order's name is too old to show that anybody asks now.
    OldArtifact,
    /// Runs of this kind, as an event of GitHub or `fork`, are not served.
    Event(String),
    /// There is nothing at this address.
    NotFound,
    /// The label has no order.
    NoOrder,
    /// The address takes these methods only, as `Allow` has them.
    Method(&'static str),
    /// The label has an order with other fields.
    OtherOrder,
    /// The body has more bytes than this.
    BodyTooLong(usize),
    /// The head has more bytes or fields than are read.
    HeadTooLong,
    /// A part of HTTP that is not supported, such as `Transfer-Encoding`.
    NotImplemented(&'static str),
    /// A limit, and when it may be over, in seconds from now.
    Limit(Limit, u64),
    /// Which candidates were tried.
    NoCapacity(Vec<Try>),
    /// Every order is refused, with a text of the operator.
    Stopped(String),
    /// The class is not tried for so many seconds, because it failed again and again.
    Paused(u64),
    /// The book of orders cannot be read or written, so nothing may begin.
    Book,
    /// GitHub did not answer; why, as the end of a sentence, and when to ask again, in seconds.
    Github(String, u64),
    /// Too much at once; when to ask again, in seconds.
    Busy(u64),
}

/// A refusal as it crosses sockets: the body of the answer, its status, and `Retry-After`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Explanation {
    /// The code.
    pub error: Code,
    /// A sentence with the way out.
    pub message: String,
    /// In how many seconds the same request may succeed, if waiting helps.
    pub retry_after: Option<u64>,
}

impl Code {
    /// The status of HTTP.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::Label | Self::Class => 400,
            Self::Token => 401,
            Self::Repository | Self::RunOver | Self::NotQueued | Self::Event => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::OtherOrder => 409,
            Self::BodyTooLong => 413,
            Self::Limit => 429,
            Self::HeadTooLong => 431,
            Self::NotImplemented => 501,
            Self::NoCapacity | Self::Paused | Self::Github | Self::Busy => 503,
        }
    }
}

impl Limit {
    fn sentence(self) -> &'static str {
        match self {
            Self::Requests => "Too many requests from this address: ask again later, and once for each runner.",
            Self::Open => "As many runners as this service makes are in use: ask again when one has ended.",
            Self::Class => "As many runners of this class as there can be are in use: ask again when one has ended.",
            Self::Repository => "This repository has as many runners as it can have: ask again when one has ended.",
            Self::Run => "This run has as many runners as it can have at once: ask again when one has ended.",
            Self::RunEver => "This run has had as many runners as it can have: start another run.",
            Self::Forks => {
                "Pull requests from forks have as many runners as they can have: ask again when one has ended."
            }
            Self::Unproven => {
                "Requests without a proof have as many runners as they can have: ask again when one has ended."
            }
            Self::Waiting => "Too many requests wait for their proof: ask again when the job of this one is queued.",
            Self::Starts => "As many machines as can be in an hour were started: ask again later.",
            Self::Processors => {
                "As many processors as this service may use are in use: ask again when a runner has ended."
            }
            Self::Cost => "The runners of today cost as much as they may: ask again tomorrow, after midnight UTC.",
        }
    }
}

impl Refusal {
    /// The word for it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Malformed(_) => Code::Malformed,
            Self::Label(..) | Self::Run => Code::Label,
            Self::Class(..) => Code::Class,
            Self::Token(_) => Code::Token,
            Self::RepositoryName(_) | Self::Repository(_) => Code::Repository,
            Self::RunOver => Code::RunOver,
            Self::NotQueued | Self::OldArtifact => Code::NotQueued,
            Self::Event(_) => Code::Event,
            Self::NotFound | Self::NoOrder => Code::NotFound,
            Self::Method(_) => Code::Method,
            Self::OtherOrder => Code::OtherOrder,
            Self::BodyTooLong(_) => Code::BodyTooLong,
            Self::HeadTooLong => Code::HeadTooLong,
            Self::NotImplemented(_) => Code::NotImplemented,
            Self::Limit(..) => Code::Limit,
            Self::NoCapacity(_) => Code::NoCapacity,
            Self::Stopped(_) | Self::Paused(_) | Self::Book => Code::Paused,
            Self::Github(..) => Code::Github,
            Self::Busy(_) => Code::Busy,
        }
    }

    /// In how many seconds the same request may succeed.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            // Another day, another run: nobody should wait in a job for that.
            Self::Limit(Limit::RunEver, _) => None,
            Self::Limit(_, seconds) | Self::Paused(seconds) | Self::Github(_, seconds) | Self::Busy(seconds) => {
                Some((*seconds).clamp(1, LONGEST_WAIT))
            }
            Self::NoCapacity(_) | Self::Stopped(_) | Self::Book => Some(ROOM_AGAIN),
            _ => None,
        }
    }

    /// What whoever asked is told.
    #[must_use]
    pub fn explanation(&self) -> Explanation {
        Explanation { error: self.code(), message: self.sentence(), retry_after: self.retry_after() }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Malformed(why) | Self::Token(why) | Self::RepositoryName(why) => sentence(why),
            Self::Label(label, fault) => format!("The label {} {fault}.", shown(label)),
            Self::Class(class, known) => {
                format!("There is no class {}: use one of {}.", shown(class), known.join(", "))
            }
            Self::Repository(repository) => {
                format!("The repository {} is not served: its operator has to name it.", shown(repository))
            }
            Self::Run => "The label does not name the run that asks: put ${{ github.run_id }} after its prefix.".into(),
            Self::RunOver => "There is no such run that still goes on: ask from a job of the run itself.".into(),
            Self::NotQueued => {
                "No job of the run waits for a runner with this label: write it into the job's `runs-on`.".into()
            }
            Self::OldArtifact => {
                "The run's artifact of this order is older than five minutes: upload it again just before asking."
                    .into()
            }
            Self::Event(event) => {
                format!("Runs of {} get no runner here: the operator decides which do.", shown(event))
            }
            Self::NotFound => "There is nothing at this address: runners are at /v1/runners/LABEL.".into(),
            Self::NoOrder => {
                "No runner was ordered with this label, or it was more than a day ago: ask for one by PUT.".into()
            }
            Self::Method(allowed) => format!("This address does not take that method: use {allowed}."),
            Self::OtherOrder => "The label is taken by an order with other fields: use another label.".into(),
            Self::BodyTooLong(most) => format!("The body is too long: send at most {most} bytes."),
            Self::HeadTooLong => "The head of the request is too long: send fewer and shorter fields.".into(),
            Self::NotImplemented(what) => {
                format!("{what} is not supported: send the body whole, with its Content-Length.")
            }
            Self::Limit(limit, _) => limit.sentence().into(),
            Self::NoCapacity(tries) if tries.is_empty() => {
                "There is no room for another machine: ask again later.".into()
            }
            Self::NoCapacity(tries) => {
                let said: Vec<String> = tries.iter().map(|tried| shown(&tried.code)).collect();
                format!("There is no room for another machine ({}): ask again later.", said.join(", "))
            }
            Self::Stopped(text) => format!("The operator makes no runners at the moment: {}.", shown(text)),
            Self::Paused(_) => {
                "Machines of this class failed again and again and are not tried for now: ask again later.".into()
            }
            Self::Book => "The host cannot keep its book of orders: the operator has to look at its journal.".into(),
            Self::Github(why, _) => format!("GitHub gives no answer ({}): ask again later.", shown(why)),
            Self::Busy(_) => "There is too much to do at the moment: ask again later.".into(),
        }
    }
}

/// One sentence of somebody who had a stranger's text in his hands.
fn sentence(text: &str) -> String {
    let plain = crate::model::plain(text.trim_end_matches('.'));
    let mut cut: String = plain.chars().take(400).collect();
    cut.push('.');
    cut
}

/// The seconds from now until midnight UTC.
#[must_use]
pub fn until_midnight(now: u64) -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    DAY - now % DAY
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
