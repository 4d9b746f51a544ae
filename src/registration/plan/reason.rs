//! Why a start does what it does, in the words of the journal.

use std::fmt;

use crate::ledger::{ExitKind, Runner};
use crate::model::{Change, shown};

/// One reason for a decision; `Display` makes a sentence of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Nothing is there and nothing is remembered.
    FirstStart,
    /// Everything is as it was.
    Unchanged(Runner),
    /// The listener registered, but `record` never ran.
    NotRecorded(u64),
    /// nixpkgs' module registered with the same configuration and token.
    SameAsNixpkgs(u64),
    /// nixpkgs' module registered with the same configuration and a GitHub App, and the server shows that runner.
    SameAsNixpkgsApp(u64),
    /// Ephemeral runners register at every start.
    Ephemeral,
    /// A field is not what it was.
    Changed(Change),
    /// The token is not the one from before.
    TokenChanged,
    /// The server does not know the runner any more.
    DeletedOnServer(u64),
    /// The server shows a runner of another name under this id.
    AnotherOnServer(u64),
    /// The listener ended in the same failure this many times, so its identity may be the cause.
    KeepsFailing(ExitKind, u32),
    /// The state is gone although the ledger names a runner.
    StateLost(u64),
    /// An earlier start did not come to its end.
    Interrupted,
    /// A file cannot be used or says something else than the configuration; the text says what about it.
    Unfit(&'static str, String),
    /// A file of the registration is missing.
    Missing(&'static str),
    /// A settings file names another runner than the ledger.
    OtherRunner(&'static str, u64, u64),
    /// State that neither this module nor nixpkgs' accounts for.
    Unaccounted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstStart => f.write_str("this is the first start"),
            Self::Unchanged(runner) => {
                write!(
                    f,
                    "configuration, token and state are those of runner {}, id {}",
                    shown(&runner.name),
                    runner.id
                )
            }
            Self::NotRecorded(id) => {
                write!(f, "an earlier start registered id {id} as configured, but was cut off before recording it")
            }
            Self::SameAsNixpkgs(id) => {
                write!(f, "nixpkgs' module registered id {id} with the same configuration and token")
            }
            Self::SameAsNixpkgsApp(id) => {
                write!(f, "nixpkgs' module registered id {id} with the same configuration, and GitHub shows it")
            }
            Self::Ephemeral => f.write_str("an ephemeral runner registers at every start"),
            Self::Changed(change) => change.fmt(f),
            Self::TokenChanged => f.write_str("the content of the token file changed"),
            Self::DeletedOnServer(id) => write!(f, "GitHub does not know id {id} any more"),
            Self::AnotherOnServer(id) => write!(f, "GitHub shows a runner of another name under id {id}"),
            Self::KeepsFailing(ExitKind::SessionConflict, times) => {
                write!(f, "GitHub saw another session of this runner {times} times in a row")
            }
            Self::KeepsFailing(_, times) => write!(f, "the listener gave up {times} times in a row"),
            Self::StateLost(id) => write!(f, "the state directory is empty although id {id} was registered"),
            Self::Interrupted => f.write_str("an earlier registration did not come to its end"),
            Self::Unfit(file, why) => write!(f, "{file} {why}"),
            Self::Missing(file) => write!(f, "{file} is missing"),
            Self::OtherRunner(file, found, known) => {
                write!(f, "{file} names id {found}, but id {known} was registered")
            }
            Self::Unaccounted => f.write_str("the state directory holds something that this module did not make"),
        }
    }
}
