//! What all steps of one start have in common: the directories and the manifest they are told, and how a
//! directory is reached.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

use crate::contract::manifest::Manifest;
use crate::sys::{Dir, Place, Volume};

/// As the system manager expands them; see systemd.unit(5).
const SPECIFIERS: [(char, &str); 8] = [
    ('C', "/var/cache"),
    ('E', "/etc"),
    ('L', "/var/log"),
    ('S', "/var/lib"),
    ('T', "/tmp"),
    ('V', "/var/tmp"),
    ('h', "/root"),
    ('t', "/run"),
];

/// What every step of a start is told.
///
/// Directories come as arguments and not from `$STATE_DIRECTORY`, because a unit may have several of each kind,
/// which systemd would join with colons.
#[derive(Debug, PartialEq)]
pub struct Start {
    /// The runner's configuration, as JSON
    pub manifest: PathBuf,
    /// Where the registration is kept
    pub state_directory: PathBuf,
    /// Where jobs run; emptied at every start unless it is kept
    pub work_directory: PathBuf,
    /// Where the listener's logs are kept
    pub logs_directory: PathBuf,
}

impl Start {
    /// Reads the manifest.
    ///
    /// # Errors
    ///
    /// As [`read_manifest`].
    pub fn manifest(&self) -> Result<Manifest> {
        read_manifest(&self.manifest)
    }
}

/// Writes out what stands for a directory in a path of a unit.
///
/// # Errors
///
/// Names a specifier that only systemd can tell.
pub fn expand(text: &str) -> Result<PathBuf> {
    let mut parts = text.split('%');
    let mut path = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        let mut rest = part.chars();
        let Some(letter) = rest.next() else {
            // Two in a row: the text after the second one is literal.
            path.push('%');
            path.push_str(parts.next().unwrap_or_default());
            continue;
        };
        match SPECIFIERS.iter().find(|(known, _)| *known == letter) {
            Some((_, value)) => path.push_str(value),
            None => bail!("only systemd can tell what `%{}` stands for in {text}", letter.escape_debug()),
        }
        path.push_str(rest.as_str());
    }
    Ok(path.into())
}

/// Reads and checks a manifest.
///
/// # Errors
///
/// Names the file and what is wrong with it.
pub fn read_manifest(path: &Path) -> Result<Manifest> {
    let read = || Manifest::parse(&std::fs::read(path)?);
    read().with_context(|| format!("Failed to read manifest {}", path.display()))
}

/// Walks to a directory; `what` names its role in errors.
///
/// # Errors
///
/// As [`Place::walk`].
pub fn walk(what: &str, path: &Path) -> Result<Place> {
    Place::walk(path).with_context(|| format!("Failed to reach the {what} directory"))
}

/// What the file system of a work directory bears that has one of its own.
const MARK: &str = "github-runner-work";

/// The file system of its own that a work directory has or can have.
#[must_use]
pub fn volume(work: &Place) -> Volume<'_> {
    Volume::new(work, MARK)
}

/// Walks to a directory that must exist, and opens it.
///
/// # Errors
///
/// As [`walk`]; also if it does not exist.
pub fn existing(what: &str, path: &Path) -> Result<(Place, Dir)> {
    let (place, dir) = possible(what, path)?;
    let Some(dir) = dir else {
        bail!(
            "The {what} directory {} does not exist: start the helper from its unit, for which systemd makes it",
            path.display()
        );
    };
    Ok((place, dir))
}

/// Walks to a directory and opens it, if it exists.
///
/// # Errors
///
/// As [`walk`].
pub fn possible(what: &str, path: &Path) -> Result<(Place, Option<Dir>)> {
    let place = walk(what, path)?;
    let dir = place.open()?;
    Ok((place, dir))
}

/// The name of this host up to its first dot, by which a runner without a configured name goes.
///
/// # Errors
///
/// If it has none.
pub fn host_name() -> Result<String> {
    let name = nix::unistd::gethostname().context("Failed to read the name of this host")?;
    let name = name.to_string_lossy();
    match name.split('.').next() {
        Some(first) if !first.is_empty() => Ok(first.into()),
        _ => bail!("This host has no name to call the runner by: set `name`"),
    }
}

/// Seconds since 1970.
///
/// # Errors
///
/// If the clock stands before that.
pub fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("The clock stands before 1970: set it")?;
    Ok(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_of_directories_are_written_out() {
        for (text, path) in [
            ("/scratch/work", "/scratch/work"),
            ("%S/a/%t", "/var/lib/a//run"),
            ("%C", "/var/cache"),
            ("%%a/%%%h", "%a/%/root"),
            ("/100%%", "/100%"),
        ] {
            assert_eq!(expand(text).unwrap(), Path::new(path), "{text}");
        }
        for text in ["%i/x", "/a/%n", "/%é"] {
            assert!(expand(text).unwrap_err().to_string().contains("only systemd"), "{text}");
        }
    }
}
