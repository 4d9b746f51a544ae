//! Machines for jobs: made for one job, thrown away after it.
//!
//! One trait for every kind of machine, so that a front end decides what a job gets and not how the host makes it. A
//! kind promises three things: making the same machine twice is a [`Fault::Duplicate`] and never two machines; deleting
//! one that is not there succeeds; and after a deletion nothing of the machine is left.
//!
//! Nothing here knows which program asks, or what a job is.

#[cfg(feature = "ctl")]
pub mod ec2;
#[cfg(test)]
mod fake;
#[cfg(any(feature = "ctl", feature = "garm"))]
pub mod incus;
#[cfg(any(feature = "ctl", feature = "gitlab"))]
pub mod nspawn;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Names one machine of a host, and makes its creation safe to repeat: who asks again after a lost answer gives the same token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A store that outlives the machine, shared by the machines of one project.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// The project's number.
    pub project: u64,
    /// Whether the job runs for a protected branch or tag. What other jobs write must never reach these.
    pub protected: bool,
}

/// What is asked for.
#[derive(Clone, Eq, PartialEq)]
pub struct Specification {
    /// Which machine this is.
    pub token: Token,
    /// The name of a configured image; never a path.
    pub image: String,
    /// When the machine ends by itself, counted from its creation.
    pub lifetime: Duration,
    /// What the machine may keep for others.
    pub cache: Option<Cache>,
    /// What the machine is to do, for images that read such data: it takes no other work then, and belongs to nobody. Holds
    /// secrets of the machine.
    pub user_data: Option<String>,
}

/// Not the user data, which holds secrets.
impl fmt::Debug for Specification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Specification")
            .field("token", &self.token)
            .field("image", &self.image)
            .field("lifetime", &self.lifetime)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// What a machine does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is being made, or boots.
    Starting,
    /// It takes work.
    Running,
    /// It exists and does nothing.
    Stopped,
    /// It is being taken away.
    Ending,
}

/// A machine that exists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instance {
    /// Which one.
    pub token: Token,
    /// The image that it was made from.
    pub image: String,
    /// What it does.
    pub state: State,
    /// Seconds since its creation.
    pub age: u64,
}

/// Why something could not be done. The text is one sentence for people: what was found, and the way out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "reason")]
pub enum Fault {
    /// There is no such machine or image.
    NotFound(String),
    /// A machine with this token exists already.
    Duplicate(String),
    /// The machine does something that must end first.
    Busy(String),
    /// The host has no room for another one now.
    NoCapacity(String),
    /// Who makes machines does not answer.
    Unavailable(String),
    /// It can never work as it is configured.
    Configuration(String),
    /// Anything else.
    Other(String),
}

impl Fault {
    /// Whether the same request may succeed later without a change by the operator.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::NotFound(_) | Self::Configuration(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(reason)
            | Self::Duplicate(reason)
            | Self::Busy(reason)
            | Self::NoCapacity(reason)
            | Self::Unavailable(reason)
            | Self::Configuration(reason)
            | Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Fault {}

/// A kind of machine.
pub trait Machines {
    /// What names one machine.
    type Id<'a>;
    /// What is asked for.
    type Specification;
    /// A machine that exists.
    type Instance;

    /// Makes a machine and waits until it takes work.
    ///
    /// # Errors
    ///
    /// [`Fault::Duplicate`] if the name is taken, and every other one. Nothing is left of a machine that failed.
    fn create(&self, specification: &Self::Specification) -> Result<Self::Instance, Fault>;

    /// Ends a machine, whatever it does, and returns when nothing of it stands. A missing one is fine.
    ///
    /// # Errors
    ///
    /// If it is not known whether something is left.
    fn delete(&self, id: Self::Id<'_>) -> Result<(), Fault>;

    /// Looks at one machine.
    ///
    /// # Errors
    ///
    /// [`Fault::NotFound`] if there is none.
    fn get(&self, id: Self::Id<'_>) -> Result<Self::Instance, Fault>;

    /// All machines, in the order of what names them.
    ///
    /// # Errors
    ///
    /// If not all of them can be listed.
    fn list(&self) -> Result<Vec<Self::Instance>, Fault>;

    /// Starts a machine that is stopped; a running one is left alone.
    ///
    /// # Errors
    ///
    /// [`Fault::NotFound`]; [`Fault::Configuration`] for kinds whose machines run once.
    fn start(&self, id: Self::Id<'_>) -> Result<(), Fault>;

    /// Stops a machine and keeps it; a stopped one is left alone.
    ///
    /// # Errors
    ///
    /// As [`Machines::start`].
    fn stop(&self, id: Self::Id<'_>) -> Result<(), Fault>;

    /// The last text that the machine wrote to its console. It is the machine's word.
    ///
    /// # Errors
    ///
    /// [`Fault::NotFound`] if there is none.
    fn console(&self, id: Self::Id<'_>) -> Result<String, Fault>;
}
