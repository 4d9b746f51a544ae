//! Machines: each is a process of the listener with a directory of its own, which is named as the order is.
//!
//! The process has an open file that is locked for as long as it lives, so nobody mistakes another process for it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result};
use github_runners::frontend::ondemand::kind::{Kind, Launch, Seen, Unmade};
use github_runners::frontend::ondemand::label::Key;
use github_runners::frontend::ondemand::order::{Maker, Token};
use github_runners::machines::Fault;
use github_runners::registration::jit::JitRegistration;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::desk::{MACHINE_GATE, gate};

/// Locked by the machine for as long as it lives.
pub const ALIVE: &str = "alive";
/// What its listener says.
const CONSOLE: &str = "console";

/// All machines of the host whose directory this is.
pub struct Machines(pub PathBuf);

impl Machines {
    fn place(&self, name: &str) -> PathBuf {
        self.0.join("machines").join(name)
    }

    /// Notes the process of a machine, in a directory that is there as soon as anything is of it.
    fn make(&self, name: &str, registration: &Path) -> Result<()> {
        let registration = JitRegistration::parse(&fs::read(registration)?)?;
        let place = self.place(name);
        for directory in ["state", "work"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(place.join(directory))?;
        }
        for (file, content) in &registration.files {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(place.join("state").join(file))?;
            file.write_all(content.expose().as_bytes())?;
        }
        let alive = File::create(place.join(ALIVE))?;
        alive.lock()?;
        let console = File::create(place.join(CONSOLE))?;
        let mut child = Command::new(self.0.join("listener/Runner.Listener"))
            .args(["run", "--startuptype", "service"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", place.join("work"))
            .env("RUNNER_ROOT", place.join("state"))
            .stdin(alive)
            .stdout(console.try_clone()?)
            .stderr(console)
            .spawn()
            .context("Failed to start the listener")?;
        fs::write(place.join("pid"), child.id().to_string())?;
        let mut launches = OpenOptions::new().create(true).append(true).open(self.0.join("launches"))?;
        writeln!(launches, "{name} {}", registration.id)?;
        // Its end is for the next look; here only its process is cleared up.
        thread::spawn(move || child.wait());
        Ok(())
    }
}

/// Whether the machine of this directory lives.
fn is_alive(place: &Path) -> io::Result<bool> {
    match File::open(place.join(ALIVE)).map(|file| file.try_lock()) {
        Ok(Err(TryLockError::WouldBlock)) => Ok(true),
        Ok(Err(TryLockError::Error(error))) => Err(error),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(Ok(())) | Err(_) => Ok(false),
    }
}

/// Kills the machine of a directory, if it lives.
pub fn stop(place: &Path) -> Result<()> {
    if is_alive(place)? {
        let pid = fs::read_to_string(place.join("pid"))?.trim().parse()?;
        // It may end at this moment.
        _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    Ok(())
}

fn unavailable(error: impl std::fmt::Display) -> Fault {
    Fault::Unavailable(error.to_string())
}

impl Kind for Machines {
    fn maker(&self) -> Maker {
        Maker::Nspawn
    }

    fn name(&self, key: &Key, _: &Token) -> String {
        key.stem()
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade> {
        gate(&self.0, MACHINE_GATE);
        let name = self.name(launch.key, launch.token);
        if self.place(&name).exists() {
            return Err(Fault::Duplicate(format!("Machine {name} is there already")).into());
        }
        Ok(self.make(&name, launch.registration).map_err(|error| unavailable(format!("{error:#}")))?)
    }

    fn look(&self) -> Result<Vec<Seen>, Fault> {
        let mut seen = Vec::new();
        for entry in fs::read_dir(self.0.join("machines")).map_err(unavailable)? {
            let entry = entry.map_err(unavailable)?;
            let is_stopped = !is_alive(&entry.path()).map_err(unavailable)?;
            seen.push(Seen::standing(entry.file_name().to_string_lossy().into_owned(), is_stopped));
        }
        Ok(seen)
    }

    fn end(&self, name: &str) -> Result<(), Fault> {
        let place = self.place(name);
        stop(&place).map_err(|error| unavailable(format!("{error:#}")))?;
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    fn console(&self, name: &str) -> Result<String, Fault> {
        fs::read_to_string(self.place(name).join(CONSOLE)).map_err(unavailable)
    }
}
