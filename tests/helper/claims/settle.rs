//! The end of a unit: what is said about it, and what is taken back.

use std::fs::{self, File};

use github_runners::contract::protocol::Outcome;
use serde_json::{Value, json};

use super::register::{ephemeral, registered};
use crate::host::Host;
use crate::server::Server;

const DONE: Option<(&str, &str)> = Some(("exited", "0"));

/// What a listener does at the end of an ephemeral job.
fn clean_up(host: &Host) {
    for name in [".credentials", ".credentials_rsaparams", ".runner"] {
        fs::remove_file(host.state(name)).unwrap();
    }
}

#[test]
fn a_finished_ephemeral_runner_leaves_nothing_and_its_registration_counts_as_used() {
    let (host, server) = ephemeral();
    host.prepare().good();
    clean_up(&host);
    server.state().runners.clear();
    server.asked();
    let said = host.settle("success", DONE).good();
    assert!(said.ends_with("Runner runner1: did its job; no registration is left\n"), "{said}");
    assert_eq!(server.asked(), "retire 41");
    let ledger = host.ledger();
    assert_eq!((&ledger["runner"], &ledger["leftBehind"]), (&json!(null), &json!([])));
    assert_eq!((&ledger["registrations"]["used"], &ledger["lastExit"]["kind"]), (&json!(true), &json!("jobDone")));
    assert_eq!(ledger["registrations"]["jobs"], 1);
    host.prepare().good();
    assert_eq!(host.ledger()["registrations"]["total"], 2);
}

#[test]
fn a_job_that_hides_its_registration_gains_nothing() {
    let (host, server) = ephemeral();
    host.prepare().good();
    // The files are gone and the code is 0, but the server has seen no job end.
    clean_up(&host);
    host.settle("success", DONE).good();
    assert_eq!(server.state().deleted, [41]);
    assert_eq!(host.ledger()["registrations"]["used"], false, "so that the next one has to wait");
    assert_eq!(host.ledger()["registrations"]["jobs"], 0);
}

#[test]
fn an_unused_or_interrupted_ephemeral_registration_is_taken_back() {
    for (result, exit, kind) in [
        ("success", DONE, "clean"),
        ("success", Some(("killed", "INT")), "clean"),
        ("signal", Some(("killed", "KILL")), "crashed"),
        ("core-dump", Some(("dumped", "ABRT")), "crashed"),
        ("exit-code", Some(("exited", "1")), "terminated"),
        ("exit-code", None, "notStarted"),
        ("success", None, "clean"),
    ] {
        let (host, server) = ephemeral();
        host.prepare().good();
        let said = host.settle(result, exit).good();
        assert!(said.contains("; no registration is left"), "{said}");
        assert_eq!((server.ids(), host.ledger()["lastExit"]["kind"].clone()), (vec![], json!(kind)), "{result}");
        assert_eq!(host.tree("state"), [""; 0], "the files open nothing any more");
        assert_eq!(host.ledger()["leftBehind"], json!([]));
    }
}

#[test]
fn what_cannot_be_taken_back_now_is_a_debt_that_the_next_start_pays() {
    let (host, server) = ephemeral();
    host.prepare().good();
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    let said = host.settle("success", DONE).good();
    assert!(said.contains("could not be taken back yet"), "{said}");
    assert_eq!(host.ledger()["leftBehind"][0]["runner"]["id"], 41);
    server.state().instead = None;
    host.prepare().good();
    assert_eq!((server.ids(), server.state().deleted.clone()), (vec![42], vec![41]));
    assert_eq!(host.ledger()["leftBehind"], json!([]));
}

