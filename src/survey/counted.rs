//! Asking brokers in a pass: every question is held back while GitHub's rate limit lasts, and every answer is noted.
//!
//! What is held back and what it depends on is decided in `held`; here is what a pass remembers about credentials.

use std::cell::RefCell;

use super::memory::{Memory, Standing};
use crate::contract::manifest::CredentialPlace;
use crate::contract::protocol::{Answer, Outcome};
use crate::model::RegistrationUrl;
use crate::registration::ask::Broker;
use crate::registration::pace::limited;
use crate::registration::paced::{PacedBroker, Standings};

/// What a pass knows about credentials, at its time in seconds since 1970.
pub struct MemoryStandings<'a> {
    now: u64,
    memory: RefCell<&'a mut Memory>,
}

/// The broker that `broker` is for a pass at `now`; its credential is at `place`, and its runner registers at `url`.
#[must_use]
pub fn counted<'a>(
    broker: Broker<'a>,
    place: &'a CredentialPlace,
    url: &'a RegistrationUrl,
    memory: &'a mut Memory,
    now: u64,
) -> PacedBroker<'a, MemoryStandings<'a>> {
    PacedBroker::new(broker, place, url, MemoryStandings { now, memory: RefCell::new(memory) })
}

impl Standings for MemoryStandings<'_> {
    fn limited(&self, credential: &str) -> Option<u64> {
        let standing = self.memory.borrow().credentials.get(credential).and_then(|standing| standing.limited);
        limited(standing, self.now)
    }

    fn note(&self, credential: &str, is_list: bool, answer: &Answer) {
        note(&mut self.memory.borrow_mut(), credential, answer, is_list);
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
