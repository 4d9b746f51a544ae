//! The thread that decides: one event after the other, and after each of them every order whose time has come.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::event::{Acted, Event, Found};
use super::state::Desk;
use super::tracked::Tracked;
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::State;
use crate::frontend::ondemand::plan::{LATER, MEMORY};
use crate::frontend::ondemand::strays::Strays;
use crate::model::shown;

/// How long the desk waits for errands when it has to end. What is not done then is found out by the next one.
const GOODBYE: Duration = Duration::from_secs(20);
/// How long nothing may be left to do before the desk ends.
const IDLE: Duration = Duration::from_secs(30);

impl Desk {
    /// Serves until nothing is left to do, or the end is asked for.
    pub(super) fn serve(&mut self, inbox: &Receiver<Event>) {
        let mut idle_since: Option<Instant> = None;
        loop {
            self.clock.watch();
            self.hear_operator();
            self.step_all(self.clock.now());
            self.look_about(self.clock.now());
            self.answer_settled();
            self.tell(self.clock.now());
            if self.is_stopping {
                return self.end(inbox);
            }
            let rests = self.rests();
            match idle_since {
                Some(since) if rests && since.elapsed() >= IDLE => return self.end(inbox),
                Some(_) if rests => {}
                _ => idle_since = rests.then(Instant::now),
            }
            match inbox.recv_timeout(self.pause(self.clock.now(), rests)) {
                Ok(event) => self.hear(event, self.clock.now()),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            while let Ok(event) = inbox.try_recv() {
                self.hear(event, self.clock.now());
            }
        }
    }

    /// Lets errands come to their end, and writes what came of them.
    fn end(&mut self, inbox: &Receiver<Event>) {
        let end = Instant::now() + GOODBYE;
        while self.errands > 0 {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(event) = inbox.recv_timeout(left) else { break };
            if let Event::Acted(..) = event {
                self.hear(event, self.clock.now());
            }
        }
        self.told_at = 0;
        self.tell(self.clock.now());
    }

    /// Whether nothing is left to do.
    fn rests(&self) -> bool {
        // Nothing is owed any more: it is only remembered.
        let is_over = |tracked: &Tracked| {
            tracked.order.state == State::Ended && tracked.due >= tracked.order.since.saturating_add(MEMORY / 2)
        };
        self.errands + self.looks_out == 0
            && self.waiting.is_empty()
            && self.keys.is_quiet()
            && self.orders.values().all(is_over)
            && self.strays.iter().all(Strays::is_empty)
            && (0..self.machines.len()).all(|at| self.machines[at].is_some() || !self.hands.kinds.is_configured(at))
    }

    /// How long until something is due.
    fn pause(&self, now: u64, rests: bool) -> Duration {
        if rests {
            return IDLE;
        }
        let soonest = self.orders.values().filter(|tracked| !tracked.is_acting).map(Tracked::next).min();
        let orders = Duration::from_secs(soonest.unwrap_or(now + LATER).saturating_sub(now).clamp(0, LATER));
        let caller = self.waiting.iter().map(|waiting| waiting.until).min();
        let callers = caller.map_or(orders, |until| until.saturating_duration_since(Instant::now()));
        orders.min(callers).min(self.next_look(now)).max(Duration::from_millis(50))
    }

    pub(super) fn hear(&mut self, event: Event, now: u64) {
        match event {
            Event::Asked(question, reply) => self.arrived(question, reply, now),
            Event::Acted(key, acted) => self.acted(&key, acted, now),
            Event::Listed(began, listed) => self.listed(began, listed, now),
            Event::Looked(at, began, looked) => self.looked(at, began, looked, now),
            Event::Found(found) => self.found(found, now),
            Event::Swept(name, swept) => {
                self.swept.remove(&name);
                match swept {
                    Ok(()) => info!("Ended machine {}, which no order names", shown(&name)),
                    Err(fault) => warn!("Failed to end machine {}: {fault}", shown(&name)),
                }
            }
            Event::Stop => self.is_stopping = true,
        }
    }

    fn found(&mut self, found: Found, now: u64) {
        self.looks_out -= 1;
        match found {
            Found::Run { name, run, jobs } => self.saw_run(&name, run, jobs, now),
            Found::Artifact { key, artifact } => self.saw_artifact(&key, artifact, now),
            Found::Keys(keys) => self.got_keys(keys, now),
        }
    }

    /// What came of an errand.
    fn acted(&mut self, key: &Key, acted: Acted, now: u64) {
        self.errands -= 1;
        self.hold_github(acted.limited.unwrap_or(0), now);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        (tracked.is_acting, tracked.due) = (false, 0);
        if !acted.is_aside {
            tracked.touched = Instant::now();
        }
        tracked.was_ended |= acted.was_ended;
        tracked.github_from = tracked.github_from.max(now + acted.github_wait);
        tracked.machines_from = tracked.machines_from.max(now + acted.machines_wait);
        if tracked.order.state == State::Launching {
            tracked.asked = tracked.touched;
            self.counters.launched(&key.class, &acted.outcome);
            self.is_counted = false;
        }
        let mut order = tracked.order.clone();
        if order.after(acted.outcome, now) && !self.write(order) {
            // What came of it is found out once more, but not at once.
            self.rest(key, now);
        }
    }
}
