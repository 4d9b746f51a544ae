//! An order, its class and its registration, for the tests of all kinds.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Unmade;
use crate::contract::protocol::Secret;
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::Cost;
use crate::frontend::ondemand::settings::{ClassSettings, KindSettings};
use crate::machines::Fault;
use crate::model::Repository;
use crate::registration::jit::JitRegistration;
use crate::state::{CREDENTIALS, KEY, SETTINGS};

/// When its machine ends at the latest.
pub const DEADLINE: u64 = 1_800_000_000;
/// What it has until then.
pub const LIFETIME: Duration = Duration::from_secs(3_000);

pub fn key() -> Key {
    Key::from_stem("od-19283746-1-build.x86_64").unwrap()
}

pub fn class() -> ClassSettings {
    ClassSettings {
        max: 4,
        ttl: 3_600,
        processors: 2,
        price_per_hour: Cost(0),
        architecture: "x86_64".to_owned().try_into().unwrap(),
        not_online: 300,
        no_job: 240,
        forks: false,
        kind: KindSettings::Nspawn { image: "runner".into() },
    }
}

/// The fault of a machine that is not made.
pub fn fault(unmade: Unmade) -> Fault {
    match unmade {
        Unmade::Fault(fault) => fault,
        Unmade::NoRoomUpTo(_, why) | Unmade::NotAsked(why) => panic!("{why}"),
    }
}

pub fn registration() -> JitRegistration {
    let secret = |text: &str| Secret::new(text.into());
    JitRegistration {
        id: 7,
        name: key().runner_name(),
        files: BTreeMap::from([
            (
                SETTINGS.into(),
                secret(&format!(r#"{{"AgentId":"7","AgentName":"{}","Ephemeral":"True"}}"#, key().runner_name())),
            ),
            (CREDENTIALS.into(), secret(r#"{"fake":"credentials"}"#)),
            (KEY.into(), secret(r#"{"fake":"key"}"#)),
        ]),
        repository: Repository::parse("octo-org/example").unwrap(),
        run: Some(19_283_746),
        deadline: DEADLINE,
    }
}
