//! When the desk looks at GitHub's list and at the machines of each kind: often while something is expected, and not at all
//! while nothing is. One list of runners and one look at each kind serve all orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::event::{Event, RunName, Silence};
use super::looks::{self, Wish};
use super::state::Desk;
use super::tracked::Tracked;
use crate::contract::protocol::RemoteRunner;
use crate::frontend::ondemand::kind::{Condition, Seen};
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::{Order, Proof, State};
use crate::frontend::ondemand::plan::Machine;
use crate::machines::Fault;
use crate::model::shown;

/// Between two looks while a next state is expected soon.
const SOON: Duration = Duration::from_secs(2);
/// The same for looks that cost only this host something.
const AT_HOME: Duration = Duration::from_millis(500);
/// The same for those that count what they are asked.
const FAR: Duration = Duration::from_secs(5);
/// For the list, if a machine is slow to have its runner.
const SLOWER: Duration = Duration::from_secs(5);
/// From then on it is slow, in seconds.
const SLOW: u64 = 60;
/// Otherwise.
const LATER: Duration = Duration::from_secs(15);

impl Desk {
    /// Begins what is due.
    pub(super) fn look_about(&mut self, now: u64) {
        if self.github_from <= now
            && let Some(interval) = self.list_interval(now)
            && self.schedule.list.left(interval) == Some(Duration::ZERO)
        {
            let began = self.schedule.list.begin();
            let (hands, events) = (Arc::clone(&self.hands), self.events.clone());
            let work = move || drop(events.send(Event::Listed(began, looks::runners(&hands))));
            self.schedule.list.is_under_way = thread::Builder::new().spawn(work).is_ok();
        }
        for at in 0..self.machines.len() {
            if let Some(interval) = self.look_interval(at)
                && self.schedule.kinds[at].left(interval) == Some(Duration::ZERO)
            {
                let began = self.schedule.kinds[at].begin();
                let (hands, events) = (Arc::clone(&self.hands), self.events.clone());
                let work = move || {
                    let seen = hands.kinds.all()[at].look();
                    drop(events.send(Event::Looked(at, began, seen)));
                };
                self.schedule.kinds[at].is_under_way = thread::Builder::new().spawn(work).is_ok();
            }
        }
        self.look_for_ends(now);
    }

    /// How long until the next look.
    pub(super) fn next_look(&self, now: u64) -> Duration {
        let held = Duration::from_secs(self.github_from.saturating_sub(now));
        let list =
            self.list_interval(now).and_then(|interval| self.schedule.list.left(interval)).map(|left| left.max(held));
        let kinds = (0..self.machines.len()).filter_map(|at| self.schedule.kinds[at].left(self.look_interval(at)?));
        kinds.chain(list).min().unwrap_or(LATER)
    }

    fn list_interval(&self, now: u64) -> Option<Duration> {
        let orders = self.orders.values().filter(|tracked| tracked.needs_list());
        let interval = |tracked: &Tracked| match tracked.order.state {
            State::Launching | State::Launched if now.saturating_sub(tracked.order.since) < SLOW => SOON,
            State::Launching | State::Launched => SLOWER,
            _ => LATER,
        };
        orders.map(interval).min()
    }

    fn look_interval(&self, at: usize) -> Option<Duration> {
        let of = |order: &Order| {
            let is_of_class = self.hands.kinds.of(&order.class).is_none_or(|kind| kind == at);
            is_of_class || order.maker.is_some() && self.hands.kinds.may_have(at, order)
        };
        let orders = self.orders.values().filter(|tracked| tracked.needs_look() && of(&tracked.order));
        let soon = if self.hands.kinds.all()[at].is_far() { FAR } else { AT_HOME };
        let interval = |tracked: &Tracked| if tracked.is_hurried() { soon } else { LATER };
        // Once in any case, and as long as there is one that no order names.
        let strange = (self.machines[at].is_none() || !self.strays[at].is_empty()).then_some(LATER);
        orders.map(interval).chain(strange).min()
    }

    pub(super) fn listed(&mut self, began: Instant, listed: Result<BTreeMap<u64, RemoteRunner>, Silence>, now: u64) {
        self.schedule.list.is_under_way = false;
        match listed {
            Ok(runners) => {
                let before = self.runners.replace((began, runners));
                self.runners_before = before.map(|(_, runners)| runners.into_keys().collect()).unwrap_or_default();
                self.wake(Tracked::needs_list);
            }
            Err(silence) => {
                warn!("There is no list of runners: {}", silence.why);
                self.hold_github(silence.wait.unwrap_or(LATER.as_secs()), now);
            }
        }
    }