#[test]
fn a_registration_that_nobody_could_record_is_found_by_looking() {
    for settled in [true, false] {
        let (host, server) = ephemeral();
        host.prepare().good();
        host.settle("success", DONE).good();
        server.state().deleted.clear();

        let before = host.ledger()["registrations"]["total"].clone();
        mute_at_jit(&host, &server);
        assert_eq!(host.ledger()["runner"], json!(null));
        assert_eq!(server.ids(), [42], "the server made it");
        assert_ne!(host.ledger()["registrations"]["total"], before);
        if settled {
            let said = host.settle("exit-code", None).good();
            assert!(said.contains("what was registered was taken back"), "{said}");
            assert_eq!(server.ids(), [0_u64; 0]);
        } else {
            let said = host.prepare().good();
            assert!(said.contains("id 42, was made by a start that was cut off"), "{said}");
            assert_eq!((server.ids(), server.state().deleted.clone()), (vec![43], vec![42]));
        }
    }
}

/// Runs a start whose broker dies after the server made the runner.
pub fn mute_at_jit(host: &Host, server: &Server) {
    server.state().mute_at_jit = true;
    assert!(host.prepare().bad().contains("its broker did not answer"));
}

#[test]
fn a_lost_registration_that_replaced_somebody_elses_is_found_too() {
    let (mut host, server) = ephemeral();
    server.add(7, "runner1");
    host.manifest["replace"] = json!(true);
    server.state().replace = true;
    mute_at_jit(&host, &server);
    assert_eq!((server.ids(), host.ledger()["attempt"]["before"].clone()), (vec![41], json!({ "runner": 7 })));
    host.settle("exit-code", None).good();
    assert_eq!(server.state().deleted, [7, 41]);
}

#[test]
fn a_runner_that_came_online_meanwhile_is_not_taken_for_the_lost_one() {
    let (host, server) = ephemeral();
    mute_at_jit(&host, &server);
    server.state().runners[0].online = true;
    host.settle("exit-code", None).good();
    assert!(host.prepare().bad().contains("exists already, and this host did not make it"));
    assert_eq!(server.ids(), [41]);
}

#[test]
fn a_persistent_registration_stays_however_the_unit_ends() {
    for (result, exit) in
        [("success", DONE), ("signal", Some(("killed", "KILL"))), ("exit-code", Some(("exited", "1")))]
    {
        let (host, server) = registered();
        let said = host.settle(result, exit).good();
        assert_eq!((server.asked().as_str(), server.ids()), ("", vec![21]), "{said}");
        assert_eq!(host.ledger()["runner"]["id"], 21);
    }
    // Also if it came to its files, but not to its record.
    let (host, server) = crate::host::Host::with_server();
    host.prepare().good();
    host.configured(21);
    server.add(21, "runner1");
    host.settle("signal", None).good();
    assert_eq!(server.ids(), [21]);
    assert!(host.prepare().good().contains("Keeping"));
}

#[test]
fn a_configure_that_failed_after_the_server_registered_leaves_no_orphan() {
    let (host, server) = Host::with_server();
    host.prepare().good();
    // The listener died before it wrote its settings.
    fs::remove_file(host.state(".staged-token")).unwrap();
    server.add(21, "runner1");
    let said = host.settle("exit-code", None).good();
    assert!(said.contains("what was registered was taken back"), "{said}");
    assert_eq!(server.ids(), [0_u64; 0]);
}

#[test]
fn a_version_that_is_too_old_names_the_package_and_the_newest_version() {
    let (host, _server) = registered();
    let said = host.settle("exit-code", Some(("exited", "7"))).good();
    for part in ["too old (exit code 7); the newest is 2.400.0", "listener/Runner.Listener", "set `package`"] {
        assert!(said.contains(part), "{said}");
    }
}

/// A start whose `configure` met that GitHub does not register the version.
fn refused_for_its_version() -> (Host, Server) {
    let (host, server) = Host::with_server();
    host.prepare().good();
    fs::remove_file(host.state(".staged-token")).unwrap();
    fs::write(host.state(".version-refused"), "").unwrap();
    (host, server)
}

