//! What the deciding thread hears of: questions, and what came of errands.

use std::collections::BTreeMap;
use std::time::Instant;

use super::waiting::Caller;
use crate::contract::protocol::RemoteRunner;
use crate::contract::workflow::{Artifact, QueuedJob, SigningKey, WorkflowRun};
use crate::frontend::ondemand::course;
use crate::frontend::ondemand::kind::Seen;
use crate::frontend::ondemand::label::{Key, Run};
use crate::frontend::ondemand::wire::Question;
use crate::machines::Fault;
use crate::model::Repository;

/// Why the server gave no answer, and for how many seconds it is to be left alone, if it said so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Silence {
    /// The end of a sentence.
    pub why: String,
    /// What is left of a limit, at most an hour.
    pub wait: Option<u64>,
}

/// What came of an errand for one order.
#[derive(Clone, Debug)]
pub struct Acted {
    /// For the order.
    pub outcome: course::Outcome,
    /// For how many seconds the server is not asked about it again.
    pub github_wait: u64,
    /// For how many seconds the server takes no requests at all, if it said so.
    pub limited: Option<u64>,
    /// For how many seconds nobody is asked about its machine.
    pub machines_wait: u64,
    /// Whether the end of its machine was asked for, and whoever makes it said that it is done.
    pub was_ended: bool,
    /// Whether what was seen before is as good as it was.
    pub is_aside: bool,
}

impl Acted {
    /// It came to this, and nothing has to wait.
    #[must_use]
    pub fn now(outcome: course::Outcome) -> Self {
        Self { outcome, github_wait: 0, limited: None, machines_wait: 0, was_ended: false, is_aside: false }
    }
}

/// Which run of which repository.
pub type RunName = (Repository, Run);

/// What a look found.
#[derive(Debug)]
pub enum Found {
    /// A run, if it was asked for, and those of its jobs that wait, if they were.
    Run {
        /// Which one.
        name: RunName,
        /// `None` if it was not asked for.
        run: Option<Result<Option<WorkflowRun>, Silence>>,
        /// `None` if they were not asked for.
        jobs: Option<Result<Vec<QueuedJob>, Silence>>,
    },
    /// The artifact of an order, and by how many seconds the server's clock is ahead.
    Artifact {
        /// Whose.
        key: Key,
        /// What there is.
        artifact: Result<(Option<Artifact>, i64), Silence>,
    },
    /// The keys of ID tokens.
    Keys(Result<Vec<SigningKey>, Silence>),
}

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// A question, and who waits for the answer.
    Asked(Question, Caller),
    /// An errand of an order is done.
    Acted(Key, Acted),
    /// The list of all runners, by id, and when it was begun.
    Listed(Instant, Result<BTreeMap<u64, RemoteRunner>, Silence>),
    /// The machines of a kind, by its number, and when the look was begun.
    Looked(usize, Instant, Result<Vec<Seen>, Fault>),
    /// What a look at a workflow found.
    Found(Found),
    /// A machine of no order was ended, or not.
    Swept(String, Result<(), Fault>),
    /// The desk has to end.
    Stop,
}
