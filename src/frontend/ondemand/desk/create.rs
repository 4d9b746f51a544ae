//! Taking orders: whether a question may become some, and which.
//!
//! The door has read strangers' bytes; everything that counts is checked here once more. All orders of a question are admitted
//! before the first one is written.

use tracing::info;

use super::registrar;
use super::state::Desk;
use super::tokens::Judged;
use super::tracked::Tracked;
use super::waiting::{Caller, Waiting};
use crate::frontend::ondemand::label::{Class, Key, Label, Run};
use crate::frontend::ondemand::limits::{Request, admit_to_wait};
use crate::frontend::ondemand::operate;
use crate::frontend::ondemand::order::{Order, Proof, Reason, State};
use crate::frontend::ondemand::proof::{Verdict, Wanted};
use crate::frontend::ondemand::refusal::{ROOM_AGAIN, Refusal};
use crate::frontend::ondemand::settings::RepositorySettings;
use crate::frontend::ondemand::wire::{Ask, Outcome, Question};
use crate::ledger::Entry;
use crate::model::Repository;

/// What became of a question that wants runners.
enum Taken {
    /// Its orders.
    Orders(Vec<Key>),
    /// It can only be answered when the keys of ID tokens are there.
    NotYet,
}

/// A question's orders, before they are any.
struct Wanting<'a> {
    question: &'a Question,
    label: &'a Label,
    repository: Repository,
    run: Option<Run>,
}

impl Desk {
    /// Answers a question that wants runners, now or later.
    pub(super) fn create(&mut self, question: Question, caller: Caller, now: u64) {
        match self.take(&question, now) {
            Err(refusal) => {
                let outcome = Outcome::Refused(refusal.explanation());
                self.count_answer(&outcome);
                caller.tell(outcome);
            }
            Ok(Taken::NotYet) => self.await_keys(question, caller),
            Ok(Taken::Orders(keys)) => {
                // Before anything is decided about them, which may be at once.
                self.answer_later(Waiting::for_orders(keys.clone(), question.wait, caller));
                self.step_some(&keys, now);
            }
        }
    }

    fn take(&mut self, question: &Question, now: u64) -> Result<Taken, Refusal> {
        let Ask::Create { label, classes, repository, run } = &question.ask else { return Ok(Taken::Orders(vec![])) };
        let wanting = self.understand(question, label, repository.as_ref(), *run)?;
        let keys: Vec<Key> = classes.iter().map(|class| self.key(label, class)).collect::<Result<_, Refusal>>()?;
        let mut new = vec![];
        for key in &keys {
            match self.orders.get(key).map(|tracked| &tracked.order).filter(|_| self.is_known(key, now)) {
                Some(order) if order.run == wanting.run && order.repository.is(&wanting.repository) => {
                    if !self.hasten(question, key, now)? {
                        return Ok(Taken::NotYet);
                    }
                }
                // Of one that waits nobody has shown that it is wanted, so it keeps nobody from the label.
                None => new.push(key.clone()),
                Some(order) if order.state == State::Accepted => new.push(key.clone()),
                Some(_) => return Err(Refusal::OtherOrder),
            }
        }
        if new.is_empty() {
            return Ok(Taken::Orders(keys));
        }
        self.may_begin(question)?;
        let mut orders = vec![];
        for key in new {
            match self.order(&wanting, key, &orders, now)? {
                Some(order) => orders.push(order),
                None => return Ok(Taken::NotYet),
            }
        }
        for order in orders {
            let key = order.key();
            info!("Order {key} of {} is taken", order.repository.as_str());
            // Whoever waits for one that it takes the place of may ask again.
            self.refuse_waiting(&key, &Refusal::Busy(5));
            if !self.write(order) {
                return Err(Refusal::Book);
            }
            if let Some(tracked) = self.orders.get_mut(&key) {
                // And nothing that was wanted of that one holds for this one.
                *tracked = Tracked::new(tracked.order.clone(), tracked.touched);
            }
        }
        Ok(Taken::Orders(keys))
    }

