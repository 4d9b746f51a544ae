//! Whole passes on a host made of a temporary directory: what they do to units and to the ledger when something is missing,
//! late, limited or gone.

mod host;
mod owner;

use std::fs;

use github_runners::contract::protocol::{Outcome, RemoteRunner, Verb};
use github_runners::reconcile::{Wish, operate};
use github_runners::state::start::volume;
use github_runners::sys::Place;
use serde_json::{Value, json};

use host::{Host, URL, now};

#[test]
fn a_former_runner_without_its_credential_is_stopped_and_its_entry_stays_and_names_page_and_id() {
    let host = Host::new();
    fs::remove_file(host.path("token")).unwrap();
    let before = host.entry();
    host.units.unit.borrow_mut().has_job = true;
    let (said, done) = host.pass();
    assert!(said.contains("runs a job, which is waited for") && done.is_empty(), "{said} {done:?}");
    host.units.unit.borrow_mut().has_job = false;
    let (said, done) = host.pass();
    for part in ["id 21", "https://github.com/organizations/octo-org/settings/actions/runners", "does not exist"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(done, ["stop github-runner-one.service"], "nobody wants it to take jobs any more");
    assert_eq!(host.entry(), before);
    assert!(host.path("state/one").exists());
}

#[test]
fn what_github_cleaned_up_itself_is_forgotten_only_if_it_did_not_run_meanwhile() {
    let host = Host::new();
    fs::remove_file(host.path("token")).unwrap();
    let mut entry = host.entry().unwrap();
    entry["runner"]["recordedAt"] = json!(1);
    entry["lastExit"] = json!({ "at": 1, "kind": "clean", "said": "stopped", "failures": 0, "alike": 0 });
    host.write_entry(&entry);
    let (said, done) = host.pass();
    assert!(said.contains("could not be taken back"), "{said}");
    assert_eq!(done, ["stop github-runner-one.service"]);
    assert!(host.entry().is_some());
    host.pass();
    assert!(host.entry().is_none() && !host.path("state/one").exists());
}

#[test]
fn a_former_runner_that_owes_nothing_is_stopped_when_it_has_no_job() {
    let host = Host::new();
    let mut entry = host.entry().unwrap();
    entry["runner"] = Value::Null;
    host.write_entry(&entry);
    host.units.unit.borrow_mut().has_job = true;
    let (said, done) = host.pass();
    assert!(said.contains("runs a job, which is waited for") && done.is_empty(), "{said} {done:?}");
    host.units.unit.borrow_mut().has_job = false;
    let (_, done) = host.pass();
    assert_eq!(done, ["stop github-runner-one.service"]);
    assert!(host.entry().is_none() && !host.path("ledger/one.lock").exists());
}

#[test]
fn what_a_former_runner_left_mounted_is_taken_off_by_systemd_and_removed() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("not root: mounting was not tried");
        return;
    }
    let host = Host::new();
    let mut entry = host.entry().unwrap();
    entry["runner"] = Value::Null;
    host.write_entry(&entry);
    let work = host.path("state/one");
    let owner = (nix::unistd::Uid::effective(), nix::unistd::Gid::effective());
    volume(&Place::walk(&work).unwrap()).put_on(1 << 20, owner).unwrap();
    fs::write(work.join("left"), "").unwrap();
    let (said, done) = host.pass();
    assert_eq!(done, ["stop github-runner-one.service".into(), format!("stop {}", work.display())], "{said}");
    assert!(host.entry().is_none() && !work.exists());
}

#[test]
fn a_rate_limit_is_waited_for_and_nothing_is_asked_meanwhile() {
    let host = Host::new().configured();
    host.owes(&[20]);
    host.broker.answers(Outcome::RateLimited(now() + 600));
    host.pass();
    assert_eq!(host.broker.asked(), [Verb::List]);
    for _ in 0..3 {
        host.pass();
    }
    assert_eq!(host.broker.asked(), [], "it was told when to come back");
}

#[test]
fn a_former_runner_with_a_registration_token_is_stopped() {
    let host = Host::new();
    fs::write(host.path("token"), "BFAKETOKENFAKETOKEN").unwrap();
    let (said, done) = host.pass();
    assert!(said.contains("registration token, which cannot do that. Its ledger entry stays"), "{said}");
    assert_eq!(done, ["stop github-runner-one.service"]);
}

