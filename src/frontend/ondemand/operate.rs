//! What operators tell the desk, by files beside the book that only root can write: that nothing new begins, and which orders
//! are to end. The desk reads them when it is asked anything.
//!
//! A file, because the desk may not run, and because it holds over a reboot. A text of the operator goes into answers to
//! strangers, so it is checked when it is written, and cut when it is read.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::Uid;

use super::book::{Book, Pages};
use super::door::ask::{Asked, ask};
use super::label::Label;
use super::order::{Order, State};
use super::settings::Settings;
use super::source::Source;
use super::wire::{Ask, Question, VERSION};
use crate::model::{date_and_time, is_obeyed, shown};
use crate::state::start::now;
use crate::sys::{Dir, LastLink, Place, read_regular_file};

/// Where everything of runners on demand is.
#[derive(Clone, Debug)]
pub struct Places {
    /// What is configured.
    pub settings: PathBuf,
    /// The book, and what stands beside it.
    pub home: PathBuf,
    /// The socket of the desk.
    pub desk: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            settings: "/etc/github-runner-on-demand/settings.json".into(),
            home: "/var/lib/github-runner-on-demand".into(),
            desk: "/run/github-runner-on-demand/desk.sock".into(),
        }
    }
}

/// The file that stops everything new.
const STOPPED: &str = "stopped";
/// The directory of the labels whose orders are to end.
const ENDS: &str = "ends";
/// The most characters of a text of the operator.
const LONGEST_TEXT: usize = 200;
/// What is said where the operator says nothing.
const NO_TEXT: &str = "the operator has stopped them";
/// No settings are as long.
const LONGEST_SETTINGS: u64 = 1 << 20;
/// How long the desk may take for an answer; systemd may have to start it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the settings of this host; `None` if it makes no runners on demand.
///
/// # Errors
///
/// Names the file and what is wrong with it.
pub fn settings(path: &Path) -> Result<Option<Settings>> {
    let read = || match read_regular_file(path, LONGEST_SETTINGS, LastLink::Follow)? {
        Ok(text) => text.map(|text| Settings::parse(&text)).transpose(),
        Err(fault) => bail!("the file {fault}"),
    };
    read().with_context(|| format!("Failed to read the settings {}", path.display()))
}

/// Checks settings that need not be those of this host.
///
/// # Errors
///
/// As [`settings`]; also if there are none.
pub fn check(path: &Path) -> Result<()> {
    settings(path)?.with_context(|| format!("There is no file {}", path.display())).map(drop)
}

/// As [`settings`], for what makes no sense on other hosts.
///
/// # Errors
///
/// Also if there are none.
pub fn configured(path: &Path) -> Result<Settings> {
    settings(path)?.with_context(|| {
        format!(
            "This host makes no runners on demand: there is no {}; enable `services.github-runner-on-demand`",
            path.display()
        )
    })
}

/// All orders, and what stands beside them.
#[derive(Debug, Default)]
pub struct Look {
    /// When that was, in seconds since 1970.
    pub at: u64,
    /// What the book says.
    pub pages: Pages,
    /// As [`stopped`].
    pub stopped: Option<String>,
    /// How many orders that have been over for [`LATE`] have registrations that the server may still list.
    pub debts: usize,
}

/// After so many seconds what ends should have ended.
pub const LATE: u64 = 5 * 60;

/// Looks at the book, without its lock and without a change. Of a host whose desk never ran it has nothing.
///
/// # Errors
///
/// If the directory is not root's alone, or cannot be listed.
pub fn look(home: &Path, now: u64) -> Result<Look> {
    let nothing = Look { at: now, ..Look::default() };
    let Some(dir) = Place::walk(home)?.open()? else { return Ok(nothing) };
    let stopped = stopped(&dir)?;
    let Some(book) = Book::open_if_there(dir)? else { return Ok(Look { stopped, ..nothing }) };
    let pages = book.read()?;
    // The desk works on those of others.
    let fresh: BTreeSet<String> = pages
        .orders
        .values()
        .filter(|order| order.ended_at.is_none_or(|ended| now < ended + LATE))
        .map(|order| order.key().runner_name())
        .collect();
    let mut debts = 0;
    for instance in book.ledger().instances()?.iter().filter(|instance| !fresh.contains(instance.as_str())) {
        // One that cannot be read may well owe something.
        let is_owing = book.ledger().load(instance).map_or(true, |entry| {
            entry.is_some_and(|entry| entry.runner.is_some() || entry.attempt.is_some() || !entry.debts.is_empty())
        });
        debts += usize::from(is_owing);
    }
    Ok(Look { at: now, pages, stopped, debts })
}

/// The same on this host, now.
///
/// # Errors
///
/// Also if it makes no runners on demand.
pub fn look_now(places: &Places) -> Result<Look> {
    configured(&places.settings)?;
    look(&places.home, now()?)
}

/// The text with which the operator stopped everything new, if that is so.
///
/// # Errors
///
/// If it cannot be read; then it is not known, and nothing new may begin.
pub fn stopped(home: &Dir) -> Result<Option<String>> {
    let read = home.read_file(STOPPED, &[Uid::effective()], LONGEST_SETTINGS)?;
    let Some(text) = read.map_err(|fault| anyhow!("Failed to read {STOPPED}, which {fault}: remove it"))? else {
        return Ok(None);
    };
    // Whoever wrote it by hand was not kept to any form.
    let plain: String = String::from_utf8_lossy(&text).trim().chars().filter(|c| !is_obeyed(*c)).collect();
    let cut: String = plain.chars().take(LONGEST_TEXT).collect();
    Ok(Some(if cut.is_empty() { NO_TEXT.into() } else { cut }))
}

