//! The work directory: who owns it, making it, handing it over and emptying it.
//!
//! It is emptied at every start, so nothing is emptied that the service user could have put in the place of
//! another directory, and nothing that holds somebody else's files. What a job gave to others goes with its files.
//!
//! Where the configuration lets files outlive starts, they do so only from one job of this runner to the next, see
//! [`why_emptied`]. That is decided by what the ledger said before this start, and carried out before the ledger says more.

use std::ffi::OsStr;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use serde_json::{Map, Value};
use tracing::{info, warn};

use super::basis::{Basis, Heir, report};
use crate::contract::manifest::Manifest;
use crate::ledger::Entry;
use crate::model::{MemorySize, WorkDir};
use crate::registration::plan::{Action, Plan};
use crate::root::enclose::{Room, enclose};
use crate::state::{DIAGNOSTICS, REGISTRATION_FILES};
use crate::sys::{Attributes, Dir, EntryKind, Place, empty as purge};

/// Whether the ledger says that the directory at `place` was handed to this runner before. One that nixpkgs' module
/// registered with the very same configuration had it, too.
pub(super) fn is_known(place: &Place, stored: Option<&Entry>, manifest: &Manifest, plan: &Plan) -> bool {
    let by_ledger = |entry: &Entry| {
        if let Some(path) = &entry.work_directory {
            return Path::new(path) == place.resolved();
        }
        // Of an older release, which had only the text of the option.
        let configured = manifest.registration.work_dir.as_ref().map(WorkDir::as_str);
        configured.is_some() && entry.registration.get("workDir").and_then(Value::as_str) == configured
    };
    plan.action == Action::Adopt || stored.is_some_and(by_ledger)
}

/// Why what is in the work directory does not stay although the configuration lets it; `None` if it does. `registration` is the
/// configuration of this start, `owner` the service user.
///
/// Only what this user's jobs left there for the same repository, organization or enterprise stays: files of others are handed
/// to no job.
///
/// # Errors
///
/// As `open(2)` and `readdir(3)`.
pub(super) fn why_emptied(
    place: &Place,
    owner: Uid,
    knows: bool,
    stored: Option<&Entry>,
    registration: &Map<String, Value>,
) -> Result<Option<String>> {
    let Some(dir) = place.open()? else { return Ok(None) };
    let (present, _) = dir.owner()?;
    let is_elsewhere = |entry: &Entry| entry.registration.get("url") != registration.get("url");
    Ok(if dir.is_as_new()? {
        None
    } else if present != owner {
        Some(format!("it belongs to user id {present} instead of {owner}, and no job gets files of another user"))
    } else if !knows {
        Some("the ledger does not know that its files are this runner's".into())
    } else if stored.is_some_and(is_elsewhere) {
        Some("its files are of jobs for another `url`".into())
    } else {
        None
    })
}

/// Empties a work directory whose content would otherwise stay, if something is in the way of that. `heir` is whom it is for,
/// `end` when to give up.
///
/// Comes before the ledger knows the directory as this runner's, and before its owner changes: a start that is cut off here
/// finds the same reason the next time.
///
/// # Errors
///
/// As [`why_emptied`], [`open`] and [`purge`].
pub(super) fn empty_of_others(
    place: &Place,
    heir: Heir,
    stored: Option<&Entry>,
    registration: &Map<String, Value>,
    end: Instant,
) -> Result<()> {
    let Some(why) = why_emptied(place, heir.owner.0, heir.knows, stored, registration)? else { return Ok(()) };
    let path = place.resolved();
    let Some(dir) = place.open()? else { return Ok(()) };
    refuse_of_others(place, &dir, heir.owner.0, heir.knows)?;
    warn!("Emptying work directory {} although `cleanWorkDir` is \"never\", because {why}", path.display());
    if dir.owner()?.0 != heir.owner.0 {
        // From here on its former user puts nothing into it any more.
        claim(&dir, Heir { owner: (Uid::from_raw(0), Gid::from_raw(0)), mode: Mode::S_IRWXU, ..heir }, &path)?;
    }
    let purged = purge(&dir, end).context("Failed to empty the work directory")?;
    report("Emptied the work directory", purged.files, purged.directories);
    Ok(())
}

/// Opens the work directory at `path`, which leads to `place`, as the manifest wants it: see [`open`] and [`open_own`].
///
/// # Errors
///
/// As these two.
pub(in crate::root) fn take(
    place: &Place,
    path: &Path,
    size: Option<MemorySize>,
    heir: Heir,
    end: Instant,
) -> Result<Dir> {
    match size {
        Some(size) => open_own(path, size, heir, end),
        None => open(place, heir),
    }
}

/// Opens the work directory, makes it if it is missing, and hands it to its heir.
///
/// # Errors
///
/// If it belongs to another user and somebody else than root could have put it there, or holds files of which nobody
/// knows that they are this runner's.
fn open(place: &Place, heir: Heir) -> Result<Dir> {
    let path = place.resolved();
    if place.is_through_link() {
        warn!(
            "The work directory is reached through a link; jobs get its real path {}, which tools such as actions/checkout insist on",
            path.display()
        );
    }
    let Some(dir) = place.open()? else {
        let dir = place.create(Mode::S_IRWXU)?;
        claim(&dir, heir, &path)?;
        info!("Made the work directory {} for user id {}", path.display(), heir.owner.0);
        return Ok(dir);
    };
    let (present, _) = dir.owner()?;
    refuse_of_others(place, &dir, heir.owner.0, heir.knows)?;
    claim(&dir, heir, &path)?;
    if present != heir.owner.0 {
        info!("Handed the work directory {} from user id {present} to {}", path.display(), heir.owner.0);
    }
    Ok(dir)
}

