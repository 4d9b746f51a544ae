//! What becomes of the instance of an order of a workflow.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use github_runners::contract::protocol::Secret;
use github_runners::frontend::ondemand::kind::incus::Incus;
use github_runners::frontend::ondemand::kind::{Kind as _, Launch, Seen, Unmade};
use github_runners::frontend::ondemand::label::Key;
use github_runners::frontend::ondemand::order::{Cost, Token};
use github_runners::frontend::ondemand::settings::{ClassSettings, KindSettings};
use github_runners::machines::{Fault, Machines as _};
use github_runners::model::Repository;
use github_runners::registration::jit::JitRegistration;
use serde_json::json;

use crate::host::{Host, names};
use crate::stand_in::{IMAGE, PROFILE, PROJECT};

/// Tells this host from the controllers of the other claims.
const ID: &str = "0123456789abcdef0123456789abcdef";

fn registration(key: &Key) -> JitRegistration {
    let (name, secret) = (key.runner_name(), |text: &str| Secret::new(text.into()));
    let settings = json!({"AgentId": "7", "AgentName": name, "Ephemeral": "True"}).to_string();
    let files = BTreeMap::from([
        (".runner".to_owned(), secret(&settings)),
        (".credentials".to_owned(), secret(r#"{"fake": "credentials"}"#)),
        (".credentials_rsaparams".to_owned(), secret(r#"{"fake": "key"}"#)),
    ]);
    let repository = Repository::parse("octo-org/example").unwrap();
    JitRegistration { id: 7, name, files, repository, run: Some(5), deadline: 4_000_000_000 }
}

#[test]
fn an_order_gets_one_instance_which_is_seen_until_it_is_ended_and_by_no_other_host() {
    for host in Host::all() {
        let kind = Incus::new(host.socket(), PROJECT, ID);
        let key = Key::from_stem("od-5-build.x86_64").unwrap();
        let (token, registration) = (Token::new(ID, &key, 1, 1), registration(&key));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("registration.json");
        fs::write(&path, registration.to_text().unwrap()).unwrap();
        let class = ClassSettings {
            max: 1,
            ttl: 3_600,
            processors: 1,
            price_per_hour: Cost(0),
            architecture: "x86_64".to_owned().try_into().unwrap(),
            not_online: 300,
            no_job: 300,
            forks: false,
            kind: KindSettings::Incus {
                socket: host.socket(),
                project: PROJECT.into(),
                image: IMAGE.into(),
                profiles: vec!["default".into(), PROFILE.into()],
                virtual_machine: false,
                cpu: None,
                memory: None,
                disk: None,
            },
        };
        let launch = Launch {
            key: &key,
            token: &token,
            class: &class,
            registration: &path,
            lifetime: Duration::from_secs(3_000),
            repository: &registration.repository,
            run: registration.run,
        };
        kind.launch(&launch).unwrap();
        let name = kind.name(&key, &token);
        let seen = |is_stopped| [Seen::standing(name.clone(), is_stopped)];
        assert_eq!(kind.look().unwrap(), seen(false));
        assert!(matches!(kind.launch(&launch), Err(Unmade::Fault(Fault::Duplicate(_)))));
        assert_eq!(Incus::new(host.socket(), PROJECT, "another").look().unwrap(), []);
        assert!(Incus::new(host.socket(), PROJECT, "another").end(&name).is_err());
        let client = host.client("x86_64");
        assert!(!names(&client).contains(&name), "nor by a controller of GARM");
        assert!(client.delete(&name).is_err());
        crate::wait::wait_for("the console", || kind.console(&name).unwrap().contains("guest is up").then_some(()));
        // As after its job.
        host.own("x86_64", ID).stop(&name).unwrap();
        assert_eq!(kind.look().unwrap(), seen(true));
        assert!(matches!(kind.launch(&launch), Err(Unmade::Fault(Fault::Duplicate(_)))), "it had its job");
        kind.end(&name).unwrap();
        kind.end(&name).unwrap();
        assert_eq!(kind.look().unwrap(), []);
    }
}
