//! What each command asks a server for, and what comes of it.

use std::time::Duration;

use serde_json::json;

use super::stand_tests::{CONTROLLER, OURS, POOL, both, client, client_in, config, specification};
use super::{Image, Instance, Kind, Limits, Specification, Status};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Durations, FINGERPRINT, Flavor, PROJECT, StandIn};

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
fn the_request_has_what_the_go_providers_ask_for_and_a_mark() {
    let server = StandIn::start(Flavor::Incus);
    client(&server).create(&specification("r-1")).unwrap();
    let mut body = server.with(|state| state.instances[&(PROJECT.to_owned(), "r-1".to_owned())].body.clone());
    let mark = body["config"].as_object_mut().unwrap().remove("user.runner-create-id").unwrap();
    assert_eq!(mark.as_str().map(str::len), Some(32));
    let expected = json!({
        "name": "r-1", "type": "container", "architecture": "x86_64", "profiles": ["default", "garm-small"],
        "description": "Github runner provisioned by garm", "ephemeral": false, "start": true, "devices": {},
        "source": {"type": "image", "fingerprint": FINGERPRINT},
        "config": {
            "user.user-data": "#cloud-config\n{}", "user.os-type": "linux", "user.os-arch": "amd64",
            "user.runner-controller-id": CONTROLLER, "user.runner-pool-id": POOL,
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn limits_target_and_a_remote_image_are_handed_on() {
    let server = StandIn::start(Flavor::Incus);
    let remote = Image::Remote {
        server: "https://images.example".into(),
        protocol: "simplestreams".into(),
        alias: "debian/13/cloud".into(),
    };
    let specification = Specification {
        image: remote,
        limits: Limits { cpu: Some("2".into()), memory: Some("4GiB".into()), disk: Some("20GiB".into()) },
        network: Some("garm".into()),
        target: Some("@big ones".into()),
        profiles: vec!["default".into(), "default".into()],
        ..specification("r-1")
    };
    client(&server).create(&specification).unwrap();
    assert!(server.requests().contains(&"POST /1.0/instances?target=%40big%20ones".to_owned()));
    let body = server.with(|state| state.instances[&(PROJECT.to_owned(), "r-1".to_owned())].body.clone());
    assert_eq!(
        body["source"],
        json!({"type": "image", "server": "https://images.example", "protocol": "simplestreams", "alias": "debian/13/cloud"})
    );
    assert_eq!((&body["config"]["limits.cpu"], &body["config"]["limits.memory"]), (&json!("2"), &json!("4GiB")));
    assert_eq!(body["devices"]["root"], json!({"type": "disk", "path": "/", "pool": "default", "size": "20GiB"}));
    assert_eq!(body["devices"]["eth0"]["network"], "garm");
    assert_eq!(body["profiles"], json!(["default"]));
}

#[test]
fn secure_boot_is_asked_for_in_the_servers_own_word() {
    for (extensions, secure_boot, key, value) in [
        (&[][..], true, "security.secureboot", "true"),
        (&[], false, "security.secureboot", "false"),
        (&["instance_boot_mode"], true, "boot.mode", "uefi-secureboot"),
        (&["instance_boot_mode"], false, "boot.mode", "uefi-nosecureboot"),
    ] {
        let server = StandIn::start(Flavor::Lxd);
        server.with(|state| state.extensions = extensions.to_vec());
        let specification = Specification {
            kind: Kind::VirtualMachine,
            image: Image::Local("trixie-vm".into()),
            secure_boot,
            ..specification("r-1")
        };
        client(&server).create(&specification).unwrap();
        assert_eq!(config(&server, "r-1", key).as_deref(), Some(value));
        let other = if key == "boot.mode" { "security.secureboot" } else { "boot.mode" };
        assert_eq!(config(&server, "r-1", other), None);
    }
}

#[test]
fn an_image_is_an_alias_or_the_beginning_of_a_fingerprint() {
    for server in both() {
        for (at, image) in ["trixie", FINGERPRINT, &FINGERPRINT[..12]].into_iter().enumerate() {
            let specification =
                Specification { image: Image::Local(image.into()), ..specification(&format!("r-{at}")) };
            client(&server).create(&specification).unwrap();
        }
        assert_eq!(server.names(), ["r-0", "r-1", "r-2"]);
    }
}

#[test]
fn what_cannot_be_is_told_before_anything_is_made() {
    let refused = |specification: Specification| {
        both().map(|server| {
            let fault = client(&server).create(&specification).unwrap_err();
            let asked = server.requests();
            assert!(asked.iter().all(|line| line.starts_with("GET ")), "{asked:?}");
            fault
        })
    };
    let image = |name: &str| Specification { image: Image::Local(name.into()), ..specification("r-1") };
    for name in ["sid", "5a3c1e", "../../certificates", "", "a?b", &"d".repeat(64)] {
        for fault in refused(image(name)) {
            let Fault::NotFound(told) = fault else { panic!("{fault:?}") };
            assert!(told.contains("no image") && told.contains("its aliases: trixie, trixie-vm, trixie-arm"), "{told}");
        }
    }
    for (specification, part) in [
        (image("trixie-vm"), "is one of a virtual-machine, and a container is asked for"),
        (image("trixie-arm"), "is one for aarch64, and x86_64 is asked for"),
        (Specification { name: "under_score".into(), ..specification("") }, "cannot be named \"under_score\""),
        (specification(""), "cannot be named \"\""),
        (specification(&"a".repeat(64)), "cannot be named"),
    ] {
        for fault in refused(specification.clone()) {
            assert!(matches!(&fault, Fault::Configuration(told) if told.contains(part)), "{fault:?}");
        }
    }
    for fault in refused(Specification { profiles: vec!["nope".into()], ..specification("r-1") }) {
        assert!(
            matches!(&fault, Fault::NotFound(told) if told.contains("its profiles: default, garm-small")),
            "{fault:?}"
        );
    }
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
