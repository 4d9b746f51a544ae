//! The keys of ID tokens at the desk. Types only.

use super::waiting::Caller;
use crate::frontend::ondemand::proof::keys::KeyCache;
use crate::frontend::ondemand::wire::Question;

/// The keys, and who waits for them. The door has no more callers than it has places for.
#[derive(Debug, Default)]
pub struct Keys {
    /// When they are asked for.
    pub cache: KeyCache,
    /// Whether they are being asked for.
    pub is_asked: bool,
    /// Questions, and who asked them.
    pub waiting: Vec<(Question, Caller)>,
}

impl Keys {
    /// Whether nobody waits for keys.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.is_asked && self.waiting.is_empty()
    }
}
