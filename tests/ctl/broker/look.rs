//! Questions that change nothing.

use github_runners::contract::protocol::{Outcome, RemoteRunner, Verb, Whom};
use serde_json::{Value, json};

use super::harness::{ENTITY, NAME, PAT, Stand, URL, idle};
use crate::github::{Fault, Pat};

const OLD: &str = "https://github.com/octo-org/old";

fn by_id(id: u64, url: &str) -> Verb {
    Verb::Observe(Whom::Id { id, url: url.into() })
}

#[test]
fn a_runner_is_found_by_name_and_by_id() {
    let mut stand = Stand::new();
    assert_eq!(stand.ask(&Verb::Observe(Whom::Name)).answer.outcome, Outcome::Seen(None));
    stand.add_runner(7, "RUNNER1", ENTITY);
    stand.github.change(|state| state.runners[0].status = "online".into()).unwrap();
    let seen = RemoteRunner { online: true, ..idle(7, "RUNNER1") };
    assert_eq!(stand.ask(&Verb::Observe(Whom::Name)).answer.outcome, Outcome::Seen(Some(seen.clone())));
    assert_eq!(stand.ask(&by_id(7, URL)).answer.outcome, Outcome::Seen(Some(seen)));
    assert_eq!(stand.ask(&by_id(8, URL)).answer.outcome, Outcome::Seen(None));
    stand.add_runner(9, NAME, "repos/octo-org/old");
    stand.know(9, NAME, OLD);
    assert_eq!(stand.ask(&by_id(9, OLD)).answer.outcome, Outcome::Seen(Some(idle(9, NAME))));
    assert_eq!(stand.ask(&by_id(9, URL)).answer.outcome, Outcome::Seen(None));
}

#[test]
fn nobody_is_looked_for_at_an_address_that_is_neither_configured_nor_in_the_ledger() {
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, "repos/octo-org/old");
    let refusal = |stand: &Stand, verb| stand.ask(&verb).refusal();
    assert!(
        refusal(&stand, by_id(7, OLD))
            .contains("ledger knows no runner of id 7 at \"https://github.com/octo-org/old\"")
    );
    stand.know(8, NAME, OLD);
    assert!(refusal(&stand, by_id(7, OLD)).contains("no runner of id 7"));
    stand.know(7, NAME, OLD);
    assert!(refusal(&stand, by_id(7, "https://github.com/octo-org/OLD")).contains("no runner of id 7"));
    stand.know(7, NAME, "https://ghes.example/octo-org");
    assert!(refusal(&stand, by_id(7, "https://ghes.example/octo-org")).contains("credential is for github.com"));
    assert!(stand.github.proxied_hosts().is_empty());
}

#[test]
fn what_an_attempt_asked_for_is_looked_for_where_it_was() {
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, ENTITY);
    stand.add_runner(8, "former", "repos/octo-org/old");
    stand.attempt(&json!("Former"), OLD, &json!("nobody"));
    let seen = stand.ask(&Verb::Observe(Whom::Attempt)).answer.outcome;
    assert_eq!(seen, Outcome::Seen(Some(idle(8, "former"))));
    stand.attempt(&Value::Null, OLD, &json!("nobody"));
    assert_eq!(stand.ask(&Verb::Observe(Whom::Attempt)).answer.outcome, Outcome::Seen(None));
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let host = host.split('.').next().unwrap();
    assert_eq!(stand.count("GET", &format!("/repos/octo-org/old/actions/runners?name={host}&")), 1);
}

#[test]
fn an_attempt_that_is_none_is_not_looked_for() {
    let mut stand = Stand::new();
    let refusal = |stand: &Stand| stand.ask(&Verb::Observe(Whom::Attempt)).refusal();
    assert!(refusal(&stand).contains("knows of no attempt"));
    stand.attempt(&json!(NAME), URL, &json!("nobody"));
    stand.ledger["attempt"] = Value::Null;
    assert!(refusal(&stand).contains("knows of no attempt"));
    stand.attempt(&json!(NAME), "http://github.com/octo-org", &json!("nobody"));
    assert!(refusal(&stand).contains("attempt in the ledger asked for cannot be read"));
    stand.attempt(&json!(NAME), "https://ghes.example/octo-org", &json!("nobody"));
    assert!(refusal(&stand).contains("credential is for github.com"));
    stand.ledger = json!({ "version": 99 });
    assert!(refusal(&stand).contains("ledger entry of the runner cannot be read"));
    assert!(stand.github.proxied_hosts().is_empty());
}

