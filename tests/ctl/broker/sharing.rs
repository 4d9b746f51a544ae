//! What brokers of one credential ask GitHub once, and no broker of another.

use std::time::{Duration, Instant};

use github_runners::contract::protocol::{Issue, Outcome, Verb};
use serde_json::{Value, json};

use super::apps::{app, stand};
use super::harness::{NAME, Reply, Stand, URL, finish};
use crate::github::{Fault, Group};
use crate::times::PATIENCE;

const JIT: &str = "/generate-jitconfig";
const TOKENS: &str = "/access_tokens";
const GROUPS: &str = "/runner-groups";

fn verb() -> Verb {
    Verb::Issue(Issue::Jit { work_folder: "/work".into() })
}

/// Asks so many brokers at once, each of another runner.
fn at_once(stand: &mut Stand, count: usize, verb: &Verb) -> Vec<Reply> {
    let children: Vec<_> = (0..count)
        .map(|number| {
            stand.manifest["registration"]["name"] = json!(format!("runner-{number}"));
            (stand.start(verb, PATIENCE), Instant::now())
        })
        .collect();
    let told: Vec<_> = children.into_iter().map(|(child, started)| finish(child, started)).collect();
    for told in &told {
        stand.check(told);
    }
    told
}

/// Has a runner made under this name, and deletes it again at GitHub.
fn make(stand: &Stand) -> Reply {
    let told = stand.ask(&verb());
    assert!(matches!(told.answer.outcome, Outcome::Jit { .. }), "{}", told.journal);
    stand.github.change(|state| state.runners.clear()).unwrap();
    told
}

#[test]
fn twenty_brokers_at_once_cost_one_token_and_one_look_at_groups() {
    for (stand, asked) in [(stand(URL, app()).sharing(), 23), (stand(URL, app()), 80)] {
        let mut stand = stand;
        let shares = stand.runtime.is_some();
        let told = at_once(&mut stand, 20, &verb());
        assert!(told.iter().all(|told| matches!(told.answer.outcome, Outcome::Jit { .. })));
        let once = if shares { 1 } else { 20 };
        let counts = [("GET", "/installation"), ("POST", TOKENS), ("GET", GROUPS)]
            .map(|(method, path)| stand.count(method, path));
        assert_eq!((counts, stand.count("POST", JIT), stand.runners().len()), ([once; 3], 20, 20));
        assert_eq!(stand.seen().len(), asked);
        // What the brokers say that they cost is what they cost.
        assert_eq!(told.iter().map(|told| told.answer.requests).sum::<u64>(), asked as u64);
    }
}

#[test]
fn what_one_broker_got_is_used_by_the_next_one() {
    let stand = stand(URL, app()).sharing();
    assert_eq!(make(&stand).answer.requests, 4);
    assert_eq!(make(&stand).answer.requests, 1);
    assert_eq!(stand.ask(&Verb::List).answer.requests, 1);
    assert_eq!((stand.count("POST", TOKENS), stand.count("GET", GROUPS)), (1, 1));
}

#[test]
fn access_tokens_share_the_look_at_groups_and_are_not_kept_themselves() {
    let stand = Stand::new().sharing();
    make(&stand);
    make(&stand);
    assert_eq!((stand.count("GET", GROUPS), stand.count("POST", JIT)), (1, 2));
    assert_eq!(stand.shared("token-").len(), 0);
    let kept = std::fs::read_to_string(&stand.shared("group-")[0]).unwrap();
    assert!(!kept.contains(&stand.credential), "{kept}");
}

#[test]
fn another_credential_never_meets_what_was_kept() {
    let mut app = stand(URL, app()).sharing();
    make(&app);
    // The same key to GitHub, but not the same content of the file.
    app.credential += "\n";
    make(&app);
    assert_eq!((app.count("POST", TOKENS), app.count("GET", GROUPS)), (2, 2));
    app.manifest["githubApp"]["id"] = json!("5");
    make(&app);
    assert_eq!((app.count("POST", TOKENS), app.count("GET", GROUPS)), (3, 3));
    let mut token = Stand::new().sharing();
    make(&token);
    token.credential = token.credential.replace("fakeFAKE", "FAKEfake");
    let other = token.credential.clone();
    token.github.change(|state| state.pats.push(other)).unwrap();
    make(&token);
    assert_eq!(token.count("GET", GROUPS), 2);
}

#[test]
fn another_address_or_group_does_not_share() {
    let repository = |name: &str| json!(format!("https://github.com/octo-org/{name}"));
    let mut stand = stand(URL, app()).sharing();
    for (url, tokens) in [
        (json!(URL), 1),
        (repository("example"), 2),
        (repository("old"), 3),
        (repository("EXAMPLE"), 3),
        (json!(URL), 3),
    ] {
        stand.manifest["registration"]["url"] = url;
        make(&stand);
        assert_eq!(stand.count("POST", TOKENS), tokens, "{:?}", stand.seen());
    }
    let groups = ["Default", "other"].into_iter().zip(1..);
    let groups = groups.map(|(name, id)| Group::new(id, name)).collect();
    stand.github.change(|state| state.groups = groups).unwrap();
    for (name, id, looks) in [(Value::Null, 1, 1), (json!("other"), 2, 2), (json!("OTHER"), 2, 2)] {
        stand.manifest["registration"]["runnerGroup"] = name;
        make(&stand);
        assert_eq!(stand.github.records().last().unwrap().body["runner_group_id"], id);
        assert_eq!(stand.count("GET", GROUPS), looks);
    }
}

