//! Asking brokers in a pass: every question is held back while GitHub's rate limit lasts, and every answer is noted.
//!
//! Also those of whoever pays debts or looks for what an attempt made, so that no request goes uncounted and none is sent
//! after the one that met the limit.

use std::cell::RefCell;
use std::time::Duration;

use super::memory::{Memory, Standing};
use crate::ask::{Ask, Broker};
use crate::manifest::CredentialPlace;
use crate::model::RegistrationUrl;
use crate::pace::limited;
use crate::protocol::{Answer, Outcome, Verb, Whom};

/// A broker, and what is remembered about its credential.
pub struct Counted<'a> {
    broker: Broker<'a>,
    place: &'a CredentialPlace,
    url: &'a RegistrationUrl,
    now: u64,
    memory: RefCell<&'a mut Memory>,
}

impl<'a> Counted<'a> {
    /// Asks `broker`, whose credential is at `place` and whose runner registers at `url`; `now` is in seconds since 1970.
    #[must_use]
    pub fn new(
        broker: Broker<'a>,
        place: &'a CredentialPlace,
        url: &'a RegistrationUrl,
        memory: &'a mut Memory,
        now: u64,
    ) -> Self {
        Self { broker, place, url, now, memory: RefCell::new(memory) }
    }
}

impl Counted<'_> {
    /// What the standing is known by that this question depends on: a debt may be in another account.
    fn credential(&self, verb: &Verb) -> String {
        let elsewhere = match verb {
            Verb::Retire { url, .. } | Verb::Observe(Whom::Id { url, .. }) => RegistrationUrl::parse(url).ok(),
            _ => None,
        };
        self.place.key(elsewhere.as_ref().unwrap_or(self.url)).unwrap_or_default()
    }
}

impl Ask for Counted<'_> {
    fn ask(&self, verb: Verb, limit: Duration) -> Answer {
        let credential = self.credential(&verb);
        let standing = self.memory.borrow().credentials.get(&credential).and_then(|standing| standing.limited);
        if let Some(until) = limited(standing, self.now) {
            return Answer::unasked(Outcome::RateLimited(until));
        }
        let is_list = verb == Verb::List;
        let answer = self.broker.ask(verb, limit);
        note(&mut self.memory.borrow_mut(), &credential, &answer, is_list);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::{GithubApp, TokenType};

    #[test]
    fn a_question_about_another_account_depends_on_the_standing_there() {
        let app: GithubApp = serde_json::from_value(serde_json::json!({
            "id": "Iv1.0000", "login": null, "privateKeyFile": "/run/secrets/k", "installationId": null
        }))
        .unwrap();
        let place = CredentialPlace {
            token_file: None,
            token_type: TokenType::Auto,
            github_app: Some(app),
            environment: std::collections::BTreeMap::new(),
        };
        let url = RegistrationUrl::parse("https://github.com/here").unwrap();
        let instance = "one".to_owned().try_into().unwrap();
        let broker = Broker { socket: Path::new("/nonexistent"), instance: &instance };
        let mut memory = Memory::default();
        let standing = Standing { limited: Some(160), ..Standing::default() };
        memory.credentials.insert("/run/secrets/k there".into(), standing);
        let counted = Counted::new(broker, &place, &url, &mut memory, 100);
        let there = Verb::Retire { id: 1, url: "https://github.com/there/example".into() };
        assert_eq!(counted.ask(there, Duration::from_secs(1)).outcome, Outcome::RateLimited(160));
        let here = Verb::Retire { id: 1, url: "https://github.com/here".into() };
        for verb in [here, Verb::List, Verb::Preflight] {
            let outcome = counted.ask(verb, Duration::from_secs(1)).outcome;
            assert!(matches!(outcome, Outcome::Unreachable(_)), "its broker is asked: {outcome:?}");
        }
    }
}
