//! A host as a pass finds it, for tests: every runner is well until a test says otherwise.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Configuration, Host, HostRunner, Intent, Knowledge, Memory, Server, Situation, Standing};
use crate::contract::fleet::{Declaration, Fleet, RestartPolicy};
use crate::contract::manifest::Manifest;
use crate::contract::protocol::RemoteRunner;
use crate::ledger::{Entry, Exit, ExitKind, Owner, Runner};
use crate::model::{Releases, Token, TokenKind};
use crate::registration::credential::Credential;
use crate::units::{Activity, Unit};

/// When everything happens.
pub(crate) const NOW: u64 = 1_790_000_000;
/// How long the credential is still good, in seconds.
const TERM: u64 = 14 * 24 * 60 * 60;
const URL: &str = "https://github.com/o/r";

/// A host with one runner of each name, all well.
pub(crate) fn host(names: &[&str]) -> (Fleet, Host, Memory) {
    let fleet = json!({
        "version": 1,
        "instances": names.iter().map(|name| json!({
            "instance": name, "pool": name, "unit": format!("github-runner-{name}.service"), "manifest": "/m",
            "restartPolicy": "when-idle", "drainTimeout": null, "workDirectory": "/w",
        })).collect::<Vec<Value>>(),
        "deleteUnknownOffline": false, "textfileDirectory": null, "brokerProperties": [],
    });
    let fleet = Fleet::parse(fleet.to_string().as_bytes()).unwrap();
    let runners: Vec<HostRunner> = (21..).zip(&fleet.instances).map(|(id, declared)| found(declared, id)).collect();
    let mut memory = Memory::default();
    memory.last_pass = Some(NOW - 30);
    let standing = Standing { expires: Some(NOW + TERM), ..Standing::default() };
    memory.credentials.insert("/run/secrets/t".into(), standing);
    let mut releases = Releases::default();
    releases.asked = Some(NOW);
    releases.learn(Some("2.333.1"), [], NOW);
    memory.releases.insert("github.com".into(), releases);
    (fleet, Host { runners, lists: BTreeMap::new(), silent: BTreeMap::new(), unreadable: BTreeMap::new() }, memory)
}

fn found(declared: &Declaration, id: u64) -> HostRunner {
    let name = declared.instance.as_str();
    let mut manifest: Value = serde_json::from_str(include_str!("../../tests/fixtures/manifest-v2.json")).unwrap();
    manifest["listener"] = json!(format!("/nix/store/{}-github-runner-2.333.1/bin/Runner.Listener", "0".repeat(32)));
    let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
    let mut entry = Entry::new(&declared.instance, manifest.registration.to_object().unwrap(), None);
    let runner = Runner { id, name: name.into(), url: URL.into(), recorded_at: 1 };
    entry.runner = Some(runner.clone());
    entry.credential = Some(manifest.credential_place());
    entry.last_exit =
        Some(Exit { at: NOW - 7_200, kind: ExitKind::JobDone, said: "It did its job".into(), failures: 0, alike: 0 });
    let token = Token::parse(b"ghp_fake").unwrap();
    let situation = Situation {
        wanted: Some(Intent {
            policy: RestartPolicy::WhenIdle,
            drain_timeout: None,
            outdated: false,
            registers_anew: false,
        }),
        unit: Unit {
            activity: Activity::Active,
            since: Some(NOW - 7_000),
            result: "success".into(),
            has_job: false,
            is_defined: true,
        },
        known: Some(Knowledge { owner: Owner::Declared, runner: Some(runner), owes: false, started: None }),
        server: Server::Lists(Some(RemoteRunner { id, name: name.into(), online: true, busy: false })),
    };
    HostRunner {
        instance: declared.instance.clone(),
        unit: declared.unit.clone(),
        configured: Some(Configuration {
            declared: declared.clone(),
            manifest,
            credential: Ok(Credential::Token(token, TokenKind::Access)),
        }),
        entry: Some(entry),
        situation,
    }
}
