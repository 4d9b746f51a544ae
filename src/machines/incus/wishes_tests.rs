//! What a specification asks for, as the server is asked for it, and what is refused before that.

use serde_json::json;

use super::stand_tests::{CONTROLLER, POOL, both, client, config, specification};
use super::{Image, Kind, Limits, Specification};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{FINGERPRINT, Flavor, PROJECT, StandIn};

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
