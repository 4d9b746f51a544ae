//! What is asked of a server, which is the stand-in for Incus and LXD here.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::sample_tests::{LIFETIME, class, fault, key, registration};
use super::*;
use crate::frontend::ondemand::kind::user_data;
use crate::frontend::ondemand::settings::ClassSettings;
use crate::stand_in_incus::{FINGERPRINT, Flavor, IMAGE, PROFILE, PROJECT, StandIn};

const HOST: &str = "0123456789abcdef0123456789abcdef";
/// Tags of an instance that this host made for the class.
const OURS: [(&str, &str); 2] = [("user.runner-controller-id", HOST), ("user.runner-pool-id", "x86_64")];

fn of_incus(server: &StandIn) -> ClassSettings {
    let kind = KindSettings::Incus {
        socket: server.socket(),
        project: PROJECT.into(),
        image: IMAGE.into(),
        profiles: vec![PROFILE.into()],
        virtual_machine: false,
        cpu: Some("2".into()),
        memory: Some("4GiB".into()),
        disk: None,
    };
    ClassSettings { kind, ..class() }
}

fn kind(server: &StandIn) -> Incus {
    Incus::new(server.socket(), PROJECT, HOST)
}

fn token(candidate: u32) -> Token {
    Token::new("host", &key(), 1, candidate)
}

fn launch(server: &StandIn, class: &ClassSettings, candidate: u32) -> Result<(), Fault> {
    let (key, token, registration) = (key(), token(candidate), registration());
    let path = server.directory().join("registration.json");
    fs::write(&path, registration.to_text().unwrap()).unwrap();
    kind(server)
        .launch(&Launch {
            key: &key,
            token: &token,
            class,
            registration: &path,
            lifetime: LIFETIME,
            repository: &registration.repository,
            run: registration.run,
        })
        .map_err(fault)
}

fn made(server: &StandIn, name: &str) -> Value {
    server.with(|state| state.instances[&(PROJECT.to_owned(), name.to_owned())].body.clone())
}

#[test]
fn an_instance_has_its_user_data_its_class_and_this_host() {
    for server in Flavor::BOTH.map(StandIn::start) {
        launch(&server, &of_incus(&server), 1).unwrap();
        let name = kind(&server).name(&key(), &token(1));
        assert_eq!(server.names(), std::slice::from_ref(&name));
        let mut body = made(&server, &name);
        let config = body["config"].as_object_mut().unwrap();
        config.remove("user.runner-create-id").unwrap();
        let registration = registration();
        let script = user_data::script(
            &registration,
            &Launch {
                key: &key(),
                token: &token(1),
                class: &of_incus(&server),
                registration: Path::new(""),
                lifetime: LIFETIME,
                repository: &registration.repository,
                run: registration.run,
            },
        );
        assert_eq!(config.remove("user.user-data").unwrap(), json!(script));
        let expected = json!({
            "name": name, "type": "container", "architecture": "x86_64", "profiles": [PROFILE],
            "description": DESCRIPTION, "ephemeral": false, "start": true, "devices": {},
            "source": {"type": "image", "fingerprint": FINGERPRINT},
            "config": {
                "user.os-type": "linux", "user.os-arch": "amd64", "limits.cpu": "2", "limits.memory": "4GiB",
                "user.runner-controller-id": HOST, "user.runner-pool-id": "x86_64",
            },
        });
        assert_eq!(body, expected);
    }
}

#[test]
fn a_name_is_that_of_the_token_and_one_that_servers_take() {
    let server = StandIn::start(Flavor::Incus);
    let name = kind(&server).name(&key(), &token(u32::MAX));
    assert!(name.starts_with("od-") && name.ends_with("-4294967295") && name.len() <= 63, "{name}");
    assert!(name.contains(&token(1).as_str()[..40]));
    assert_ne!(kind(&server).name(&key(), &token(1)), kind(&server).name(&key(), &token(2)));
}

#[test]
fn the_same_token_makes_no_second_instance_also_when_the_first_one_has_had_its_job() {
    let server = StandIn::start(Flavor::Incus);
    let class = of_incus(&server);
    launch(&server, &class, 1).unwrap();
    assert!(matches!(launch(&server, &class, 1), Err(Fault::Duplicate(_))));
    let stopped = kind(&server).name(&key(), &token(2));
    server.add(&stopped, 102, &OURS);
    assert!(matches!(launch(&server, &class, 2), Err(Fault::Duplicate(_))));
    assert!(made(&server, &stopped)["config"].get("user.user-data").is_none(), "nothing was done to it");
    let foreign = kind(&server).name(&key(), &token(3));
    server.add(&foreign, 103, &[("user.runner-controller-id", "another host")]);
    assert!(matches!(launch(&server, &class, 3), Err(Fault::Duplicate(_))));
}

#[test]
fn what_can_never_be_made_is_said_to_be_so_and_nothing_is_there() {
    let server = StandIn::start(Flavor::Incus);
    let with = |change: fn(&mut ClassSettings)| {
        let mut class = of_incus(&server);
        change(&mut class);
        let fault = launch(&server, &class, 1).unwrap_err();
        assert!(server.names().is_empty());
        fault
    };
    let missing = with(|class| {
        let KindSettings::Incus { image, .. } = &mut class.kind else { unreachable!() };
        *image = "none".into();
    });
    assert!(matches!(missing, Fault::NotFound(_)), "{missing:?}");
    let odd = with(|class| class.architecture = "riscv64".to_owned().try_into().unwrap());
    assert!(matches!(&odd, Fault::Configuration(said) if said.contains("riscv64")), "{odd:?}");
    let other = with(|class| class.kind = KindSettings::Nspawn { image: "runner".into() });
    assert!(matches!(other, Fault::Configuration(_)), "{other:?}");
}

#[test]
fn a_look_finds_what_this_host_made_in_every_class_and_tells_what_is_stopped() {
    let server = StandIn::start(Flavor::Incus);
    server.add("od-1", 103, &OURS);
    server.add("od-2", 102, &OURS);
    server.add("od-3", 103, &[OURS[0], ("user.runner-pool-id", "other")]);
    server.add("od-4", 103, &[("user.runner-controller-id", "another host"), OURS[1]]);
    server.add("od-5", 112, &OURS);
    let seen = |name: &str, is_stopped| Seen::standing(name.into(), is_stopped);
    let expected = [seen("od-1", false), seen("od-2", true), seen("od-3", false), seen("od-5", false)];
    assert_eq!(kind(&server).look().unwrap(), expected);
}

#[test]
fn an_instance_is_ended_whatever_it_does_a_missing_one_is_fine_and_one_of_others_is_left_alone() {
    let server = StandIn::start(Flavor::Incus);
    let kind = kind(&server);
    server.add("od-1", 103, &OURS);
    server.add("od-2", 102, &OURS);
    server.add("theirs", 103, &[("user.runner-controller-id", "another host")]);
    for name in ["od-1", "od-2", "od-missing"] {
        kind.end(name).unwrap();
    }
    assert!(kind.end("theirs").is_err());
    assert_eq!(server.names(), ["theirs"]);
    assert_eq!(kind.console("od-missing").unwrap(), "");
}
