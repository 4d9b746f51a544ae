//! ID tokens: questions that wait until the keys are there by which their tokens are judged.

use std::sync::Arc;

use super::event::{Event, Silence};
use super::looks;
use super::state::Desk;
use super::waiting::Caller;
use crate::contract::workflow::SigningKey;
use crate::frontend::ondemand::order::Proof;
use crate::frontend::ondemand::proof::keys::Step;
use crate::frontend::ondemand::proof::oidc::{Expected, judge, key_id};
use crate::frontend::ondemand::proof::{Verdict, Wanted};
use crate::frontend::ondemand::refusal::Refusal;
use crate::frontend::ondemand::wire::Question;

/// After so many seconds this host may have room for another thread.
const BUSY: u64 = 5;

/// What can be said of a token now.
pub enum Judged {
    /// This.
    Said(Verdict),
    /// Nothing before the keys are there.
    NotYet,
}

impl Desk {
    /// Judges a token, or has the keys fetched.
    pub(super) fn judge_token(&mut self, wanted: &Wanted, token: &str, now: u64) -> Judged {
        let refused = |refusal| Judged::Said(Verdict::Refused(refusal));
        let kid = match key_id(token) {
            Ok(kid) => kid,
            Err(refusal) => return refused(refusal),
        };
        if self.keys.is_asked {
            return Judged::NotYet;
        }
        match self.keys.cache.step(&kid, now) {
            Step::Judge => {
                let issuer = self.hands.issuer();
                let expected = Expected { issuer: &issuer, audience: &self.hands.settings.address };
                let verdict = judge(wanted, token, self.keys.cache.keys(now), &expected, self.clock.host());
                self.counters.judged(Proof::Oidc, &verdict);
                self.is_counted = false;
                Judged::Said(verdict)
            }
            Step::Wait(seconds) => refused(Refusal::Github("the keys of ID tokens cannot be had".into(), seconds)),
            Step::Fetch => {
                self.keys.cache.asks(now);
                let (hands, events) = (Arc::clone(&self.hands), self.events.clone());
                let work = move || drop(events.send(Event::Found(looks::keys(&hands))));
                self.keys.is_asked = self.look_out(work);
                if self.keys.is_asked { Judged::NotYet } else { refused(Refusal::Busy(BUSY)) }
            }
        }
    }

    /// Keeps a question until the keys are there.
    pub(super) fn await_keys(&mut self, question: Question, caller: Caller) {
        self.keys.waiting.push((question, caller));
    }

    pub(super) fn got_keys(&mut self, keys: Result<Vec<SigningKey>, Silence>, now: u64) {
        self.keys.is_asked = false;
        match keys {
            Ok(keys) => self.keys.cache.got(keys, now),
            Err(silence) => tracing::warn!("The keys of ID tokens cannot be had: {}", silence.why),
        }
        for (question, caller) in std::mem::take(&mut self.keys.waiting) {
            if caller.is_here() {
                self.asked(question, caller, now);
            }
        }
    }
}
