//! Registrations whose answer got lost: found under the name and at the address of then, and never mistaken for those of
//! others.

use std::fs;

use github_runners::contract::protocol::{Outcome, RemoteRunner};
use serde_json::{Value, json};

use super::recovery::{edit, now};
use super::register::ephemeral;
use crate::host::{Host, TOKEN};

const NOBODY: [u64; 0] = [];

fn offline(id: u64, name: &str) -> RemoteRunner {
    RemoteRunner { id, name: name.into(), online: false, busy: false }
}

fn online(id: u64) -> RemoteRunner {
    RemoteRunner { online: true, ..offline(id, "runner1") }
}

/// A start that staged a token for the listener, and died while that registered.
fn cut_off() -> (Host, crate::server::Server) {
    let (host, server) = Host::with_server();
    host.prepare().good();
    fs::remove_file(host.state(".staged-token")).unwrap();
    (host, server)
}

#[test]
fn an_attempt_claims_nobody_of_another_name_or_address() {
    let (mut host, server) = cut_off();
    server.add(7, "other");
    *host.registration("name") = json!("other");
    server.state().name = Some("other".into());
    assert!(host.prepare().bad().contains("id 7, offline, exists already, and this host did not make it"));

    let (mut host, server2) = cut_off();
    *host.registration("url") = json!("https://github.com/octo-org/another");
    // At the former address there is nobody; at the new one, this.
    assert!(host.prepare().good().contains("url changed"));
    server2.add(8, "runner1");
    assert!(host.ledger()["registration"]["url"].as_str().unwrap().ends_with("another"));
    assert_eq!((&server.state().deleted[..], &server2.state().deleted[..]), (&NOBODY[..], &NOBODY[..]));
}

#[test]
fn who_takes_the_name_between_look_and_registration_keeps_it() {
    let (host, server) = ephemeral();
    server.state().after_look = vec![offline(7, "runner1")];
    assert!(host.prepare().bad().contains("exists already, and this host did not make it"));
    host.settle("exit-code", None).good();
    assert!(host.prepare().bad().contains("exists already"));
    assert_eq!((server.ids(), host.ledger()["attempt"].clone()), (vec![7], Value::Null));
}

#[test]
fn a_listener_of_another_host_has_time_to_come_online() {
    let (mut host, server) = Host::with_server();
    host.manifest["registrationInterval"] = json!(8);
    server.state().after_look = vec![offline(7, "runner1")];
    host.prepare().good();
    fs::remove_file(host.state(".staged-token")).unwrap();
    // The listener's own `configure` failed, because the other host was faster by a second.
    server.state().after_attempt = Some(vec![online(7)]);
    host.settle("exit-code", None).good();
    assert_eq!((server.ids(), host.ledger()["attempt"].clone()), (vec![7], Value::Null));
}

#[test]
fn a_name_that_is_taken_while_a_configure_runs_for_long_is_not_taken_away() {
    let (mut host, server) = cut_off();
    host.manifest["registrationInterval"] = json!(8);
    edit(&host, |ledger| ledger["attempt"]["since"] = json!(now() - 20));
    server.add(7, "runner1");
    server.state().after_attempt = Some(vec![online(7)]);
    host.settle("exit-code", None).good();
    assert_eq!(server.ids(), [7]);
}

#[test]
fn a_host_that_was_renamed_claims_nobody_of_its_new_name() {
    let (mut host, server) = Host::with_server();
    *host.registration("name") = Value::Null;
    server.state().name = Some("nobody".into());
    host.prepare().good();
    edit(&host, |ledger| ledger["attempt"]["host"] = json!("former-host"));
    server.add(7, "this-host");
    let said = host.settle("exit-code", None).good();
    assert!(said.contains("it was for the name \"former-host\", which this host had then; see https://"), "{said}");
    assert_eq!(server.ids(), [7]);
}

