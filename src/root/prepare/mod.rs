//! The first step of a start, as root: decide whether the registration stays, then change something.
//!
//! Runs as root outside of the sandbox, in directories that hostile jobs own. It must not start a process, open
//! a network connection, or follow a link below such a directory; and it deletes nothing before everything that
//! the next state needs was read and found good.

pub(in crate::root) mod apart;
pub(in crate::root) mod basis;
mod explain;
mod foresee;
mod holder;
mod jit;
mod kept;
pub(in crate::root) mod read;
mod ready;
mod register;
pub(in crate::root) mod room;
pub(in crate::root) mod work;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use tracing::{info, warn};

use crate::contract::manifest::Manifest;
use crate::ledger::{Draft, Entry, Ledger, Owner};
use crate::model::TokenDigest;
use crate::registration::ask::Broker;
use crate::registration::credential::salt;
use crate::registration::pace::limited;
use crate::registration::paced::{Limits, PacedBroker};
use crate::registration::plan::{Action, Plan, Reason};
use crate::registration::retire::pay;
use crate::registration::{secrecy, sighted, started};
use crate::root::{leftovers, stop};
use crate::state::logs::{self, When};
use crate::state::start::{Start, existing, now, walk};
use crate::state::{ENVIRONMENT, NIXPKGS_CONFIG, NIXPKGS_TOKEN};
use crate::sys::{Attributes, Dir, EntryKind, Place};

use basis::{Basis, Heir};
use explain::{explain, hold_back, wait_for_turn, warn_about_expiry};
use kept::{LOOK, Presence};
use read::{Instructions, Reading, StartDirectories, check_owner, is_news, reach, service_user};
use room::save;

pub use foresee::{Foreseen, foresee};

/// How long a start waits for another process that works on the same registration; none of these takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Until when a start may empty directories, counted from its beginning. Its unit has fifteen minutes, and what comes after
/// is asking for the registration.
const EMPTYING: Duration = Duration::from_secs(12 * 60);

/// Prepares a start.
///
/// # Errors
///
/// Anything that stands in the way of a good start. Up to the decision nothing but the ledger was written; after it, the
/// next start finds out how far this one got.
pub fn run(start: &Start, ledger_directory: &Path, socket: &Path) -> Result<()> {
    let end = Instant::now() + EMPTYING;
    let told = Instructions::read(start)?;
    let ledger_place = walk("ledger", ledger_directory)?;
    let ledger = open_ledger(&ledger_place, ledger_directory)?;
    let marks = open_ledger(&ledger_place, ledger_directory)?;
    stop::watch(marks, &told.manifest.instance, &start.state_directory)?;
    let _lock = ledger.must_lock(&told.manifest.instance, PATIENCE)?;
    let stored = ledger.load(&told.manifest.instance)?;
    check_owner(stored.as_ref(), now()?)?;
    let text = told.text(start);
    let news = is_news(&text, stored.as_ref());
    if let Some(entry) = &stored {
        // Before anything else can fail again.
        hold_back(entry, false, news, &told.manifest)?;
    }
    // Before anything is staged that they could read; here, so that the next refusal waits longer.
    leftovers::refuse(&told.manifest.instance)?;
    let StartDirectories { state, work: work_place, logs } = reach(start, &told.manifest, &ledger_place, existing)?;
    let owner = service_user(&state)?;
    guard(&told.manifest, owner)?;
    let reading = Reading::new(&told, stored.as_ref(), Some(&state))?;
    let mut decision = reading.decide(None);

    let Instructions { manifest, credential, registration } = &told;
    let time = reading.now;
    let new = Entry::new(&manifest.instance, registration.clone(), credential.digest()?);
    let mut draft = Draft::new(&ledger, &manifest.instance, stored.clone(), new.clone());
    note(&mut draft.entry, &told, start, news.then_some(&text))?;
    let heir = Heir::new(owner, manifest, work::is_known(&work_place, stored.as_ref(), manifest, &decision));
    if manifest.keeps_work_dir() {
        work::empty_of_others(&work_place, heir, stored.as_ref(), registration, end)?;
    }
    let work = work::take(&work_place, &start.work_directory, manifest.work_dir_size, heir, end)?;
    let work_path = work_place.resolved();
    // From now on what is in it is this runner's, whatever number its user has next time.
    draft.entry.work_directory = work_path.to_str().map(String::from);
    close_state(&state)?;
    let (place, url) = (manifest.credential_place(), &manifest.registration.url);
    let limits = Limits::new(&place, url, draft.entry.not_before);
    let broker = PacedBroker::new(Broker::kept(socket, &manifest.instance, &ledger), &place, url, limits);
    let found = Basis {
        broker: credential.is_of_api().then_some(broker),
        work,
        heir,
        work_path,
        manifest,
        credential,
        state: &state,
        state_path: &start.state_directory,
        owner,
        end,
    };
    // From the first start on there is an entry in which failures are counted.
    // While only the state names a runner, it is kept, whatever else has to make room.
    save(&found, &mut draft, decision.action == Action::Register && decision.claimed.is_none())?;
    let hold = |entry: &Entry, decision: &Plan| hold_back(entry, decision.action == Action::Register, news, manifest);
    hold(&draft.entry, &decision)?;
    wait_for_turn(&ledger, &draft.entry, manifest);
    let mut reached = found.broker.is_some();
    let sighting = found.broker.as_ref().and_then(|_| sighted::read(socket, &manifest.instance));
    if let Some(spared) = kept::spared(&decision, &draft.entry, news, sighting.as_ref(), now()?) {
        kept::tell_spared(spared);
    } else if decision.action != Action::Register {
        (decision, reached) = look_again(&found, &reading, decision)?;
        hold(&draft.entry, &decision)?;
    }
    explain(&decision, &found);
    // Before the state directory is purged.
    logs::keep(&state, &logs, &manifest.logs, When::Start(end));
    carry_out(&found, &mut draft, decision, new, reached, time)?;
    warn_about_expiry(&found, time);
    forget_nixpkgs(&state)
}

