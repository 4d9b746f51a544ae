//! What the desk knows of an order besides what its file says. Lost with the desk, and found out again by looking.

use std::time::Instant;

use crate::frontend::ondemand::order::{Order, State};
use crate::frontend::ondemand::plan::Wish;

/// An order at the desk.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Tracked {
    /// As its file says.
    pub order: Order,
    /// Whether an errand of it is under way. Nothing else happens to it meanwhile.
    pub is_acting: bool,
    /// When it is looked at again, in seconds since 1970.
    pub due: u64,
    /// Until when nothing happens to it after a fault of this host, in seconds since 1970.
    pub rests_until: u64,
    /// As in the planner's facts.
    pub github_from: u64,
    /// As in the planner's facts.
    pub proof_from: u64,
    /// As in the planner's facts.
    pub machines_from: u64,
    /// Who wants it to end.
    pub wish: Wish,
    /// Whether somebody said that it is not needed, without showing a right to say so.
    pub is_doubted: bool,
    /// When it changed last, or an errand of it ended: what was looked at before is old.
    pub touched: Instant,
    /// When a machine was asked for last, or that errand ended. A look from before says nothing about it; whatever else happened to
    /// the order since brings none back.
    pub asked: Instant,
    /// When the look was begun that found its machine gone or stopped, and no look after it found anything else.
    pub gone_at: Option<Instant>,
    /// Whether whoever makes its machine was asked to end it.
    pub is_ending: bool,
    /// Whether that one said that it is done.
    pub was_ended: bool,
    /// How often its machine was to be closed.
    pub seals: u32,
}

impl Tracked {
    /// An order as it was read or taken.
    #[must_use]
    pub fn new(order: Order, now: Instant) -> Self {
        Self {
            order,
            is_acting: false,
            due: 0,
            rests_until: 0,
            github_from: 0,
            proof_from: 0,
            machines_from: 0,
            wish: Wish::Nothing,
            is_doubted: false,
            touched: now,
            asked: now,
            gone_at: None,
            is_ending: false,
            was_ended: false,
            seals: 0,
        }
    }

    /// When its next step may be, in seconds since 1970.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.due.max(self.rests_until)
    }

    /// Whether its next state shows in the list of runners.
    #[must_use]
    pub fn needs_list(&self) -> bool {
        matches!(self.order.state, State::Launching | State::Launched | State::Online | State::Busy)
    }

    /// Whether its next state shows in the list of machines.
    #[must_use]
    pub fn needs_look(&self) -> bool {
        self.order.token.is_some() && !matches!(self.order.state, State::Accepted | State::Ended)
    }

    /// Whether its next state is expected soon.
    #[must_use]
    pub fn is_hurried(&self) -> bool {
        matches!(self.order.state, State::Launching | State::Launched | State::Ending)
    }
}