/// Has nothing new begin from now on. What is open goes on.
///
/// # Errors
///
/// If the text cannot go into an answer, or the file cannot be written.
pub fn stop(places: &Places, text: Option<&str>) -> Result<()> {
    configured(&places.settings)?;
    let text = text.map_or(NO_TEXT, str::trim);
    let length = text.chars().count();
    if length == 0 || length > LONGEST_TEXT || text.chars().any(is_obeyed) {
        bail!("Callers are told the text: give 1 to {LONGEST_TEXT} plain characters, or none for \"{NO_TEXT}\"");
    }
    let write =
        || home(places)?.replace_file(STOPPED, format!("{text}\n").as_bytes(), Mode::S_IRUSR | Mode::S_IWUSR, None);
    write().context("Failed to stop runners on demand")
}

/// Takes [`stop`] back; tells whether there was anything to take back.
///
/// # Errors
///
/// As `unlinkat(2)` and `fsync(2)`.
pub fn start(places: &Places) -> Result<bool> {
    configured(&places.settings)?;
    let home = home(places)?;
    let was_stopped = home.unlink(STOPPED)?;
    home.sync()?;
    Ok(was_stopped)
}

/// The labels whose orders are to end.
///
/// # Errors
///
/// If they cannot be listed.
pub fn ends(home: &Dir) -> Result<BTreeSet<Label>> {
    match home.open_dir(OsStr::new(ENDS)) {
        Err(Errno::ENOENT) => Ok(BTreeSet::new()),
        dir => {
            let names = dir.context("Failed to open the labels that are to end")?.names()?;
            // Half of a file that is being written has a name that is no label.
            Ok(names.into_iter().filter_map(|name| Label::try_from(name).ok()).collect())
        }
    }
}

/// Forgets that the orders of a label are to end. One that is not there is fine.
///
/// # Errors
///
/// As `unlinkat(2)` and `fsync(2)`.
pub fn forget_end(home: &Dir, label: &Label) -> Result<()> {
    match home.open_dir(OsStr::new(ENDS)) {
        Err(Errno::ENOENT) => Ok(()),
        dir => {
            let dir = dir.context("Failed to open the labels that are to end")?;
            if dir.unlink(label.as_str())? { dir.sync() } else { Ok(()) }
        }
    }
}

/// Has the orders of a label end, and tells what will become of each, as a sentence.
///
/// # Errors
///
/// There is no such order that could end, the wish cannot be written, or it is written and the desk does not answer.
pub fn end(places: &Places, label: &str) -> Result<Vec<String>> {
    let Look { pages, .. } = look_now(places)?;
    let unknown =
        || format!("There is no order {} that could end: `github-runnerctl on-demand list` shows them", shown(label));
    let label = Label::try_from(label.to_owned()).ok().with_context(unknown)?;
    let home = home(places)?;
    let said: Vec<String> = pages.orders.values().filter(|order| order.label == label).filter_map(fate).collect();
    if said.is_empty() {
        bail!(unknown());
    }
    let write = || -> Result<()> {
        let ends = match home.open_dir(OsStr::new(ENDS)) {
            Err(Errno::ENOENT) => home.make_dir(OsStr::new(ENDS), Mode::S_IRWXU)?,
            opened => opened?,
        };
        home.sync()?;
        ends.replace_file(label.as_str(), b"", Mode::S_IRUSR | Mode::S_IWUSR, None)
    };
    write().context("Failed to write down that it is to end")?;
    wake(&places.desk).context(
        "It is written down and will be done, but the desk does not answer; see `systemctl status github-runner-on-demand.socket`",
    )?;
    Ok(said)
}

/// What becomes of an order that is to end; `None` if it ends already.
fn fate(order: &Order) -> Option<String> {
    let key = order.key();
    match order.state {
        State::Ending | State::Ended => None,
        State::Accepted => Some(format!("{key} is let go: it never had a machine")),
        State::Busy => Some(format!(
            "{key} runs a job, which is not cut short: it ends after it, at the latest on {}",
            date_and_time(order.deadline)
        )),
        _ => {
            Some(format!("{key} ends: GitHub deletes its runner, unless that gets a job first, then its machine goes"))
        }
    }
}

/// Has the desk look; systemd starts it if it does not run.
fn wake(desk: &Path) -> Result<()> {
    let source = Source::of(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let question = Question { version: VERSION, source, wait: 0, token: None, ask: Ask::Status };
    // Stands for a caller that does not go away.
    let (caller, _open) = UnixStream::pair()?;
    match ask(desk, &question, Instant::now() + PATIENCE, &caller)? {
        Asked::Answered(_) => Ok(()),
        Asked::Abandoned => bail!("nobody waited for it"),
    }
}

/// The directory of the book, which is made if the desk never ran.
fn home(places: &Places) -> Result<Dir> {
    let place = Place::walk(&places.home)?;
    match place.open()? {
        Some(dir) => Ok(dir),
        None => place.create(Mode::S_IRWXU),
    }
}

#[cfg(test)]
#[path = "operate_tests.rs"]
mod tests;
