//! What a start would do, without doing any of it.
//!
//! Reads what a start reads, by the same code, and stops where a start would begin to write or to ask GitHub. Takes no
//! lock, because that would make a file: an entry is exchanged as a whole, so half of one is never read.

use std::path::Path;

use anyhow::{Context as _, Result};
use nix::unistd::{Gid, Uid};

use super::read::{Instructions, Reading, StartDirectories, check_owner, is_news, reach};
use super::work;
use crate::ledger::Ledger;
use crate::registration::pace::{Wait, wait};
use crate::registration::plan::{Action, Plan, Reason};
use crate::registration::secrecy;
use crate::state::start::{Start, now, possible, walk};
use crate::sys::{Dir, NOBODY};

/// The next start, as far as this host alone can tell.
#[derive(Debug)]
pub struct Foreseen {
    /// What it would decide, if GitHub says nothing else.
    pub plan: Plan,
    /// How many seconds it would wait until it has done so, and why.
    pub wait: Option<(u64, Wait)>,
    /// What the last run said at its end, for which it may have to wait.
    pub said: Option<String>,
    /// Whether it asks GitHub first if the registration is still there.
    pub asks: bool,
    /// What is different inside of the unit without changing the decision, as sentences.
    pub notes: Vec<String>,
    /// What only the start itself will know, as sentences.
    pub unknown: Vec<String>,
}

/// Finds out what a start would do. `user` is the service user, if that is known.
///
/// # Errors
///
/// What would stop the start.
pub fn foresee(start: &Start, ledger_directory: &Path, user: Option<(Uid, Gid)>) -> Result<Foreseen> {
    let told = Instructions::read(start)?;
    let instance = &told.manifest.instance;
    let ledger_place = walk("ledger", ledger_directory)?;
    let ledger = ledger_place.open()?.map(Ledger::new).transpose();
    let ledger = ledger.with_context(|| format!("Failed to use ledger directory {}", ledger_directory.display()))?;
    let stored = ledger.map(|ledger| ledger.load(instance)).transpose()?.flatten();
    check_owner(stored.as_ref(), now()?)?;
    let news = is_news(&told.text(start), stored.as_ref());
    let StartDirectories { state, work: work_place, .. } = reach(start, &told.manifest, &ledger_place, possible)?;
    let (mut notes, mut unknown) = (Vec::new(), Vec::new());
    let owner = state.as_ref().map(Dir::owner).transpose()?;
    let reading = Reading::new(&told, stored.as_ref(), state.as_ref())?;
    let plan = reading.decide(None);

    match owner {
        None => notes.push("the state directory does not exist yet; systemd makes it for the start".into()),
        // As newer systemds keep it, which show it to the unit under the number of its user.
        Some((uid, _)) if uid.as_raw() == NOBODY => {
            notes.push(
                "the state directory belongs to nobody now, and to a dynamic user only inside of the unit".into(),
            );
        }
        Some(_) => {}
    }
    if plan.reasons.iter().any(about_owner) {
        unknown.push("systemd gives the files to the unit's user before a start if the state directory is not that user's, and then their owners are no reason any more".into());
    }
    let knows = work::is_known(&work_place, stored.as_ref(), &told.manifest, &plan);
    if told.manifest.keeps_work_dir()
        && let Some(owner) = user.map(|user| user.0)
        && let Some(why) = work::why_emptied(&work_place, owner, knows, stored.as_ref(), &told.registration)?
    {
        notes.push(format!("it empties the work directory although `cleanWorkDir` is \"never\", because {why}"));
    }
    match user {
        Some(user) => {
            secrecy::check(&told.manifest, user)?;
            work::check_hand_over(&work_place, user.0, knows)?;
        }
        None => unknown.extend(work::doubt(&work_place, knows)?.map(|why| {
            let path = work_place.resolved();
            format!("it is refused unless work directory {} belongs to the unit's user, because {why}", path.display())
        })),
    }
    work_place.check_creatable()?;
    let registers = plan.action == Action::Register;
    if let Some(state) = state.as_ref().filter(|_| registers) {
        // Deeper down only the start looks, while it empties.
        let all = state.names()?;
        let removable = all.iter().try_for_each(|name| state.check_removable(name));
        removable.context("The state directory cannot be emptied")?;
    }
    if registers && !told.credential.is_of_api() {
        unknown.push("it needs a registration token that GitHub made at most one hour before".into());
    }
    let interval = told.manifest.registration_interval;
    let wait = stored.as_ref().and_then(|entry| wait(entry, registers, news, interval, reading.now));
    let said = stored.and_then(|entry| entry.last_exit).map(|exit| exit.said);
    Ok(Foreseen { plan, wait, said, asks: !registers && told.credential.is_of_api(), notes, unknown })
}

/// Whether a reason rests on whom a file belongs to.
fn about_owner(reason: &Reason) -> bool {
    matches!(reason, Reason::Unfit(_, why) if why.starts_with("belongs to user id"))
}