#[test]
fn a_group_that_was_made_anew_is_looked_up_again() {
    let stand = stand(URL, app()).sharing();
    make(&stand);
    stand.github.change(|state| state.groups[0].id = 9).unwrap();
    assert_eq!(make(&stand).answer.requests, 3);
    assert_eq!(stand.github.records().last().unwrap().body["runner_group_id"], 9);
    make(&stand);
    assert_eq!((stand.count("GET", GROUPS), stand.count("POST", JIT)), (2, 4));
}

#[test]
fn what_another_group_would_not_help_is_not_asked_for_again() {
    // A 404 may pass, with the same group.
    for (status, asked) in [(404, 5), (422, 2)] {
        let stand = stand(URL, app()).sharing();
        make(&stand);
        stand.inject(Fault { times: 9, ..Fault::next(JIT, status) });
        stand.ask(&verb()).refusal();
        assert_eq!((stand.count("GET", GROUPS), stand.count("POST", JIT)), (2, asked), "{status}");
    }
}

#[test]
fn a_runner_is_never_made_twice_whatever_became_of_token_and_group() {
    let stand = stand(URL, app()).sharing();
    make(&stand);
    // The token ends in the very moment in which the answer is lost.
    stand.github.change(|state| state.groups[0].id = 9).unwrap();
    stand.inject(Fault::next(JIT, 404));
    stand.inject(Fault { after_effect: true, ..Fault::next(JIT, 502) });
    stand.inject(Fault::next("/actions/runners", 401));
    let told = stand.ask(&verb());
    assert!(matches!(told.answer.outcome, Outcome::Uncertain(_)), "{:?}", told.answer);
    assert_eq!((stand.count("POST", JIT), stand.runners().len()), (3, 1));
    assert_eq!(stand.count("POST", TOKENS), 2);
}

#[test]
fn a_token_that_was_revoked_is_replaced_and_the_question_answered() {
    let mut stand = stand(URL, app()).sharing();
    make(&stand);
    for (number, verb) in [Verb::Issue(Issue::Token), verb(), Verb::List, Verb::Preflight].iter().enumerate() {
        stand.github.change(|state| state.installation_tokens.clear()).unwrap();
        let told = stand.ask(verb);
        assert!(!matches!(told.answer.outcome, Outcome::Refused(_)), "{}", told.journal);
        assert_eq!(stand.count("POST", TOKENS), number + 2);
    }
    assert_eq!(stand.runners().len(), 1);
    stand.know(stand.github.state().runners[0].id, NAME, URL);
    stand.github.change(|state| state.installation_tokens.clear()).unwrap();
    let id = stand.github.state().runners[0].id;
    assert_eq!(stand.ask(&Verb::Retire { id, url: URL.into() }).answer.outcome, Outcome::Retired);
    // All of them meet it at once, and one gets another.
    stand.github.change(|state| state.installation_tokens.clear()).unwrap();
    let told = at_once(&mut stand, 8, &Verb::List);
    assert!(told.iter().all(|told| matches!(told.answer.outcome, Outcome::Listed(_))));
    assert_eq!(stand.count("POST", TOKENS), 7);
}

#[test]
fn a_new_token_that_is_refused_is_not_replaced() {
    let stand = stand(URL, app()).sharing();
    stand.inject(Fault { times: 9, ..Fault::next("/actions/", 401) });
    stand.ask(&Verb::List).refusal();
    assert_eq!((stand.count("POST", TOKENS), stand.count("GET", "/actions/")), (1, 4));
    assert_eq!(stand.shared("token-").len(), 0);
}

#[test]
fn a_token_with_which_something_was_refused_is_not_kept() {
    let mut stand = stand("https://github.com/octo-org/example", app()).sharing();
    make(&stand);
    assert_eq!(stand.shared("token-").len(), 1);
    // Such as one for a repository that was deleted and made anew under its name.
    stand.inject(Fault { times: 4, ..Fault::next("/actions/", 404) });
    stand.ask(&Verb::List).refusal();
    assert_eq!(stand.shared("token-").len(), 0);
    // That a runner is gone is no refusal.
    stand.github.change(|state| state.runners.clear()).unwrap();
    stand.know(7, NAME, "https://github.com/octo-org/example");
    let verb = Verb::Retire { id: 7, url: "https://github.com/octo-org/example".into() };
    assert_eq!(stand.ask(&verb).answer.outcome, Outcome::Gone);
    assert_eq!(stand.shared("token-").len(), 1);
}

#[test]
fn registrations_of_one_credential_are_asked_for_one_after_another() {
    for verb in [verb(), Verb::Issue(Issue::Token)] {
        let path = if verb == Verb::Issue(Issue::Token) { "/registration-token" } else { JIT };
        let mut stand = Stand::new().sharing();
        stand.inject(Fault { path: path.into(), delay_ms: 400, times: 4, ..Fault::default() });
        let started = Instant::now();
        let told = at_once(&mut stand, 4, &verb);
        assert!(told.iter().all(|told| matches!(told.answer.outcome, Outcome::Jit { .. } | Outcome::Token(_))));
        assert!(started.elapsed() >= Duration::from_millis(1_600), "{:?}", started.elapsed());
    }
}
