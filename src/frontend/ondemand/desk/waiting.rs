//! Who waits for an answer, and for what. Types only.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::wire::Outcome;

/// Somebody who waits for orders to be settled.
#[derive(Debug)]
pub struct Waiting {
    /// Which.
    pub keys: Vec<Key>,
    /// Until when.
    pub until: Instant,
    /// Where the answer goes.
    pub reply: Sender<Outcome>,
    /// Whether a runner that nobody had room for is a refusal: to whoever asked for it.
    pub ordered: bool,
}

impl Waiting {
    /// Whoever ordered; waits so many seconds.
    #[must_use]
    pub fn for_orders(keys: Vec<Key>, seconds: u16, reply: Sender<Outcome>) -> Self {
        Self { keys, until: Instant::now() + Duration::from_secs(seconds.into()), reply, ordered: true }
    }
}
