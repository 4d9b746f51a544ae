//! The listener's logs: written where jobs can write, kept where they cannot.
//!
//! The listener writes into `_diag` below the state directory. Root copies from there what looks like a log, within limits,
//! into the logs directory, which is its own. No fault here stops a start or an end: it is told, and the runner goes on.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use tracing::{info, warn};

use crate::contract::manifest::Logs;
use crate::state::DIAGNOSTICS;
use crate::sys::{Attributes, Dir, EntryKind, Listed, Place, empty};

/// How many entries of a directory are looked at. Whoever makes more hides logs of its own run only.
const LOOKED_AT: usize = 4096;
/// How many files one run may add.
const PER_RUN: usize = 100;
/// How many files are kept.
const KEPT: usize = 1000;
/// What part of all that is kept one run may fill, so that no single job drives out those of all others.
const SHARE: u64 = 4;
/// What part of the free disk one run may take.
const FREE: u64 = 10;
/// How many files of one name there may be.
const NAMESAKES: usize = 10;
const LONGEST_NAME: usize = 128;
const DAY: u64 = 24 * 60 * 60;
/// Of the logs directory.
const MODE: Mode = Mode::S_IRWXU.union(Mode::S_IRGRP).union(Mode::S_IXGRP);

/// When logs are taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// Before a start, which removes whatever else there is, until then.
    Start(Instant),
    /// After an end, which must not take long.
    End,
}

/// Takes the logs of the last run over into the logs directory at `place`, and removes old ones there.
pub fn keep(state: &Dir, place: &Place, limits: &Logs, when: When) {
    let kept = take_over(state, place, limits, when);
    // Also what could not be kept, or it would stand in the way of all that comes.
    let discarded = if let When::Start(end) = when { discard(state, end) } else { Ok(()) };
    for error in [kept, discarded].into_iter().filter_map(Result::err) {
        warn!("Failed to keep the logs of the last run: {error:#}");
    }
}

/// Removes the listener's logs from the state directory, until `end`.
///
/// # Errors
///
/// As [`empty`].
pub fn discard(state: &Dir, end: Instant) -> Result<()> {
    match state.entry(DIAGNOSTICS)? {
        EntryKind::Absent => {}
        // The listener could not work with it.
        EntryKind::File => drop(state.unlink(DIAGNOSTICS)?),
        EntryKind::Directory => {
            let dir = open_below(state)?;
            empty(&dir, end).with_context(|| format!("Failed to empty {DIAGNOSTICS}"))?;
            // Also for its mode, which a job can have changed.
            state.remove_if_empty(DIAGNOSTICS)?;
        }
    }
    Ok(())
}

fn open_below(state: &Dir) -> Result<Dir> {
    state.open_dir(OsStr::new(DIAGNOSTICS)).with_context(|| format!("Failed to open {DIAGNOSTICS}"))
}

fn take_over(state: &Dir, place: &Place, limits: &Logs, when: When) -> Result<()> {
    let size = limits.max_size.saturating_mul(1 << 20);
    let mut room = (size / SHARE).min(place.space()?.free / FREE);
    let logs = match (place.open()?, when) {
        (Some(logs), _) if is_ours(&logs)? => logs,
        (Some(_), When::End) => return Ok(()),
        (Some(logs), When::Start(end)) => {
            let done = reclaim(&logs, &mut room, end);
            done.with_context(|| format!("Failed to take {} over", place.resolved().display()))?;
            logs
        }
        (None, _) => place.create(MODE).or_else(|error| {
            // Runners that share it may begin at the same time.
            Place::walk(&place.resolved())?.open()?.ok_or(error)
        })?,
    };
    if state.entry(DIAGNOSTICS)? == EntryKind::Directory {
        let from = open_below(state)?;
        let (owner, _) = state.owner()?;
        let chosen = choose(&from, &[owner])?;
        let names: Vec<String> = chosen.iter().map(|(name, _)| name.clone()).collect();
        copy(chosen, &logs, &mut room)?;
        for name in names {
            if let Err(error) = from.unlink(&name) {
                warn!("{error:#}");
            }
        }
        state.remove_if_empty(DIAGNOSTICS)?;
    }
    prune(&logs, size, limits.max_age.saturating_mul(DAY))
}

/// Whether nobody else could have put something into the directory, or can read what is put there.
fn is_ours(logs: &Dir) -> Result<bool> {
    let (us, stat) = (Uid::effective(), logs.stat()?);
    let is_closed = stat.st_uid == us.as_raw() && stat.st_mode & 0o7777 == MODE.bits();
    Ok(is_closed && logs.look(LOOKED_AT)?.iter().all(|entry| entry.owner == us))
}

