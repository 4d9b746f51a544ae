//! Passes that meet with a GARM that fails, refuses or is away, and passes that die.

use std::fs;

use serde_json::json;

use super::harness::{ALL, Fleet, SECRETS};
use crate::garm::Then;
use crate::times::FOREVER;
use crate::wait::wait_for;

/// Where things are made, in the order of a pass.
const MADE: [&str; 7] =
    ["/github/endpoints", "/github/credentials", "/repositories", "/webhook", "/organizations", "/pools", "/scalesets"];

#[test]
fn a_garm_that_is_away_is_told_in_one_line_and_repeated() {
    let fleet = Fleet::built();
    for then in [Then::LoseRequest, Then::Say(503, ""), Then::CutAnswer, Then::Say(200, "<html>")] {
        fleet.garm.rule("POST", "/auth/login", 1, then.clone());
        let said = fleet.apply(75);
        assert!(said.lines().count() == 1 && said.contains("the next pass tries again"), "{then:?}: {said}");
    }
    for then in [Then::LoseRequest, Then::CutAnswer, Then::Say(500, "{}")] {
        fleet.garm.rule("GET", "/pools", 1, then.clone());
        let said = fleet.apply(75);
        assert_eq!(said.lines().count(), 1, "{then:?}: {said}");
    }
    let nowhere = {
        let mut fleet = Fleet::new();
        fleet.declare("/api", json!("http://127.0.0.1:1"));
        fleet
    };
    let said = nowhere.apply(75);
    assert!(said.contains("http://127.0.0.1:1") && said.contains("is it running"), "{said}");
    assert!(fleet.garm.writes().is_empty());
}

#[test]
fn an_answer_that_is_lost_makes_nothing_twice() {
    for path in MADE {
        for then in [Then::LoseAnswer, Then::CutAnswer, Then::LoseRequest] {
            let fleet = Fleet::new();
            fleet.garm.rule("POST", path, 1, then.clone());
            fleet.apply(75);
            fleet.apply(0);
            assert_eq!(fleet.counts(), ALL, "{path} {then:?}");
            fleet.garm.requests();
            fleet.apply(0);
            assert!(fleet.garm.writes().is_empty(), "{path} {then:?}");
        }
    }
}

#[test]
fn a_pass_that_is_killed_at_a_step_is_healed_by_the_next_one() {
    for path in MADE {
        let fleet = Fleet::new();
        fleet.garm.rule("POST", path, 1, Then::Late(FOREVER));
        let mut pass = fleet.spawn(&["apply"]);
        wait_for("the step", || {
            fleet
                .garm
                .requests()
                .iter()
                .any(|request| request.starts_with("POST") && request.ends_with(path))
                .then_some(())
        });
        pass.kill().unwrap();
        pass.wait().unwrap();
        fleet.apply(0);
        assert_eq!(fleet.counts(), ALL, "{path}");
        fleet.garm.requests();
        fleet.apply(0);
        assert!(fleet.garm.writes().is_empty(), "{path}");
    }
}

#[test]
fn a_lost_answer_to_an_update_is_no_lost_secret() {
    let fleet = Fleet::built();
    fs::write(fleet.path("webhook"), "fake-webhook-secret-two\n").unwrap();
    let id = fleet.garm.state().list("organizations")[0]["id"].as_str().unwrap().to_owned();
    fleet.garm.rule("PUT", &id, 1, Then::LoseRequest);
    fleet.apply(75);
    fleet.apply(0);
    assert_eq!(fleet.garm.state().secrets[&id], "fake-webhook-secret-two");
}

#[test]
fn a_lost_memory_finds_the_pools_again_and_makes_none() {
    let fleet = Fleet::built();
    fs::remove_file(fleet.path("state/state.json")).unwrap();
    let said = fleet.apply(0);
    assert!(said.contains("Took over pool small") && said.contains("Took over pool large"), "{said}");
    assert_eq!(fleet.counts(), ALL);
    // A memory that cannot be read is no empty one.
    fs::write(fleet.path("state/state.json"), "{").unwrap();
    let said = fleet.apply(1);
    assert!(said.contains("move it away"), "{said}");
}

#[test]
fn what_cannot_be_told_apart_is_told_and_an_operator_says_which_it_is() {
    let mut fleet = Fleet::built();
    fs::remove_file(fleet.path("state/state.json")).unwrap();
    fleet.declare("/pools/small/image", json!("new"));
    fleet.declare("/pools/large/image", json!("new"));
    let said = fleet.apply(1);
    assert_eq!(said.matches("it can be any of").count(), 2, "{said}");
    assert_eq!(fleet.counts(), ALL);
    let id = fleet.garm.state().list("pools").iter().find(|pool| pool["flavor"] == "garm").unwrap()["id"].clone();
    fleet.run(&["adopt", "small", id.as_str().unwrap()], 0);
    fleet.apply(0);
    let state = fleet.garm.state();
    assert!(state.list("pools").iter().all(|pool| pool["image"] == "new"));
}

#[test]
fn a_token_that_ends_within_a_pass_is_renewed() {
    let fleet = Fleet::new();
    fleet.garm.rule("POST", "/pools", 1, Then::Say(401, r#"{"error":"Authentication failed"}"#));
    fleet.apply(0);
    assert_eq!(fleet.counts(), ALL);
}

#[test]
fn a_wrong_password_is_told_and_is_no_reason_to_try_again() {
    let fleet = Fleet::built();
    fs::write(fleet.path("admin"), "fake-Password-that-is-wrong-42!").unwrap();
    let said = fleet.apply(1);
    assert!(said.contains("does not accept admin") && !said.contains("that-is-wrong"), "{said}");
    let new = Fleet::new();
    fs::write(new.path("admin"), "short").unwrap();
    let said = new.apply(1);
    assert!(said.contains("password is too weak"), "{said}");
}

#[test]
fn one_fault_keeps_nothing_else_from_being_done() {
    let mut fleet = Fleet::new();
    fleet.declare("/pools/small/provider", json!("missing"));
    fs::remove_file(fleet.path("key")).unwrap();
    let said = fleet.apply(1);
    for part in ["no such provider missing", "credentials octo-app is not as declared: There is no file"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let state = fleet.garm.state();
    assert_eq!((state.list("pools").len(), state.list("organizations").len()), (1, 0));
}

#[test]
fn what_garm_says_cannot_repeat_the_password_or_control_a_terminal() {
    let fleet = Fleet::built();
    let mut changed = fleet;
    changed.declare("/pools/small/image", json!("new"));
    let text: &'static str = r#"{"error":"Bad Request","details":"\u001b[2J fake-Password-of-a-test-42! is it"}"#;
    assert!(text.contains(SECRETS[0]));
    let id = changed.garm.state().list("pools").iter().find(|pool| pool["flavor"] == "garm").unwrap()["id"].clone();
    changed.garm.rule("PUT", id.as_str().unwrap(), 1, Then::Say(400, text));
    let said = changed.apply(1);
    assert!(said.contains("is it") && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn webhooks_that_garm_does_not_manage_are_refused_with_the_way_out() {
    let fleet = Fleet::new();
    fleet.garm.state().manages_webhooks = false;
    let said = fleet.apply(1);
    assert!(said.contains("enable_webhook_management"), "{said}");
    assert_eq!(fleet.counts(), ALL);
}