#[test]
fn of_a_name_without_end_only_the_beginning_is_passed_on() {
    let stand = Stand::new();
    stand.add_runner(7, &"x".repeat(100_000), ENTITY);
    assert_eq!(stand.ask(&by_id(7, URL)).answer.outcome, Outcome::Seen(Some(idle(7, &"x".repeat(256)))));
}

#[test]
fn a_host_of_its_own_is_asked_at_its_own_address() {
    let stand = Stand::at("https://ghes.example/octo-org");
    stand.ask(&Verb::Observe(Whom::Name));
    let path = "GET /api/v3/orgs/octo-org/actions/runners?name=runner1&per_page=100&page=1 200";
    assert_eq!(stand.seen(), [path]);
    assert_eq!(stand.github.proxied_hosts(), ["ghes.example:443"]);
}

#[test]
fn a_good_credential_is_good_and_its_expiry_known() {
    let stand = Stand::new();
    let expires = 4_000_000_000;
    let pat = Pat { expires: Some(expires), ..Pat::new(PAT) };
    stand.github.change(|state| (state.pats.clear(), state.limited_pats.push(pat))).unwrap();
    let told = stand.ask(&Verb::Preflight);
    assert_eq!(told.answer.outcome, Outcome::Ready { newest_runner: Some("2.336.0".into()), releases: vec![] });
    assert_eq!(told.answer.credential_expires, Some(expires));
    assert_eq!(told.journal, "Checking the credential: it is good; the newest runner has version \"2.336.0\"\n");
    assert_eq!(stand.count("GET", "/actions/runners?per_page=1"), 1);
}

#[test]
fn the_releases_of_the_runner_are_told_where_the_server_has_them() {
    for (url, number) in [(URL, 2), ("https://ghes.example/octo-org", 0)] {
        let stand = Stand::at(url);
        let releases = [
            ("2.336.0", "2026-08-17T00:00:00Z"),
            ("2.335.1", "2026-07-01T12:00:00Z"),
            ("beta", "2026-07-01T12:00:00Z"),
        ];
        let releases = releases.map(|(version, at)| (version.to_owned(), at.to_owned())).into();
        stand.github.change(|state| state.releases = releases).unwrap();
        let Outcome::Ready { releases, newest_runner } = stand.ask(&Verb::Preflight).answer.outcome else { panic!() };
        assert_eq!(newest_runner.as_deref(), Some("2.336.0"));
        assert_eq!(releases.len(), number, "{releases:?}");
        if let Some(first) = releases.first() {
            assert_eq!((first.version.as_str(), first.at), ("2.335.1", 1_782_907_200));
        }
    }
    // Without them the credential is good all the same.
    let stand = Stand::new();
    stand.inject(Fault { times: 9, ..Fault::next("/repos/actions/runner/releases", 403) });
    assert!(matches!(stand.ask(&Verb::Preflight).answer.outcome, Outcome::Ready { .. }));
}

#[test]
fn how_far_the_clocks_are_apart_is_told() {
    for skew in [-1_200_i64, 0, 1_200] {
        let stand = Stand::new();
        stand.github.change(|state| state.clock_skew = skew).unwrap();
        let ahead = stand.ask(&Verb::Preflight).answer.clock_ahead.unwrap();
        assert!(ahead.abs_diff(skew) < 20, "{ahead}");
    }
}

#[test]
fn nothing_of_this_changes_anything() {
    let mut stand = Stand::new();
    stand.know(7, NAME, URL);
    for verb in [Verb::Preflight, Verb::Observe(Whom::Name), by_id(7, URL)] {
        stand.ask(&verb);
    }
    assert!(stand.github.records().iter().all(|record| record.method == "GET"));
}
