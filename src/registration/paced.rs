//! Asking a broker, unless GitHub wants no requests for now: the one way to a broker for whoever asks more than once.
//!
//! Starts, ends and passes ask through it, also those that pay debts or look for what an attempt made, so that no request is
//! sent after the one that met the limit. Where limits are remembered is theirs: in a ledger entry or in a pass's memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::contract::manifest::CredentialPlace;
use crate::contract::protocol::{Answer, Outcome, Verb, Whom};
use crate::model::RegistrationUrl;
use crate::registration::ask::{Ask, Broker};
use crate::registration::pace::limited;
use crate::state::start::now;

/// What is known about the limits of credentials, each by [`CredentialPlace::key`].
pub trait Standings {
    /// The end of the limit that holds now, in seconds since 1970.
    fn limited(&self, credential: &str) -> Option<u64>;
    /// Takes note of an answer.
    fn note(&self, credential: &str, is_list: bool, answer: &Answer);
}

/// A broker, and what is known about its credential.
pub struct PacedBroker<'a, S> {
    broker: Broker<'a>,
    place: &'a CredentialPlace,
    url: &'a RegistrationUrl,
    standings: S,
}

impl<'a, S> PacedBroker<'a, S> {
    /// Asks `broker`, whose credential is at `place` and whose runner registers at `url`.
    #[must_use]
    pub fn new(broker: Broker<'a>, place: &'a CredentialPlace, url: &'a RegistrationUrl, standings: S) -> Self {
        Self { broker, place, url, standings }
    }

    /// What the standing is known by that a question depends on: a debt may be in another account.
    fn credential(&self, verb: &Verb) -> String {
        let elsewhere = match verb {
            Verb::Retire { url, .. } | Verb::Observe(Whom::Id { url, .. }) => RegistrationUrl::parse(url).ok(),
            _ => None,
        };
        self.place.key(elsewhere.as_ref().unwrap_or(self.url)).unwrap_or_default()
    }
}

impl<S: Standings> Ask for PacedBroker<'_, S> {
    fn ask(&self, verb: Verb, limit: Duration) -> Answer {
        let credential = self.credential(&verb);
        if let Some(until) = self.standings.limited(&credential) {
            return Answer::unasked(Outcome::RateLimited(until));
        }
        let is_list = verb == Verb::List;
        let answer = self.broker.ask(verb, limit);
        self.standings.note(&credential, is_list, &answer);
        answer
    }
}

/// The standings of one start or end, which begin with the limit in its ledger entry.
#[derive(Debug)]
pub struct Limits {
    home: String,
    ends: RefCell<BTreeMap<String, u64>>,
    expires: Cell<Option<u64>>,
}

impl Limits {
    /// `not_before` is the limit that was met before with the credential at `place`, for runners of `url`.
    #[must_use]
    pub fn new(place: &CredentialPlace, url: &RegistrationUrl, not_before: Option<u64>) -> Self {
        let home = place.key(url).unwrap_or_default();
        let before = now().ok().and_then(|now| limited(not_before, now));
        let ends = before.map(|end| (home.clone(), end)).into_iter().collect();
        Self { home, ends: RefCell::new(ends), expires: Cell::new(None) }
    }
}

impl Standings for Limits {
    fn limited(&self, credential: &str) -> Option<u64> {
        // A limit of this very start or end counts however long it is.
        let now = now().ok()?;
        self.ends.borrow().get(credential).copied().filter(|end| *end > now)
    }

    fn note(&self, credential: &str, _: bool, answer: &Answer) {
        if answer.credential_expires.is_some() {
            self.expires.set(answer.credential_expires);
        }
        if let Outcome::RateLimited(until) = answer.outcome {
            self.ends.borrow_mut().insert(credential.to_owned(), until);
        }
    }
}

/// The broker of a start or an end.
pub type Careful<'a> = PacedBroker<'a, Limits>;

impl Careful<'_> {
    /// Until when GitHub wants no requests about runners of the configured address, if it said so.
    #[must_use]
    pub fn limited(&self) -> Option<u64> {
        self.standings.limited(&self.standings.home)
    }

    /// When the credential ends, if GitHub said so.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        self.standings.expires.get()
    }
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
            environment: BTreeMap::new(),
        };
        let url = RegistrationUrl::parse("https://github.com/here").unwrap();
        let instance = "one".to_owned().try_into().unwrap();
        let broker = Broker::once(Path::new("/nonexistent"), &instance);
        let end = now().unwrap() + 600;
        let limits = Limits::new(&place, &RegistrationUrl::parse("https://github.com/there").unwrap(), Some(end));
        let held = PacedBroker::new(broker, &place, &url, limits);
        let there = Verb::Retire { id: 1, url: "https://github.com/there/example".into() };
        assert_eq!(held.ask(there, Duration::from_secs(1)).outcome, Outcome::RateLimited(end));
        let here = Verb::Retire { id: 1, url: "https://github.com/here".into() };
        for verb in [here, Verb::List, Verb::Preflight] {
            let outcome = held.ask(verb, Duration::from_secs(1)).outcome;
            assert!(matches!(outcome, Outcome::Unreachable(_)), "its broker is asked: {outcome:?}");
        }
    }
}
