//! Whole passes on a host made of a temporary directory: what they do to units and to the ledger when something is missing,
//! late, limited or gone.

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
use github_runners::contract::protocol::{Answer, Outcome, Request, Seen, Verb};
use github_runners::reconcile::{Wish, operate, run};
use github_runners::state::start::volume;
use github_runners::survey::Places;
use github_runners::sys::Place;
use github_runners::units::{Activity, Unit, Units};
use serde_json::{Value, json};

const URL: &str = "https://github.com/octo-org";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// One unit, and what was done to units.
struct Fake {
    unit: RefCell<Unit>,
    done: RefCell<Vec<String>>,
    /// After so many looks its job ends; 0 for one that goes on.
    looks_with_job: Cell<u32>,
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
struct Broker {
    asked: Arc<Mutex<Vec<Verb>>>,
    /// What it answers, one after the other; the last one again and again.
    answers: Arc<Mutex<Vec<Outcome>>>,
}

impl Broker {
    fn listen(&self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let this = self.clone();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let questions = BufReader::new(stream.try_clone().unwrap()).lines();
                for line in questions.map_while(Result::ok) {
                    this.asked.lock().unwrap().push(serde_json::from_str::<Request>(&line).unwrap().verb);
                    let mut answers = this.answers.lock().unwrap();
                    let outcome = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
                    let answer = Answer { requests: 1, ..Answer::unasked(outcome) };
                    let text = serde_json::to_string(&answer).unwrap() + "\n";
                    stream.write_all(text.as_bytes()).unwrap();
                }
            }
        });
    }

    fn answers(&self, outcome: Outcome) {
        self.answers_in_turn(&[outcome]);
    }

    fn answers_in_turn(&self, outcomes: &[Outcome]) {
        *self.answers.lock().unwrap() = outcomes.to_vec();
    }

    fn asked(&self) -> Vec<Verb> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

struct Host {
    root: tempfile::TempDir,
    units: Fake,
    broker: Broker,
    /// What the fleet file says about the runner; `None` if it is not configured.
    declared: Option<Value>,
}

impl Host {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let unit = Unit { activity: Activity::Active, since: Some(1), is_defined: true, ..Unit::default() };
        let units = Fake { unit: RefCell::new(unit), done: RefCell::default(), looks_with_job: Cell::new(0) };
        let host = Self { root, units, broker: Broker::default(), declared: None };
        DirBuilder::new().mode(0o700).create(host.path("ledger")).unwrap();
        fs::create_dir(host.path("sockets")).unwrap();
        fs::create_dir_all(host.path("state/one")).unwrap();
        fs::write(host.path("token"), "ghp_fake").unwrap();
        let mut manifest: Value = serde_json::from_str(include_str!("../fixtures/manifest-v2.json")).unwrap();
        manifest["instance"] = json!("one");
        (manifest["registration"]["name"], manifest["registration"]["url"]) = (json!("one"), json!(URL));
        manifest["registration"]["tokenFile"] = json!(host.path("token"));
        fs::write(host.path("manifest.json"), manifest.to_string()).unwrap();
        let mut entry: Value = serde_json::from_str(include_str!("../fixtures/ledger-v2.json")).unwrap();
        (entry["instance"], entry["registration"]) = (json!("one"), manifest["registration"].clone());
        entry["runner"] = json!({ "id": 21, "name": "one", "url": URL, "recordedAt": now() - 1_000 });
        (entry["leftBehind"], entry["attempt"], entry["lastExit"]) = (json!([]), Value::Null, Value::Null);
        entry["credential"]["tokenFile"] = json!(host.path("token"));
        host.write_entry(&entry);
        host.broker.listen(&host.path("sockets/one"));
        host
    }

    fn configured(mut self) -> Self {
        self.declared = Some(json!({
            "instance": "one", "pool": "one", "unit": "github-runner-one.service",
            "manifest": self.path("manifest.json"), "restartPolicy": "when-idle", "drainTimeout": null,
            "workDirectory": "/nonexistent",
        }));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    fn entry(&self) -> Option<Value> {
        Some(serde_json::from_slice(&fs::read(self.path("ledger/one.json")).ok()?).unwrap())
    }

    fn write_entry(&self, entry: &Value) {
        fs::write(self.path("ledger/one.json"), entry.to_string()).unwrap();
    }

    fn fleet(&self) -> Fleet {
        let instances: Vec<&Value> = self.declared.iter().collect();
        let fleet = json!({
            "version": 1, "instances": instances, "deleteUnknownOffline": false,
            "textfileDirectory": null, "brokerProperties": [],
        });
        Fleet::parse(fleet.to_string().as_bytes()).unwrap()
    }

    fn places(&self) -> Places {
        Places {
            ledger: self.path("ledger"),
            sockets: self.path("sockets"),
            roots: ["state", "logs", "run"].map(|name| self.path(name)),
            memory: self.path("memory"),
            runtime: self.path("runtime"),
        }
    }

    fn memory(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("memory/memory.json")).unwrap()).unwrap()
    }

    /// Writes debts into the entry, of these ids.
    fn owes(&self, ids: &[u64]) {
        let mut entry = self.entry().unwrap();
        let debt = |id: &u64| {
            let runner = json!({ "id": id, "name": "one", "url": URL, "recordedAt": 1 });
            json!({ "runner": runner, "ephemeral": false, "since": now() })
        };
        entry["leftBehind"] = ids.iter().map(debt).collect();
        self.write_entry(&entry);
    }

    /// Makes a pass; what it said about the runner, and what it did to units.
    fn pass(&self) -> (String, Vec<String>) {
        run(&self.fleet(), &self.units, &self.places()).unwrap();
        let said = self.memory()["runners"]["one"]["said"].as_str().unwrap_or_default().to_owned();
        (said, std::mem::take(&mut self.units.done.borrow_mut()))
    }
}

