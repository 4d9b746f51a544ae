//! Writing down that a pass saw a runner online, and reading it at a start.
//!
//! Nobody needs it to be there: without it a start looks for itself. So whatever cannot be read is not there, and a place
//! that others than root could write is none.

use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::stat::Mode;
use nix::unistd::Uid;

use crate::contract::sighting::{MAX_BYTES, Sighting, file_name};
use crate::model::InstanceName;
use crate::sys::{Dir, Place};

/// The directory of the sockets of brokers, if there is one that nobody but root can change.
#[must_use]
pub fn open(sockets: &Path) -> Option<Dir> {
    let dir = Place::walk(sockets).ok()?.open().ok()??;
    let stat = dir.stat().ok()?;
    let closed = stat.st_mode & (Mode::S_IWGRP | Mode::S_IWOTH).bits() == 0;
    (closed && Uid::from_raw(stat.st_uid) == Uid::effective()).then_some(dir)
}

/// What the last pass that saw the runner wrote; `socket` is that of its broker.
#[must_use]
pub fn read(socket: &Path, instance: &InstanceName) -> Option<Sighting> {
    let dir = open(socket.parent()?)?;
    let text = dir.read_file(&file_name(instance), &[Uid::effective()], MAX_BYTES).ok()?.ok()??;
    serde_json::from_slice(&text).ok()
}

/// Writes down what a pass saw; nothing, if it did not see the runner online.
///
/// # Errors
///
/// Any step of writing.
pub fn write(dir: &Dir, instance: &InstanceName, seen: Option<&Sighting>) -> Result<()> {
    let name = file_name(instance);
    let Some(seen) = seen else { return dir.unlink(&name).map(drop) };
    let text = serde_json::to_vec(seen).context("Failed to write what was seen as JSON")?;
    dir.replace_file(&name, &text, Mode::S_IRUSR | Mode::S_IWUSR, None).context("Failed to note what was seen")
}
