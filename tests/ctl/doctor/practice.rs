//! A host that the doctor can visit: that of the claims, laid out as systemd would, with units that only say what they are
//! told to.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use github_runners::doctor::{Finding, Level, Options, Report, run};
use github_runners::survey::Places;
use serde_json::{Value, json};

use crate::fake_units::FakeUnits;
use crate::host::Host;
use crate::server::Server;

/// A host with what the doctor needs besides.
pub struct Practice {
    pub host: Host,
    pub units: FakeUnits,
    pub places: Places,
    pub fleet: Value,
}

impl Practice {
    pub fn new(host: Host) -> Self {
        for (root, name) in [("var", "state"), ("log", "logs")] {
            fs::create_dir(host.path(root)).unwrap();
            // As systemd does for dynamic users.
            symlink(host.path(name), host.path(root).join("runner1")).unwrap();
        }
        fs::create_dir(host.path("sockets")).unwrap();
        let places = Places {
            ledger: host.path("ledger"),
            sockets: host.path("sockets"),
            roots: [host.path("var"), host.path("log"), host.path("run")],
            memory: host.path("memory"),
            runtime: host.path("runtime"),
        };
        let fleet = json!({
            "version": 1,
            "instances": [{
                "instance": "runner1",
                "pool": "runner1",
                "unit": "github-runner-runner1.service",
                "manifest": host.path("manifest.json"),
                "restartPolicy": "when-idle",
                "drainTimeout": null,
                "workDirectory": host.path("work")
            }],
            "deleteUnknownOffline": false,
            "textfileDirectory": null,
            "brokerProperties": []
        });
        fs::write(host.path("listener/Runner.Listener"), "").unwrap();
        // Tests that run as somebody else find their temporary directory below one that others may not pass.
        fs::set_permissions(host.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let practice = Self { host, units: FakeUnits::running(), places, fleet };
        practice.write();
        practice
    }

    pub fn with_server() -> (Self, Server) {
        let (host, server) = Host::with_server();
        let practice = Self::new(host);
        let socket = practice.places.sockets.join("runner1");
        fs::hard_link(practice.host.path("broker"), &socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
        (practice, server)
    }

    /// Writes manifest and fleet file as they are now.
    pub fn write(&self) {
        self.host.arguments("prepare");
        fs::write(self.host.path("fleet.json"), self.fleet.to_string()).unwrap();
    }

    pub fn try_run(&self, instance: Option<&str>, start_check: bool) -> anyhow::Result<Report> {
        let (fleet, nix) = (self.host.path("fleet.json"), self.host.path("nix"));
        let [on_demand, machines] = ["on-demand.json", "machines.json"].map(|name| self.host.path(name));
        run(
            &Options {
                fleet: &fleet,
                instance,
                start_check,
                places: &self.places,
                nix: &nix,
                nix_conf: &nix.join("nix.conf"),
                on_demand: &on_demand,
                machines: &machines,
            },
            &self.units,
        )
    }

    /// Makes all checks.
    pub fn check(&self) -> Report {
        self.unchanged(|| self.try_run(None, false).unwrap())
    }

    /// Asks for the next start only.
    pub fn start_check(&self) -> Report {
        self.unchanged(|| self.try_run(None, true).unwrap())
    }

    /// Does something that has to leave everything as it is.
    fn unchanged<T>(&self, does: impl FnOnce() -> T) -> T {
        let before = everything(&self.host.path(""));
        let result = does();
        assert_eq!(everything(&self.host.path("")), before, "something changed");
        result
    }
}

/// Everything below a directory: the path; owner, mode and times; and the content of a file.
fn everything(dir: &Path) -> Vec<(PathBuf, [i64; 7], Vec<u8>)> {
    let mut all = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        let entries = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        for path in entries.chain([dir.clone()]) {
            let found = fs::symlink_metadata(&path).unwrap();
            let content = if found.is_file() { fs::read(&path).unwrap() } else { vec![] };
            if found.is_dir() && path != dir {
                dirs.push(path.clone());
            }
            let stat = [
                found.uid().into(),
                found.gid().into(),
                found.mode().into(),
                found.mtime(),
                found.mtime_nsec(),
                found.ctime(),
                found.ctime_nsec(),
            ];
            all.push((path, stat, content));
        }
    }
    all.sort();
    all
}

/// The findings of one level and topic.
pub fn of<'a>(report: &'a Report, level: Level, topic: &str) -> Vec<&'a Finding> {
    report.findings().filter(|finding| finding.level == level && finding.topic == topic).collect()
}

/// The only finding of this level, whose text and remedy hold these parts.
#[track_caller]
pub fn only(report: &Report, level: Level, topic: &str, part: &str) {
    let findings: Vec<&Finding> = report.findings().filter(|finding| finding.level == level).collect();
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    let text = format!("{} → {}", finding.said, finding.remedy.as_deref().unwrap_or_default());
    assert!(finding.topic == topic && text.contains(part), "{finding:?}");
}
