//! The root step before a runner starts: read everything, decide, and only then change something.
//!
//! Runs as root outside of the sandbox, in directories that hostile jobs own. It must not start a process, open
//! a network connection, or follow a link below such a directory; and it deletes nothing before everything that
//! the next state needs was read and found good.

mod secret;
mod work;

use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::stat::Mode;
use tracing::{info, warn};

use crate::ledger::{Ledger, LedgerDirectory, VERSION};
use crate::manifest::Manifest;
use crate::model::{Token, TokenDigest};
use crate::plan::{Action, GivenUp, Inputs, Plan, plan};
use crate::start::{Start, existing, now, walk};
use crate::state::{NIXPKGS_CONFIG, NIXPKGS_TOKEN, REGISTRATION_FILES, STAGED_TOKEN, Snapshot};
use crate::sys::{Dir, Entry, Place, empty};

/// Prepares a start.
///
/// # Errors
///
/// Anything that stands in the way of a good start. Up to the decision nothing was changed; after it, the next
/// start finds out how far this one got.
pub fn run(start: &Start, ledger_directory: &Path) -> Result<()> {
    let manifest = start.manifest()?;
    let token = secret::read(manifest.registration.token_file.as_str())?;
    let (state_place, state) = existing("state", &start.state_directory)?;
    let (logs_place, _) = existing("logs", &start.logs_directory)?;
    let ledger_place = walk("ledger", ledger_directory)?;
    let work_place = walk("work", &start.work_directory)?;
    work::check(&work_place, &[("state", &state_place), ("logs", &logs_place), ("ledger", &ledger_place)])?;
    let ledgers = open_ledgers(&ledger_place)?;
    let entry = ledgers.load(&manifest.instance)?;
    let snapshot = Snapshot::read(&state)?;
    let registration = manifest.registration.to_object().map_err(anyhow::Error::msg)?;
    let decision = plan(&Inputs {
        manifest: &manifest,
        registration: &registration,
        token: &token,
        ledger: entry.as_ref(),
        state: &snapshot,
        now: now()?,
    });
    explain(&decision, &manifest);

    let owner = state.owner()?;
    let work = work::open(&work_place, owner)?;
    let new_entry = |plan: Plan| -> Result<Ledger> {
        Ok(Ledger {
            version: VERSION,
            instance: manifest.instance.as_str().into(),
            helper: env!("CARGO_PKG_VERSION").into(),
            registration,
            token: TokenDigest::new(&token, secret::salt()?),
            runner: plan.runner,
            left_behind: plan.left_behind,
        })
    };
    match decision.action {
        Action::Keep => empty_work(&work)?,
        Action::Adopt => {
            ledgers.stage(&new_entry(decision)?, &manifest.instance)?.commit()?;
            empty_work(&work)?;
        }
        Action::Register => {
            // Written beside the old entry before anything is deleted, so that a full disk deletes nothing.
            let staged = ledgers.stage(&new_entry(decision)?, &manifest.instance)?;
            purge(&state).context("Failed to purge the state directory")?;
            staged.commit()?;
            empty_work(&work)?;
            stage_token(&state, &token)?;
        }
    }
    // Also when this start did not adopt: the one that did may have been cut off here.
    forget_nixpkgs(&state)
}

/// Removes what nixpkgs' module left besides the registration; the token copy above all.
fn forget_nixpkgs(state: &Dir) -> Result<()> {
    let token = state.unlink(NIXPKGS_TOKEN)?;
    let config = state.unlink(NIXPKGS_CONFIG)?;
    if token || config {
        state.sync()?;
        info!("Removed the copies of token and configuration that nixpkgs' module kept");
    }
    Ok(())
}

fn purge(state: &Dir) -> Result<()> {
    // The mark of completeness goes first: half-purged state must never look like a registration.
    let mut removed = 0;
    for name in REGISTRATION_FILES {
        if state.entry(name)? == Entry::File {
            removed += u64::from(state.unlink(name)?);
        }
    }
    let purged = empty(state)?;
    state.sync()?;
    report("Purged the state directory", removed + purged.files, purged.directories);
    Ok(())
}

fn report(what: &str, files: u64, directories: u64) {
    if files + directories > 0 {
        let plural = |count, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        info!("{what}: {}, {}", plural(files, "file", "files"), plural(directories, "directory", "directories"));
    }
}

fn empty_work(work: &Dir) -> Result<()> {
    let purged = empty(work).context("Failed to empty the work directory")?;
    report("Emptied the work directory", purged.files, purged.directories);
    Ok(())
}

fn stage_token(state: &Dir, token: &Token) -> Result<()> {
    let owner = state.owner()?;
    state
        .replace_file(STAGED_TOKEN, token.expose().as_bytes(), Mode::S_IRUSR, Some(owner))
        .context("Failed to stage the token for the service user")
}

fn explain(plan: &Plan, manifest: &Manifest) {
    let name = manifest.instance.as_str();
    for reason in &plan.reasons {
        match plan.action {
            Action::Keep => info!("Keeping the registration of {name}: {reason}"),
            Action::Adopt => info!("Adopting the registration of {name}: {reason}"),
            Action::Register => info!("Registering {name} anew: {reason}"),
        }
    }
    let Some(GivenUp { id, name, page, taken_over }) = &plan.gives_up else { return };
    if *taken_over {
        info!("The old registration {name:?}, id {id}, will be replaced, because `replace` is set");
    } else {
        let place = page.as_deref().map_or_else(|| "in its settings".into(), |page| format!("at {page}"));
        warn!("GitHub still knows the old registration {name:?}, id {id}; it can be removed {place}");
    }
}

fn open_ledgers(place: &Place) -> Result<LedgerDirectory> {
    let open = || match place.open()? {
        Some(dir) => LedgerDirectory::new(dir),
        None => LedgerDirectory::new(place.create(Mode::S_IRWXU)?),
    };
    open().with_context(|| format!("Failed to use ledger directory {}", place.resolved().display()))
}