#[test]
fn a_former_runner_without_its_credential_is_stopped_and_its_entry_stays_and_names_page_and_id() {
    let host = Host::new();
    fs::remove_file(host.path("token")).unwrap();
    let before = host.entry();
    host.units.unit.borrow_mut().has_job = true;
    let (said, done) = host.pass();
    assert!(said.contains("runs a job, which is waited for") && done.is_empty(), "{said} {done:?}");
    host.units.unit.borrow_mut().has_job = false;
    let (said, done) = host.pass();
    for part in ["id 21", "https://github.com/organizations/octo-org/settings/actions/runners", "does not exist"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(done, ["stop github-runner-one.service"], "nobody wants it to take jobs any more");
    assert_eq!(host.entry(), before);
    assert!(host.path("state/one").exists());
}

#[test]
fn what_github_cleaned_up_itself_is_forgotten_only_if_it_did_not_run_meanwhile() {
    let host = Host::new();
    fs::remove_file(host.path("token")).unwrap();
    let mut entry = host.entry().unwrap();
    entry["runner"]["recordedAt"] = json!(1);
    entry["lastExit"] = json!({ "at": 1, "kind": "clean", "said": "stopped", "failures": 0, "alike": 0 });
    host.write_entry(&entry);
    let (said, done) = host.pass();
    assert!(said.contains("could not be taken back"), "{said}");
    assert_eq!(done, ["stop github-runner-one.service"]);
    assert!(host.entry().is_some());
    host.pass();
    assert!(host.entry().is_none() && !host.path("state/one").exists());
}

#[test]
fn a_former_runner_that_owes_nothing_is_stopped_when_it_has_no_job() {
    let host = Host::new();
    let mut entry = host.entry().unwrap();
    entry["runner"] = Value::Null;
    host.write_entry(&entry);
    host.units.unit.borrow_mut().has_job = true;
    let (said, done) = host.pass();
    assert!(said.contains("runs a job, which is waited for") && done.is_empty(), "{said} {done:?}");
    host.units.unit.borrow_mut().has_job = false;
    let (_, done) = host.pass();
    assert_eq!(done, ["stop github-runner-one.service"]);
    assert!(host.entry().is_none() && !host.path("ledger/one.lock").exists());
}

#[test]
fn what_a_former_runner_left_mounted_is_taken_off_by_systemd_and_removed() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("not root: mounting was not tried");
        return;
    }
    let host = Host::new();
    let mut entry = host.entry().unwrap();
    entry["runner"] = Value::Null;
    host.write_entry(&entry);
    let work = host.path("state/one");
    let owner = (nix::unistd::Uid::effective(), nix::unistd::Gid::effective());
    volume(&Place::walk(&work).unwrap()).put_on(1 << 20, owner).unwrap();
    fs::write(work.join("left"), "").unwrap();
    let (said, done) = host.pass();
    assert_eq!(done, ["stop github-runner-one.service".into(), format!("stop {}", work.display())], "{said}");
    assert!(host.entry().is_none() && !work.exists());
}

#[test]
fn a_rate_limit_is_waited_for_and_nothing_is_asked_meanwhile() {
    let host = Host::new().configured();
    host.owes(&[20]);
    host.broker.answers(Outcome::RateLimited(now() + 600));
    host.pass();
    assert_eq!(host.broker.asked(), [Verb::List]);
    for _ in 0..3 {
        host.pass();
    }
    assert_eq!(host.broker.asked(), [], "it was told when to come back");
}

#[test]
fn a_former_runner_with_a_registration_token_is_stopped() {
    let host = Host::new();
    fs::write(host.path("token"), "BFAKETOKENFAKETOKEN").unwrap();
    let (said, done) = host.pass();
    assert!(said.contains("registration token, which cannot do that. Its ledger entry stays"), "{said}");
    assert_eq!(done, ["stop github-runner-one.service"]);
}