#[test]
fn what_an_attempt_made_must_be_the_same_runner_in_both_looks() {
    let (mut host, server) = cut_off();
    host.manifest["registrationInterval"] = json!(8);
    server.add(60, "runner1");
    // Ours is gone by itself, and another host took the name a moment ago.
    server.state().after_attempt = Some(vec![offline(7, "runner1")]);
    assert!(host.settle("exit-code", None).good().contains("went from one runner to another"));
    assert_eq!(server.ids(), [7]);
}

#[test]
fn an_attempt_that_no_credential_can_look_for_keeps_nobody_down() {
    let (mut host, server) = cut_off();
    // It was at an address that the new credential cannot see, or on another server.
    *host.registration("name") = json!("fresh");
    server.state().name = Some("fresh".into());
    server.state().no_attempts = Some("The credential is for another host.".into());
    let said = host.prepare().good();
    assert!(said.contains("Nobody can tell what came of the last registration"), "{said}");
    assert!(said.contains("see https://github.com/octo-org/example/settings/actions/runners"), "{said}");
}

#[test]
fn a_new_name_waits_until_the_old_attempt_is_clear() {
    let (mut host, server) = cut_off();
    host.manifest["registrationInterval"] = json!(8);
    *host.registration("name") = json!("fresh");
    server.state().name = Some("fresh".into());
    assert!(host.prepare().bad().contains("it is not known yet what came of the last registration"));
    server.add(60, "runner1");
    let said = host.prepare().good();
    assert!(said.contains("id 60, was made by a start that was cut off"), "{said}");
    assert_eq!(server.state().deleted, [60]);
}

#[test]
fn a_lost_registration_is_found_under_its_own_name_after_a_change() {
    let (mut host, server) = cut_off();
    server.add(50, "runner1");
    *host.registration("name") = json!("runner2");
    server.state().name = Some("runner2".into());
    let said = host.prepare().good();
    assert!(said.contains("The runner \"runner1\", id 50, was made by a start that was cut off"), "{said}");
    assert_eq!(server.state().deleted, [50]);
}

#[test]
fn an_end_under_another_name_forgets_no_attempt() {
    let (mut host, server) = cut_off();
    server.add(60, "runner1");
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    *host.registration("name") = json!("fresh");
    host.prepare().bad();
    server.state().instead = None;
    server.state().name = Some("fresh".into());
    let said = host.settle("exit-code", None).good();
    assert!(said.contains("what was registered was taken back"), "{said}");
    assert_eq!(server.state().deleted, [60]);
}

#[test]
fn what_a_server_makes_late_is_found_by_the_next_start() {
    let (mut host, server) = cut_off();
    host.manifest["registrationInterval"] = json!(4);
    let said = host.settle("success", None).good();
    assert!(said.contains("there is none so far") && said.contains("found out at the next start"), "{said}");
    server.add(60, "runner1");
    let said = host.prepare().good();
    assert!(said.contains("id 60, was made by a start that was cut off"), "{said}");
    assert_eq!(server.state().deleted, [60]);
}

#[test]
fn an_attempt_of_long_ago_that_made_nothing_is_over() {
    let (host, server) = cut_off();
    edit(&host, |ledger| ledger["attempt"]["since"] = json!(now() - 1_000));
    assert!(host.settle("success", None).good().contains("nothing had been registered"));
    assert_eq!(host.ledger()["attempt"], Value::Null);
    server.add(61, "runner1");
    assert!(host.prepare().bad().contains("exists already"), "that one came later");
}

#[test]
fn an_attempt_that_github_has_cleaned_up_since_claims_nobody() {
    let (host, server) = cut_off();
    server.add(62, "runner1");
    edit(&host, |ledger| ledger["attempt"]["since"] = json!(now() - 16 * 86_400));
    host.settle("success", None).good();
    assert!(host.prepare().bad().contains("id 62, offline, exists already"));
    assert_eq!(server.ids(), [62]);
}

