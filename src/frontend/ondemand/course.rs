//! How an order changes: by what is about to be done, before it is done, and by what came of it. Pure.
//!
//! Whoever acts writes the order after [`Order::before`] and acts then; dies it in between, the next plan finds an order that
//! says what may have happened. Nothing that a server answered is needed to go on but what stands here.

use super::limits::{Request, Reservation, spent};
use super::order::{Order, Reason, State, Token, Try, VERSION};
use super::plan::Step;

/// How much of a server's text is kept, in characters.
const LONGEST_TEXT: usize = 200;

/// What is said of a candidate whose machine was made and ended at once.
const ENDED_AT_ONCE: &str = "its machine ended at once for want of room";

/// What came of a step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The server made a registration, and its files are in place.
    Registered,
    /// The server was not asked for a registration, because it does not answer: that was no attempt.
    NotAsked,
    /// The server refuses, and repeating does not help; its words.
    NotRegistered(String),
    /// Somebody else's runner has the name.
    NameTaken,
    /// The machine is there.
    Launched,
    /// There is no room for this candidate, and no machine; a code.
    NoRoom(String),
    /// The same, and none for any of the candidates up to this one.
    NoRoomUpTo(u32, String),
    /// Nobody was asked for a machine, or whoever was did nothing: as if it had not been tried.
    NotLaunched,
    /// It can never work as it is configured, and there is no machine; why.
    Never(String),
    /// The runner is busy, so it was not deleted.
    StillBusy,
    /// The machine tells nobody any more what it was told.
    Sealed,
    /// Anything else: it went well and the ledger or a list tells it, or there was no answer.
    Nothing,
}

impl Order {
    /// An order as it is taken.
    #[must_use]
    pub fn new(request: Request, reservation: Reservation) -> Self {
        Self {
            version: VERSION,
            label: request.key.label,
            class: request.key.class,
            repository: request.repository,
            run: request.run,
            proof: request.proof,
            fork: request.fork,
            source: request.source,
            accepted_at: reservation.at,
            deadline: reservation.deadline,
            reserved: reservation.cost,
            state: State::Accepted,
            since: reservation.at,
            attempt: 0,
            candidate: 0,
            token: None,
            maker: None,
            place: None,
            launched_at: None,
            asked_at: None,
            repeated: false,
            unasked: false,
            tries: vec![],
            sealed: false,
            online_at: None,
            busy_at: None,
            ended_at: None,
            reason: None,
        }
    }

    /// Lets an order whose proof was found have a machine. It counts from now on, so it was admitted again.
    pub fn prove(&mut self, fork: bool, reservation: Reservation) {
        if self.state == State::Accepted {
            self.fork = fork;
            (self.accepted_at, self.deadline, self.reserved) = (reservation.at, reservation.deadline, reservation.cost);
            self.enter(State::Proven, reservation.at);
        }
    }

    /// Whether a request means this very order.
    #[must_use]
    pub fn is_for(&self, request: &Request) -> bool {
        self.key() == request.key && self.repository.is(&request.repository) && self.run == request.run
    }

    /// Makes it say what is about to be done; tells whether that has to be written first. `host` is as in [`Token::new`].
    pub fn before(&mut self, step: &Step, host: &str, now: u64) -> bool {
        let was = self.clone();
        match step {
            Step::Register => {
                self.attempt += 1;
                self.enter(State::Registering, now);
            }
            Step::Renew => {
                self.token = None;
                self.candidate = 0;
                // Their numbers would be taken for refusals of the next attempt's.
                self.tries.clear();
                self.enter(State::Proven, now);
            }
            Step::Launch(candidate) => {
                self.repeated = self.state == State::Launching && self.candidate == *candidate && !self.unasked;
                self.unasked = false;
                self.candidate = *candidate;
                self.sealed = false;
                // An order of another time has other tokens: nobody knows how long they are remembered.
                let host = format!("{host} {}", self.accepted_at);
                self.token = Some(Token::new(&host, &self.key(), self.attempt, *candidate));
                self.launched_at.get_or_insert(now);
                self.asked_at = Some(now);
                self.enter(State::Launching, now);
            }
            Step::Enter(state) => self.reach(*state, now),
            Step::Refuse => {
                self.enter(State::Launching, now);
                self.refuse(ENDED_AT_ONCE);
            }
            Step::End(reason) => {
                if self.is_refused() || self.unasked {
                    self.token = None;
                }
                self.end(reason.clone(), now);
            }
            Step::Finish => {
                self.reserved = spent(self, now);
                self.token = None;
                self.ended_at = Some(now);
                self.enter(State::Ended, now);
            }
            Step::Wait(_)
            | Step::Prove
            | Step::Drop(_)
            | Step::Resolve
            | Step::Retire
            | Step::Pay
            | Step::EndMachine
            | Step::Seal
            | Step::Forget => {}
        }
        *self != was
    }

    /// Makes it say what came of a step; tells whether that has to be written.
    pub fn after(&mut self, outcome: Outcome, now: u64) -> bool {
        let was = self.clone();
        match (self.state, outcome) {
            (State::Registering, Outcome::Registered) => self.enter(State::Registered, now),
            (State::Registering, Outcome::NotAsked) => self.attempt = self.attempt.saturating_sub(1),
            (State::Registering, Outcome::NotRegistered(why)) => self.end(Reason::Registration(cut(&why)), now),
            (State::Registering, Outcome::NameTaken) => self.end(Reason::NameTaken, now),
            (State::Launching, Outcome::Launched) => self.enter(State::Launched, now),
            // Of a request that was repeated, the first one may still be on its way.
            (State::Launching, Outcome::NoRoom(code)) if !self.repeated => self.refuse(&code),
            (State::Launching, Outcome::NoRoomUpTo(last, code)) if !self.repeated => {
                self.candidate = self.candidate.max(last);
                self.refuse(&code);
            }
            (State::Launching, Outcome::NotLaunched) => self.unasked = !self.repeated,
            (State::Launching, Outcome::Never(why)) => {
                self.end(Reason::Configuration(cut(&why)), now);
                if !self.repeated {
                    self.token = None;
                }
            }
            (State::Ending, Outcome::StillBusy) if now < self.deadline => {
                self.reason = None;
                self.reach(State::Busy, now);
            }
            (_, Outcome::Sealed) => self.sealed = true,
            _ => {}
        }
        *self != was
    }

    /// Notes that there is no machine of the candidate.
    fn refuse(&mut self, code: &str) {
        self.tries.push(Try { candidate: self.candidate, code: cut(code) });
    }

    fn end(&mut self, reason: Reason, now: u64) {
        self.reason = Some(reason);
        self.enter(State::Ending, now);
    }

    /// Enters a state of the runner, and notes when it was there first.
    fn reach(&mut self, state: State, now: u64) {
        if matches!(state, State::Online | State::Busy) {
            self.online_at.get_or_insert(now);
        }
        if state == State::Busy {
            self.busy_at.get_or_insert(now);
        }
        self.enter(state, now);
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
