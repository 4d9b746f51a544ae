//! A host for machines: in a temporary directory, or the booted machine with the units that are printed for it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use github_runners::machines::nspawn::{Answer, Client, Stage, Streams};
use github_runners::machines::{Cache, Fault, Instance, Machines as _, Specification, Token};
use serde_json::{Value, json};

use crate::nspawn::{Surroundings, Unit, Units};
use crate::systemd;
use crate::wait::wait_for;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gitlab-nspawn-executor");

/// Each host has user ids of its own, as their files may meet in no other way.
static HOSTS: AtomicU32 = AtomicU32::new(0);

/// Set where systemd is the first process, and units are those of systemd: to the image's path.
const BOOTED: &str = "MACHINES_ON_BOOTED_HOST";

/// Whether systemd starts the units.
pub fn is_booted() -> bool {
    std::env::var_os(BOOTED).is_some()
}

/// Whether this test may make machines. Says so if not, because the test then proves less.
pub fn can_make_machines() -> bool {
    let has = |program: &str| ["/usr/sbin", "/usr/bin"].iter().any(|place| Path::new(place).join(program).exists());
    let can = nix::unistd::Uid::effective().is_root() && has("systemd-nspawn") && (is_booted() || has("debootstrap"));
    if !can {
        eprintln!("not root, or systemd-nspawn or debootstrap is missing: no machine was made");
    }
    can
}

/// The root file system of all images.
pub fn image() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| {
        if let Some(image) = std::env::var_os(BOOTED) {
            return image.into();
        }
        let output = Command::new("tests/machine/root").arg("trixie").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}

pub struct Host {
    // First, because it ends before its files go. `None` where systemd has the units.
    units: Option<Units>,
    root: tempfile::TempDir,
    first_id: u32,
}

impl Host {
    /// With images `plain`, which is not booted, and `booted`, no network, and `changes` to the settings.
    pub fn new(changes: &Value) -> Self {
        Self::among(Surroundings::default(), changes)
    }

    /// The same, among other things than those of this machine. A booted one has them itself.
    pub fn among(surroundings: Surroundings, changes: &Value) -> Self {
        // Long paths are no names of sockets; /tmp may be in memory, which is fine as well.
        let root = tempfile::Builder::new().prefix("gl").tempdir_in("/var/tmp").unwrap();
        let path = |name: &str| root.path().join(name);
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        // Below the usual ranges, because another test program uses those.
        let first_id = 1_342_177_280 + number * 16 * 65_536;
        let mut machines = json!({
            "images": {"plain": {"root": image(), "boot": false}, "booted": {"root": image()}},
            "network": {"mode": "none"},
            "uidBase": first_id,
            "slots": 12,
            "runDirectory": path("run"),
            "stateDirectory": path("state"),
        });
        for (key, value) in changes.as_object().unwrap() {
            machines[key] = value.clone();
        }
        if is_booted() {
            systemd::install(&mut machines, root.path());
            return Self { units: None, root, first_id };
        }
        fs::write(path("settings.json"), json!({"machines": machines}).to_string()).unwrap();
        let name = format!("gl-test-{}-{number}", std::process::id());
        let units = Some(Units::listen(Path::new(PROGRAM), root.path(), &name, surroundings));
        Self { units, root, first_id }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The first user id of caches; machines follow.
    pub fn first_id(&self) -> u32 {
        self.first_id
    }

    pub fn client(&self) -> Client<'static> {
        Client::new(&self.path("run"))
    }

    /// What the programs said.
    pub fn log(&self) -> String {
        if is_booted() {
            return systemd::said("journalctl", &["--no-pager", "--output=cat", "--unit=gitlab-nspawn@*"]);
        }
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn create(&self, specification: &Specification) -> Result<Instance, Fault> {
        self.client().create(specification)
    }

    /// A machine of image `plain` that is ready.
    #[track_caller]
    pub fn made(&self, token: u64) -> Token {
        self.create(&specification(token)).unwrap_or_else(|fault| panic!("{fault}\n{}", self.log())).token
    }

    /// The supervisor of the only machine, or of the last one that was asked for.
    pub fn unit(&self) -> Unit {
        wait_for("a unit", || self.units().pop())
    }

    fn units(&self) -> Vec<Unit> {
        self.units.as_ref().map_or_else(systemd::units, Units::running)
    }

    /// What stands of jobs in the directories of this host.
    pub fn state(&self) -> Vec<String> {
        let mut left = Vec::new();
        for directory in ["run/jobs", "run/slots", "state/jobs"] {
            for entry in fs::read_dir(self.path(directory)).into_iter().flatten().flatten() {
                left.push(format!("{directory}/{}", entry.file_name().display()));
            }
        }
        left
    }

    /// Waits for the end of all units; then nothing of these machines may be left.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        wait_for("the end of all units", || self.units().is_empty().then_some(()));
        let mut left = self.state();
        for directory in ["unix-export", "propagate", "locks"] {
            for entry in fs::read_dir(self.path("nspawn").join(directory)).into_iter().flatten().flatten() {
                left.push(entry.path().display().to_string());
            }
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let own = self.root.path().to_str().unwrap();
        left.extend(mounts.lines().filter(|line| line.contains(own)).map(String::from));
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let uid = std::os::unix::fs::MetadataExt::uid(&match process.metadata() {
                Ok(metadata) => metadata,
                Err(_) => continue,
            });
            // One that died and whose parent has not asked yet is none.
            let is_dead = || {
                let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
            };
            if (self.first_id..self.first_id + 13 * 65_536).contains(&uid) && !is_dead() {
                left.push(format!("process {}", process.file_name().display()));
            }
        }
        assert!(left.is_empty(), "left: {left:#?}\n{}", self.log());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if is_booted() {
            systemd::units().iter().for_each(Unit::kill);
        }
    }
}

pub fn specification(token: u64) -> Specification {
    Specification {
        token: Token(token),
        image: "plain".into(),
        lifetime: crate::times::FOREVER,
        cache: None,
        user_data: None,
    }
}

pub fn with_cache(token: u64, project: u64, protected: bool) -> Specification {
    Specification { cache: Some(Cache { project, protected }), ..specification(token) }
}

/// A stage that runs, with what comes out of it.
pub struct Running {
    pub stage: Stage,
    pub stdout: std::io::PipeReader,
    pub stderr: std::io::PipeReader,
}

/// How a stage ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    pub answer: Answer,
    pub stdout: String,
    pub stderr: String,
}

/// Starts a script.
#[track_caller]
pub fn start(host: &Host, token: u64, script: &str) -> Running {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let (stdout, stdout_writer) = std::io::pipe().unwrap();
    let (stderr, stderr_writer) = std::io::pipe().unwrap();
    let streams = Streams { script: file.as_fd(), stdout: stdout_writer.as_fd(), stderr: stderr_writer.as_fd() };
    let stage = host
        .client()
        .stage(Token(token), "build_script", streams)
        .unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
    Running { stage, stdout, stderr }
}

impl Running {
    /// Waits until the script has written `text`.
    pub fn says(&mut self, text: &str) {
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(text) {
            let mut byte = [0];
            let read = self.stdout.read(&mut byte).unwrap();
            assert!(read > 0, "it ended after {:?}", String::from_utf8_lossy(&said));
            said.extend(byte);
        }
    }

    /// Waits for the end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let answer = self.stage.answer().unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        Ended { answer, stdout, stderr }
    }
}

/// Runs a short script to its end. What it writes has to fit into a pipe.
#[track_caller]
pub fn run(host: &Host, token: u64, script: &str) -> Ended {
    start(host, token, script).end()
}
