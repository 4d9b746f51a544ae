//! Operations: what goes on, and what it does at its end.

use std::time::Instant;

use super::Flavor;
use super::state::Made;

/// Something that goes on.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    pub description: &'static str,
    pub project: String,
    pub name: String,
    pub effect: Effect,
    pub due: Instant,
    /// The instance that it makes, and when that is to be seen.
    pub record: Option<(Instant, Made)>,
    pub ended: Option<(Instant, Result<(), String>)>,
    pub is_forgotten: bool,
}

/// What an operation does at its end.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The instance takes work from then on. It is seen before.
    Create {
        start: bool,
    },
    Start,
    Stop,
    Delete,
    /// Nothing: it fails with these words.
    Fail(String),
    /// The instance that was to be made is not there after that, for this reason.
    FailCreation(String),
    /// Nothing: it succeeds.
    Nothing,
}

/// What is said of a name that another instance has.
pub fn taken(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::Lxd => "This \"instances\" entry already exists",
        Flavor::Incus => {
            "Failed creating instance record: UNIQUE constraint failed: instances.project_id, instances.name"
        }
    }
}
