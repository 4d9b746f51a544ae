//! What each command asks a server for, and what comes of it.

use std::time::Duration;

use serde_json::json;

use super::stand_tests::{CONTROLLER, OURS, POOL, both, client, client_in, specification};
use super::{Instance, Status};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Durations, Flavor, PROJECT, StandIn};

/// Requests with the names of operations taken out.
fn requests(server: &StandIn) -> String {
    let lines = server.requests().into_iter().map(|line| match line.split_once("/operations/0000") {
        Some((before, after)) => format!(
            "{before}/operations/ID{}",
            after.split_once('/').map_or(String::new(), |(_, rest)| format!("/{rest}"))
        ),
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn incus_makes_and_starts_an_instance_by_one_operation() {
    let server = StandIn::start(Flavor::Incus);
    let made = client(&server).create(&specification("r-1")).unwrap();
    let expected = Instance {
        name: "r-1".into(),
        status: Status::Running,
        os_name: Some("debian".into()),
        os_version: Some("trixie".into()),
        architecture: "x86_64".into(),
        addresses: vec!["10.213.0.10".into(), "fd00::17".into()],
        controller: Some(CONTROLLER.into()),
        pool: Some(POOL.into()),
    };
    assert_eq!(made, expected);
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0
    GET /1.0/profiles?recursion=1
    GET /1.0/images/aliases/trixie
    GET /1.0/images/5a3c1e5f0d7b4c6a8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9010203040506
    GET /1.0/instances/r-1
    GET /1.0/operations?recursion=1
    GET /1.0/instances/r-1
    POST /1.0/instances
    GET /1.0/operations/ID/wait?timeout=15
    GET /1.0/instances/r-1
    GET /1.0/instances/r-1?recursion=1
    ");
}

#[test]
fn lxd_is_asked_to_start_what_it_made() {
    let server = StandIn::start(Flavor::Lxd);
    assert_eq!(client(&server).create(&specification("r-1")).unwrap().status, Status::Running);
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0
    GET /1.0/profiles?recursion=1
    GET /1.0/images/aliases/trixie
    GET /1.0/images/5a3c1e5f0d7b4c6a8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9010203040506
    GET /1.0/instances/r-1
    GET /1.0/operations?recursion=1
    GET /1.0/instances/r-1
    POST /1.0/instances
    GET /1.0/operations/ID/wait?timeout=15
    GET /1.0/instances/r-1
    PUT /1.0/instances/r-1/state
    GET /1.0/operations/ID/wait?timeout=15
    GET /1.0/instances/r-1
    GET /1.0/instances/r-1?recursion=1
    ");
}

#[test]
fn other_commands_look_at_the_project_and_at_the_tags_first() {
    let server = StandIn::start(Flavor::Incus);
    server.add("r-1", 103, &OURS);
    let client = client(&server);
    client.get("r-1").unwrap();
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0/instances/r-1?recursion=1
    ");
    client.list().unwrap();
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0/instances?recursion=1
    ");
    client.stop("r-1").unwrap();
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0/instances/r-1
    PUT /1.0/instances/r-1/state
    GET /1.0/operations/ID/wait?timeout=15
    GET /1.0/instances/r-1
    ");
    client.stop("r-1").unwrap();
    client.start("r-1").unwrap();
    client.start("r-1").unwrap();
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0/instances/r-1
    GET /1.0/projects/garm-project
    GET /1.0/instances/r-1
    PUT /1.0/instances/r-1/state
    GET /1.0/operations/ID/wait?timeout=15
    GET /1.0/instances/r-1
    GET /1.0/projects/garm-project
    GET /1.0/instances/r-1
    ");
    client.delete("r-1").unwrap();
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0/instances/r-1
    PUT /1.0/instances/r-1/state
    GET /1.0/operations/ID/wait?timeout=15
    GET /1.0/instances/r-1
    DELETE /1.0/instances/r-1
    GET /1.0/operations/ID/wait?timeout=15
    GET /1.0/instances/r-1
    GET /1.0/operations?recursion=1
    GET /1.0/instances/r-1
    ");
    client.delete("r-1").unwrap();
    insta::assert_snapshot!(requests(&server), @r"
    GET /1.0/projects/garm-project
    GET /1.0/instances/r-1
    GET /1.0/operations?recursion=1
    GET /1.0/instances/r-1
    ");
}

#[test]
fn a_project_that_is_not_there_is_a_fault_of_every_command_and_never_an_empty_list() {
    for server in both() {
        let client = client_in(&server, "nope");
        let faults = [
            client.list().unwrap_err(),
            client.get("r-1").unwrap_err(),
            client.delete("r-1").unwrap_err(),
            client.start("r-1").unwrap_err(),
            client.stop("r-1").unwrap_err(),
            client.console("r-1").unwrap_err(),
            client.create(&specification("r-1")).unwrap_err(),
        ];
        for fault in faults {
            assert!(
                matches!(&fault, Fault::Configuration(told) if told.contains("has no project \"nope\"")),
                "{fault:?}"
            );
        }
        assert!(server.requests().iter().all(|line| line == "GET /1.0/projects/nope"));
    }
}

#[test]
fn a_missing_instance_is_not_found_and_deleting_it_succeeds() {
    for server in both() {
        let client = client(&server);
        for name in ["r-1", "", "a/../../x", "..", "ü", "a?project=default"] {
            client.delete(name).unwrap();
            assert!(matches!(client.get(name), Err(Fault::NotFound(_))), "{name}");
            assert!(matches!(client.start(name), Err(Fault::NotFound(_))), "{name}");
            assert!(matches!(client.stop(name), Err(Fault::NotFound(_))), "{name}");
        }
        let beyond = |line: &String| line.contains("instances") && !line.contains("r-1");
        assert!(!server.requests().iter().any(beyond), "names that nobody can have are not asked for");
    }
}

#[test]
fn an_address_is_waited_for_and_not_needed() {
    for server in both() {
        server.take(Durations { address: Duration::from_millis(300), ..Durations::default() });
        let made = client(&server).create(&specification("r-1")).unwrap();
        assert_eq!(made.addresses, ["10.213.0.10", "fd00::17"]);
        server.with(|state| state.has_addresses = false);
        let hasty = super::stand_tests::hasty(&server, |times| times.address = Duration::from_millis(200));
        let made = hasty.create(&specification("r-2")).unwrap();
        assert_eq!((made.status, made.addresses.len()), (Status::Running, 0));
    }
}

#[test]
fn an_address_of_the_newer_kind_alone_is_one_and_what_a_guest_makes_up_is_none() {
    let server = StandIn::start(Flavor::Incus);
    server.add("r-1", 103, &OURS);
    server.with(|state| {
        state.has_addresses = false;
        let made = state.instances.get_mut(&(PROJECT.to_owned(), "r-1".to_owned())).unwrap();
        let address = |text: &str| json!({"family": "inet6", "address": text, "netmask": "64", "scope": "global"});
        made.addresses = vec![address("fd00::2"), address("\u{1b}[31m"), address("")];
        made.addresses.extend((0..10_000).map(|at| address(&format!("fd01::{at:x}"))));
    });
    let addresses = client(&server).get("r-1").unwrap().addresses;
    assert_eq!((addresses[0].as_str(), addresses.len()), ("fd00::2", 16));
}

#[test]
fn two_at_once_are_both_made() {
    for server in both() {
        server.take(Durations { create: Duration::from_millis(100), ..Durations::default() });
        std::thread::scope(|scope| {
            for name in ["r-1", "r-2"] {
                let server = &server;
                scope.spawn(move || client(server).create(&specification(name)).unwrap());
            }
        });
        assert_eq!(server.names(), ["r-1", "r-2"]);
    }
}

#[test]
fn the_console_is_read_as_it_is() {
    let server = StandIn::start(Flavor::Incus);
    server.add("r-1", 103, &OURS);
    server.with(|state| state.console = "{\"type\": \"error\"}\nlogin: ".into());
    assert_eq!(client(&server).console("r-1").unwrap(), "{\"type\": \"error\"}\nlogin: ");
}
