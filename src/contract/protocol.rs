//! What root asks a broker and what it answers: one line of JSON each, over the broker's socket. A connection carries one
//! question after the other, each with its answer before the next.
//!
//! The broker alone holds the API credential. Whoever asks names an instance and a verb; address, name, labels and
//! group come from the broker's own manifest, and which runners are ours from the ledger, so that no request can turn
//! the credential against anything else. A repository is named in some questions; the manifest says which ones may be.
//! Types only: nothing here reads, writes or connects. What is told of runs of workflows is in [`super::workflow`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(feature = "ctl")]
use super::audience::Audience;
use super::workflow::{Artifact, QueuedJob, SigningKey, WorkflowRun};
use crate::model::{InstanceName, Repository, id};

/// The version of the protocol. Both sides come from one release; this finds out when they do not.
pub const VERSION: u64 = 2;

/// The version before, which carried one question a connection: a step that a switch finds running asks by it.
pub const ONE_QUESTION: u64 = 1;

/// The most questions of one connection.
pub const MOST_QUESTIONS: u32 = 64;

/// How long a broker waits for the next question of a connection.
pub const PAUSE: Duration = Duration::from_secs(20);

/// From this age on a broker waits for no further question. Together with one pause and the longest patience of anybody
/// who asks it is less than its unit may run.
pub const LIFE: Duration = Duration::from_secs(60);

/// The longest question that a broker reads.
pub const MAX_BYTES: u64 = 256 * 1024;

/// The longest answer that whoever asks reads: the list of ten thousand runners has a third of it.
pub const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// One question.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    /// [`VERSION`]; or [`ONE_QUESTION`], and then no other question follows.
    pub version: u64,
    /// Whose broker this should be; another one refuses.
    pub instance: InstanceName,
    /// How many seconds the broker may take, all attempts together.
    pub patience: u64,
    /// What is wanted.
    pub verb: Verb,
}

/// What a broker can do.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Get what registers the configured runner.
    Issue(Issue),
    /// Delete a runner on the server, if the ledger knows it and the server its name.
    #[serde(rename_all = "camelCase")]
    Retire {
        /// The id on the server.
        #[serde(deserialize_with = "id")]
        id: u64,
        /// The address that it was registered for, as the ledger has it: ids are unique at one address only.
        url: String,
    },
    /// Look a runner up.
    Observe(Whom),
    /// Get all runners of the configured address, whoever registered them.
    List,
    /// Find out whether the credential can administer runners of the configured address.
    Preflight,
    /// Find out who can have code run here: whether what the runner serves is public, and the rule for pull requests from
    /// forks. Brokers of releases before do not understand it.
    Audience,
    /// Look up a run of a workflow in a repository of the manifest.
    #[serde(rename_all = "camelCase")]
    Run {
        /// Where it is.
        repository: Repository,
        /// Its number.
        #[serde(deserialize_with = "id")]
        run: u64,
    },
    /// Look up which of its jobs wait for a runner, in their last attempt.
    #[serde(rename_all = "camelCase")]
    Jobs {
        /// Where it is.
        repository: Repository,
        /// The run's number.
        #[serde(deserialize_with = "id")]
        run: u64,
    },
    /// Look up the youngest artifact of a run that has exactly this name.
    #[serde(rename_all = "camelCase")]
    Artifact {
        /// Where it is.
        repository: Repository,
        /// The run's number.
        #[serde(deserialize_with = "id")]
        run: u64,
        /// The artifact's name.
        name: String,
    },
    /// Get the keys with which the server signs ID tokens of jobs. The credential is not used.
    Keys,
}

/// Which runner to look up.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Whom {
    /// The one with this id. The address is the one in the ledger, or the configured one.
    #[serde(rename_all = "camelCase")]
    Id {
        /// The id on the server.
        #[serde(deserialize_with = "id")]
        id: u64,
        /// The address that it was registered for.
        url: String,
    },
    /// Whoever has the configured name at the configured address.
    Name,
    /// Whoever has the name that the attempt in the ledger asked for, at the address that it asked for; both are in
    /// the `registration` of the ledger entry.
    Attempt,
}

