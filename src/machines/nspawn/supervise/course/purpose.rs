//! What a machine is for, which decides what ends it. Pure.

use std::time::Duration;

/// What a machine is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Stages of a job. It ends once it had none for `idle`.
    Stages {
        /// How long it may be ready without a stage.
        idle: Duration,
    },
    /// The work that its user data says. It takes no stages and needs no agent once its init was started, and whoever
    /// asked for it may be gone; it ends with its init, or at its deadline.
    OwnWork,
}
