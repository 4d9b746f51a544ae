//! How many brokers a start and an end cost: each connection is a process that systemd has to make.

use serde_json::json;

use super::register::{ephemeral, registered};
use crate::host::Host;
use crate::server::Server;

/// What was asked since the last time, and over how many connections.
fn asked(server: &Server) -> (String, u32) {
    (server.asked(), std::mem::take(&mut server.state().connections))
}

fn of(words: &str, connections: u32) -> (String, u32) {
    (words.to_owned(), connections)
}

/// A stop as systemd makes it.
fn stop(host: &Host) {
    host.step("release").good();
    let said = host.settle("success", Some(("exited", "0"))).good();
    assert!(said.ends_with("stopped without having finished a job; no registration is left\n"), "{said}");
}

#[test]
fn an_ephemeral_start_asks_one_broker_and_so_does_its_end() {
    let (host, server) = ephemeral();
    host.prepare().good();
    assert_eq!(asked(&server), of("look, jit", 1));
    host.step("record").good();
    assert_eq!(asked(&server), of("", 0));
    // After a job, or whatever else ends the listener by itself.
    host.settle("success", Some(("exited", "0"))).good();
    assert_eq!(asked(&server), of("retire 41", 1));
    host.prepare().good();
    assert_eq!(asked(&server), of("look, jit", 1));
    // Whatever was left is paid over the same connection.
    host.prepare().good();
    assert_eq!(asked(&server), of("retire 42, look, jit", 1));
}

#[test]
fn a_stop_asks_one_broker_and_leaves_nothing() {
    let (host, server) = ephemeral();
    host.prepare().good();
    asked(&server);
    stop(&host);
    assert_eq!(asked(&server), of("retire 41", 1));
    let ledger = host.ledger();
    assert_eq!((&ledger["runner"], &ledger["leftBehind"]), (&json!(null), &json!([])));
    assert_eq!(host.tree("state"), [""; 0], "the files open nothing any more");
    assert_eq!(host.ledger()["registrations"]["used"], false);
}

#[test]
fn a_persistent_start_asks_one_broker_and_its_end_none() {
    let (mut host, server) = registered();
    asked(&server);
    host.prepare().good();
    assert_eq!(asked(&server), of("observe 21", 1));
    host.settle("success", Some(("exited", "0"))).good();
    assert_eq!(asked(&server), of("", 0));
    *host.registration("extraLabels") = json!(["other"]);
    host.prepare().good();
    assert_eq!(asked(&server), of("retire 21, look, token", 1));
}

#[test]
fn a_registration_that_is_gone_is_made_anew_over_the_same_connection() {
    let (host, server) = registered();
    server.state().runners.clear();
    asked(&server);
    host.prepare().good();
    assert_eq!(asked(&server), of("observe 21, look, token", 1));
}

#[test]
fn a_broker_that_knows_nothing_of_what_is_asked_for_makes_room_for_one_that_does() {
    // The name of the runner that is to be replaced is in the ledger only after the look.
    let (mut host, server) = ephemeral();
    server.add(7, "runner1");
    host.manifest["replace"] = json!(true);
    server.state().replace = true;
    host.prepare().good();
    assert_eq!(asked(&server), of("look, jit", 2));
    // What a lost attempt made is in the ledger only once it was found.
    let (host, server) = ephemeral();
    super::settle::mute_at_jit(&host, &server);
    asked(&server);
    host.settle("exit-code", None).good();
    assert_eq!(asked(&server), of("attempt, retire 41", 2));
}
