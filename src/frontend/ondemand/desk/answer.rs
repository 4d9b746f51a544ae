//! Answering: what became of orders, how things are, and hints that a runner is not needed any more.

use std::time::Instant;

use super::state::Desk;
use super::waiting::{Caller, Waiting};
use crate::frontend::ondemand::label::{Key, Label};
use crate::frontend::ondemand::operate;
use crate::frontend::ondemand::order::{Order, Proof, Reason, State};
use crate::frontend::ondemand::overview::{ClassUse, Overview};
use crate::frontend::ondemand::plan::Wish;
use crate::frontend::ondemand::refusal::Refusal;
use crate::frontend::ondemand::wire::{Ask, Outcome, Question, Runner, Status, Use};

impl Desk {
    /// A question of the door, once. Judging a token takes more than everything else that is asked, so it has its price whatever
    /// comes of it.
    pub(super) fn arrived(&mut self, question: Question, caller: Caller, now: u64) {
        let milliseconds = self.clock.milliseconds();
        if question.token.is_some()
            && let Err(refusal) = self.requests.take(question.source, milliseconds)
        {
            return caller.tell(Outcome::Refused(refusal.explanation()));
        }
        self.asked(question, caller, now);
    }

    /// The same, or once more when the keys of ID tokens are there.
    pub(super) fn asked(&mut self, question: Question, caller: Caller, now: u64) {
        match &question.ask {
            Ask::Create { .. } => self.create(question, caller, now),
            Ask::Look { label } => {
                let keys = self.keys_of(label);
                let waiting = Waiting { ordered: false, ..Waiting::for_orders(keys, question.wait, caller) };
                self.answer_later(waiting);
            }
            Ask::Destroy { labels } => {
                let keys: Vec<Key> = labels.iter().flat_map(|label| self.keys_of(label)).collect();
                if self.give_up(&question, &keys, now) {
                    self.answer_later(Waiting { ordered: false, ..Waiting::for_orders(keys, 0, caller) });
                } else {
                    self.await_keys(question, caller);
                }
            }
            Ask::Status => caller.tell(Outcome::Status(self.status(now))),
        }
    }

    /// The orders of a label, those that are over included.
    fn keys_of(&self, label: &Label) -> Vec<Key> {
        self.orders.keys().filter(|key| key.label == *label).cloned().collect()
    }

    /// Takes the hint that these are not needed; false if a token cannot be judged yet.
    fn give_up(&mut self, question: &Question, keys: &[Key], now: u64) -> bool {
        let mut rights = vec![];
        for key in keys {
            match self.is_of_run(question, key, now) {
                Some(right) => rights.push(right),
                None => return false,
            }
        }
        for (key, has_right) in keys.iter().zip(rights) {
            let Some(tracked) = self.orders.get_mut(key) else { continue };
            tracked.due = 0;
            if has_right && tracked.wish == Wish::Nothing {
                tracked.wish = Wish::GiveUp;
            } else if tracked.order.proof == Proof::Queue {
                // Found out at the next look at its run.
                tracked.is_doubted = true;
            }
        }
        self.step_some(keys, now);
        true
    }

    pub(super) fn step_some(&mut self, keys: &[Key], now: u64) {
        for key in keys {
            self.step(key, now);
        }
    }

    /// Answers as soon as there is something to say.
    pub(super) fn answer_later(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    /// Answers those whose orders are settled, and those whose time is over.
    pub(super) fn answer_settled(&mut self) {
        self.waiting.retain(|waiting| waiting.caller.is_here());
        let (done, still): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| {
            waiting.until <= Instant::now() || waiting.keys.iter().all(|key| self.is_settled(key))
        });
        self.waiting = still;
        for Waiting { keys, caller, ordered, .. } in done {
            let outcome = self.outcome(&keys, ordered);
            if ordered {
                self.count_answer(&outcome);
            }
            caller.tell(outcome);
        }
    }

    fn is_settled(&self, key: &Key) -> bool {
        self.orders.get(key).is_none_or(|tracked| self.view(&tracked.order).is_settled())
    }

    /// An order as its caller may see it.
    fn view(&self, order: &Order) -> Runner {
        let class = self.hands.settings.classes.get(&order.class);
        Runner {
            label: order.label.clone(),
            class: order.class.clone(),
            state: order.state,
            since: order.since,
            deadline: order.deadline,
            market: class.and_then(|class| class.market(order.candidate)).map(String::from),
            reason: order.reason.clone(),
        }
    }

    fn outcome(&self, keys: &[Key], ordered: bool) -> Outcome {
        let orders: Vec<&Order> =
            keys.iter().filter_map(|key| self.orders.get(key)).map(|tracked| &tracked.order).collect();
        let without_room = orders.iter().find(|order| order.reason == Some(Reason::NoCapacity));
        if let Some(order) = without_room.filter(|_| ordered) {
            return Outcome::Refused(Refusal::NoCapacity(order.tries.clone()).explanation());
        }
        Outcome::Runners(orders.into_iter().map(|order| self.view(order)).collect())
    }

    /// Tells all who wait for an order that it is let go.
    pub(super) fn refuse_waiting(&mut self, key: &Key, refusal: &Refusal) {
        let (refused, still): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.keys.contains(key));
        self.waiting = still;
        for Waiting { caller, ordered, .. } in refused {
            let outcome = Outcome::Refused(refusal.explanation());
            if ordered {
                self.count_answer(&outcome);
            }
            caller.tell(outcome);
        }
    }

    /// How things are.
    fn status(&self, now: u64) -> Status {
        let orders = self.orders.values().map(|tracked| &tracked.order);
        let overview = Overview::of(orders, &self.hands.settings, now);
        let of_class = |used: &ClassUse| Use { open: used.open as u64, max: used.max.into() };
        Status {
            open: overview.open as u64,
            paused: self.paused(&overview),
            classes: overview.classes.iter().map(|(class, used)| (class.clone(), of_class(used))).collect(),
        }
    }

    /// Why nothing is ordered at the moment.
    fn paused(&self, overview: &Overview) -> Option<String> {
        let all_fail =
            !overview.classes.is_empty() && overview.classes.values().all(|used| used.paused_until.is_some());
        let refusal = self.may_go_on().err().or_else(|| all_fail.then_some(Refusal::Paused(0)));
        refusal.map(|refusal| refusal.explanation().message)
    }

    /// Takes note of what the operator wants.
    pub(super) fn hear_operator(&mut self) {
        let ends = match operate::ends(self.hands.book.home()) {
            Ok(ends) => ends,
            Err(fault) => return tracing::error!("{fault:#}"),
        };
        for label in ends {
            let mut is_left = false;
            for tracked in self.orders.values_mut().filter(|tracked| tracked.order.label == label) {
                if tracked.order.state < State::Ending {
                    is_left = true;
                    if tracked.wish != Wish::Operator {
                        (tracked.wish, tracked.due) = (Wish::Operator, 0);
                    }
                }
            }
            if !is_left && let Err(fault) = operate::forget_end(self.hands.book.home(), &label) {
                tracing::error!("{fault:#}");
            }
        }
    }
}

impl Reason {
    /// What whoever waits for an order is told that is let go before it had a proof.
    pub(super) fn refusal(&self) -> Refusal {
        match self {
            Self::RunOver => Refusal::RunOver,
            Self::Operator => Refusal::Stopped("the operator ended this order".into()),
            _ => Refusal::NotQueued,
        }
    }
}
