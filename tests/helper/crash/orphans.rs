//! Steps that change something on the server, killed at every change: no registration is ever out of sight, and the
//! next start ends with exactly the one that the ledger names.

use serde_json::{Value, json};

use super::kills::at_every_change;
use crate::host::Host;
use crate::server::Server;

fn with(edit: impl FnOnce(&mut Host, &Server)) -> Host {
    let (mut host, server) = Host::with_server();
    edit(&mut host, &server);
    host.server = Some(server);
    host
}

fn server(host: &Host) -> &Server {
    host.server.as_ref().expect("a host with a server")
}

fn ephemeral() -> Host {
    with(|host, _| *host.registration("ephemeral") = json!(true))
}

fn unused() -> Host {
    let host = ephemeral();
    host.prepare().good();
    host
}

/// Whatever the server has is named by the ledger, or is the one thing that an open attempt can have made.
#[track_caller]
fn assert_in_sight(host: &Host, when: &str) {
    let ids = server(host).ids();
    if ids.is_empty() {
        return;
    }
    let ledger = host.ledger();
    let named = |id: &u64| {
        let former = ledger["leftBehind"].as_array().unwrap();
        ledger["runner"]["id"] == json!(id) || former.iter().any(|left| left["runner"]["id"] == json!(id))
    };
    let unnamed: Vec<&u64> = ids.iter().filter(|id| !named(id)).collect();
    let open = usize::from(ledger["attempt"]["before"] == json!("nobody"));
    assert!(unnamed.len() <= open, "{when}: nobody knows {unnamed:?}: {ledger}");
}

#[track_caller]
fn assert_one_and_named(host: &Host, when: &str) {
    let ledger = host.ledger();
    assert_eq!(json!(server(host).ids()), json!([ledger["runner"]["id"]]), "{when}: {ledger}");
    assert_eq!((&ledger["leftBehind"], &ledger["attempt"]), (&json!([]), &Value::Null), "{when}");
    assert_eq!(host.tree("state"), [".credentials", ".credentials_rsaparams", ".runner"], "{when}");
}

#[test]
fn a_jit_start_killed_anywhere_leaves_no_orphan() {
    for (host, places) in [(ephemeral as fn() -> Host, 30), (unused, 40)] {
        let kills = at_every_change("prepare", host, |host, when| {
            assert_in_sight(host, when);
            host.prepare().good();
            assert_one_and_named(host, when);
        });
        assert!(kills > places, "died at {kills} places only");
    }
}

#[test]
fn a_stop_after_a_killed_start_leaves_nothing_at_all() {
    let kills = at_every_change("prepare", unused, |host, when| {
        host.settle("signal", None).good();
        assert_in_sight(host, when);
        assert_eq!(server(host).ids(), [0_u64; 0], "{when}: {}", host.ledger());
        assert_eq!(host.ledger()["leftBehind"], json!([]), "{when}");
    });
    assert!(kills > 40, "died at {kills} places only");
}

/// What an end that was written down would make the next start wait for is over.
fn let_time_pass(host: &Host) {
    let mut ledger = host.ledger();
    if let Some(at) = ledger.pointer_mut("/lastExit/at") {
        *at = json!(1);
    }
    host.set_ledger(&ledger);
}

#[test]
fn a_settle_killed_anywhere_is_made_up_for_by_the_next_start() {
    let kills = at_every_change("settle", unused, |host, when| {
        assert_in_sight(host, when);
        let_time_pass(host);
        host.prepare().good();
        assert_one_and_named(host, when);
    });
    assert!(kills > 10, "died at {kills} places only");
}

#[test]
fn a_release_killed_anywhere_leaves_what_its_settle_ends_and_the_next_start_makes_up_for() {
    for settles in [true, false] {
        let kills = at_every_change("release", unused, |host, when| {
            assert_in_sight(host, when);
            if settles {
                host.settle("success", Some(("exited", "0"))).good();
                assert_eq!(server(host).ids(), [0_u64; 0], "{when}: {}", host.ledger());
                assert_eq!((&host.ledger()["leftBehind"], &host.ledger()["runner"]), (&json!([]), &Value::Null));
                assert_eq!(host.tree("state"), [""; 0], "{when}");
            }
            let_time_pass(host);
            host.prepare().good();
            assert_one_and_named(host, when);
        });
        assert!(kills >= 4, "died at {kills} places only");
    }
}

#[test]
fn a_settle_after_a_release_killed_anywhere_is_made_up_for() {
    let released = || {
        let host = unused();
        host.step("release").good();
        host
    };
    let kills = at_every_change("settle", released, |host, when| {
        assert_in_sight(host, when);
        let_time_pass(host);
        host.prepare().good();
        assert_one_and_named(host, when);
    });
    assert!(kills >= 4, "died at {kills} places only");
}

#[test]
fn a_settle_after_a_lost_attempt_killed_anywhere_is_made_up_for_too() {
    let lost = || {
        let host = unused();
        // As a `prepare` leaves it that dies before the answer comes.
        let mut ledger = host.ledger();
        ledger["runner"] = Value::Null;
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        ledger["attempt"] = json!({ "since": now - 10, "before": "nobody" });
        host.set_ledger(&ledger);
        host
    };
    let kills = at_every_change("settle", lost, |host, when| {
        assert_in_sight(host, when);
        let_time_pass(host);
        host.prepare().good();
        assert_one_and_named(host, when);
    });
    assert!(kills > 10, "died at {kills} places only");
}

#[test]
fn a_changed_persistent_runner_killed_anywhere_never_loses_the_old_registration() {
    let changed = || {
        with(|host, server| {
            host.prepare().good();
            host.configured(21);
            server.add(21, "runner1");
            host.step("record").good();
            *host.registration("extraLabels") = json!(["other"]);
        })
    };
    let kills = at_every_change("prepare", changed, |host, when| {
        assert_in_sight(host, when);
        host.prepare().good();
        assert_eq!(server(host).ids(), [0_u64; 0], "{when}");
        assert_eq!((&host.ledger()["runner"], &host.ledger()["leftBehind"]), (&Value::Null, &json!([])), "{when}");
        assert_eq!(host.tree("state"), [".staged-token"], "{when}");
    });
    assert!(kills > 30, "died at {kills} places only");
}