#[test]
fn a_start_that_was_refused_for_its_version_says_so_and_what_systemd_did_not_start_stops_no_unit() {
    let (host, _server) = refused_for_its_version();
    let said = host.settle("exit-code", None).good();
    assert!(
        said.contains("could not register, because its version is too old") && said.contains("`package`"),
        "{said}"
    );
    assert!(!said.contains("stays down") && !said.contains("systemctl"), "{said}");
    assert_eq!(host.ledger()["lastExit"]["kind"], "versionDeprecated");
}

#[test]
fn no_job_says_that_its_runner_is_too_old() {
    let (host, _server) = registered();
    fs::write(host.state(".version-refused"), "").unwrap();
    host.settle("exit-code", None).good();
    assert_eq!(host.ledger()["lastExit"]["kind"], "notStarted");
}

#[test]
fn a_condition_that_an_operator_added_is_no_end() {
    let (host, _server) = registered();
    let before = host.ledger();
    assert_eq!(host.settle("exec-condition", None).good(), "");
    assert_eq!(host.ledger(), before);
}

#[test]
fn without_a_broker_a_deleted_registration_is_explained() {
    let host = Host::new().registered();
    let said = host.settle("exit-code", Some(("exited", "1"))).good();
    assert!(said.contains("put a new registration token into ") && said.contains("registers anew"), "{said}");
    let mut host = Host::new();
    *host.registration("ephemeral") = json!(true);
    let host = host.registered();
    clean_up(&host);
    host.settle("success", DONE).good();
    assert_eq!(host.ledger()["registrations"]["used"], true);
}

#[test]
fn an_end_before_the_first_entry_is_no_error() {
    let host = Host::new();
    fs::create_dir(host.path("ledger")).unwrap();
    fs::set_permissions(host.path("ledger"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    assert!(host.settle("exit-code", None).good().contains("before it had a ledger entry"));
}

#[test]
fn a_stop_takes_an_idle_ephemeral_registration_back_before_its_listener_ends() {
    let (host, server) = ephemeral();
    host.prepare().good();
    let mut ledger = host.ledger();
    let said = host.step("release").good();
    assert!(said.contains("Took back the registration of runner1, id 41"), "{said}");
    ledger["runner"] = Value::Null;
    assert_eq!((server.ids(), host.ledger()), (vec![], ledger), "nothing else is struck");
    assert!(host.step("release").good().is_empty(), "a second stop has nothing to do");
    let said = host.settle("success", Some(("exited", "0"))).good();
    assert!(said.contains("no registration is left"), "{said}");
    assert_eq!(host.ledger()["runner"], Value::Null);
}

#[test]
fn a_stop_beside_a_pass_leaves_the_ledger_to_its_end() {
    let (host, server) = ephemeral();
    host.prepare().good();
    let ledger = host.ledger();
    let lock = File::options().write(true).open(host.path("ledger/runner1.lock")).unwrap();
    let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let said = host.step("release").good();
    assert!(said.contains("goes on naming id 41") && said.contains("Another process works on"), "{said}");
    assert_eq!((server.ids(), host.ledger()), (vec![], ledger));
    drop(lock);
    let said = host.settle("success", DONE).good();
    assert!(said.contains("no registration is left"), "{said}");
    assert_eq!(host.ledger()["runner"], Value::Null);
}

#[test]
fn a_stop_does_not_wait_for_what_it_cannot_release() {
    let (host, server) = ephemeral();
    host.prepare().good();
    server.state().runners[0].busy = true;
    assert!(host.step("release").good().contains("runs a job, which ends with this stop"));
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    assert!(host.step("release").good().contains("before it is stopped: it is down"));
    server.state().instead = None;
    server.asked();
    let ended = host.command("release").env("EXIT_CODE", "exited").output().unwrap();
    assert!(ended.status.success() && server.asked().is_empty(), "a listener that ended needs no release");
    let (persistent, server) = registered();
    server.asked();
    assert!(persistent.step("release").good().is_empty() && server.asked().is_empty(), "that one stays");
}
