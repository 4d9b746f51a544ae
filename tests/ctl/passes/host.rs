//! A host made of a temporary directory, with one runner, for whole passes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use github_runners::contract::fleet::Fleet;
use github_runners::contract::protocol::{Answer, Outcome, Request, Verb};
use github_runners::reconcile::run;
use github_runners::survey::Places;
use github_runners::units::{Activity, Unit, Units};
use serde_json::{Value, json};

pub const URL: &str = "https://github.com/octo-org";

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// One unit, and what was done to units.
pub struct Fake {
    pub unit: RefCell<Unit>,
    pub done: RefCell<Vec<String>>,
    /// After so many looks its job ends; 0 for one that goes on.
    pub looks_with_job: Cell<u32>,
}

impl Units for Fake {
    fn show(&self, units: &[&str]) -> Result<BTreeMap<String, Unit>> {
        if self.looks_with_job.get() == 1 {
            self.unit.borrow_mut().has_job = false;
        }
        self.looks_with_job.set(self.looks_with_job.get().saturating_sub(1));
        Ok(units.iter().map(|name| ((*name).to_owned(), self.unit.borrow().clone())).collect())
    }

    fn restart(&self, unit: &str) -> Result<()> {
        self.done.borrow_mut().push(format!("restart {unit}"));
        Ok(())
    }

    fn stop(&self, unit: &str) -> Result<()> {
        self.done.borrow_mut().push(format!("stop {unit}"));
        if unit.starts_with('/') {
            // As systemd does to what is mounted there.
            nix::mount::umount(unit)?;
        }
        self.unit.borrow_mut().activity = Activity::Inactive;
        Ok(())
    }
}

/// A broker that answers what it is told, and remembers what it was asked.
#[derive(Clone, Default)]
pub struct Broker {
    asked: Arc<Mutex<Vec<Verb>>>,
    /// What it answers, one after the other; the last one again and again.
    answers: Arc<Mutex<Vec<Outcome>>>,
}

impl Broker {
    pub fn listen(&self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let this = self.clone();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                this.asked.lock().unwrap().push(serde_json::from_str::<Request>(&line).unwrap().verb);
                let mut answers = this.answers.lock().unwrap();
                let outcome = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
                let answer = Answer { requests: 1, ..Answer::unasked(outcome) };
                let text = serde_json::to_string(&answer).unwrap() + "\n";
                stream.write_all(text.as_bytes()).unwrap();
            }
        });
    }

    pub fn answers(&self, outcome: Outcome) {
        self.answers_in_turn(&[outcome]);
    }

    pub fn answers_in_turn(&self, outcomes: &[Outcome]) {
        *self.answers.lock().unwrap() = outcomes.to_vec();
    }

    pub fn asked(&self) -> Vec<Verb> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

pub struct Host {
    root: tempfile::TempDir,
    pub units: Fake,
    pub broker: Broker,
    /// What the fleet file says about the runner; `None` if it is not configured.
    pub declared: Option<Value>,
}

impl Host {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let unit = Unit { activity: Activity::Active, since: Some(1), is_defined: true, ..Unit::default() };
        let units = Fake { unit: RefCell::new(unit), done: RefCell::default(), looks_with_job: Cell::new(0) };
        let host = Self { root, units, broker: Broker::default(), declared: None };
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
