//! Whether the user that jobs run as could read or exchange the file of a runner's credential.
//!
//! `InaccessiblePaths=` hides the file that was there when the unit started, and not the one that takes its place. So
//! what counts is what owner, mode and access control lists say, of the file and of every directory and link on the way
//! to it, as if nothing was hidden. Reads only; must not read the credential itself.

mod accounts;
mod judge;

use std::path::Path;

use anyhow::{Result, bail};
use nix::unistd::{Gid, Uid};
use tracing::warn;

use crate::contract::manifest::Manifest;
use crate::sys::{Person, way};

pub use judge::Exposure;

/// Looks at the file of the credential for the unit's user, of whom user and group id are given if they are known. Of one
/// who is not known, and of a dynamic one before its unit starts, only is known that nothing belongs to them.
///
/// # Errors
///
/// If the way to the file cannot be gone. A missing file is none.
pub fn look(manifest: &Manifest, user: Option<(Uid, Gid)>) -> Result<Exposure> {
    let place = manifest.credential_place();
    let Some(file) = place.file() else { return Ok(Exposure::default()) };
    // Root needs no right, and whoever runs this as themselves has nobody to be kept apart from.
    if user.is_some_and(|(uid, _)| uid.is_root() || uid == Uid::effective()) {
        return Ok(Exposure::default());
    }
    let Some(stops) = way(Path::new(file))? else { return Ok(Exposure::default()) };
    let uid = user.map(|(uid, _)| uid.as_raw());
    let mut gids = accounts::groups(uid, manifest);
    gids.extend(user.map(|(_, gid)| gid.as_raw()));
    Ok(judge::judge(&stops, &Person { uid, gids }, Uid::effective().as_raw()))
}

/// Refuses to go on if the unit's user could read or exchange the credential. Returns who else could, as sentences.
///
/// # Errors
///
/// One sentence with the way out.
pub fn check(manifest: &Manifest, user: (Uid, Gid)) -> Result<Vec<String>> {
    if manifest.trust_jobs_like_root {
        return Ok(vec![]);
    }
    let exposure = look(manifest, Some(user))?;
    match exposure.to_jobs.first() {
        Some(fault) => bail!("{fault}: {}", remedy(manifest)),
        None => Ok(exposure.to_others),
    }
}

/// The same, and tells the journal of the others.
///
/// # Errors
///
/// As [`check`].
pub fn guard(manifest: &Manifest, user: (Uid, Gid)) -> Result<()> {
    check(manifest, user)?.iter().for_each(|others| warn!("{others}"));
    Ok(())
}

/// What to do about it, as the end of a sentence.
#[must_use]
pub fn remedy(manifest: &Manifest) -> String {
    let place = manifest.credential_place();
    let file = place.file().unwrap_or_default();
    format!(
        "let it belong to root with mode 0400, without an access control list, below directories that root alone can write: `chown root:root {file}; chmod 0400 {file}`, or the same in the options of what provides secrets; or set `trustJobsLikeRoot = true`, and jobs may have it"
    )
}