#[test]
fn a_refusal_may_follow_a_try_that_had_its_effect() {
    let (host, server) = ephemeral();
    server.state().after_jit = Some(Outcome::Refused("No more of that.".into()));
    assert!(host.prepare().bad().contains("Failed to register: No more of that"));
    assert_eq!(server.ids(), [41]);
    server.state().instead = None;
    host.settle("exit-code", None).good();
    assert_eq!(server.state().deleted, [41]);
}

#[test]
fn an_answer_that_is_lost_ends_the_start_and_its_end_takes_the_runner_back() {
    let (host, server) = ephemeral();
    server.state().uncertain = true;
    let said = host.prepare().bad();
    assert!(
        said.contains("GitHub's answer got lost. A runner with the name \"runner1\", id 41, offline, is there"),
        "{said}"
    );
    host.settle("exit-code", None).good();
    assert_eq!(server.asked(), "look, jit, attempt, retire 41");
    assert_eq!((server.ids(), host.ledger()["registrations"]["used"].clone()), (vec![], json!(false)));
}

#[test]
fn without_a_credential_that_can_look_people_are_told() {
    let (host, server) = cut_off();
    server.add(50, "runner1");
    fs::write(host.path("token"), TOKEN).unwrap();
    let said = host.prepare().good();
    assert!(said.contains("nobody can look what came of it; see https://github.com/octo-org/example/"), "{said}");
}

#[test]
fn a_change_that_is_taken_back_never_costs_the_registration_that_is_kept() {
    let (mut host, server) = Host::with_server();
    host.prepare().good();
    host.configured(50);
    // The power goes before `record`, the configuration changes while the server is down, and changes back.
    server.add(50, "runner1");
    *host.registration("extraLabels") = json!(["x"]);
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    host.prepare().bad();
    host.settle("exit-code", None).good();
    server.state().instead = None;
    *host.registration("extraLabels") = json!(["nixos"]);
    edit(&host, |ledger| ledger["lastExit"] = Value::Null);
    assert!(host.prepare().good().contains("Keeping"));
    assert_eq!((server.ids(), host.ledger()["leftBehind"].clone()), (vec![50], json!([])));
}

#[test]
fn a_replaced_runner_that_cannot_go_is_no_reason_to_advise_what_is_set() {
    let (mut host, server) = ephemeral();
    host.manifest["replace"] = json!(true);
    server.state().after_look = vec![RemoteRunner { busy: true, ..offline(7, "runner1") }];
    let said = host.prepare().bad();
    assert!(said.contains("id 7, running a job, cannot be replaced now"), "{said}");
}

#[test]
fn a_name_that_somebody_else_took_meanwhile_is_left_to_them() {
    let (mut host, server) = Host::with_server();
    host.manifest["registrationInterval"] = json!(0);
    // Offline for as long as anybody looks, unlike those whose listener comes online.
    server.state().after_look = vec![offline(7, "runner1")];
    host.prepare().good();
    fs::remove_file(host.state(".staged-token")).unwrap();
    fs::write(host.state(".name-taken"), "").unwrap();
    let said = host.settle("exit-code", None).good();
    assert!(said.contains("somebody else has its name"), "{said}");
    assert_eq!((server.ids(), host.ledger()["attempt"].clone()), (vec![7], Value::Null), "{said}");
    let said = host.prepare().bad();
    assert!(said.contains("id 7, offline, exists already"), "{said}");
}

#[test]
fn what_has_the_name_long_after_an_attempt_is_not_taken_for_its_own() {
    let (host, server) = Host::with_server();
    host.prepare().good();
    fs::remove_file(host.state(".staged-token")).unwrap();
    edit(&host, |ledger| ledger["attempt"]["since"] = json!(now() - 7 * 60 * 60));
    server.add(8, "runner1");
    assert!(host.prepare().bad().contains("id 8, offline, exists already"));
    assert_eq!(server.ids(), [8]);
}