    pub(super) fn looked(&mut self, at: usize, began: Instant, looked: Result<Vec<Seen>, Fault>, now: u64) {
        self.schedule.kinds[at].is_under_way = false;
        let seen = match looked {
            Ok(seen) => seen,
            Err(fault) => return warn!("There is no list of machines: {fault}"),
        };
        let stands = |seen: &&Seen| matches!(seen.condition, Condition::Alive | Condition::Stopped);
        let names: Vec<String> = seen.iter().filter(stands).map(|seen| seen.name.clone()).collect();
        let mut listed = BTreeMap::new();
        for Seen { name, condition } in seen {
            // Of several of a name, what stands counts.
            let known = listed.entry(name).or_insert(condition);
            *known = condition.max(*known);
        }
        let before = self.machines[at].replace((began, listed));
        self.machines_before[at] = before.map(|(_, machines)| machines.into_keys().collect());
        let kind = Arc::clone(&self.hands.kinds.all()[at]);
        let of_orders = self
            .orders
            .values()
            .filter_map(|tracked| Some(kind.name(&tracked.order.key(), tracked.order.token.as_ref()?)))
            .collect();
        // With a file that cannot be read nobody knows whose a machine is.
        if self.faults.is_empty() {
            for name in self.strays[at].look(&names, &of_orders, now) {
                if self.swept.contains(&name) {
                    // Its end is under way.
                    continue;
                }
                warn!("No order names machine {}: it is ended", shown(&name));
                let (kind, events, swept) = (Arc::clone(&kind), self.events.clone(), name.clone());
                let work = move || {
                    let ended = kind.end(&name);
                    drop(events.send(Event::Swept(name, ended)));
                };
                if thread::Builder::new().spawn(work).is_ok() {
                    self.swept.insert(swept);
                }
            }
        }
        self.note_gone(began, now);
        self.wake(Tracked::needs_look);
    }

    /// Notes whose machines are gone by a look that was begun at this time.
    fn note_gone(&mut self, began: Instant, now: u64) {
        let is_gone = |tracked: &Tracked| !matches!(self.machine(tracked, now), Machine::Unknown | Machine::Alive);
        let gone: BTreeSet<Key> = self
            .orders
            .iter()
            .filter(|(_, tracked)| tracked.needs_look() && is_gone(tracked))
            .map(|(key, _)| key.clone())
            .collect();
        for (key, tracked) in &mut self.orders {
            tracked.gone_at = gone.contains(key).then(|| tracked.gone_at.unwrap_or(began));
        }
    }

    /// Has orders looked at now.
    pub(super) fn wake(&mut self, which: impl Fn(&Tracked) -> bool) {
        for tracked in self.orders.values_mut().filter(|tracked| which(tracked)) {
            tracked.due = 0;
        }
    }

    /// Whether the run of an order is known to be over.
    pub(super) fn is_run_over(&self, order: &Order) -> bool {
        let name = order.run.map(|run| (order.repository.clone(), run));
        let sight = name.filter(|_| order.proof != Proof::None).and_then(|name| self.sights.get(&name));
        sight.is_some_and(|sight| sight.is_over_since(order.accepted_at))
    }

    /// Looks once a minute whether runs of open orders are over; and at jobs, if somebody said that a runner is not needed.
    fn look_for_ends(&mut self, now: u64) {
        let named = |tracked: &Tracked| {
            let order = &tracked.order;
            let run = order.run.filter(|_| order.proof != Proof::None)?;
            Some(((order.repository.clone(), run), order.is_open() && order.state < State::Ending, tracked.is_doubted))
        };
        let is_over = |tracked: &&Tracked| tracked.order.state == State::Ended;
        let all: Vec<_> = self.orders.values().filter(|tracked| !is_over(tracked)).filter_map(named).collect();
        for (name, is_open, is_doubted) in &all {
            if *is_open && self.github_from <= now && self.sights.of(name).is_due(now) {
                self.look_at_run(name, Wish { run: true, jobs: *is_doubted }, now);
            }
        }
        self.sights.forget(|name| all.iter().any(|(wanted, ..)| wanted == name), now);
    }

    /// Has a run looked at, if there may be a look; tells when there may be one otherwise, in seconds since 1970.
    pub(super) fn look_at_run(&mut self, name: &RunName, wish: Wish, now: u64) -> Option<u64> {
        let milliseconds = self.clock.milliseconds();
        let count = u64::from(wish.run) + u64::from(wish.jobs);
        if let Err(refusal) = self.looks.take(count, milliseconds) {
            debug!("Too many looks at runs");
            return Some(now + refusal.retry_after().unwrap_or(1));
        }
        let (hands, events, subject) = (Arc::clone(&self.hands), self.events.clone(), name.clone());
        let work = move || drop(events.send(Event::Found(looks::run(&hands, subject, wish))));
        let is_looked_at = self.look_out(work);
        let sight = self.sights.of(name);
        (sight.is_looked_at, sight.began) = (is_looked_at, now);
        None
    }

    /// Starts a look at a workflow or at keys; tells whether that could be.
    pub(super) fn look_out(&mut self, look: impl FnOnce() + Send + 'static) -> bool {
        let is_begun = thread::Builder::new().spawn(look).is_ok();
        self.looks_out += usize::from(is_begun);
        is_begun
    }
}
