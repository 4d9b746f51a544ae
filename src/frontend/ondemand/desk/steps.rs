//! Taking an order further: what the planner says is written first, then done, at once or as an errand.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use tracing::{error, info, warn};

use super::event::{Acted, Event};
use super::state::Desk;
use super::tracked::Tracked;
use super::{machines, registrar};
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::limits::GRACE;
use crate::frontend::ondemand::order::{Order, Proof, Reason, State};
use crate::frontend::ondemand::plan::{Machine, PROOF_PATIENCE, SOON, Step, Times, plan};
use crate::frontend::ondemand::refusal::Refusal;
use crate::frontend::ondemand::settings::ClassSettings;

/// How many errands of orders are under way at once: each may be a process of systemd's.
const MOST_ERRANDS: usize = 16;
/// What a class that is not configured any more goes by.
const UNKNOWN_CLASS: Times = Times { not_online: 300, no_job: 300, lag: 0, candidates: 1, seals: false };

impl Desk {
    /// Every order whose time has come.
    pub(super) fn step_all(&mut self, now: u64) {
        let due: Vec<Key> = self
            .orders
            .iter()
            .filter(|(_, tracked)| !tracked.is_acting && tracked.next() <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            self.step(&key, now);
        }
    }

    /// One order, until it has to wait, an errand is under way, or something failed.
    pub(super) fn step(&mut self, key: &Key, now: u64) {
        self.put_off(key, now);
        let can_go_on = |tracked: &&Tracked| !tracked.is_acting && tracked.next() <= now;
        while let Some(tracked) = self.orders.get(key).filter(can_go_on) {
            let facts = match self.facts(tracked, now) {
                Ok(facts) => facts,
                Err(fault) => {
                    error!("Order {key}: {fault:#}");
                    return self.rest(key, now);
                }
            };
            let times = self.hands.class(key).map_or(UNKNOWN_CLASS, ClassSettings::times);
            let step = plan(&tracked.order, &facts, &times, now);
            let is_errand = matches!(
                step,
                Step::Register
                    | Step::Resolve
                    | Step::Retire
                    | Step::Pay
                    | Step::Launch(_)
                    | Step::Seal
                    | Step::EndMachine
            );
            match step {
                Step::Wait(until) => return self.put_off(key, until),
                _ if self.is_stopping || (is_errand && self.errands >= MOST_ERRANDS) => {
                    return self.put_off(key, now + 1);
                }
                Step::Prove => return self.prove(key, now),
                Step::Drop(reason) => return self.drop_order(key, &reason, now),
                Step::Forget => return self.forget(key, now),
                // Of a machine that is being made a list may have nothing yet.
                Step::Finish
                    if tracked.order.token.is_some()
                        && !tracked.was_ended
                        && now < tracked.order.deadline + GRACE
                        && !matches!(facts.machine, Machine::Over | Machine::NoRoom) =>
                {
                    let order = tracked.order.clone();
                    return self.end_machine(key, order, now);
                }
                step => {
                    let mut order = tracked.order.clone();
                    if let Step::Launch(_) = step {
                        let kind = self.hands.kinds.of(&key.class).map(|at| &self.hands.kinds.all()[at]);
                        order.maker = kind.map(|kind| kind.maker());
                        order.place = kind.and_then(|kind| kind.place()).map(String::from);
                    }
                    if order.before(&step, &self.hands.host, now) && !self.write(order.clone()) {
                        return self.rest(key, now);
                    }
                    self.carry_out(key, &order, &step, now);
                }
            }
        }
    }

