//! What was asked of a cloud, in memory beside the registration that is in it: whoever asks again asks for the very same.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::Mode;
use nix::unistd::Uid;

use crate::contract::cloud::{Launch, MAX_QUESTION};
use crate::machines::Fault;
use crate::state::start::existing;
use crate::sys::Dir;

/// How the name of such a file ends, in the place of that of a registration.
pub const ENDING: &str = ".request";

/// Where the request of a registration's order lies.
#[must_use]
pub fn beside(registration: &Path) -> PathBuf {
    registration.with_extension(ENDING.trim_start_matches('.'))
}

/// Reads it; `None` if nothing was asked for.
///
/// # Errors
///
/// If it cannot be read. Then nobody knows what was asked for, so nothing else may be.
pub fn read(file: &Path) -> Result<Option<Launch>, Fault> {
    let read = || -> Result<Option<Launch>> {
        let (dir, name) = place(file)?;
        match dir.read_file(name, &[Uid::effective()], MAX_QUESTION)? {
            // The text of the error could repeat a secret.
            Ok(Some(text)) => serde_json::from_slice(&text).map(Some).ok().context("it is none of this release"),
            Ok(None) => Ok(None),
            Err(fault) => bail!("it {fault}"),
        }
    };
    read().with_context(|| format!("Failed to read {}", file.display())).map_err(|error| other(&error))
}

/// Writes it.
///
/// # Errors
///
/// Any step of writing.
pub fn write(file: &Path, launch: &Launch) -> Result<(), Fault> {
    let write = || -> Result<()> {
        let (dir, name) = place(file)?;
        dir.replace_file(name, &serde_json::to_vec(launch)?, Mode::S_IRUSR, None)
    };
    write().with_context(|| format!("Failed to write {}", file.display())).map_err(|error| other(&error))
}

fn place(file: &Path) -> Result<(Dir, &str)> {
    let parts = file.parent().zip(file.file_name().and_then(OsStr::to_str));
    let (parent, name) = parts.context("it has no place")?;
    Ok((existing("runtime", parent)?.1, name))
}

fn other(error: &anyhow::Error) -> Fault {
    Fault::Other(format!("{error:#}"))
}
