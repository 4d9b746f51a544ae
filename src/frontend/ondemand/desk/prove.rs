//! Proofs: having looked up what an order's run says, and letting the order have a machine, wait, or go.

use std::sync::Arc;

use tracing::info;

use super::event::{Event, RunName, Silence};
use super::looks;
use super::registrar;
use super::sights::AGAIN;
use super::state::Desk;
use super::tracked::Tracked;
use crate::contract::workflow::{Artifact, QueuedJob, WorkflowRun};
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::limits::{Counts, Request, Reservation, admit};
use crate::frontend::ondemand::order::{Order, Proof, State};
use crate::frontend::ondemand::plan::{PROOF_PATIENCE, Wish};
use crate::frontend::ondemand::proof::{Served, Verdict, Wanted, artifact, queue};
use crate::frontend::ondemand::refusal::Refusal;
use crate::frontend::ondemand::settings::RepositorySettings;
use crate::model::Repository;

impl Desk {
    /// A repository that is served, for judges.
    pub(super) fn served(&self, name: &Repository) -> Option<Served> {
        let repositories = &self.hands.settings.repositories;
        repositories.iter().find(|served| served.name.is(name)).map(RepositorySettings::served)
    }

    /// The next thing about the proof of an order that has none yet.
    pub(super) fn prove(&mut self, key: &Key, now: u64) {
        let Some(order) = self.orders.get(key).map(|tracked| tracked.order.clone()) else { return };
        let Some(name) = order.run.map(|run| (order.repository.clone(), run)) else { return };
        if order.proof == Proof::Artifact {
            return self.look_for_artifact(key, name, now);
        }
        let sight = self.sights.of(&name);
        if sight.is_looked_at {
            return self.prove_later(key, now + 1);
        }
        if let Some((_, from)) = sight.silence.as_ref().filter(|(_, from)| *from > now) {
            let from = *from;
            return self.prove_later(key, from);
        }
        match sight.for_proof(now) {
            None => self.judge_queue(key, &name, now),
            Some(wish) => {
                let later = self.look_at_run(&name, wish, now);
                self.prove_later(key, later.unwrap_or(now + 1));
            }
        }
    }

    fn prove_later(&mut self, key: &Key, from: u64) {
        if let Some(tracked) = self.orders.get_mut(key) {
            (tracked.proof_from, tracked.due) = (from, from.min(tracked.order.since + PROOF_PATIENCE));
        }
    }

    fn look_for_artifact(&mut self, key: &Key, name: RunName, now: u64) {
        let milliseconds = self.clock.milliseconds();
        if let Err(refusal) = self.looks.take(1, milliseconds) {
            return self.prove_later(key, now + refusal.retry_after().unwrap_or(1));
        }
        let (hands, events, subject) = (Arc::clone(&self.hands), self.events.clone(), key.clone());
        let work = move || drop(events.send(Event::Found(looks::artifact(&hands, subject, name))));
        self.look_out(work);
        self.prove_later(key, now + AGAIN);
    }

    /// A run was looked at.
    pub(super) fn saw_run(
        &mut self,
        name: &RunName,
        run: Option<Result<Option<WorkflowRun>, Silence>>,
        jobs: Option<Result<Vec<QueuedJob>, Silence>>,
        now: u64,
    ) {
        self.sights.of(name).note(run, jobs, now);
        let is_of = |order: &Order| order.run == Some(name.1) && order.repository.is(&name.0);
        let keys: Vec<Key> =
            self.orders.iter().filter(|(_, tracked)| is_of(&tracked.order)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(tracked) = self.orders.get_mut(&key) else { continue };
            tracked.due = 0;
            match (tracked.order.state, tracked.order.proof) {
                (State::Accepted, Proof::Queue) => self.judge_queue(&key, name, now),
                (State::Accepted, _) => {}
                _ => self.judge_doubt(&key, name),
            }
        }
    }

    fn judge_queue(&mut self, key: &Key, name: &RunName, now: u64) {
        let Some(repository) = self.served(&name.0) else {
            return self.let_go(key, &Refusal::Repository(name.0.as_str().into()), now);
        };
        let Some(sight) = self.sights.get(name) else { return };
        let since = self.orders.get(key).map_or(now, |tracked| tracked.order.accepted_at);
        if let Some(at) = sight.was_over_before(since) {
            // It may have been run again since.
            return self.prove_later(key, at + AGAIN);
        }
        let Some((_, run)) = &sight.run else {
            let from = sight.silence.as_ref().map_or(now + AGAIN, |(_, from)| *from);
            return self.prove_later(key, from);
        };
        let none = vec![];
        let (at, jobs) = sight.jobs.as_ref().map_or((now, &none), |(at, jobs)| (*at, jobs));
        let wanted = Wanted { key, run: name.1, repository: &repository };
        let verdict = queue::judge(&wanted, run.as_ref(), jobs);
        self.judged(key, verdict, at + AGAIN, now);
    }

