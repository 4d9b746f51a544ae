//! What is known about an order, for the planner.
//!
//! Lists count only if they were begun after the order changed last, or, for machines, after one was asked for: what was read before
//! says nothing about what was done since.

use std::time::Instant;

use anyhow::Result;

use super::registrar;
use super::state::Desk;
use super::tracked::Tracked;
use crate::frontend::ondemand::kind::Condition;
use crate::frontend::ondemand::limits::GRACE;
use crate::frontend::ondemand::order::{Order, State};
use crate::frontend::ondemand::plan::{Facts, Machine, Registration, Runner};

impl Desk {
    /// Gathers what is known about an order.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be read: then nothing may be decided.
    pub(super) fn facts(&self, tracked: &Tracked, now: u64) -> Result<Facts> {
        let order = &tracked.order;
        let key = order.key();
        let entry = registrar::entry(&self.hands, &key)?;
        let id = entry.as_ref().and_then(|entry| entry.runner.as_ref()).map(|runner| runner.id);
        let registration = match &entry {
            Some(_) if id.is_some() => Registration::Made,
            Some(entry) if entry.attempt.is_some() => Registration::Open,
            _ => Registration::Nothing,
        };
        let is_before_machine =
            matches!(order.state, State::Proven | State::Registering | State::Registered | State::Launching);
        let material = id.is_some() && is_before_machine && self.hands.material(&key)? == id;
        // What a list says of before the end of a machine is not what came of it.
        let since = tracked.gone_at.map_or(tracked.touched, |gone| gone.max(tracked.touched));
        Ok(Facts {
            registration,
            owes: entry.is_some_and(|entry| !entry.debts.is_empty()),
            runner: self.runner(since, id),
            machine: self.machine(tracked, now),
            listed_at: self.listed_at(order, now),
            material,
            run_over: self.is_run_over(order),
            wish: tracked.wish,
            github_from: tracked.github_from.max(self.github_from),
            proof_from: tracked.proof_from,
            machines_from: tracked.machines_from,
        })
    }

    /// When the list that has or lacks its machine was begun, by the clock: seconds of a kind on this host are none.
    fn listed_at(&self, order: &Order, now: u64) -> u64 {
        let at = self.hands.kinds.of(&order.class).filter(|at| self.hands.kinds.all()[*at].is_far());
        let began = at.and_then(|at| self.machines[at].as_ref()).map(|(began, _)| *began);
        began.map_or(now, |began| now.saturating_sub(began.elapsed().as_secs()))
    }

    /// What the list says, if it was begun at this time or later.
    fn runner(&self, since: Instant, id: Option<u64>) -> Runner {
        let Some((_, runners)) = self.runners.as_ref().filter(|(began, _)| *began >= since) else {
            return Runner::Unknown;
        };
        let Some(id) = id else { return Runner::Unknown };
        match runners.get(&id) {
            // A list of several pages can lose one between two of them, so only the second one without it counts.
            None if self.runners_before.contains(&id) => Runner::Unknown,
            None => Runner::Absent,
            Some(seen) if seen.busy => Runner::Busy,
            Some(seen) if seen.online => Runner::Idle,
            Some(_) => Runner::Offline,
        }
    }

    /// Whether the newest list of a kind has the machine of an order, as one that works.
    fn shows(&self, at: usize, order: &Order) -> bool {
        let kind = &self.hands.kinds.all()[at];
        let name = order.token.as_ref().map(|token| kind.name(&order.key(), token));
        let machines = self.machines[at].as_ref().map(|(_, machines)| machines);
        name.zip(machines).is_some_and(|(name, machines)| machines.get(&name) == Some(&Condition::Alive))
    }

    /// What is known of its machine.
    pub(super) fn machine(&self, tracked: &Tracked, now: u64) -> Machine {
        let order = &tracked.order;
        let Some(token) = &order.token else { return Machine::Absent };
        let kinds = &self.hands.kinds;
        // Of a class that is not configured any more, or has another kind now, whoever shows it has it.
        let known = kinds.of(&order.class).filter(|at| kinds.may_have(*at, order));
        let mut answer = Machine::Absent;
        if kinds.nobody_has(order) && now < order.deadline + GRACE {
            // It ends by itself then, whoever could have said more is not configured any more.
            return Machine::Unknown;
        }
        for (at, kind) in kinds.all().iter().enumerate().filter(|(at, _)| kinds.may_have(*at, order)) {
            let is_other = known.is_some_and(|known| known != at);
            let seen = self.machines[at].as_ref();
            if is_other {
                // The class may have had another server when the machine was made, which only a desk before this one can have asked.
                if self.shows(at, order) {
                    return Machine::Alive;
                }
                if seen.is_none() && answer == Machine::Absent && self.may_be_elsewhere(order, now) {
                    answer = Machine::Unknown;
                }
                continue;
            }
            match seen.filter(|(began, _)| *began >= tracked.asked) {
                None if known.is_none() && !self.may_be_elsewhere(order, now) => {}
                None if answer == Machine::Absent => answer = Machine::Unknown,
                None => {}
                Some((_, machines)) => {
                    let name = kind.name(&order.key(), token);
                    match machines.get(&name) {
                        Some(Condition::Alive) => return Machine::Alive,
                        Some(Condition::Stopped) => answer = Machine::Stopped,
                        Some(Condition::Over) => answer = Machine::Over,
                        Some(Condition::NoRoom) => answer = Machine::NoRoom,
                        // Whoever is far may show what was there before the next time again.
                        None if kind.is_far()
                            && self.machines_before[at].as_ref().is_none_or(|all| all.contains(&name)) =>
                        {
                            answer = Machine::Unknown;
                        }
                        None => {}
                    }
                }
            }
        }
        answer
    }

    /// Whether a maker that its class does not have now, and that does not answer, may have its machine. Each machine ends by itself at
    /// its deadline, so nobody waits for such a maker for ever.
    fn may_be_elsewhere(&self, order: &Order, now: u64) -> bool {
        let was_before = order.asked_at.is_some_and(|asked| asked < self.clock.start());
        was_before && now < order.deadline + GRACE
    }
}
