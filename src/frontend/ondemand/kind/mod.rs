//! What makes machines for orders, whatever they are: a unit of this host, a machine of systemd-nspawn, an instance of Incus or of EC2.
//!
//! Each is a few lines over one implementation of [`crate::machines::Machines`] or over systemd. A machine has one registration and
//! one job, is made at most once under its name, and ends by itself at its deadline, whatever becomes of the desk. A caller's
//! text reaches a machine only as the name of its runner, which the grammar of labels has let through.

mod cloud;
pub mod ec2;
pub mod incus;
#[cfg(test)]
mod job_started_tests;
pub mod local;
mod material;
pub mod nspawn;
pub mod request;
#[cfg(test)]
mod sample_tests;
pub mod user_data;

use std::path::Path;
use std::time::Duration;

use super::label::{Key, Run};
use super::order::{Maker, Token};
use super::settings::ClassSettings;
use crate::machines::Fault;
use crate::model::Repository;

/// A machine that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// For which order.
    pub key: &'a Key,
    /// Names the attempt: the same one makes no second machine.
    pub token: &'a Token,
    /// As configured.
    pub class: &'a ClassSettings,
    /// The file of the registration in memory, which only root can read: [`Registration`] as JSON.
    pub registration: &'a Path,
    /// After so much time it ends, whatever it does. Whoever orders and the machine may have different clocks.
    pub lifetime: Duration,
    /// Whose job the runner is for; another one's is refused by the runner.
    pub repository: &'a Repository,
    /// Of which run, if that is known.
    pub run: Option<Run>,
}

/// A machine that exists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Its name, as [`Kind::name`] gives it.
    pub name: String,
    /// What it does.
    pub condition: Condition,
}

impl Seen {
    /// One of a kind that lists what stands and nothing else.
    #[must_use]
    pub fn standing(name: String, is_stopped: bool) -> Self {
        Self { name, condition: if is_stopped { Condition::Stopped } else { Condition::Alive } }
    }
}

/// What a machine does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Condition {
    /// Nothing of it stands.
    Over,
    /// Nothing of it stands, because there was no room for it after all.
    NoRoom,
    /// It does nothing any more, and stands.
    Stopped,
    /// It boots, works, or is about to end.
    Alive,
}

/// Why there is no machine, or why nobody knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unmade {
    /// As [`Kind::launch`] says.
    Fault(Fault),
    /// There is none, and no room for any candidate up to this one.
    NoRoomUpTo(u32, String),
    /// Nothing was done for it.
    NotAsked(String),
}

impl From<Fault> for Unmade {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A kind of machine. Every call may take a while, and several may be made at once.
pub trait Kind: Send + Sync {
    /// Which kind it is.
    fn maker(&self) -> Maker;

    /// The name of the machine of an order's token.
    fn name(&self, key: &Key, token: &Token) -> String;

    /// Makes a machine, and may return before it works.
    ///
    /// # Errors
    ///
    /// [`Fault::Duplicate`] if there is one of the name; [`Fault::NoCapacity`], [`Fault::NotFound`] and [`Fault::Configuration`]
    /// if there is none and will be none; after every other one it is not known.
    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade>;

    /// All machines that this host has made for orders of this kind.
    ///
    /// # Errors
    ///
    /// If not all of them can be listed.
    fn look(&self) -> Result<Vec<Seen>, Fault>;

    /// Ends a machine, whatever it does. A missing one is fine.
    ///
    /// # Errors
    ///
    /// If it is not known whether something is left.
    fn end(&self, name: &str) -> Result<(), Fault>;

    /// Has a machine tell nobody any more what it was told. Most do not.
    ///
    /// # Errors
    ///
    /// If it is not known whether it still does.
    fn seal(&self, _name: &str) -> Result<(), Fault> {
        Ok(())
    }

    /// Where its machines are, if not on this host: one that was made elsewhere is none that it knows of.
    fn place(&self) -> Option<&str> {
        None
    }

    /// Whether each look costs somebody else something, who may not yet have what was made or ended a short time ago.
    fn is_far(&self) -> bool {
        false
    }

    /// The last text that it wrote, which is the machine's word; empty if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn console(&self, name: &str) -> Result<String, Fault>;
}
