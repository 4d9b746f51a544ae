//! The first step of an order's unit, as root: puts a registration that the server made where the listener reads it, for the
//! service user, in directories that hold nothing else.
//!
//! Runs as root outside of the sandbox, in directories that a hostile job can have owned. It must not start a process, open a
//! network connection, touch the ledger, or follow a link below such a directory. It keeps nothing that it finds in the state
//! directory, for an order is served once, and a refusal leaves no secret there.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{Gid, Uid};
use tracing::{info, warn};

use crate::contract::manifest::Manifest;
use crate::model::shown;
use crate::registration::jit::{FILES, JitRegistration, MAX_BYTES};
use crate::root::enclose::{Room, enclose};
use crate::root::prepare::basis::{Heir, report};
use crate::root::prepare::read::service_user;
use crate::root::prepare::{apart, close_state, guard, work};
use crate::root::{leftovers, link};
use crate::state::logs::{self, When};
use crate::state::purge;
use crate::state::start::{Start, existing, walk};
use crate::sys::{Dir, FileFault, Place};

/// Whose job the runner is for, as two lines that the hook of a started job compares with what the job says of itself.
const ORDER: &str = ".order";

/// The state directory holds a few small files and the logs of one job, and gets one of so many parts of what a work directory
/// may hold.
const STATE_PARTS: u64 = 4;

/// Until when directories may be emptied, counted from the beginning. There is something in them only if the same order ran
/// before and was not cleared, and whoever waits for the runner gives up after a few minutes.
const EMPTYING: Duration = Duration::from_secs(2 * 60);

/// Places the registration of the order in the file `registration`.
///
/// # Errors
///
/// Anything that stands in the way of a good start, as a sentence.
pub fn run(start: &Start, registration: &Path) -> Result<()> {
    let end = Instant::now() + EMPTYING;
    let manifest = start.manifest()?;
    // Before anything is written that they could read.
    leftovers::refuse_order(&manifest.instance)?;
    let (state_place, state) = existing("state", &start.state_directory)?;
    let logs = walk("logs", &start.logs_directory)?;
    let work = walk("work", &start.work_directory)?;
    apart::check(&manifest, &work, &state_place, &logs, None)?;
    let owner = service_user(&state)?;
    if owner.0.is_root() {
        bail!(
            "The state directory {} belongs to root, as whom no job may run: give the unit a user, and let systemd make the directory for it",
            state_place.resolved().display()
        );
    }
    // Whatever is decided below, it is of a job that is over, and so are its secrets.
    close_state(&state)?;
    logs::keep(&state, &logs, &manifest.logs, When::Start(end));
    let purged = purge::state(&state, end).context("Failed to purge the state directory")?;
    report("Purged the state directory", purged.files, purged.directories);
    drop(state);
    let state = own(start, &manifest, owner, end)?;
    let placed = place(start, &manifest, registration, &state, &work, owner, end);
    if placed.is_err()
        && let Err(error) = purge::registration(&state)
    {
        warn!("{error:#}");
    }
    placed
}

/// Opens the state directory, with a file system of its own if the work directory has one: it is in memory like that, and a
/// job can write both.
fn own(start: &Start, manifest: &Manifest, owner: (Uid, Gid), end: Instant) -> Result<Dir> {
    let open = |place: &Place| place.open()?.context("The state directory is gone: restart the unit");
    if let Some(size) = manifest.work_dir_size {
        let path = &start.state_directory;
        let enclosed = enclose(path, Room { size, parts: STATE_PARTS }, owner, end, &open);
        if let Err(why) = enclosed.context("Failed to prepare the state directory")? {
            warn!(
                "The state directory {} gets no file system of its own, because {why}. A job that fills it fills what is around it",
                path.display()
            );
        }
    }
    open(&walk("state", &start.state_directory)?)
}

fn place(
    start: &Start,
    manifest: &Manifest,
    registration: &Path,
    state: &Dir,
    work_place: &Place,
    owner: (Uid, Gid),
    end: Instant,
) -> Result<()> {
    guard(manifest, owner)?;
    let made = read(registration).with_context(|| format!("Failed to read registration {}", registration.display()))?;

    // Of what somebody else has in it, nothing is known to be this order's.
    let heir = Heir::new(owner, manifest, false);
    let work = work::take(work_place, &start.work_directory, manifest.work_dir_size, heir, end)?;
    work::empty_for(&work, heir, &work_place.resolved(), end)?;

    let readable = Mode::S_IRUSR | Mode::S_IRGRP | Mode::S_IROTH;
    state.replace_file(ORDER, order(&made).as_bytes(), readable, None).context("Failed to write whose order it is")?;
    for name in FILES {
        let content = made.files[name].expose().as_bytes();
        state
            .replace_file(name, content, Mode::S_IRUSR | Mode::S_IWUSR, Some(owner))
            .with_context(|| format!("Failed to write {name} for the service user"))?;
    }
    link::make(start, state)?;
    info!("Placed the registration of runner {}, id {}, for {}", shown(&made.name), made.id, made.repository.as_str());
    Ok(())
}

/// The lines of [`ORDER`]; the number is missing if no run is known.
fn order(made: &JitRegistration) -> String {
    let run = made.run.map(|run| run.to_string()).unwrap_or_default();
    format!("repository={}\nrun={run}\n", made.repository.as_str())
}

/// Reads a registration that root alone could have written and can read.
fn read(path: &Path) -> Result<JitRegistration> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
        bail!("it is no path of a file");
    };
    let dir = Place::walk(above)?.open()?;
    let opened = dir.map(|dir| dir.open_file(name, &[Uid::effective()])).transpose()?.transpose()?.flatten();
    let Some(file) = opened else {
        bail!("there is none: the desk writes it before it starts the unit, so let the desk start it");
    };
    let stat = fstat(&file).context("Failed to examine it")?;
    if stat.st_mode & 0o077 != 0 {
        bail!("others than root can open it: its mode has to be 0600");
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        bail!(FileFault::Size(text.len() as u64));
    }
    JitRegistration::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emptying_ends_before_systemd_ends_the_start() {
        let contract = include_str!("../../tests/fixtures/contract.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        assert!(EMPTYING.as_secs() < contract["seconds"]["start"].as_u64().unwrap());
    }
}
