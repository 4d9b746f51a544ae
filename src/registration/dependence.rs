//! What a broker takes from a ledger entry to answer a question. Pure.
//!
//! systemd gives a broker a copy of the entry when it starts. Whoever asks it again after the entry was written finds out
//! here whether the old copy still does: if not, it takes another broker.

use serde_json::Value;

use crate::contract::protocol::{Issue, Verb, Whom};
use crate::ledger::{Entry, NameHolder};

/// The part of an entry that an answer depends on. Two entries with the same part get the same answer.
#[derive(Debug, Eq, PartialEq)]
pub enum Dependence<'a> {
    /// None of it.
    Nothing,
    /// The names of all runners that it has of one id and address, in order.
    Names(Vec<&'a str>),
    /// Name and address that its attempt asked for, if there is one.
    Attempt(Option<[Option<&'a Value>; 2]>),
    /// The runner that had the name before its attempt, and the address of that, if there was one.
    Before(Option<(u64, Option<&'a Value>)>),
}

/// What the answer to `verb` depends on; `entry` is `None` if there is no entry.
#[must_use]
pub fn dependence<'a>(verb: &Verb, entry: Option<&'a Entry>) -> Dependence<'a> {
    let attempt = entry.and_then(|entry| Some((entry, entry.attempt.as_ref()?)));
    match verb {
        Verb::List
        | Verb::Preflight
        | Verb::Audience
        | Verb::Observe(Whom::Name)
        | Verb::Issue(Issue::Token)
        | Verb::Run { .. }
        | Verb::Jobs { .. }
        | Verb::Artifact { .. }
        | Verb::Keys => Dependence::Nothing,
        Verb::Retire { id, url } | Verb::Observe(Whom::Id { id, url }) => {
            let runners = entry
                .into_iter()
                .flat_map(|entry| entry.runner.iter().chain(entry.debts.iter().map(|left| &left.runner)));
            let mut names: Vec<&str> =
                runners.filter(|runner| runner.id == *id && runner.url == *url).map(|runner| &*runner.name).collect();
            names.sort_unstable();
            Dependence::Names(names)
        }
        Verb::Observe(Whom::Attempt) => {
            Dependence::Attempt(attempt.map(|(entry, _)| ["name", "url"].map(|field| entry.registration.get(field))))
        }
        Verb::Issue(Issue::Jit { .. }) => {
            Dependence::Before(attempt.and_then(|(entry, attempt)| match attempt.before {
                NameHolder::Runner(id) => Some((id, entry.registration.get("url"))),
                NameHolder::Nobody | NameHolder::Unknown => None,
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Attempt, Debt, Runner};

    const URL: &str = "https://github.com/o/r";

    fn verbs() -> [(&'static str, Verb); 8] {
        let id = |url: &str| Whom::Id { id: 21, url: url.into() };
        [
            ("list", Verb::List),
            ("preflight", Verb::Preflight),
            ("name", Verb::Observe(Whom::Name)),
            ("token", Verb::Issue(Issue::Token)),
            ("retire", Verb::Retire { id: 21, url: URL.into() }),
            ("id", Verb::Observe(id(URL))),
            ("attempt", Verb::Observe(Whom::Attempt)),
            ("jit", Verb::Issue(Issue::Jit { work_folder: "/work".into() })),
        ]
    }

    fn runner(id: u64, name: &str, url: &str) -> Runner {
        Runner { id, name: name.into(), url: url.into(), recorded_at: 1 }
    }

    fn entry() -> Entry {
        let registration = serde_json::json!({ "name": "runner1", "url": URL, "extraLabels": [] });
        let Value::Object(registration) = registration else { unreachable!("an object") };
        Entry::new(&"runner1".to_owned().try_into().unwrap(), registration, None)
    }

    /// The questions that an entry of before would answer in another way than `edit` leaves it.
    fn changed(before: &Entry, edit: impl FnOnce(&mut Entry)) -> Vec<&'static str> {
        let mut after = before.clone();
        edit(&mut after);
        let differs = |verb: &Verb| dependence(verb, Some(before)) != dependence(verb, Some(&after));
        verbs().iter().filter(|(_, verb)| differs(verb)).map(|(word, _)| *word).collect()
    }

    fn attempt(before: NameHolder) -> Attempt {
        Attempt { since: 1, before, host: None }
    }

    #[test]
    fn each_question_depends_on_its_part_of_the_entry_and_on_nothing_else() {
        let debt = |runner| Debt { runner, ephemeral: true, since: 2 };
        let none = entry();
        let known = Entry { runner: Some(runner(21, "runner1", URL)), ..entry() };
        let tried = Entry { attempt: Some(attempt(NameHolder::Runner(7))), ..entry() };
        let nobody: [&str; 0] = [];
        // A start that registers: its attempt is new when it asks for the runner.
        assert_eq!(changed(&none, |entry| entry.attempt = Some(attempt(NameHolder::Nobody))), ["attempt"]);
        assert_eq!(changed(&none, |entry| entry.attempt = Some(attempt(NameHolder::Unknown))), ["attempt"]);
        assert_eq!(changed(&none, |entry| entry.attempt = Some(attempt(NameHolder::Runner(7)))), ["attempt", "jit"]);
        // An end that gives up what the broker knows already, and later strikes it.
        let owes = |entry: &mut Entry| entry.debts = vec![debt(entry.runner.take().unwrap())];
        assert_eq!(changed(&known, owes), nobody);
        assert_eq!(changed(&known, |entry| entry.runner = None), ["retire", "id"]);
        assert_eq!(changed(&none, |entry| entry.debts = vec![debt(runner(21, "runner1", URL))]), ["retire", "id"]);
        for other in [runner(22, "runner1", URL), runner(21, "runner1", "https://github.com/o/other")] {
            assert_eq!(changed(&none, |entry| entry.debts = vec![debt(other)]), nobody);
        }
        assert_eq!(changed(&known, |entry| entry.runner = Some(runner(21, "other", URL))), ["retire", "id"]);
        assert_eq!(changed(&tried, |entry| entry.attempt = None), ["attempt", "jit"]);
        let renamed =
            |field: &'static str| move |entry: &mut Entry| _ = entry.registration.insert(field.into(), "x".into());
        assert_eq!(changed(&tried, renamed("name")), ["attempt"]);
        assert_eq!(changed(&tried, renamed("url")), ["attempt", "jit"]);
        assert_eq!(changed(&tried, renamed("extraLabels")), nobody);
        let counts = |entry: &mut Entry| (entry.registrations.total, entry.started) = (9, Some("x".into()));
        assert_eq!(changed(&tried, counts), nobody);
    }

    #[test]
    fn no_entry_is_like_one_that_knows_nothing() {
        let entry = entry();
        assert!(verbs().iter().all(|(_, verb)| dependence(verb, None) == dependence(verb, Some(&entry))));
    }
}
