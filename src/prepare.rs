//! The root step before a runner starts: read everything, decide, and only then change something.
//!
//! Runs as root outside of the sandbox, in directories that hostile jobs own. It must not start a process, open
//! a network connection, or follow a link below such a directory; and it deletes nothing before everything that
//! the next state needs was read and found good.

mod secret;
mod work;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use tracing::{info, warn};

use crate::ledger::{Ledger, LedgerDirectory, VERSION};
use crate::manifest::Manifest;
use crate::model::{Token, TokenDigest, shown};
use crate::plan::{Action, GivenUp, Inputs, Plan, plan};
use crate::start::{Start, existing, now, walk};
use crate::state::{ENVIRONMENT, NIXPKGS_CONFIG, NIXPKGS_TOKEN, REGISTRATION_FILES, STAGED_TOKEN, Snapshot};
use crate::sys::{Dir, Entry, Place, empty};

/// Whom the kernel names as owner where an id has no counterpart.
const NOBODY: u32 = 65534;

/// Prepares a start.
///
/// # Errors
///
/// Anything that stands in the way of a good start. Up to the decision nothing but the ledger directory was made; after it, the next
/// start finds out how far this one got.
pub fn run(start: &Start, ledger_directory: &Path) -> Result<()> {
    let manifest = start.manifest()?;
    let Some(token_file) = &manifest.registration.token_file else { bail!("no token file") };
    let token = secret::read(token_file.as_str())?;
    let (state_place, state) = existing("state", &start.state_directory)?;
    let (logs_place, _) = existing("logs", &start.logs_directory)?;
    let ledger_place = walk("ledger", ledger_directory)?;
    let work_place = walk("work", &start.work_directory)?;
    work::check(&work_place, &[("state", &state_place), ("logs", &logs_place), ("ledger", &ledger_place)])?;
    let owner = service_user(&state)?;
    let ledgers = open_ledgers(&ledger_place)?;
    let entry = ledgers.load(&manifest.instance)?;
    let registration = manifest.registration.to_object().map_err(anyhow::Error::msg)?;
    let decision = plan(&Inputs {
        manifest: &manifest,
        registration: &registration,
        token: &token,
        ledger: entry.as_ref(),
        state: &Snapshot::read(&state)?,
        now: now()?,
    });
    let work = work::open(&work_place, owner)?;
    explain(&decision, &manifest);

    let write = |ledger: &Ledger| ledgers.stage(ledger, &manifest.instance);
    let remembered = entry.as_ref().map(|entry| entry.left_behind.as_slice()).unwrap_or_default();
    let debts_changed = remembered != decision.left_behind;
    let Plan { action, left_behind, runner, .. } = decision;
    let new_entry = |left_behind| -> Result<Ledger> {
        Ok(Ledger {
            version: VERSION,
            instance: manifest.instance.as_str().into(),
            helper: env!("CARGO_PKG_VERSION").into(),
            registration,
            token: Some(TokenDigest::new(&token, secret::salt()?)),
            runner,
            left_behind,
            attempt: None,
            registrations: crate::ledger::Registrations::default(),
            last_exit: None,
        })
    };
    match (action, entry) {
        (Action::Keep, Some(entry)) => {
            if debts_changed {
                write(&Ledger { left_behind, ..entry })?.commit()?;
            }
            empty_work(&work)?;
        }
        (Action::Keep | Action::Adopt, _) => {
            write(&new_entry(left_behind)?)?.commit()?;
            empty_work(&work)?;
        }
        (Action::Register, entry) => {
            // What is given up is noted before the files that name it are gone.
            if let Some(entry) = entry.filter(|_| debts_changed) {
                write(&Ledger { left_behind: left_behind.clone(), ..entry })?.commit()?;
            }
            // Written beside the old entry before anything is deleted, so that a full disk deletes nothing; and
            // the work directory first, because whatever cannot be removed there must not cost the registration.
            let staged = write(&new_entry(left_behind)?)?;
            empty_work(&work)?;
            purge(&state).context("Failed to purge the state directory")?;
            staged.commit()?;
            stage_token(&state, &token, owner)?;
        }
    }
    if action != Action::Register {
        remove_environment(&state)?;
    }
    forget_nixpkgs(&state)
}

/// The numeric owner of the state directory, which systemd gave to the service user.
fn service_user(state: &Dir) -> Result<(Uid, Gid)> {
    let owner = state.owner()?;
    if owner.0.as_raw() == NOBODY {
        bail!(
            "The state directory belongs to nobody, as it does outside of the unit if its user is a dynamic one: start the helper from its unit"
        );
    }
    Ok(owner)
}

/// Removes a file that a job can have left, and that the listener would obey before anything else.
fn remove_environment(state: &Dir) -> Result<()> {
    if state.entry(ENVIRONMENT)? == Entry::File && state.unlink(ENVIRONMENT)? {
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
        removed |= state.entry(name)? == Entry::File && state.unlink(name)?;
    }
    if removed {
        state.sync()?;
        info!("Removed files from where nixpkgs' module keeps its copies of token and configuration");
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

fn stage_token(state: &Dir, token: &Token, owner: (Uid, Gid)) -> Result<()> {
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
    for left in &plan.forgotten {
        let (name, id, url) = (shown(&left.runner.name), left.runner.id, shown(&left.runner.url));
        warn!("The ledger has no room for the former registration {name}, id {id}, of {url} any more");
    }
    let Some(GivenUp { id, name, page, taken_over }) = &plan.gives_up else { return };
    let name = shown(name);
    if *taken_over {
        info!("The old registration {name}, id {id}, will be replaced, because `replace` is set");
    } else {
        let place = page.as_deref().map_or_else(|| "in its settings".into(), |page| format!("at {page}"));
        warn!("GitHub still knows the old registration {name}, id {id}; it can be removed {place}");
    }
}

fn open_ledgers(place: &Place) -> Result<LedgerDirectory> {
    let open = || match place.open()? {
        Some(dir) => LedgerDirectory::new(dir),
        None => LedgerDirectory::new(place.create(Mode::S_IRWXU)?),
    };
    open().with_context(|| format!("Failed to use ledger directory {}", place.resolved().display()))
}
