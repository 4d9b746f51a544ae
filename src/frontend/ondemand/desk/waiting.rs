//! Who waits for an answer, and for what.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::wire::Outcome;

/// Whoever asked, as the deciding thread has them: an answer can be given, and it is known whether anybody still waits.
#[derive(Debug)]
pub struct Caller {
    reply: Sender<Outcome>,
    here: Weak<()>,
}

/// The other side of a [`Caller`]. Dropping it says that nobody waits any more.
#[derive(Debug)]
pub struct Answered {
    /// Where the answer comes.
    pub answer: Receiver<Outcome>,
    _here: Arc<()>,
}

impl Caller {
    /// Somebody who waits, from both sides.
    #[must_use]
    pub fn new() -> (Self, Answered) {
        let (reply, answer) = channel();
        let here = Arc::new(());
        (Self { reply, here: Arc::downgrade(&here) }, Answered { answer, _here: here })
    }

    /// Gives the answer. Whoever went away needs none.
    pub fn tell(&self, outcome: Outcome) {
        drop(self.reply.send(outcome));
    }

    /// Whether somebody waits for it.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.here.strong_count() > 0
    }
}

/// Somebody who waits for orders to be settled.
#[derive(Debug)]
pub struct Waiting {
    /// Which.
    pub keys: Vec<Key>,
    /// Until when.
    pub until: Instant,
    /// Who.
    pub caller: Caller,
    /// Whether a runner that nobody had room for is a refusal: to whoever asked for it.
    pub ordered: bool,
}

impl Waiting {
    /// Whoever ordered; waits so many seconds.
    #[must_use]
    pub fn for_orders(keys: Vec<Key>, seconds: u16, caller: Caller) -> Self {
        Self { keys, until: Instant::now() + Duration::from_secs(seconds.into()), caller, ordered: true }
    }
}
