//! A pass over a thousand runners: one list for all of them, in as many requests as it has pages, and nothing else.

use std::fs::{self, DirBuilder};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use github_runners::contract::fleet::Fleet;
use github_runners::reconcile::run;
use github_runners::survey::Places;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use super::harness::{ENTITY, Stand, URL};
use crate::fake_units::FakeUnits;
use crate::github::Runner;

/// A host with as many runners, all of them fine, and a GitHub that lists them.
struct Scale {
    stand: Stand,
    root: tempfile::TempDir,
}

impl Scale {
    fn new(count: u64) -> Self {
        let stand = Stand::new();
        stand.add_runner(1, "first", ENTITY);
        let first = stand.github.state().runners[0].clone();
        let runner = |id| Runner { id, name: format!("builder-{id}"), status: "online".into(), ..first.clone() };
        stand.github.change(|state| state.runners = (1..=count).map(runner).collect()).unwrap();
        let root = tempfile::tempdir().unwrap();
        // The program that is started in a namespace of its own looks through it.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let scale = Self { stand, root };
        DirBuilder::new().mode(0o700).create(scale.path("ledger")).unwrap();
        fs::create_dir(scale.path("sockets")).unwrap();
        fs::write(scale.path("token"), &scale.stand.credential).unwrap();
        let instances: Vec<Value> = (1..=count).map(|id| scale.declare(id)).collect();
        let fleet = json!({
            "version": 1, "instances": instances, "deleteUnknownOffline": false,
            "textfileDirectory": null, "brokerProperties": [],
        });
        fs::write(scale.path("fleet.json"), fleet.to_string()).unwrap();
        scale
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    fn declare(&self, id: u64) -> Value {
        let instance = format!("builder-{id}");
        let mut manifest = self.stand.manifest.clone();
        manifest["instance"] = json!(instance);
        (manifest["registration"]["name"], manifest["registration"]["url"]) = (json!(instance), json!(URL));
        manifest["registration"]["tokenFile"] = json!(self.path("token"));
        let mut entry: Value = serde_json::from_str(include_str!("../../fixtures/ledger-v3.json")).unwrap();
        (entry["instance"], entry["registration"]) = (json!(instance), manifest["registration"].clone());
        entry["runner"] = json!({ "id": id, "name": instance, "url": URL, "recordedAt": 1 });
        (entry["leftBehind"], entry["attempt"]) = (json!([]), Value::Null);
        let file = self.path(&format!("{instance}-manifest.json"));
        fs::write(&file, manifest.to_string()).unwrap();
        fs::write(self.path(&format!("ledger/{instance}.json")), entry.to_string()).unwrap();
        json!({
            "instance": instance, "pool": "builder", "unit": format!("github-runner-{instance}.service"),
            "manifest": file, "restartPolicy": "when-idle", "drainTimeout": null, "workDirectory": "/nonexistent",
        })
    }

    /// The broker of the first runner, one process for each question, as its socket would start it.
    fn serve(&self) {
        let listener = UnixListener::bind(self.path("sockets/builder-1")).unwrap();
        let mut first = self.stand.manifest.clone();
        first["instance"] = json!("builder-1");
        fs::write(self.path("broker-manifest.json"), first.to_string()).unwrap();
        let mut program = self.stand.program();
        let arguments = ["broker", "--manifest"].map(String::from);
        let manifest = self.path("broker-manifest.json");
        let environment: Vec<_> =
            program.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        let credentials =
            PathBuf::from(&environment.iter().find(|(name, _)| name == "CREDENTIALS_DIRECTORY").unwrap().1);
        // Its ledger entry is that of another name; a list needs none.
        fs::write(credentials.join("ledger"), "").unwrap();
        program = Command::new(env!("CARGO_BIN_EXE_github-runnerctl"));
        program.args(arguments).arg(manifest).env_clear().envs(environment).stderr(Stdio::null());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let output = OwnedFd::from(stream.try_clone().unwrap());
                program.stdin(OwnedFd::from(stream)).stdout(output);
                assert!(program.status().unwrap().success());
                program.stdin(Stdio::null()).stdout(Stdio::null());
            }
        });
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
}

#[test]
fn a_pass_over_a_thousand_runners_needs_ten_requests() {
    let scale = Scale::new(1_000);
    scale.serve();
    let fleet = Fleet::parse(&fs::read(scale.path("fleet.json")).unwrap()).unwrap();
    for pass in 1..=2 {
        run(&fleet, &FakeUnits::running(), &scale.places()).unwrap();
        let pages = scale.stand.count("GET", "/orgs/octo-org/actions/runners?per_page=100&page=");
        // Once in half a day a pass asks for versions besides.
        let all = scale.stand.github.records().len();
        assert_eq!((pages, all), (10 * pass, 10 * pass + 3), "{:?}", scale.stand.seen());
    }
    let memory: Value = serde_json::from_slice(&fs::read(scale.path("memory/memory.json")).unwrap()).unwrap();
    assert_eq!(memory["requests"], 23);
    assert_eq!(memory["runners"]["builder-1000"]["said"], "runs as configured");
}

/// What stands for `systemctl`: every unit that is asked about runs.
const SYSTEMCTL: &str = r#"#!/bin/sh
for argument; do
    case $argument in
    *.service)
        printf 'Id=%s\nLoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nControlGroup=\nStateChangeTimestamp=@1\n\n' "$argument"
        ;;
    esac
done
"#;

/// Puts the directories of the host where the program looks for them, for itself alone.
const INSIDE: &str = r#"
set -e
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/github-runner-registrations /run/github-runner-broker
chmod 700 /var/lib/github-runner-registrations
cp "$1"/ledger/* /var/lib/github-runner-registrations/
ln -s "$1"/sockets/builder-1 /run/github-runner-broker/builder-1
PATH=$1/bin:$PATH exec "$2" reconcile --fleet "$1/fleet.json"
"#;

fn pass_of(count: u64) -> (u128, usize) {
    let scale = Scale::new(count);
    scale.serve();
    fs::create_dir(scale.path("bin")).unwrap();
    fs::write(scale.path("bin/systemctl"), SYSTEMCTL).unwrap();
    fs::set_permissions(scale.path("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    let started = Instant::now();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", INSIDE, "sh"])
        .arg(Path::new(&scale.path("")))
        .arg(env!("CARGO_BIN_EXE_github-runnerctl"))
        .output()
        .unwrap();
    let took = started.elapsed().as_millis();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (took, scale.stand.github.records().len())
}

#[test]
#[ignore = "speaks of release builds, as root: cargo test --release --test ctl figures -- --ignored --nocapture"]
fn figures_of_passes() {
    for count in [1, 100, 1_000] {
        let (took, requests) = pass_of(count);
        // The largest child so far; the passes grow, and brokers are smaller than the largest pass.
        let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
        println!(
            "pass over {count} runners: {took} ms with the copying of its ledger, {requests} requests, peak {peak} kB"
        );
    }
}
