//! Deleting runners: those that are ours, and no others.

use github_runners::contract::protocol::{Outcome, Verb};
use serde_json::json;

use super::harness::{ENTITY, NAME, PAT, Reply, Stand, URL};
use crate::github::Pat;

const OLD: &str = "https://github.com/octo-org/old";

fn retire(stand: &Stand, id: u64, url: &str) -> Reply {
    stand.ask(&Verb::Retire { id, url: url.into() })
}

#[test]
fn our_idle_runner_is_deleted_once() {
    let mut stand = Stand::new();
    stand.add_runner(7, "Runner1", ENTITY);
    stand.add_runner(8, "other", ENTITY);
    stand.know(7, NAME, URL);
    assert_eq!(retire(&stand, 7, URL).answer.outcome, Outcome::Retired);
    assert_eq!(stand.count("DELETE", "/actions/runners/7"), 1);
    assert_eq!(stand.runners(), ["other"]);
    assert_eq!(retire(&stand, 7, URL).answer.outcome, Outcome::Gone);
    assert_eq!(stand.count("DELETE", ""), 1);
}

#[test]
fn a_busy_runner_stays() {
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, ENTITY);
    stand.github.change(|state| state.runners[0].busy = true).unwrap();
    stand.know(7, NAME, URL);
    assert_eq!(retire(&stand, 7, URL).answer.outcome, Outcome::Busy);
    assert_eq!(stand.runners(), [NAME]);
}

#[test]
fn what_is_not_provably_ours_stays() {
    let mut stand = Stand::new();
    stand.add_runner(7, "somebody", ENTITY);
    let unknown = retire(&stand, 7, URL);
    assert!(matches!(unknown.answer.outcome, Outcome::NotOurs(_)));
    assert!(unknown.refusal().contains("https://github.com/organizations/octo-org/settings/actions/runners"));
    assert!(stand.seen().is_empty());
    stand.know(7, NAME, URL);
    let named = retire(&stand, 7, URL);
    assert!(matches!(named.answer.outcome, Outcome::NotOurs(_)));
    assert!(named.refusal().contains("shows runner \"somebody\" (id 7) where the ledger has \"runner1\" (id 7)"));
    assert_eq!((stand.count("DELETE", ""), stand.runners().len()), (0, 1));
}

#[test]
fn a_runner_of_another_scope_is_deleted_where_it_was_registered() {
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, "repos/octo-org/old");
    stand.know(8, NAME, URL);
    stand.ledger["leftBehind"] = json!([{
        "runner": { "id": 7, "name": NAME, "url": OLD, "recordedAt": 1 },
        "ephemeral": false,
        "since": 1,
    }]);
    assert_eq!(retire(&stand, 7, OLD).answer.outcome, Outcome::Retired);
    assert_eq!(
        stand.seen(),
        ["GET /repos/octo-org/old/actions/runners/7 200", "DELETE /repos/octo-org/old/actions/runners/7 204"]
    );
}

#[test]
fn the_credential_goes_to_no_other_host() {
    let mut stand = Stand::new();
    stand.know(7, NAME, "https://ghes.example/octo-org");
    let text = retire(&stand, 7, "https://ghes.example/octo-org").refusal();
    assert!(text.contains("https://ghes.example/organizations/octo-org/settings/actions/runners"), "{text}");
    assert!(stand.github.proxied_hosts().is_empty());
}

#[test]
fn one_id_at_two_addresses_is_two_runners() {
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, ENTITY);
    stand.know(7, NAME, URL);
    stand.ledger["leftBehind"] = json!([{
        "runner": { "id": 7, "name": NAME, "url": OLD, "recordedAt": 1 },
        "ephemeral": false,
        "since": 1,
    }]);
    assert_eq!(retire(&stand, 7, OLD).answer.outcome, Outcome::Gone);
    assert_eq!(stand.runners(), [NAME]);
    assert_eq!(retire(&stand, 7, URL).answer.outcome, Outcome::Retired);
    assert!(stand.runners().is_empty());
}

#[test]
fn an_address_that_the_ledger_does_not_have_for_the_id_is_not_ours() {
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, ENTITY);
    stand.know(7, NAME, URL);
    for url in [OLD, "https://github.com/octo-org/", "https://github.com/Octo-Org", "https://ghes.example/octo-org", ""]
    {
        let told = retire(&stand, 7, url);
        assert!(matches!(told.answer.outcome, Outcome::NotOurs(_)), "{}", told.journal);
        assert!(told.refusal().contains("ledger knows no runner of id 7 at"));
    }
    assert!(stand.github.proxied_hosts().is_empty());
}

#[test]
fn a_runner_that_the_credential_cannot_see_is_not_gone() {
    let mut stand = Stand::new();
    stand.know(7, NAME, URL);
    let blind = Pat { entities: Some(vec!["orgs/other".into()]), ..Pat::new(PAT) };
    stand.github.change(|state| (state.pats.clear(), state.limited_pats.push(blind))).unwrap();
    assert!(retire(&stand, 7, URL).refusal().contains("may not see the runners of organisation \"octo-org\""));
}

#[test]
fn a_broken_ledger_entry_is_not_an_absent_one() {
    let mut stand = Stand::new();
    stand.ledger = json!({ "version": 99 });
    assert!(retire(&stand, 7, URL).refusal().contains("ledger entry of the runner cannot be read"));
}