    /// Whether there is an order. One for which there was no room is over and had no machine, so its label is still to be served.
    fn is_known(&self, key: &Key, now: u64) -> bool {
        let Some(Tracked { order, is_acting, .. }) = self.orders.get(key) else { return false };
        let is_unserved = order.state == State::Ended && order.reason == Some(Reason::NoCapacity) && !is_acting;
        // As whoever asked was told.
        let is_time = order.ended_at.is_some_and(|ended| now >= ended + ROOM_AGAIN);
        let owes = |entry: Entry| entry.runner.is_some() || entry.attempt.is_some() || !entry.debts.is_empty();
        let is_settled = registrar::entry(&self.hands, key).is_ok_and(|entry| !entry.is_some_and(owes));
        !(is_unserved && is_time && is_settled)
    }

    /// Lets an order that waits for its proof have a machine, if the question brings one: whoever asked first may have been
    /// somebody else. False if its token cannot be judged yet.
    fn hasten(&mut self, question: &Question, key: &Key, now: u64) -> Result<bool, Refusal> {
        let is_waiting = |order: &Order| order.state == State::Accepted && order.proof != Proof::Oidc;
        let Some(mut order) = self.orders.get(key).map(|tracked| tracked.order.clone()).filter(is_waiting) else {
            return Ok(true);
        };
        let (verdict, order) = match self.token_of(question, key, now) {
            None => return Ok(true),
            Some(Judged::NotYet) => return Ok(false),
            Some(Judged::Said(verdict)) => {
                order.proof = Proof::Oidc;
                (verdict, order)
            }
        };
        if let Verdict::Proven { fork } = verdict {
            let reservation = self.admitted(&order, fork, now)?;
            self.let_in(order, fork, reservation, now);
        }
        Ok(true)
    }

    /// What the question's token says of an order, if it has one and tokens count for its repository.
    fn token_of(&mut self, question: &Question, key: &Key, now: u64) -> Option<Judged> {
        let order = self.orders.get(key)?.order.clone();
        let (token, run) = (question.token.as_ref()?, order.run?);
        let repositories = &self.hands.settings.repositories;
        let served = repositories.iter().find(|served| served.name.is(&order.repository))?;
        let served = served.proofs.contains(&Proof::Oidc).then(|| served.served())?;
        Some(self.judge_token(&Wanted { key, run, repository: &served }, token.expose(), now))
    }