/// What is to register the runner.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Issue {
    /// A registration token, for the listener's `configure`.
    Token,
    /// A JIT configuration: the server registers the runner at once. One that cannot gives out a token instead.
    #[serde(rename_all = "camelCase")]
    Jit {
        /// Where jobs will run, as an absolute path.
        work_folder: String,
    },
}

/// One answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Answer {
    /// That of the question.
    pub version: u64,
    /// When the credential itself expires, in seconds since 1970, if the server said so.
    pub credential_expires: Option<u64>,
    /// How many requests the server was sent for it, repeated ones included.
    #[serde(default)]
    pub requests: u64,
    /// How many more the server takes from this credential before its limit, if it said so.
    #[serde(default)]
    pub rate_limit_remaining: Option<u64>,
    /// By how many seconds the server's clock is ahead of this host's, if it said so.
    #[serde(default)]
    pub clock_ahead: Option<i64>,
    /// What came of it.
    pub outcome: Outcome,
}

impl Answer {
    /// One for which the server was not asked.
    #[must_use]
    pub fn unasked(outcome: Outcome) -> Self {
        Self {
            version: VERSION,
            credential_expires: None,
            requests: 0,
            rate_limit_remaining: None,
            clock_ahead: None,
            outcome,
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// `issue`: a registration token.
    Token(Secret),
    /// `issue`: the runner that the server made, and the files of its registration by name.
    #[serde(rename_all = "camelCase")]
    Jit {
        /// Its id on the server.
        #[serde(deserialize_with = "id")]
        id: u64,
        /// Its name on the server.
        name: String,
        /// What the listener reads; the names are the server's and not checked yet.
        files: BTreeMap<String, Secret>,
    },
    /// `issue`: a runner has the name already, and nothing was registered.
    NameTaken(RemoteRunner),
    /// `issue`: the server's answer was lost, and this runner has the name now; it may be the one that was asked for.
    Uncertain(RemoteRunner),
    /// `retire`: deleted now. It was idle and can take no job any more.
    Retired,
    /// `retire`: the server knows no such runner (any more).
    Gone,
    /// `retire`: it runs a job, so the server keeps it.
    Busy,
    /// `retire`: the id belongs to a runner of another name, or the ledger does not know it. Nothing was done.
    NotOurs(String),
    /// `observe`: the runner, if there is one.
    Seen(Option<RemoteRunner>),
    /// `list`: the runners by ascending id. The server shows them in pages, so one that came or went meanwhile may be
    /// there or not: that one is missing here does not prove that it is gone.
    Listed(Vec<RemoteRunner>),
    /// `preflight`: the credential is good.
    #[serde(rename_all = "camelCase")]
    Ready {
        /// The newest version of the runner that the server offers.
        newest_runner: Option<String>,
        /// The latest releases of the runner, as far as the server tells.
        #[serde(default)]
        releases: Vec<Release>,
    },
    /// `audience`: what the server shows of it. No step of a runner asks for it, so the helper need not read it.
    #[cfg(feature = "ctl")]
    Audience(Audience),
    /// `run`: the run, or that the repository has none of this number.
    Run(Option<WorkflowRun>),
    /// `jobs`: those that wait for a runner.
    Jobs(Vec<QueuedJob>),
    /// `artifact`: the youngest one of this name, if the run has any.
    Artifact(Option<Artifact>),
    /// `keys`: those for RS256, each key id once.
    Keys(Vec<SigningKey>),
    /// The server refuses, and repeating does not help. Sentences: what is wrong and the way out.
    Refused(String),
    /// The server could not be reached, or answered nothing useful in time. The end of a sentence.
    Unreachable(String),
    /// Too many requests; not before this time, in seconds since 1970.
    RateLimited(u64),
}

/// A release of the runner.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Its version, as three numbers.
    pub version: String,
    /// When it was published, in seconds since 1970.
    pub at: u64,
}

/// A runner as the server shows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteRunner {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether a listener is connected.
    pub online: bool,
    /// Whether it runs a job.
    pub busy: bool,
}

/// A text that must not be printed.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for where it has to go.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
