//! A host with real machines, a runner and a coordinator. Needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::driver;
use crate::gitlab::{Cancel, Ended, example_job};
use crate::nspawn::{Surroundings, Units};
use crate::site::{Site, stand_in};
use crate::wait::wait_for;

/// Each host has ranges of user ids of its own.
static HOSTS: AtomicU32 = AtomicU32::new(0);

/// How many machines one of them has at most.
const SLOTS: u32 = 12;

/// One host with a runner and a coordinator.
pub struct Host {
    // First, because it ends before its files go.
    units: Units,
    directory: tempfile::TempDir,
    pub site: Site,
    /// Added to the numbers of jobs: machines of tests that run at the same time need different names.
    first: u64,
}

/// A text of the page for users.
fn documented(language: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gitlab.md")).unwrap();
    let start = format!("\n```{language}\n");
    page.split_once(&start)
        .and_then(|(_, rest)| Some(rest.split_once("\n```")?.0.to_owned()))
        .expect("a text of the page")
}

/// Where the image of the tests is.
fn image() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine/image");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "there is no image");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Host {
    /// A host whose machines do not boot and have no network; `change` may say otherwise.
    pub fn new(change: impl FnOnce(&mut Value)) -> Self {
        Self::with_repositories(change, None)
    }

    /// The same, whose coordinator serves these repositories.
    pub fn with_repositories(change: impl FnOnce(&mut Value), repositories: Option<PathBuf>) -> Self {
        // Layers need a file system that takes them, which /tmp need not be.
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        let mut settings: Value = serde_json::from_str(&documented("json")).unwrap();
        let machines = &mut settings["machines"];
        for name in ["debian", "debian-unbooted"] {
            machines["images"][name]["root"] = json!(image());
        }
        machines["gitlabRunner"] = json!(stand_in());
        machines["network"]["mode"] = json!("none");
        machines["runDirectory"] = json!(path("run"));
        machines["stateDirectory"] = json!(path("state"));
        machines["uidBase"] = json!(1_879_048_192_u32 + number % 64 * (SLOTS + 1) * 65_536);
        machines["slots"] = json!(SLOTS);
        settings["defaultImage"] = json!("debian-unbooted");
        settings["grace"] = json!(1);
        change(&mut settings);
        fs::write(path("settings.json"), settings.to_string()).unwrap();
        let arguments = format!("\", \"--settings\", \"{}\"]", path("settings.json"));
        let config = documented("toml").replace("/usr/local/bin/gitlab-nspawn-executor", driver());
        let config = config.replace("https://gitlab.example.com", "URL").replace("glrt-FAKE", "TOKEN");
        let config =
            config.replace("\"]", &arguments).replace("graceful_kill_timeout = 60", "graceful_kill_timeout = 5");
        let name = format!("test-{}-{number}", std::process::id());
        let units = Units::listen(Path::new(driver()), directory.path(), &name, Surroundings::default());
        let site = Site::new(&config, repositories);
        let first = u64::from(std::process::id()) * 10_000 + u64::from(number) * 100;
        Self { units, directory, site, first }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The number of a job as GitLab knows it.
    pub fn id(&self, number: u64) -> u64 {
        self.first + number
    }

    /// A job; numbers of jobs are counted from 1 in each host.
    pub fn job(&self, number: u64, script: &[&str]) -> Value {
        example_job(self.first + number, script)
    }

    /// What a job said so far.
    pub fn log(&self, number: u64) -> String {
        self.site.coordinator.log(self.first + number)
    }

    pub fn ended(&self, number: u64) -> Option<Ended> {
        self.site.coordinator.ended(self.first + number)
    }

    pub fn cancel(&self, number: u64, how: Cancel) {
        self.site.coordinator.cancel(self.first + number, how);
    }

    pub fn wait_for_log(&self, number: u64, text: &str) {
        self.site.wait_for_log(self.first + number, text);
    }

    /// Runs a job to its end, after which nothing of it may be left.
    pub fn run(&self, job: Value) -> Ended {
        let number = job["id"].as_u64().unwrap() - self.first;
        let ended = self.site.run(job);
        self.nothing_is_left_of(number);
        ended
    }

    /// Runs a script to its end: its end, and its log.
    pub fn script(&self, number: u64, script: &[&str]) -> (Ended, String) {
        let ended = self.run(self.job(number, script));
        (ended, self.log(number))
    }

    /// Whether the job's number is taken.
    pub fn stands(&self, number: u64) -> bool {
        let id = self.first + number;
        self.path(&format!("run/jobs/{id}")).exists()
    }

    /// Fails unless everything of a job is gone, by the time at which `cleanup` returned.
    #[track_caller]
    pub fn nothing_is_left_of(&self, number: u64) {
        let id = self.first + number;
        assert!(!self.stands(number), "job {id} stands");
        assert!(!self.path(&format!("state/jobs/{id}")).exists(), "files of job {id} are left");
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let mounts = text(Path::new("/proc/self/mounts"));
        assert!(!mounts.contains(self.directory.path().to_str().unwrap()), "{mounts}");
        for name in ["unix-export", "propagate"] {
            assert!(!self.path("nspawn").join(name).join(format!("gl-{id}")).exists());
        }
        for slot in fs::read_dir(self.path("run/slots")).into_iter().flatten() {
            let slot = slot.unwrap().path();
            let holder = fs::read_link(&slot).unwrap_or_default();
            assert_ne!(holder, PathBuf::from(id.to_string()), "job {id} has slot {}", slot.display());
        }
    }

    /// Fails unless no supervisor and none of its processes is left.
    pub fn wait_until_no_unit_is_left(&self) {
        wait_for("the end of all units", || self.units.running().is_empty().then_some(()));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("log:\n{}", fs::read_to_string(self.path("log")).unwrap_or_default());
        }
    }
}
