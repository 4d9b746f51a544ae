//! How a runner comes back: what GitHub forgot, what keeps failing, and how long it waits.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use github_runners::contract::protocol::{Outcome, RemoteRunner};
use serde_json::{Value, json};

use super::register::{ephemeral, registered};
use crate::host::Host;
use crate::times::AT_ONCE;

/// Changes the ledger entry as time or failures would have.
pub fn edit(host: &Host, edit: impl FnOnce(&mut Value)) {
    let mut ledger = host.ledger();
    edit(&mut ledger);
    host.set_ledger(&ledger);
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_registration_that_github_deleted_is_made_anew_once() {
    let (host, server) = registered();
    server.state().runners.clear();
    let said = host.prepare().good();
    assert!(said.contains("Registering runner1 anew: GitHub does not know id 21 any more"), "{said}");
    assert_eq!(server.asked(), "observe 21, look, token");
    assert_eq!((host.tree("state"), host.ledger()["leftBehind"].clone()), (vec![".staged-token".into()], json!([])));
}

#[test]
fn a_good_registration_starts_while_the_server_is_down() {
    let (host, server) = registered();
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    let said = host.prepare().good();
    assert!(said.contains("Could not see") && said.contains("Keeping the registration"), "{said}");
    drop(server);
    fs::remove_file(host.path("broker")).unwrap();
    let said = host.prepare().good();
    assert!(said.contains("its socket is missing") && said.contains("Keeping"), "{said}");
}

#[test]
fn looking_at_a_good_registration_takes_five_seconds_at_the_most() {
    let (host, server) = registered();
    drop(server);
    fs::remove_file(host.path("broker")).unwrap();
    // A broker that accepts and says nothing.
    let silent = UnixListener::bind(host.path("broker")).unwrap();
    let start = Instant::now();
    let said = host.prepare().good();
    assert!(said.contains("it took too long") && said.contains("Keeping"), "{said}");
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    let mut question = String::new();
    silent.accept().unwrap().0.read_to_string(&mut question).unwrap();
    let question: Value = serde_json::from_str(&question).unwrap();
    assert!(question["patience"].as_u64().unwrap() <= 5, "{question}");
}

#[test]
fn a_session_conflict_that_stays_leads_to_a_fresh_identity() {
    let (host, server) = registered();
    let conflict = Some(("exited", "5"));
    for failures in 1..=3 {
        host.settle("exit-code", conflict).good();
        assert_eq!(host.ledger()["lastExit"]["failures"], failures);
        // The waits in between are long over.
        edit(&host, |ledger| {
            ledger["lastExit"]["at"] = json!(now() - 1_000);
            ledger["runner"]["recordedAt"] = json!(now() - 10_000);
        });
        let said = host.prepare().good();
        assert_eq!(said.contains("saw another session of this runner 3 times in a row"), failures == 3, "{said}");
    }
    assert_eq!(server.state().deleted, [21], "the old identity is taken back");
}

#[test]
fn a_failed_run_is_followed_by_a_wait_and_a_change_or_a_stop_ends_it() {
    let (mut host, _server) = registered();
    let crashed = Some(("dumped", "ABRT"));
    host.settle("core-dump", crashed).good();
    let failed = now();
    edit(&host, |ledger| ledger["lastExit"] = json!({ "at": failed, "kind": "crashed", "said": "it", "failures": 2 }));
    let said = host.prepare().good();
    assert!(said.contains("before the next try, because 2 in a row failed: it"), "{said}");
    assert!(now() >= failed + 10);

    // Ten minutes of waiting are due now, and somebody changes the configuration.
    edit(&host, |ledger| ledger["lastExit"] = json!({ "at": now(), "kind": "crashed", "said": "", "failures": 20 }));
    *host.registration("extraLabels") = json!(["other"]);
    assert!(!host.prepare().good().contains("Waiting"));

    edit(&host, |ledger| ledger["lastExit"] = json!({ "at": now(), "kind": "crashed", "said": "", "failures": 20 }));
    host.settle("success", None).good();
    assert!(!host.prepare().good().contains("Waiting"), "a restart by hand stops it first");
}

#[test]
fn a_useless_registration_is_not_repeated_before_the_interval() {
    let (mut host, server) = ephemeral();
    host.manifest["registrationInterval"] = json!(12);
    host.prepare().good();
    host.settle("success", Some(("exited", "0"))).good();
    let last = host.ledger()["registrations"]["last"].as_u64().unwrap();
    let said = host.prepare().good();
    assert!(said.contains("before registering again, because the last registration was not used"), "{said}");
    assert!(now() >= last + 12);
    assert_eq!(host.ledger()["registrations"]["total"], 2);
    assert_eq!(server.state().deleted, [41]);
}

#[test]
fn a_rate_limit_that_a_look_met_is_remembered_for_that_credential() {
    let (mut host, server) = registered();
    server.state().instead = Some(Outcome::RateLimited(now() + 1_000));
    assert!(host.prepare().good().contains("Keeping"));
    assert!(host.ledger()["notBefore"].as_u64().unwrap() > now());
    assert_eq!(server.asked(), "observe 21");
    host.prepare().good();
    assert_eq!(server.asked(), "");
    // Another credential was told nothing.
    server.state().instead = None;
    fs::copy(host.path("token"), host.path("another-token")).unwrap();
    *host.registration("tokenFile") = json!(host.path("another-token"));
    host.prepare().good();
    assert!(!server.asked().is_empty() && host.ledger()["notBefore"].is_null());
    // A rotated one that meets a limit before it registers is held to it.
    fs::write(host.path("another-token"), "ghp_FAKEROTATED").unwrap();
    server.state().instead = Some(Outcome::RateLimited(now() + 1_000));
    host.prepare().bad();
    assert!(!server.asked().is_empty() && host.ledger()["notBefore"].as_u64().unwrap() > now());
    edit(&host, |ledger| ledger["notBefore"] = json!(now() + 10));
    server.state().instead = None;
    let said = host.prepare().good();
    assert!(said.contains("because GitHub wants no requests for so long"), "{said}");
}

#[test]
fn a_rate_limit_is_remembered_and_nothing_is_asked_meanwhile() {
    let (host, server) = ephemeral();
    server.state().instead = Some(Outcome::RateLimited(now() + 10));
    assert!(host.prepare().bad().contains("GitHub's rate limit is used up"));
    server.state().instead = None;
    assert_eq!(server.asked(), "look");
    let said = host.prepare().good();
    assert!(said.contains("because GitHub wants no requests for so long"), "{said}");

    let (host, server) = registered();
    edit(&host, |ledger| ledger["notBefore"] = json!(now() + 1_000));
    let start = Instant::now();
    assert!(host.prepare().good().contains("Keeping"), "what is kept asks nothing that it needs");
    assert!(start.elapsed() < AT_ONCE);
    assert_eq!(server.asked(), "");

    // Met while a debt is paid, it counts for the registration as well.
    server.state().instead = Some(Outcome::RateLimited(now() + 1_000));
    fs::write(host.path("token"), "ghp_FAKEOTHER").unwrap();
    edit(&host, |ledger| ledger["notBefore"] = Value::Null);
    assert!(host.prepare().bad().contains("GitHub's rate limit is used up"));
    assert!(host.ledger()["notBefore"].as_u64().unwrap() > now());

    // A clock that was wrong does not silence a runner forever.
    let (host, server) = ephemeral();
    for until in [u64::MAX, now() + 10] {
        server.state().instead = Some(Outcome::RateLimited(until));
        host.prepare().bad();
    }
    server.state().instead = None;
    let said = host.prepare().good();
    assert!(said.contains("because GitHub wants no requests"), "the second one is a real limit: {said}");
}

#[test]
fn a_token_that_is_new_at_each_start_is_no_way_around_the_interval() {
    let (mut host, server) = Host::with_server();
    host.manifest["registrationInterval"] = json!(2);
    let start = std::time::Instant::now();
    for id in 100..103 {
        fs::write(host.path("token"), format!("ghp_FAKE{id}")).unwrap();
        host.prepare().good();
        host.configured(id);
        server.state().runners = vec![RemoteRunner { id, name: "runner1".into(), online: false, busy: false }];
        host.step("record").good();
        host.settle("signal", Some(("killed", "KILL"))).good();
    }
    assert_eq!(host.ledger()["registrations"]["total"], 3);
    assert!(start.elapsed() >= std::time::Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn a_fault_before_the_plan_is_waited_for_like_any_other() {
    let (host, _server) = registered();
    host.settle("exit-code", None).good();
    fs::remove_dir_all(host.path("work")).unwrap();
    fs::write(host.path("work"), "").unwrap();
    let said = host.prepare().bad();
    assert!(said.contains("Waiting "), "{said}");
}