/// Makes a directory ours that belonged to the service user, as nixpkgs' module and former releases have it. Of what is in
/// it, copies of the newest logs stay.
fn reclaim(logs: &Dir, room: &mut u64, end: Instant) -> Result<()> {
    if logs.claim((Uid::effective(), Gid::effective()), MODE)? == Attributes::TooMany {
        warn!("The logs directory has more attributes than can be listed, so they stay");
    }
    // From here on nobody else can add anything. Dying before the end leaves files of others, so it is done again.
    let chosen = choose(logs, &[])?;
    empty(logs, end)?;
    copy(chosen, logs, room)?;
    info!("Took the logs directory over, which jobs cannot write any more");
    Ok(())
}

/// Opens what looks like logs, the newest first.
fn choose(from: &Dir, owners: &[Uid]) -> Result<Vec<(String, File)>> {
    let mut chosen = Vec::new();
    for (name, _) in logs_in(from)?.into_iter().take(PER_RUN) {
        if let Ok(Some(file)) = from.open_file(&name, owners)? {
            chosen.push((name, file));
        }
    }
    Ok(chosen)
}

/// Everything in a directory that looks like a log, the newest first.
fn logs_in(dir: &Dir) -> Result<Vec<(String, Listed)>> {
    let is_log = |entry: Listed| {
        let name = entry.name.clone().filter(|name| entry.is_file && is_name_of_log(name))?;
        Some((name, entry))
    };
    let mut found: Vec<_> = dir.look(LOOKED_AT)?.into_iter().filter_map(is_log).collect();
    found.sort_by(|(left, a), (right, b)| (b.modified, right).cmp(&(a.modified, left)));
    Ok(found)
}

/// Whether it could be one of the listener's: `Runner_20260102-030405-utc.log`, or the same with a number.
fn is_name_of_log(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let without_number = match name.rsplit_once('.') {
        Some((rest, number)) if number.parse::<u8>().is_ok() => rest,
        _ => name,
    };
    let stem = without_number.strip_suffix(".log").unwrap_or_default();
    name.len() <= LONGEST_NAME && stem.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

/// Copies files while there is room, of one that is too large its end.
fn copy(files: Vec<(String, File)>, to: &Dir, room: &mut u64) -> Result<()> {
    let mut short = 0;
    for (name, mut file) in files {
        let size = file.metadata().with_context(|| format!("Failed to examine {name}"))?.len();
        let share = size.min(*room);
        short += u64::from(share < size);
        let Some((free, mut target)) = (if share > 0 { create(to, &name)? } else { None }) else { continue };
        let mut write = || -> io::Result<u64> {
            file.seek(SeekFrom::Start(size - share))?;
            io::copy(&mut (&mut file).take(share), &mut target)
        };
        match write() {
            Ok(written) => *room -= written.min(*room),
            Err(error) => {
                to.unlink(&free)?;
                if error.kind() == io::ErrorKind::StorageFull {
                    return Err(error).with_context(|| format!("Failed to copy {name}"));
                }
                // A job can make files that nobody can read. That is no reason to lose the others.
                warn!("Failed to copy {name}: {error}");
            }
        }
    }
    if short > 0 {
        warn!(
            "The logs of the last run are larger than one run may keep: {short} of them were cut or left out; see `logs.maxSize`"
        );
    }
    Ok(())
}

/// Makes the file of a copy, and says what it is called. A job can have chosen a name that an earlier log has, and another
/// runner that keeps its logs here may be at the same one.
fn create(to: &Dir, name: &str) -> Result<Option<(String, File)>> {
    let stem = name.rsplit_once(".log").map_or(name, |(stem, _)| stem);
    for number in 0..NAMESAKES {
        let free = if number == 0 { name.to_owned() } else { format!("{stem}.log.{number}") };
        match to.create_file(&free) {
            Ok(file) => return Ok(Some((free, file))),
            Err(error) if error.downcast_ref() == Some(&Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Removes logs that are older than `age` seconds, and the oldest ones while all together have more than `size` bytes.
fn prune(logs: &Dir, size: u64, age: u64) -> Result<()> {
    let oldest = SystemTime::now().checked_sub(Duration::from_secs(age));
    let mut total: u64 = 0;
    for (index, (name, log)) in logs_in(logs)?.into_iter().enumerate() {
        total = total.saturating_add(log.size);
        let is_old = oldest.is_some_and(|oldest| log.modified < oldest);
        if is_old || index >= KEPT || total > size {
            logs.unlink(&name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_logs_are_taken() {
        for name in ["Runner_20260102-030405-utc.log", "Worker_20260102-030405-utc.log", "a.log", "a.log.1"] {
            assert!(is_name_of_log(name), "{name}");
        }
        let long = format!("{}.log", "a".repeat(LONGEST_NAME));
        for name in [
            "",
            ".log",
            ".telemetry",
            "a",
            "a.log.new",
            "a.log.",
            "a.1",
            "a\n.log",
            "a b.log",
            "ü.log",
            "-a.log",
            &long,
        ] {
            assert!(!is_name_of_log(name), "{name}");
        }
    }
}
