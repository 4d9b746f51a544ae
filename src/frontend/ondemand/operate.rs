//! What an operator has told the desk, by files beside the book.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use anyhow::{Result, anyhow};
use nix::errno::Errno;
use nix::unistd::Uid;

use super::label::Label;
use crate::sys::Dir;

/// The text with which the operator stopped everything new, if that is so.
///
/// # Errors
///
/// If it cannot be read.
pub fn stopped(home: &Dir) -> Result<Option<String>> {
    let read = home.read_file("stopped", &[Uid::effective()], 4096)?.map_err(|fault| anyhow!("stopped {fault}"))?;
    Ok(read.map(|text| String::from_utf8_lossy(&text).trim().to_owned()))
}

/// The labels whose orders the operator ended.
///
/// # Errors
///
/// If they cannot be read.
pub fn ends(home: &Dir) -> Result<BTreeSet<Label>> {
    match home.open_dir(OsStr::new("ends")) {
        Err(Errno::ENOENT) => Ok(BTreeSet::new()),
        dir => Ok(dir?.names()?.into_iter().filter_map(|name| Label::try_from(name).ok()).collect()),
    }
}

/// Forgets that one was ended.
///
/// # Errors
///
/// As `unlinkat(2)`.
pub fn forget_end(home: &Dir, label: &Label) -> Result<()> {
    match home.open_dir(OsStr::new("ends")) {
        Err(Errno::ENOENT) => Ok(()),
        dir => dir?.unlink(label.as_str()).map(drop),
    }
}