    /// Whose run the question is about, and which.
    fn understand<'a>(
        &self,
        question: &'a Question,
        label: &'a Label,
        repository: Option<&Repository>,
        run: Option<Run>,
    ) -> Result<Wanting<'a>, Refusal> {
        let settings = &self.hands.settings;
        let text = label.as_str();
        let (_, named) = settings.grammar().parse(text).map_err(|fault| Refusal::Label(text.into(), fault))?;
        if named.is_some() && run.is_some() && named != run {
            return Err(Refusal::Run);
        }
        let served = match (repository, settings.repositories.as_slice()) {
            (Some(name), all) => all
                .iter()
                .find(|served| served.name.is(name))
                .ok_or_else(|| Refusal::Repository(name.as_str().into()))?,
            (None, [only]) => only,
            (None, _) => {
                let why = "The repository is not named, and this service has several: name it in `repository`";
                return Err(Refusal::RepositoryName(why.into()));
            }
        };
        Ok(Wanting { question, label, repository: served.name.clone(), run: named.or(run) })
    }

    fn key(&self, label: &Label, class: &Class) -> Result<Key, Refusal> {
        let classes = &self.hands.settings.classes;
        if !classes.contains_key(class) {
            let known = classes.keys().map(|class| class.as_str().to_owned()).collect();
            return Err(Refusal::Class(class.as_str().into(), known));
        }
        Key::new(label.clone(), class.clone()).map_err(|fault| Refusal::Label(label.as_str().into(), fault))
    }

    /// Whether anything new may begin at all.
    fn may_begin(&mut self, question: &Question) -> Result<(), Refusal> {
        // One with a token was counted when it came.
        if question.token.is_none() {
            let milliseconds = self.clock.milliseconds();
            self.requests.take(question.source, milliseconds)?;
        }
        self.may_go_on()
    }

    /// Whether anything may get a machine that has none: unless the operator or a fault stopped that.
    pub(super) fn may_go_on(&self) -> Result<(), Refusal> {
        if !self.faults.is_empty() {
            return Err(Refusal::Book);
        }
        match operate::stopped(self.hands.book.home()) {
            Ok(None) => Ok(()),
            Ok(Some(text)) => Err(Refusal::Stopped(text)),
            Err(fault) => {
                tracing::error!("{fault:#}");
                Err(Refusal::Book)
            }
        }
    }

    /// A new order, admitted besides `others`; `None` if its token cannot be judged yet.
    fn order(&mut self, wanting: &Wanting<'_>, key: Key, others: &[Order], now: u64) -> Result<Option<Order>, Refusal> {
        let repository = self.hands.settings.repositories.iter().find(|served| served.name.is(&wanting.repository));
        let Some(repository) = repository.cloned() else { return Err(Refusal::NotFound) };
        let proof = choose(&repository, wanting)?;
        let mut request = Request {
            key,
            repository: wanting.repository.clone(),
            run: wanting.run,
            proof,
            fork: false,
            source: wanting.question.source,
        };
        match proof {
            Proof::None => {}
            Proof::Oidc => match self.prove_by_token(&request, &repository, wanting, now)? {
                Some(fork) => request.fork = fork,
                None => return Ok(None),
            },
            Proof::Queue | Proof::Artifact => {
                let (counts, class) = self.counts(&request, others, now)?;
                let reservation = admit_to_wait(&request, &counts, &class, &self.hands.settings.limits, now)?;
                return Ok(Some(Order::new(request, reservation)));
            }
        }
        let reservation = self.admit(&request, others, now)?;
        let fork = request.fork;
        let mut order = Order::new(request, reservation);
        order.prove(fork, reservation);
        Ok(Some(order))
    }

    fn prove_by_token(
        &mut self,
        request: &Request,
        repository: &RepositorySettings,
        wanting: &Wanting<'_>,
        now: u64,
    ) -> Result<Option<bool>, Refusal> {
        let (Some(token), Some(run)) = (&wanting.question.token, request.run) else { return Err(Refusal::Run) };
        let served = repository.served();
        let wanted = Wanted { key: &request.key, run, repository: &served };
        match self.judge_token(&wanted, token.expose(), now) {
            Judged::NotYet => Ok(None),
            Judged::Said(Verdict::Proven { fork }) => Ok(Some(fork)),
            Judged::Said(Verdict::Refused(refusal)) => Err(refusal),
            Judged::Said(Verdict::NotYet) => Err(Refusal::NotQueued),
        }
    }

    /// Whether whoever asks has shown by a token that the run of an order is theirs; `None` if that cannot be judged yet.
    pub(super) fn is_of_run(&mut self, question: &Question, key: &Key, now: u64) -> Option<bool> {
        match self.token_of(question, key, now) {
            None => Some(false),
            Some(Judged::NotYet) => None,
            Some(Judged::Said(verdict)) => Some(matches!(verdict, Verdict::Proven { .. })),
        }
    }
}

/// The first of the repository's proofs that the question can have.
fn choose(repository: &RepositorySettings, wanting: &Wanting<'_>) -> Result<Proof, Refusal> {
    let can_have = |proof: &Proof| match proof {
        Proof::None => true,
        Proof::Queue | Proof::Artifact => wanting.run.is_some(),
        Proof::Oidc => wanting.run.is_some() && wanting.question.token.is_some(),
    };
    if let Some(proof) = repository.proofs.iter().find(|proof| can_have(proof)) {
        return Ok(*proof);
    }
    if wanting.run.is_none() {
        return Err(Refusal::Run);
    }
    let label = wanting.label.as_str();
    Err(Refusal::Token(format!(
        "There is no ID token with the request for {label}: give the job `permissions: id-token: write`, and send its token"
    )))
}