#[test]
fn nobody_waits_for_a_server_that_has_not_answered_in_this_pass() {
    let host = Host::new().configured();
    let mut former = host.entry().unwrap();
    former["instance"] = json!("two");
    fs::write(host.path("ledger/two.json"), former.to_string()).unwrap();
    host.broker.answers(Outcome::Unreachable("it is down".into()));
    host.pass();
    let said = host.memory()["runners"]["two"]["said"].clone();
    assert!(said.as_str().unwrap().contains("it is down. Its ledger entry stays"), "{said}");
    assert!(!host.path("runtime").exists(), "no broker was started for it");
    assert!(host.path("ledger/two.json").exists() && host.units.done.borrow().is_empty());
}

#[test]
fn an_operator_is_not_told_of_success_if_github_cannot_be_asked() {
    let host = Host::new().configured();
    fs::remove_file(host.path("token")).unwrap();
    for wish in [Wish::Restart, Wish::Drain, Wish::Retire] {
        let error = operate(wish, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
        assert!(
            error.to_string().starts_with("Nothing was done, because GitHub cannot be asked about id 21"),
            "{error}"
        );
    }
    assert!(host.units.done.borrow().is_empty());
    fs::write(host.path("token"), "BFAKETOKENFAKETOKEN").unwrap();
    operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap();
    assert_eq!(*host.units.done.borrow(), ["stop github-runner-one.service"]);
}

#[test]
fn draining_a_former_runner_waits_for_its_job() {
    let host = Host::new();
    fs::remove_file(host.path("token")).unwrap();
    host.units.unit.borrow_mut().has_job = true;
    let error = operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
    assert!(error.to_string().contains("ledger entry of one stays"), "{error}");
    assert!(host.units.done.borrow().is_empty());
    host.units.looks_with_job.set(2);
    let error = operate(Wish::Drain, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
    assert!(error.to_string().contains("ledger entry of one stays"), "{error}");
    assert_eq!(*host.units.done.borrow(), ["stop github-runner-one.service"]);
}

#[test]
fn paying_debts_is_counted_and_a_limit_that_it_meets_ends_it_for_all() {
    let host = Host::new().configured();
    host.owes(&[18, 19, 20]);
    let seen = RemoteRunner { id: 21, name: "one".into(), online: true, busy: false };
    host.broker.answers_in_turn(&[Outcome::Listed(vec![seen]), Outcome::Retired, Outcome::RateLimited(now() + 600)]);
    let (said, _) = host.pass();
    assert!(said.contains("still owes 2 former registrations: GitHub's rate limit is used up"), "{said}");
    let retire = |id| Verb::Retire { id, url: URL.into() };
    assert_eq!(host.broker.asked(), [Verb::List, retire(20), retire(19)]);
    assert_eq!(host.memory()["requests"], 3);
    host.pass();
    assert_eq!(host.broker.asked(), [], "it was told when to come back");
    assert_eq!(host.memory()["requests"], 3);
}

#[test]
fn a_limit_that_a_start_met_holds_for_passes() {
    let host = Host::new().configured();
    let mut entry = host.entry().unwrap();
    entry["notBefore"] = json!(now() + 600);
    host.write_entry(&entry);
    host.broker.answers(Outcome::Retired);
    host.pass();
    assert_eq!(host.broker.asked(), [], "the start was told when to come back");
    entry["notBefore"] = json!(now() - 1);
    host.write_entry(&entry);
    fs::remove_dir_all(host.path("memory")).unwrap();
    host.pass();
    assert_eq!(host.broker.asked(), [Verb::List]);
}

#[test]
fn nobody_acts_under_the_lock_of_a_start() {
    let host = Host::new().configured();
    host.broker.answers(Outcome::Retired);
    let lock = fs::File::create(host.path("ledger/one.lock")).unwrap();
    let held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let error = operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
    assert!(error.to_string().contains("is being started or stopped"), "{error}");
    assert!(host.broker.asked().is_empty() && host.units.done.borrow().is_empty());
    drop(held);
}

#[test]
fn operators_are_told_why_nothing_was_done_and_nothing_was() {
    let host = Host::new().configured();
    for (outcome, part) in [
        (Outcome::Busy, "runs a job; `github-runnerctl drain` waits"),
        (Outcome::Unreachable("it is down".into()), "GitHub does not say: it is down"),
    ] {
        host.broker.answers(outcome);
        let before = host.entry();
        let error = operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!((host.entry(), host.units.done.borrow().len()), (before, 0));
    }
    host.broker.answers(Outcome::Retired);
    operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap();
    assert_eq!(host.entry().unwrap()["runner"], Value::Null);
    assert_eq!(*host.units.done.borrow(), ["stop github-runner-one.service"]);
}