/// Opens the work directory like [`open`], with an empty file system of its own on it that holds no more than `size`. What
/// lies below is removed until `end`. Where the administrator mounted one, that is it.
///
/// # Errors
///
/// As [`open`] and `mount(2)`. That the host does not let root mount anything is none.
fn open_own(path: &Path, size: MemorySize, heir: Heir, end: Instant) -> Result<Dir> {
    let room = Room { size, parts: 1 };
    let renewed = enclose(path, room, heir.owner, end, &|place| self::open(place, heir))?;
    if let Err(why) = renewed {
        warn!(
            "The work directory {} gets no file system of its own, because {why}. A job that fills it fills what is around it; set `workDir` to a directory on a disk of its own",
            path.display()
        );
    }
    open(&Place::walk(path)?, heir)
}

/// Refuses a work directory that [`open`] would not hand to `owner`; changes nothing.
///
/// # Errors
///
/// As [`open`].
pub(super) fn check_hand_over(place: &Place, owner: Uid, knows: bool) -> Result<()> {
    let Some(dir) = place.open()? else { return Ok(()) };
    refuse_of_others(place, &dir, owner, knows)
}

/// Whether it would be refused if it belonged to another user than the service user, and why.
pub(super) fn doubt(place: &Place, knows: bool) -> Result<Option<&'static str>> {
    let Some(dir) = place.open()? else { return Ok(None) };
    Ok(match (place.is_firm(), knows || dir.is_as_new()?) {
        (false, _) => Some("others than root could have put it there"),
        (true, false) => Some("it holds files of which the ledger does not know that they are this runner's"),
        (true, true) => None,
    })
}

fn refuse_of_others(place: &Place, dir: &Dir, owner: Uid, knows: bool) -> Result<()> {
    let (present, _) = dir.owner()?;
    if present == owner {
        return Ok(());
    }
    let path = place.resolved();
    match doubt(place, knows)? {
        None => Ok(()),
        Some(why) if place.is_firm() => bail!(
            "Work directory {} belongs to user id {present} instead of {owner}, and {why}: choose a directory that holds nothing else, or empty this one if nobody needs what is in it",
            path.display()
        ),
        Some(why) => bail!(
            "Work directory {} belongs to user id {present} instead of {owner}, and {why}: give it to the service user, or choose a directory below one that root owns",
            path.display()
        ),
    }
}

/// Empties the work directory of a start, or of what stays there removes what is in the way of the links that
/// [`link`](crate::root::link) makes.
///
/// # Errors
///
/// As [`purge`].
pub(super) fn empty(found: &Basis<'_>) -> Result<()> {
    if found.manifest.keeps_work_dir() {
        let names = REGISTRATION_FILES.into_iter().chain([DIAGNOSTICS]);
        return names.into_iter().try_for_each(|name| clear_name(&found.work, name, found.end));
    }
    empty_for(&found.work, found.heir, &found.work_path, found.end)
}

/// Removes what a job made of one name.
fn clear_name(work: &Dir, name: &str, end: Instant) -> Result<()> {
    if work.entry(name)? == EntryKind::Directory {
        purge(&work.open_dir(OsStr::new(name))?, end).context("Failed to empty a directory of the work directory")?;
        work.remove_if_empty(name).map(drop)
    } else {
        work.unlink(name).map(drop)
    }
}

/// Empties a work directory for its heir, until `end` at most.
///
/// # Errors
///
/// As [`purge`].
pub(in crate::root) fn empty_for(work: &Dir, heir: Heir, path: &Path, end: Instant) -> Result<()> {
    let purged = purge(work, end).context("Failed to empty the work directory")?;
    report("Emptied the work directory", purged.files, purged.directories);
    // Once more: until its processes are gone, the user can open its directory again.
    claim(work, heir, path)
}

/// Asks somebody while the work directory is emptied, so that a slow answer does not hold that up.
///
/// What cannot be emptied is no fault here: [`empty`] follows whatever is decided, and tells.
pub(super) fn empty_while<T>(found: &Basis<'_>, ask: impl FnOnce() -> T) -> T {
    if found.manifest.keeps_work_dir() {
        return ask();
    }
    let (dir, end) = (&found.work, found.end);
    thread::scope(|scope| {
        // A unit that has all the tasks it may have gets no thread; then `empty` does all of it.
        let emptying = thread::Builder::new().spawn_scoped(scope, move || purge(dir, end));
        let answer = ask();
        if let Ok(Ok(Ok(purged))) = emptying.map(thread::ScopedJoinHandle::join) {
            report("Emptied the work directory", purged.files, purged.directories);
        }
        answer
    })
}

fn claim(dir: &Dir, heir: Heir, path: &Path) -> Result<()> {
    let claimed = dir.claim(heir.owner, heir.mode);
    if claimed.with_context(|| format!("Failed to hand over work directory {}", path.display()))? == Attributes::TooMany
    {
        warn!(
            "The work directory {} has more attributes than can be listed, so they stay: remove it while the runner is stopped, and the next start makes a new one",
            path.display()
        );
    }
    Ok(())
}