    /// Does what was decided and written: at once, or as an errand.
    fn carry_out(&mut self, key: &Key, order: &Order, step: &Step, now: u64) {
        let (hands, order) = (Arc::clone(&self.hands), order.clone());
        let lifetime = order.deadline.saturating_sub(now);
        match step {
            Step::Register => self.send(key, now, move || registrar::register(&hands, &order, lifetime)),
            Step::Resolve => self.send(key, now, move || registrar::find_out(&hands, &order)),
            Step::Retire => self.send(key, now, move || registrar::retire(&hands, &order)),
            Step::Pay => self.send(key, now, move || registrar::settle(&hands, &order)),
            Step::Launch(_) => {
                if let Some(tracked) = self.orders.get_mut(key) {
                    // What was seen of the machine before says nothing of this one.
                    (tracked.asked, tracked.gone_at) = (Instant::now(), None);
                }
                self.send(key, now, move || machines::launch(&hands, &order, lifetime));
            }
            Step::Seal => {
                let Some(tracked) = self.orders.get_mut(key) else { return };
                tracked.seals += 1;
                let attempt = tracked.seals;
                self.send(key, now, move || machines::seal(&hands, &order, attempt));
            }
            Step::Refuse => warn!("Order {key}: its machine ended at once for want of room"),
            Step::EndMachine => self.end_machine(key, order, now),
            Step::Renew => {
                let given_up = registrar::owe(&hands, key).and_then(|()| hands.clear(key));
                if let Err(fault) = given_up {
                    error!("Order {key}: {fault:#}");
                    self.rest(key, now);
                }
            }
            Step::End(reason) => info!("Order {key} ends: {reason}"),
            Step::Finish => self.finished(key),
            Step::Enter(state) => info!("Order {key} is {}", state.word()),
            Step::Wait(_) | Step::Prove | Step::Drop(_) | Step::Forget => {}
        }
        // From here on nobody needs its files any more.
        if matches!(self.orders.get(key), Some(tracked) if tracked.order.state >= State::Online)
            && let Err(fault) = self.hands.clear(key)
        {
            warn!("Order {key}: {fault:#}");
        }
    }

    /// Has whoever makes its machine end it.
    fn end_machine(&mut self, key: &Key, order: Order, now: u64) {
        let hands = Arc::clone(&self.hands);
        let is_first = self.orders.get_mut(key).is_some_and(|tracked| !std::mem::replace(&mut tracked.is_ending, true));
        self.send(key, now, move || machines::end(&hands, &order, is_first));
    }

    /// Starts an errand of an order.
    fn send(&mut self, key: &Key, now: u64, errand: impl FnOnce() -> Acted + Send + 'static) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let (events, name) = (self.events.clone(), key.clone());
        let work = move || {
            let acted = errand();
            // Only a desk that is gone does not hear it.
            drop(events.send(Event::Acted(name, acted)));
        };
        match thread::Builder::new().spawn(work) {
            Ok(_) => {
                self.errands += 1;
                tracked.is_acting = true;
            }
            Err(fault) => {
                warn!("Failed to start an errand of order {key}: {fault}");
                tracked.rests_until = now + SOON;
            }
        }
    }

    /// Lets go of an order that never had a proof.
    fn drop_order(&mut self, key: &Key, reason: &Reason, now: u64) {
        let refusal = match (reason, self.silence_about(key)) {
            // It may well have been queued, and nobody could see it.
            (Reason::NotQueued, Some(why)) => Refusal::Github(why, PROOF_PATIENCE),
            (Reason::NotQueued, None) if !self.was_looked_at(key) => Refusal::Busy(PROOF_PATIENCE),
            _ => reason.refusal(),
        };
        info!("Order {key} is let go: {}", refusal.explanation().message);
        self.let_go(key, &refusal, now);
    }

    /// Whether its run was looked at since it was taken. There may have been too many looks.
    fn was_looked_at(&self, key: &Key) -> bool {
        let Some(Tracked { order, .. }) = self.orders.get(key) else { return true };
        let name = order.run.filter(|_| order.proof == Proof::Queue).map(|run| (order.repository.clone(), run));
        name.and_then(|name| self.sights.get(&name)).is_none_or(|sight| sight.last() >= order.since)
    }

    /// Why nobody could see the run of an order when it was looked at last.
    fn silence_about(&self, key: &Key) -> Option<String> {
        let order = &self.orders.get(key)?.order;
        let sight = self.sights.get(&(order.repository.clone(), order.run?))?;
        sight.silence.as_ref().map(|(why, _)| why.clone())
    }

    fn finished(&self, key: &Key) {
        if let Some(Tracked { order, .. }) = self.orders.get(key) {
            let reason = order.reason.as_ref().map_or_else(String::new, ToString::to_string);
            info!("Order {key} is over: {reason}");
        }
    }

    /// Forgets an order of long ago.
    fn forget(&mut self, key: &Key, now: u64) {
        let forget = || -> Result<()> {
            self.hands.forget(key)?;
            self.hands.book.remove(key)
        };
        match forget().with_context(|| format!("Failed to forget order {key}")) {
            Ok(()) => drop(self.orders.remove(key)),
            Err(fault) => {
                error!("{fault:#}");
                self.rest(key, now);
            }
        }
    }
}
