//! The keys of ID tokens at the desk. Types only.

use std::sync::mpsc::Sender;

use crate::frontend::ondemand::proof::keys::KeyCache;
use crate::frontend::ondemand::wire::{Outcome, Question};

/// The keys, and who waits for them. The door has no more callers than it has places for.
#[derive(Debug, Default)]
pub struct Keys {
    /// When they are asked for.
    pub cache: KeyCache,
    /// Whether they are being asked for.
    pub is_asked: bool,
    /// Questions, and where their answers go.
    pub waiting: Vec<(Question, Sender<Outcome>)>,
}

impl Keys {
    /// Whether nobody waits for keys.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.is_asked && self.waiting.is_empty()
    }
}
