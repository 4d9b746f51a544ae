//! A file that everybody may read, in a directory of somebody else.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::Mode;

use super::Place;

/// Puts the file `name` in place, complete or not at all, readable by everybody. What is written beside it before has another
/// ending.
///
/// # Errors
///
/// Names the directory and what is wrong with it.
pub fn post(directory: &Path, name: &str, content: &[u8]) -> Result<()> {
    let post = || -> Result<()> {
        let Some(dir) = Place::walk(directory)?.open()? else { bail!("it does not exist: create it") };
        dir.replace_file(name, content, Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH, None)
    };
    post().with_context(|| format!("Failed to write {name} into {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_file_is_replaced_and_a_missing_directory_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().canonicalize().unwrap();
        for content in ["1", "2"] {
            post(&directory, "a.prom", content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(directory.join("a.prom")).unwrap(), content);
        }
        let mode = std::fs::metadata(directory.join("a.prom")).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, std::fs::read_dir(&directory).unwrap().count()), (0o644, 1));
        let error = format!("{:#}", post(&directory.join("missing"), "a.prom", b"").unwrap_err());
        assert!(error.ends_with("missing: it does not exist: create it"), "{error}");
    }
}