    /// Whether an order may go of which somebody said that it is not needed: if no job waits for it any more. Only where a job
    /// that waited was the proof; the job of another one may still come.
    fn judge_doubt(&mut self, key: &Key, name: &RunName) {
        let Some(repository) = self.served(&name.0) else { return };
        let Some((_, jobs)) = self.sights.get(name).and_then(|sight| sight.jobs.as_ref()) else { return };
        let wanted = Wanted { key, run: name.1, repository: &repository };
        let is_wanted = queue::waits(&wanted, jobs);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let may_go = tracked.is_doubted && tracked.order.proof == Proof::Queue && tracked.wish == Wish::Nothing;
        tracked.is_doubted = false;
        if may_go && !is_wanted {
            info!("Order {key}: its workflow gave it up, and no job waits for it");
            tracked.wish = Wish::GiveUp;
        }
    }

    /// An artifact was looked for.
    pub(super) fn saw_artifact(&mut self, key: &Key, found: Result<(Option<Artifact>, i64), Silence>, now: u64) {
        let Some(order) = self.orders.get(key).map(|tracked| tracked.order.clone()) else { return };
        let (Some(run), State::Accepted) = (order.run, order.state) else { return };
        let (found, ahead) = match found {
            Ok(found) => found,
            Err(silence) => return self.prove_later(key, now + silence.wait.unwrap_or(AGAIN)),
        };
        let Some(repository) = self.served(&order.repository) else {
            return self.let_go(key, &Refusal::Repository(order.repository.as_str().into()), now);
        };
        // Both by this host's clock.
        let there = self.clock.host().saturating_add_signed(ahead);
        let verdict = artifact::judge(&Wanted { key, run, repository: &repository }, found.as_ref(), there);
        self.judged(key, verdict, now + AGAIN, now);
    }

    fn judged(&mut self, key: &Key, verdict: Verdict, again: u64, now: u64) {
        if let Some(tracked) = self.orders.get(key) {
            self.counters.judged(tracked.order.proof, &verdict);
            self.is_counted = false;
        }
        match verdict {
            Verdict::NotYet => self.prove_later(key, again),
            Verdict::Refused(refusal) => self.let_go(key, &refusal, now),
            Verdict::Proven { fork } => {
                let Some(order) = self.orders.get(key).map(|tracked| tracked.order.clone()) else { return };
                match self.admitted(&order, fork, now) {
                    Err(refusal) => self.let_go(key, &refusal, now),
                    Ok(reservation) => self.let_in(order, fork, reservation, now),
                }
            }
        }
    }

    pub(super) fn let_in(&mut self, mut order: Order, fork: bool, reservation: Reservation, now: u64) {
        let key = order.key();
        order.prove(fork, reservation);
        info!("Order {key} of {} is proven", order.repository.as_str());
        if !self.write(order) {
            return self.prove_later(&key, now + AGAIN);
        }
        self.put_off(&key, 0);
    }

    /// Whether an order whose run wants it may have a machine.
    pub(super) fn admitted(&self, order: &Order, fork: bool, now: u64) -> Result<Reservation, Refusal> {
        self.may_go_on()?;
        let request = Request {
            key: order.key(),
            repository: order.repository.clone(),
            run: order.run,
            proof: order.proof,
            fork,
            source: order.source,
        };
        self.admit(&request, &[], now)
    }

    /// Whether a request may have a machine, besides all orders and `others` that are about to be.
    pub(super) fn admit(&self, request: &Request, others: &[Order], now: u64) -> Result<Reservation, Refusal> {
        let (counts, class) = self.counts(request, others, now)?;
        admit(request, &counts, &class, &self.hands.settings.limits, now)
    }

    /// What there is besides a request.
    pub(super) fn counts(
        &self,
        request: &Request,
        others: &[Order],
        now: u64,
    ) -> Result<(Counts, crate::frontend::ondemand::limits::ClassLimits), Refusal> {
        let settings = &self.hands.settings;
        let Some(class) = settings.classes.get(&request.key.class) else {
            let known = settings.classes.keys().map(|class| class.as_str().to_owned()).collect();
            return Err(Refusal::Class(request.key.class.as_str().into(), known));
        };
        // Without a proof nobody knows whose run asks.
        let is_strange = request.fork || request.proof == Proof::None;
        if is_strange && !class.forks {
            let whom =
                if request.fork { "pull requests from forks" } else { "strangers, as those without a proof may be," };
            return Err(Refusal::Event(whom.into()));
        }
        let processors = |order: &Order| settings.classes.get(&order.class).map_or(0, |class| class.processors);
        let orders = self.orders.values().map(|tracked: &Tracked| &tracked.order).chain(others);
        Ok((Counts::of(orders, request, processors, now), class.limits()))
    }

    /// Lets go of an order that has no proof and gets none: as if it had not been asked for.
    pub(super) fn let_go(&mut self, key: &Key, refusal: &Refusal, now: u64) {
        if let Err(fault) = self.hands.book.remove(key) {
            tracing::error!("Order {key}: {fault:#}");
            return self.prove_later(key, now + AGAIN);
        }
        self.orders.remove(key);
        // Of one whose label was asked for before, when there was no room.
        if matches!(registrar::entry(&self.hands, key), Ok(Some(_)))
            && let Err(fault) = self.hands.forget(key)
        {
            tracing::error!("Order {key}: {fault:#}");
        }
        self.refuse_waiting(key, refusal);
    }
}
