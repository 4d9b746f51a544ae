//! A host made of a temporary directory, with one runner, for whole passes.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use github_runners::contract::fleet::Fleet;
use github_runners::reconcile::run;
use github_runners::survey::Places;
use serde_json::{Value, json};

use crate::fake_broker::FakeBroker;
use crate::fake_units::FakeUnits;

pub const URL: &str = "https://github.com/octo-org";

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub struct Host {
    root: tempfile::TempDir,
    pub units: FakeUnits,
    pub broker: FakeBroker,
    /// What the fleet file says about the runner; `None` if it is not configured.
    pub declared: Option<Value>,
}

impl Host {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let units = FakeUnits::running().touchable();
        let host = Self { root, units, broker: FakeBroker::default(), declared: None };
        DirBuilder::new().mode(0o700).create(host.path("ledger")).unwrap();
        fs::create_dir(host.path("sockets")).unwrap();
        fs::create_dir_all(host.path("state/one")).unwrap();
        fs::write(host.path("token"), "ghp_fake").unwrap();
        let mut manifest: Value = serde_json::from_str(include_str!("../../fixtures/manifest-v2.json")).unwrap();
        manifest["instance"] = json!("one");
        (manifest["registration"]["name"], manifest["registration"]["url"]) = (json!("one"), json!(URL));
        manifest["registration"]["tokenFile"] = json!(host.path("token"));
        fs::write(host.path("manifest.json"), manifest.to_string()).unwrap();
        let mut entry: Value = serde_json::from_str(include_str!("../../fixtures/ledger-v3.json")).unwrap();
        (entry["instance"], entry["registration"]) = (json!("one"), manifest["registration"].clone());
        entry["runner"] = json!({ "id": 21, "name": "one", "url": URL, "recordedAt": now() - 1_000 });
        (entry["leftBehind"], entry["attempt"], entry["lastExit"]) = (json!([]), Value::Null, Value::Null);
        entry["credential"]["tokenFile"] = json!(host.path("token"));
        host.write_entry(&entry);
        host.broker.listen(&host.path("sockets/one"));
        host
    }

    pub fn configured(mut self) -> Self {
        self.declared = Some(json!({
            "instance": "one", "pool": "one", "unit": "github-runner-one.service",
            "manifest": self.path("manifest.json"), "restartPolicy": "when-idle", "drainTimeout": null,
            "workDirectory": "/nonexistent",
        }));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    pub fn entry(&self) -> Option<Value> {
        Some(serde_json::from_slice(&fs::read(self.path("ledger/one.json")).ok()?).unwrap())
    }

    pub fn write_entry(&self, entry: &Value) {
        fs::write(self.path("ledger/one.json"), entry.to_string()).unwrap();
    }

    pub fn fleet(&self) -> Fleet {
        let instances: Vec<&Value> = self.declared.iter().collect();
        let fleet = json!({
            "version": 1, "instances": instances, "deleteUnknownOffline": false,
            "textfileDirectory": null, "brokerProperties": [],
        });
        Fleet::parse(fleet.to_string().as_bytes()).unwrap()
    }

    pub fn places(&self) -> Places {
        Places {
            ledger: self.path("ledger"),
            sockets: self.path("sockets"),
            roots: ["state", "logs", "run"].map(|name| self.path(name)),
            memory: self.path("memory"),
            runtime: self.path("runtime"),
        }
    }

    pub fn memory(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("memory/memory.json")).unwrap()).unwrap()
    }

    /// Writes debts into the entry, of these ids.
    pub fn owes(&self, ids: &[u64]) {
        let mut entry = self.entry().unwrap();
        let debt = |id: &u64| {
            let runner = json!({ "id": id, "name": "one", "url": URL, "recordedAt": 1 });
            json!({ "runner": runner, "ephemeral": false, "since": now() })
        };
        entry["leftBehind"] = ids.iter().map(debt).collect();
        self.write_entry(&entry);
    }

    /// Makes a pass; what it said about the runner, and what it did to units.
    pub fn pass(&self) -> (String, Vec<String>) {
        run(&self.fleet(), &self.units, &self.places()).unwrap();
        let said = self.memory()["runners"]["one"]["said"].as_str().unwrap_or_default().to_owned();
        (said, std::mem::take(&mut self.units.done.borrow_mut()))
    }
}