#[test]
fn nobody_waits_for_a_server_that_has_not_answered_in_this_pass() {
    let host = Host::new().configured();
    let mut former = host.entry().unwrap();
    former["instance"] = json!("two");
    fs::write(host.path("ledger/two.json"), former.to_string()).unwrap();
    host.broker.answers(Outcome::Unreachable("it is down".into()));
    host.pass();
    let said = host.memory()["runners"]["two"]["said"].clone();
    assert!(said.as_str().unwrap().contains("it is down. Its ledger entry stays"), "{said}");
    assert!(!host.path("runtime").exists(), "no broker was started for it");
    assert!(host.path("ledger/two.json").exists() && host.units.done.borrow().is_empty());
}

#[test]
fn an_operator_is_not_told_of_success_if_github_cannot_be_asked() {
    let host = Host::new().configured();
    fs::remove_file(host.path("token")).unwrap();
    for wish in [Wish::Restart, Wish::Drain, Wish::Retire] {
        let error = operate(wish, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
        assert!(
            error.to_string().starts_with("Nothing was done, because GitHub cannot be asked about id 21"),
            "{error}"
        );
    }
    assert!(host.units.done.borrow().is_empty());
    fs::write(host.path("token"), "BFAKETOKENFAKETOKEN").unwrap();
    operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap();
    assert_eq!(*host.units.done.borrow(), ["stop github-runner-one.service"]);
}

#[test]
fn draining_a_former_runner_waits_for_its_job() {
    let host = Host::new();
    fs::remove_file(host.path("token")).unwrap();
    host.units.unit.borrow_mut().has_job = true;
    let error = operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
    assert!(error.to_string().contains("ledger entry of one stays"), "{error}");
    assert!(host.units.done.borrow().is_empty());
    host.units.looks_with_job.set(2);
    let error = operate(Wish::Drain, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
    assert!(error.to_string().contains("ledger entry of one stays"), "{error}");
    assert_eq!(*host.units.done.borrow(), ["stop github-runner-one.service"]);
}

#[test]
fn paying_debts_is_counted_and_a_limit_that_it_meets_ends_it_for_all() {
    let host = Host::new().configured();
    host.owes(&[18, 19, 20]);
    let seen = Seen { id: 21, name: "one".into(), online: true, busy: false };
    host.broker.answers_in_turn(&[Outcome::Listed(vec![seen]), Outcome::Retired, Outcome::RateLimited(now() + 600)]);
    let (said, _) = host.pass();
    assert!(said.contains("still owes 2 former registrations: GitHub's rate limit is used up"), "{said}");
    let retire = |id| Verb::Retire { id, url: URL.into() };
    assert_eq!(host.broker.asked(), [Verb::List, retire(20), retire(19)]);
    assert_eq!(host.memory()["requests"], 3);
    host.pass();
    assert_eq!(host.broker.asked(), [], "it was told when to come back");
    assert_eq!(host.memory()["requests"], 3);
}

#[test]
fn a_limit_that_a_start_met_holds_for_passes() {
    let host = Host::new().configured();
    let mut entry = host.entry().unwrap();
    entry["notBefore"] = json!(now() + 600);
    host.write_entry(&entry);
    host.broker.answers(Outcome::Retired);
    host.pass();
    assert_eq!(host.broker.asked(), [], "the start was told when to come back");
    entry["notBefore"] = json!(now() - 1);
    host.write_entry(&entry);
    fs::remove_dir_all(host.path("memory")).unwrap();
    host.pass();
    assert_eq!(host.broker.asked(), [Verb::List]);
}

#[test]
fn nobody_acts_under_the_lock_of_a_start() {
    let host = Host::new().configured();
    host.broker.answers(Outcome::Retired);
    let lock = fs::File::create(host.path("ledger/one.lock")).unwrap();
    let held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let error = operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
    assert!(error.to_string().contains("is being started or stopped"), "{error}");
    assert!(host.broker.asked().is_empty() && host.units.done.borrow().is_empty());
    drop(held);
}

#[test]
fn operators_are_told_why_nothing_was_done_and_nothing_was() {
    let host = Host::new().configured();
    for (outcome, part) in [
        (Outcome::Busy, "runs a job; `github-runnerctl drain` waits"),
        (Outcome::Unreachable("it is down".into()), "GitHub does not say: it is down"),
    ] {
        host.broker.answers(outcome);
        let before = host.entry();
        let error = operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!((host.entry(), host.units.done.borrow().len()), (before, 0));
    }
    host.broker.answers(Outcome::Retired);
    operate(Wish::Retire, "one", || Ok(host.fleet()), &host.units, &host.places()).unwrap();
    assert_eq!(host.entry().unwrap()["runner"], Value::Null);
    assert_eq!(*host.units.done.borrow(), ["stop github-runner-one.service"]);
}
