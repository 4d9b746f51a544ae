//! Looks for secrets where none may be: all the time in the arguments of every process, and after each scenario
//! in the journal, the store, the configuration, and everything that a runner can read or write.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::tools::run;

/// Everything below is the runners' own: no secret there at all.
const RUNNERS: &[&str] = &[
    "/var/lib/github-runner",
    "/var/lib/private",
    "/var/log/github-runner",
    "/var/log/private",
    "/run/github-runner",
    "/var/lib/gh-work",
];
/// Here a secret must not be in a file that others than root can read.
const ELSEWHERE: &[&str] = &["/etc", "/run", "/tmp", "/var/tmp", "/var/lib/github-runner-registrations"];
const LARGEST: u64 = 4 << 20;

#[derive(Default)]
struct Known {
    secrets: Vec<String>,
    seen: Vec<String>,
}

/// Watches until the program ends.
pub struct Watch {
    known: Arc<Mutex<Known>>,
}

impl Watch {
    /// Watches no processes.
    pub fn of_files() -> Self {
        Self { known: Arc::default() }
    }

    /// Starts to watch the arguments of all processes.
    pub fn start() -> Self {
        let known = Arc::<Mutex<Known>>::default();
        let shared = Arc::clone(&known);
        std::thread::spawn(move || {
            loop {
                let begin = Instant::now();
                look_at_processes(&shared);
                // Nearly all of the time is for what is watched. A look takes less than a millisecond.
                std::thread::sleep((begin.elapsed() * 20).max(Duration::from_millis(2)));
            }
        });
        Self { known }
    }

    /// Remembers a secret.
    pub fn add(&self, secret: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.secrets.iter().any(|old| old == secret) {
            known.secrets.push(secret.into());
        }
    }

    /// Fails if any secret was or is where it may not be.
    pub fn check(&self) -> Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(known.seen.is_empty(), "secrets in arguments of processes: {:?}", known.seen);
        let journal = run("journalctl", &["--no-pager", "--output=cat", "--boot"])?;
        if let Some(secret) = known.secrets.iter().find(|secret| journal.contains(*secret)) {
            bail!("the journal holds the secret {secret}");
        }
        for place in RUNNERS {
            look_at_files(Path::new(place), &known.secrets, false)?;
        }
        for place in ELSEWHERE {
            look_at_files(Path::new(place), &known.secrets, true)?;
        }
        // The rest of a store is none of ours, and large.
        for entry in fs::read_dir("/nix/store")?.flatten() {
            if entry.file_name().to_string_lossy().contains("github-runner") {
                look_at_files(&entry.path(), &known.secrets, false)?;
            }
        }
        Ok(())
    }
}

fn look_at_processes(known: &Mutex<Known>) {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        if !process.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        // A process that ended meanwhile is no news.
        let Ok(arguments) = fs::read(process.path().join("cmdline")) else { continue };
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.secrets.iter().any(|secret| arguments.contains(secret)) && !known.seen.contains(&arguments) {
            known.seen.push(arguments);
        }
    }
}

fn is_broker(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with("github-runner-broker-")
}

fn look_at_files(path: &Path, secrets: &[String], readable_only: bool) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if metadata.is_dir() {
        // What others cannot enter they cannot read.
        if readable_only && metadata.mode() & 0o011 == 0 {
            return Ok(());
        }
        let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
        return entries.flatten().try_for_each(|entry| look_at_files(&entry.path(), secrets, readable_only));
    }
    let others = metadata.mode() & 0o044 != 0;
    // systemd's own copy for a broker that answers just now. Its access control list, which names the broker's user, looks
    // like a right of the group; that no job reaches it is a scenario of its own.
    if path.starts_with("/run/credentials") && path.components().any(|part| is_broker(part.as_os_str())) {
        return Ok(());
    }
    if !metadata.is_file() || metadata.len() > LARGEST || (readable_only && !others) {
        return Ok(());
    }
    let Ok(content) = fs::read(path) else { return Ok(()) };
    let content = String::from_utf8_lossy(&content);
    if let Some(secret) = secrets.iter().find(|secret| content.contains(*secret)) {
        bail!("{} (mode {:o}) holds the secret {secret}", path.display(), metadata.mode() & 0o7777);
    }
    Ok(())
}