/// Looks whether a registration that would be kept is still there, and decides again if not. Also whether the server
/// answers.
fn look_again(found: &Basis<'_>, reading: &Reading<'_>, decision: Plan) -> Result<(Plan, bool)> {
    let can_ask = found.broker.is_some();
    let look = || kept::look(found, &decision, &reading.snapshot);
    // A start that may not adopt ends here, with everything as it is.
    let looked = if can_ask && decision.action == Action::Keep { work::empty_while(found, look) } else { look() };
    Ok(match looked? {
        Presence::Good => (decision, can_ask),
        Presence::Silence => (decision, false),
        Presence::Gone(id) => (reading.decide(Some(id)), can_ask),
        Presence::Another(id) => {
            (Plan { reasons: vec![Reason::AnotherOnServer(id)], ..reading.decide(Some(id)) }, can_ask)
        }
    })
}

/// Does what was decided; `new` is the entry of a new registration, `reached` whether debts can be paid.
fn carry_out(
    found: &Basis<'_>,
    draft: &mut Draft<'_>,
    decision: Plan,
    new: Entry,
    reached: bool,
    time: u64,
) -> Result<()> {
    let Plan { action, debts, runner, claimed, new_credential, .. } = decision;
    draft.entry.debts = debts;
    if action == Action::Register {
        let registered = register::run(found, draft, new, claimed);
        keep_limit(found, draft, time);
        return registered.and(draft.save());
    }
    let Entry { registration, token, helper, .. } = new;
    if action == Action::Adopt {
        draft.entry = Entry { helper, registration, token, runner, attempt: None, ..draft.entry.clone() };
    } else if new_credential {
        (draft.entry.registration, draft.entry.token) = (registration, token);
    }
    keep_limit(found, draft, time);
    draft.save()?;
    if let Some(broker) = found.broker.as_ref().filter(|_| reached) {
        pay(broker, draft, &found.manifest.registration.url, Instant::now() + LOOK);
        keep_limit(found, draft, time);
        draft.save()?;
    }
    work::empty(found)?;
    remove_environment(found.state)?;
    room::check(found)
}

