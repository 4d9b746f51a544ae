//! Runners that something else than the configuration made: passes and operators leave them alone until its time is over.

use std::fs;

use github_runners::contract::protocol::{Outcome, Verb};
use github_runners::reconcile::{Wish, operate};
use github_runners::units::Activity;
use serde_json::json;

use super::host::{Host, URL, now};

impl Host {
    /// Has an order own the entry until that time.
    fn leased(self, until: u64) -> Self {
        let mut entry = self.entry().unwrap();
        entry["owner"] = json!({ "other": { "name": "order od-1", "until": until } });
        self.write_entry(&entry);
        self
    }
}

#[test]
fn a_pass_touches_nothing_of_a_runner_that_something_else_owns() {
    for declared in [false, true] {
        let host = if declared { Host::new().configured() } else { Host::new() }.leased(now() + 3_600);
        host.owes(&[20]);
        host.broker.answers(Outcome::Listed(vec![]));
        let before = host.entry();
        // Also not at the second sight of a runner that GitHub does not list.
        for _ in 0..2 {
            let (said, done) = host.pass();
            assert!(said.starts_with("belongs to \"order od-1\" until "), "{said}");
            assert_eq!((host.entry(), done), (before.clone(), vec![]));
        }
        assert!(host.path("state/one").exists());
        let asked = host.broker.asked();
        assert!(!asked.iter().any(|verb| matches!(verb, Verb::Retire { .. } | Verb::Observe(_))), "{asked:?}");
    }
}

#[test]
fn a_runner_whose_owner_is_gone_is_taken_back_as_one_that_is_not_configured_any_more() {
    let host = Host::new().leased(now() - 1);
    fs::remove_file(host.path("token")).unwrap();
    let (said, done) = host.pass();
    for part in ["belonged to \"order od-1\" until ", "id 21 of name \"one\" could not be taken back"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(done, ["stop github-runner-one.service"]);
    let mut entry = host.entry().unwrap();
    entry["runner"] = json!(null);
    host.write_entry(&entry);
    host.pass();
    assert!(host.entry().is_none() && !host.path("state/one").exists());
}

#[test]
fn a_declared_runner_that_is_stopped_keeps_no_registration_of_a_former_owner() {
    let host = Host::new().configured().leased(now() - 1);
    host.units.unit.borrow_mut().activity = Activity::Inactive;
    host.broker.answers_in_turn(&[Outcome::Listed(vec![]), Outcome::Retired]);
    host.pass();
    let entry = host.entry().unwrap();
    assert_eq!((&entry["owner"], &entry["runner"]), (&json!("declared"), &json!(null)));
    assert_eq!(entry["leftBehind"], json!([]));
    assert!(host.broker.asked().contains(&Verb::Retire { id: 21, url: URL.into() }));
}

#[test]
fn an_operator_is_told_who_owns_a_runner_and_nothing_is_done() {
    for declared in [false, true] {
        let host = if declared { Host::new().configured() } else { Host::new() }.leased(now() + 3_600);
        host.broker.answers(Outcome::Retired);
        let before = host.entry();
        for wish in [Wish::Restart, Wish::Drain, Wish::Retire] {
            let error = operate(wish, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
            let said = error.to_string();
            assert!(said.starts_with("Nothing was done, because runner one belongs to \"order od-1\""), "{said}");
        }
        assert_eq!((host.entry(), host.units.done.borrow().len(), host.broker.asked()), (before, 0, vec![]));
    }
}

#[test]
fn an_entry_of_version_2_is_one_of_a_declared_runner() {
    let host = Host::new();
    let mut entry = host.entry().unwrap();
    entry["version"] = json!(2);
    entry.as_object_mut().unwrap().remove("owner");
    host.write_entry(&entry);
    fs::remove_file(host.path("token")).unwrap();
    let (said, _) = host.pass();
    assert!(said.starts_with("is not configured any more, and id 21"), "{said} {URL}");
    assert_eq!(host.entry(), Some(entry), "what nobody changes stays as it was written");
}

#[test]
fn an_entry_of_a_newer_release_is_told_and_left_as_it_is() {
    let host = Host::new();
    let entry = json!({ "version": 4, "owner": "somebody", "instance": "one" });
    host.write_entry(&entry);
    let (_, done) = host.pass();
    assert_eq!((host.entry(), done), (Some(entry), vec![]));
    assert!(host.path("state/one").exists());
}
