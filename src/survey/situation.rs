//! What a pass found out about one runner, as plain values: everything that a decision depends on.

use crate::contract::fleet::RestartPolicy;
use crate::contract::protocol::RemoteRunner;
use crate::ledger::{Entry, Owner, Runner};
use crate::units::Unit;

/// One runner that is declared, or that has a ledger entry: it was declared once, or something else made it.
#[derive(Clone, Debug)]
pub struct Situation {
    /// What the configuration wants; `None` if the runner is not configured.
    pub wanted: Option<Intent>,
    /// Its unit.
    pub unit: Unit,
    /// What the ledger remembers; `None` if there is no entry.
    pub known: Option<Knowledge>,
    /// What the server says.
    pub server: Server,
}

/// What the configuration says about a runner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Intent {
    /// When it restarts for a change.
    pub policy: RestartPolicy,
    /// After how many seconds that does not wait for a job any more.
    pub drain_timeout: Option<u64>,
    /// Whether what runs was started from another unit than the present one.
    pub outdated: bool,
    /// Whether the next start makes another registration.
    pub registers_anew: bool,
}

/// What the ledger says about a runner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Knowledge {
    /// Who made it.
    pub owner: Owner,
    /// Its present registration.
    pub runner: Option<Runner>,
    /// Whether something has to be taken back or found out.
    pub owes: bool,
    /// From which unit its present or last run was started.
    pub started: Option<String>,
}

impl Knowledge {
    /// What an entry means here.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let runner = entry.runner.clone();
        // While there is a runner, an attempt says nothing.
        let owes = !entry.debts.is_empty() || (entry.attempt.is_some() && runner.is_none());
        Self { owner: entry.owner.clone(), runner, owes, started: entry.started.clone() }
    }
}

/// What the server says about a runner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Server {
    /// There is no credential with which it could be asked.
    NoCredential,
    /// It was not asked, or gave no answer; why, as the end of a sentence.
    Silent(String),
    /// It lists the present registration like this, or not at all.
    Lists(Option<RemoteRunner>),
}
