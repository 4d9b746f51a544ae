//! Where a work directory may lie: apart from whatever somebody would miss.
//!
//! Compares where paths really lead, so that neither a link nor a bind mount hides an overlap.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::contract::manifest::Manifest;
use crate::model::{
    closed_directories, is_general_directory, runner_directories, runtime_directories, system_directory_in,
};
use crate::sys::{Place, Walks};

/// Refuses work directories that must not be emptied, and secrets in directories that jobs or purges own.
///
/// # Errors
///
/// Names the directory that the work directory overlaps with, or the secret.
pub(in crate::root) fn check(
    manifest: &Manifest,
    work: &Place,
    state: &Place,
    logs: &Place,
    ledger: Option<&Place>,
) -> Result<()> {
    let path = work.resolved();
    if let Some(system) = system_directory_in(&path) {
        bail!(
            "Work directory {} is or contains {system}, and it is emptied at every start: choose a directory of its own",
            path.display()
        );
    }
    let others = [("state", state), ("logs", logs)].into_iter().chain(ledger.map(|ledger| ("ledger", ledger)));
    for (what, other) in others {
        if work.overlaps(other) {
            bail!(
                "Work directory {} overlaps with the {what} directory {}, and it is emptied at every start: choose a directory of its own",
                path.display(),
                other.resolved().display()
            );
        }
    }
    let mut walks = Walks::default();
    let is_own = runtime_directories(manifest.instance.as_str()).iter().any(|own| lies_in(work, own, &mut walks));
    let runners = runner_directories().filter(|_| !is_own);
    for other in closed_directories().map(PathBuf::from).chain(runners) {
        if overlaps(work, &other, &mut walks) {
            bail!(
                "Work directory {} overlaps with {}, which is none of a job's business, and it is emptied at every start: choose a directory of its own",
                path.display(),
                other.display()
            );
        }
    }
    check_secret(manifest, work, state, logs, &mut walks)
}

/// The secret must not lie where a start deletes it, or where jobs can exchange it.
fn check_secret(manifest: &Manifest, work: &Place, state: &Place, logs: &Place, walks: &mut Walks) -> Result<()> {
    let place = manifest.credential_place();
    let Some(file) = place.file().map(Path::new) else { return Ok(()) };
    for directory in directories_of(file) {
        let Some(secret) = walks.walk(&directory) else { continue };
        for (what, directory) in [("work", work), ("state", state), ("logs", logs)] {
            if directory.contains(secret) {
                bail!(
                    "Secret file {} lies in the {what} directory {}, where a start deletes it and jobs can exchange it: keep it elsewhere, for example in /run/secrets, or choose another work directory",
                    file.display(),
                    directory.resolved().display()
                );
            }
        }
        let beside = manifest.registration.work_dir.is_some() && !is_general_directory(&secret.resolved());
        if beside && secret.contains(work) {
            bail!(
                "Work directory {} lies in the directory of secret file {}, which jobs would have to be let into: choose a directory apart from secrets",
                work.resolved().display(),
                file.display()
            );
        }
    }
    Ok(())
}

/// The directory that has the file's name, and the one to which links lead from there; without links on the way.
fn directories_of(file: &Path) -> impl Iterator<Item = PathBuf> {
    let named = file.parent().and_then(|parent| fs::canonicalize(parent).ok());
    let led = fs::canonicalize(file).ok().and_then(|file| file.parent().map(PathBuf::from));
    named.into_iter().chain(led)
}

fn lies_in(work: &Place, path: &Path, walks: &mut Walks) -> bool {
    walks.walk(path).map_or_else(|| work.resolved().starts_with(path), |place| place.contains(work))
}

/// Whether `work` overlaps with `path`; by the texts alone if nobody can get there.
fn overlaps(work: &Place, path: &Path, walks: &mut Walks) -> bool {
    let by_text = || work.resolved().starts_with(path) || path.starts_with(work.resolved());
    walks.walk(path).map_or_else(by_text, |place| work.overlaps(place))
}
