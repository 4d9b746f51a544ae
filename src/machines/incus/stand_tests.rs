//! What the tests of the client share: a stand-in, clients of it, and a specification.

use std::time::Duration;

use super::times::Times;
use super::{Connection, Endpoint, Image, Incus, Kind, Limits, Owner, Specification};
use crate::stand_in_incus::{Flavor, IMAGE, PROFILE, PROJECT, StandIn};

pub const CONTROLLER: &str = "c0ffee00-0000-4000-8000-000000000001";
pub const POOL: &str = "ss1-a44016d6-53bd-42e0-ae4c-d4dcf0e6f677";
/// Tags of an instance of the client that [`client`] makes.
pub const OURS: [(&str, &str); 2] = [("user.runner-controller-id", CONTROLLER), ("user.runner-pool-id", POOL)];
/// Tags of somebody else's.
pub const FOREIGN: [(&str, &str); 2] = [("user.runner-controller-id", "somebody else"), ("user.runner-pool-id", POOL)];

pub fn specification(name: &str) -> Specification {
    Specification {
        name: name.into(),
        description: "Github runner provisioned by garm".into(),
        kind: Kind::Container,
        architecture: "x86_64".into(),
        profiles: vec!["default".into(), PROFILE.into()],
        image: Image::Local(IMAGE.into()),
        user_data: "#cloud-config\n{}".into(),
        os_type: "linux".into(),
        os_arch: "amd64".into(),
        secure_boot: false,
        limits: Limits::default(),
        network: None,
        target: None,
    }
}

pub fn owner() -> Owner {
    Owner { controller: CONTROLLER.into(), pool: Some(POOL.into()) }
}

/// A client of the usual pool, with the usual limits and short pauses.
pub fn client(server: &StandIn) -> Incus {
    client_in(server, PROJECT)
}

pub fn client_in(server: &StandIn, project: &str) -> Incus {
    let connection = Connection { endpoint: Endpoint::Socket(server.socket()), project: project.into() };
    let mut client = Incus::open(&connection, owner()).unwrap();
    client.server.times.pause = Duration::from_millis(5);
    // Nobody was killed.
    client.server.times.late = Duration::ZERO;
    client
}

/// The same with other limits.
pub fn hasty(server: &StandIn, change: impl FnOnce(&mut Times)) -> Incus {
    let mut client = client(server);
    change(&mut client.server.times);
    client
}

/// One of each kind.
pub fn both() -> [StandIn; 2] {
    Flavor::BOTH.map(StandIn::start)
}

/// The value of a key of an instance that was made.
pub fn config(server: &StandIn, name: &str, key: &str) -> Option<String> {
    server.with(|state| {
        let made = &state.instances[&(PROJECT.to_owned(), name.to_owned())];
        made.body["config"][key].as_str().map(String::from)
    })
}
