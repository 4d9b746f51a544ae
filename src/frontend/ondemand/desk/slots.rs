//! Which looks are under way, and when each was begun last.

use std::time::{Duration, Instant};

/// When lists were begun last, and which are under way.
#[derive(Debug)]
pub struct Schedule {
    /// The list of runners.
    pub list: Slot,
    /// The machines of each kind.
    pub kinds: Vec<Slot>,
}

/// One kind of look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    began: Option<Instant>,
    /// Whether one is under way.
    pub is_under_way: bool,
}

impl Slot {
    /// How long until another one, if it should follow after `interval`.
    #[must_use]
    pub fn left(&self, interval: Duration) -> Option<Duration> {
        if self.is_under_way {
            return None;
        }
        Some(self.began.map_or(Duration::ZERO, |began| interval.saturating_sub(began.elapsed())))
    }

    /// Notes that one begins; when.
    pub fn begin(&mut self) -> Instant {
        let now = Instant::now();
        *self = Self { began: Some(now), is_under_way: true };
        now
    }
}

impl Schedule {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new(kinds: usize) -> Self {
        Self { list: Slot::default(), kinds: vec![Slot::default(); kinds] }
    }

    /// How many are under way.
    #[cfg(test)]
    pub fn under_way(&self) -> usize {
        self.kinds.iter().chain([&self.list]).filter(|slot| slot.is_under_way).count()
    }
}
