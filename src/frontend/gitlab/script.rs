//! The script of a stage, as a machine gets it: its bytes, and nothing of the host's file.
//!
//! The file stands in a directory of gitlab-runner, and a descriptor of it would keep that alive and tell its path. So the machine
//! gets a copy in memory that nobody can change any more, its own root included.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::OFlag;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A script holds all variables of its job, and those are at most a few MiB.
const MAX_SIZE: u64 = 64 << 20;

/// A sealed copy of the script at `path`, at its beginning.
///
/// # Errors
///
/// If it cannot be read, or is no regular file of at most 64 MiB.
pub fn copy(path: &Path) -> Result<OwnedFd> {
    let copy = || -> Result<OwnedFd> {
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            bail!("it is no regular file");
        }
        let mut copied = File::from(memfd_create("script", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        let size = std::io::copy(&mut file.take(MAX_SIZE + 1), &mut copied)?;
        if size > MAX_SIZE {
            bail!("it has more than {MAX_SIZE} bytes");
        }
        copied.rewind()?;
        fcntl_add_seals(&copied, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        Ok(copied.into())
    };
    copy().with_context(|| format!("Failed to read the script {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_copy_has_the_bytes_and_cannot_be_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script");
        std::fs::write(&path, "echo hello\n").unwrap();
        let mut copied = File::from(copy(&path).unwrap());
        std::fs::write(&path, "other").unwrap();
        let mut text = String::new();
        copied.read_to_string(&mut text).unwrap();
        assert_eq!(text, "echo hello\n");
        assert!(copied.write_all(b"x").is_err());
        assert!(copied.set_len(0).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(copy(directory.path()).is_err());
        assert!(copy(&directory.path().join("absent")).is_err());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(copy(&link).is_err());
        let large = directory.path().join("large");
        File::create(&large).unwrap().set_len(MAX_SIZE + 1).unwrap();
        assert!(format!("{:#}", copy(&large).unwrap_err()).contains("more than"));
    }
}
