//! Machines that no order names: of an order whose file was lost. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// How long a machine must have been seen without an order before it is ended, in seconds: an order that is written just
/// now may be younger than the look.
const SECOND_LOOK: u64 = 60;

/// Machines without an order, and when each was seen so first. Held in memory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Strays<N> {
    seen: BTreeMap<N, u64>,
}

impl<N: Clone + Ord> Strays<N> {
    /// Whether there were none at the last look.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Takes a look at `now`, in seconds: the machines that this host made for orders, and those that orders `named` when the
    /// look was over. Returns what is to be ended.
    pub fn look(&mut self, machines: &[N], named: &BTreeSet<N>, now: u64) -> Vec<N> {
        let without: BTreeSet<&N> = machines.iter().filter(|machine| !named.contains(machine)).collect();
        self.seen.retain(|machine, _| without.contains(machine));
        for machine in &without {
            self.seen.entry((*machine).clone()).or_insert(now);
        }
        let is_due = |since: u64| now.saturating_sub(since) >= SECOND_LOOK;
        self.seen.iter().filter(|(_, since)| is_due(**since)).map(|(machine, _)| machine.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_order_named_twice_with_a_minute_between_is_a_stray() {
        let mut strays = Strays::<u32>::default();
        let none: [u32; 0] = [];
        let named = BTreeSet::from([1]);
        assert_eq!(strays.look(&[1, 2, 3], &named, 1_000), none);
        assert_eq!(strays.look(&[1, 2, 3], &named, 1_059), none);
        // The third is an order's after all, and begins anew when it is none again.
        assert_eq!(strays.look(&[1, 2, 3], &BTreeSet::from([1, 3]), 1_059), none);
        assert_eq!(strays.look(&[1, 2, 3], &named, 1_060), [2]);
        assert_eq!(strays.look(&[1, 3], &named, 1_061), none);
        assert_eq!(strays.look(&[1, 3], &named, 500), none, "a clock that was set back");
        assert_eq!(strays.look(&[1, 2, 3], &named, 1_120), [3], "the second is another machine of that name");
    }
}