/// Keeps a limit on requests in the entry, also one that was met while debts were paid; what is over or cannot be is dropped.
fn keep_limit(found: &Basis<'_>, draft: &mut Draft<'_>, time: u64) {
    let limits = [found.broker.as_ref().and_then(PacedBroker::limited), draft.entry.not_before];
    draft.entry.not_before = limits.into_iter().filter_map(|until| limited(until, time)).max();
}

/// Refuses a user who could read the credential, and tells of one whose processes outlive the unit.
pub(in crate::root) fn guard(manifest: &Manifest, owner: (Uid, Gid)) -> Result<()> {
    if let Some(user) = leftovers::lingering(owner.0.as_raw()) {
        let (said, remedy) = leftovers::about_lingering(&user);
        warn!("This runner's {said}; {remedy}");
    }
    secrecy::guard(manifest, owner)
}

/// Puts into the entry what this start is told; `news` is that, if the start before was told something else.
fn note(entry: &mut Entry, told: &Instructions, start: &Start, news: Option<&String>) -> Result<()> {
    let place = told.manifest.credential_place();
    if let Some(text) = news {
        entry.tried = Some(TokenDigest::of(text, salt()?));
        let is_same_token = match (&entry.token, told.credential.token()) {
            (Some(digest), Some(token)) => digest.is_of(token.expose()),
            (before, now) => before.is_none() == now.is_none(),
        };
        if !is_same_token || entry.credential.as_ref() != Some(&place) {
            // What another credential met says nothing about this one. What this one met itself is kept, also if it has
            // not registered yet.
            entry.not_before = None;
        }
    }
    // Also of an orphan of something else, whose time is over.
    entry.owner = Owner::Declared;
    entry.credential = Some(place);
    entry.started = started::digest(&told.manifest.instance, &start.manifest)?;
    Ok(())
}

/// Takes back what a job gave others in the state directory, whose owner and mode systemd sets.
pub(in crate::root) fn close_state(state: &Dir) -> Result<()> {
    if state.drop_access_lists().context("Failed to close the state directory")? == Attributes::TooMany {
        warn!("The state directory has more attributes than can be listed, so they stay");
    }
    Ok(())
}

/// Removes a file that a job can have left, and that the listener would obey before anything else.
fn remove_environment(state: &Dir) -> Result<()> {
    if state.entry(ENVIRONMENT)? == EntryKind::File && state.unlink(ENVIRONMENT)? {
        warn!(
            "Removed {ENVIRONMENT}, which jobs can write and the listener would obey; set variables with `extraEnvironment`"
        );
    }
    Ok(())
}

/// Removes what nixpkgs' module left besides the registration; the token copy above all. Also when this start did
/// not adopt: the one that did may have been cut off here. A directory of that name is only a job's joke.
fn forget_nixpkgs(state: &Dir) -> Result<()> {
    let mut removed = false;
    for name in [NIXPKGS_TOKEN, NIXPKGS_CONFIG] {
        removed |= state.entry(name)? == EntryKind::File && state.unlink(name)?;
    }
    if removed {
        state.sync()?;
        info!("Removed files from where nixpkgs' module keeps its copies of token and configuration");
    }
    Ok(())
}

fn open_ledger(place: &Place, path: &Path) -> Result<Ledger> {
    let make = || {
        place.create(Mode::S_IRWXU).or_else(|error| {
            // Another runner of this host may have been faster, and on a first start this one asks twice.
            Place::walk(path)?.open()?.ok_or(error)
        })
    };
    let open = || match place.open()? {
        Some(dir) => Ledger::new(dir),
        None => Ledger::new(make()?),
    };
    open().with_context(|| format!("Failed to use ledger directory {}", place.resolved().display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emptying_ends_before_systemd_ends_the_start() {
        let contract = include_str!("../../../tests/fixtures/contract.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        assert!(EMPTYING.as_secs() < contract["seconds"]["start"].as_u64().unwrap());
    }
}
