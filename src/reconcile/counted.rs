//! Asking brokers in a pass: every question is held back while GitHub's rate limit lasts, and every answer is noted.
//!
//! Also those of whoever pays debts or looks for what an attempt made, so that no request goes uncounted and none is sent
//! after the one that met the limit.

use std::cell::RefCell;
use std::time::Duration;

use super::memory::{Memory, Standing};
use crate::ask::{Ask, Broker};
use crate::pace::limited;
use crate::protocol::{Answer, Outcome, Verb};

/// A broker, and what is remembered about its credential.
pub struct Counted<'a> {
    broker: Broker<'a>,
    credential: &'a str,
    now: u64,
    memory: RefCell<&'a mut Memory>,
}

impl<'a> Counted<'a> {
    /// Asks `broker`, the standing of whose credential is known by `credential`; `now` is in seconds since 1970.
    #[must_use]
    pub fn new(broker: Broker<'a>, credential: &'a str, memory: &'a mut Memory, now: u64) -> Self {
        Self { broker, credential, now, memory: RefCell::new(memory) }
    }
}

impl Ask for Counted<'_> {
    fn ask(&self, verb: Verb, limit: Duration) -> Answer {
        let standing = self.memory.borrow().credentials.get(self.credential).and_then(|standing| standing.limited);
        if let Some(until) = limited(standing, self.now) {
            return Answer::unasked(Outcome::RateLimited(until));
        }
        let is_list = verb == Verb::List;
        let answer = self.broker.ask(verb, limit);
        note(&mut self.memory.borrow_mut(), self.credential, &answer, is_list);
        answer
    }
}

/// Remembers what an answer says about its credential.
fn note(memory: &mut Memory, credential: &str, answer: &Answer, is_list: bool) {
    memory.requests += answer.requests;
    let before = memory.credentials.remove(credential).unwrap_or_default();
    let limited = if let Outcome::RateLimited(until) = answer.outcome { Some(until) } else { None };
    let standing = Standing {
        limited,
        remaining: answer.rate_limit_remaining.or(before.remaining),
        expires: answer.credential_expires.or(before.expires),
        // Each pass asks for a list, so this counts passes.
        silent: match answer.outcome {
            Outcome::Unreachable(_) => before.silent.saturating_add(u32::from(is_list)),
            _ => 0,
        },
    };
    memory.credentials.insert(credential.to_owned(), standing);
}
