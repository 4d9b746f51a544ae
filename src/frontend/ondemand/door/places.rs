//! How many connections and waits there are, and since when there are none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::frontend::ondemand::source::Source;

/// What strangers can have of the door at once, and for how long.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections; the next one is refused.
    pub connections: usize,
    /// Those of them that may wait for a runner; the next one is answered without waiting.
    pub waits: usize,
    /// Those of them for one source, so that nobody has all of them.
    pub waits_of_one: usize,
    /// How long a request may take to come in, as a whole, and its answer to go out.
    pub request: Duration,
    /// How long the desk may take besides the wait that it was asked for. With the longest wait it is less than the 330 s that the
    /// proxy in front has patience.
    pub desk: Duration,
    /// How long the door stays without anybody.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            waits: 32,
            waits_of_one: 8,
            request: Duration::from_secs(10),
            desk: Duration::from_secs(25),
            idle: Duration::from_secs(60),
        }
    }
}

/// All places of the door.
#[derive(Debug)]
pub struct Places {
    taken: Mutex<Taken>,
    connections: usize,
    waits: usize,
    waits_of_one: usize,
}

#[derive(Debug)]
struct Taken {
    connections: usize,
    /// How many each source has; none that has none.
    waits: BTreeMap<Source, usize>,
    /// When a connection was there last.
    last: Instant,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Places>);

/// The place of one wait, free again when it is dropped.
#[derive(Debug)]
pub struct Wait<'a>(&'a Places, Source);

impl Places {
    /// All of them, free.
    #[must_use]
    pub fn new(limits: &Limits) -> Arc<Self> {
        let taken = Mutex::new(Taken { connections: 0, waits: BTreeMap::new(), last: Instant::now() });
        let Limits { connections, waits, waits_of_one, .. } = *limits;
        Arc::new(Self { taken, connections, waits, waits_of_one })
    }

    /// A place for one connection more; `None` if all are taken.
    #[must_use]
    pub fn connect(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken();
        (taken.connections < self.connections).then(|| {
            taken.connections += 1;
            Place(Arc::clone(self))
        })
    }

    /// Since when there is no connection; `None` while there is one.
    #[must_use]
    pub fn idle_since(&self) -> Option<Instant> {
        let taken = self.taken();
        (taken.connections == 0).then_some(taken.last)
    }

    /// The counts, which are right even if a thread died with them in its hands.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A place to wait for this source; `None` if all are taken, or all that one source can have.
    #[must_use]
    pub fn wait(&self, source: Source) -> Option<Wait<'_>> {
        let mut taken = self.0.taken();
        let all: usize = taken.waits.values().sum();
        let own = taken.waits.get(&source).copied().unwrap_or_default();
        (all < self.0.waits && own < self.0.waits_of_one).then(|| {
            taken.waits.insert(source, own + 1);
            Wait(&self.0, source)
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        taken.connections -= 1;
        taken.last = Instant::now();
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        if let Some(own) = taken.waits.get_mut(&self.1) {
            *own -= 1;
        }
        taken.waits.retain(|_, own| *own > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let source = |text: &str| Source::of(text.parse().unwrap());
        let (one, other) = (source("192.0.2.1"), source("192.0.2.2"));
        let places = Places::new(&Limits { connections: 2, waits: 3, waits_of_one: 2, ..Limits::default() });
        let before = places.idle_since().unwrap();
        let (first, second) = (places.connect().unwrap(), places.connect().unwrap());
        assert!(places.connect().is_none() && places.idle_since().is_none());
        let waits = (first.wait(one).unwrap(), second.wait(one).unwrap());
        assert!(first.wait(one).is_none(), "one source has all that it can have");
        let third = first.wait(other).unwrap();
        assert!(second.wait(other).is_none(), "all are taken");
        drop(waits);
        assert!(second.wait(one).is_some());
        drop(third);
        assert!(places.taken().waits.is_empty());
        drop(first);
        assert!(places.idle_since().is_none());
        drop(places.connect().unwrap());
        drop(second);
        assert!(places.idle_since().unwrap() >= before);
    }
}
