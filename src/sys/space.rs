//! How much room a file system has.

use std::os::fd::AsFd;

use anyhow::{Context as _, Result};
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::Dir;

/// The room on one file system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Space {
    /// Bytes that users other than root may still write.
    pub free: u64,
    /// All bytes.
    pub total: u64,
    /// How many more files there can be.
    pub free_files: u64,
    /// How many files there can be; 0 where no number is set.
    pub total_files: u64,
    /// Whether it is a tmpfs, so that every byte takes memory.
    pub in_memory: bool,
    /// Whether it is mounted so that no program on it can be run.
    pub no_exec: bool,
}

impl Space {
    /// The file system of an open file.
    ///
    /// # Errors
    ///
    /// As `fstatfs(2)`.
    pub(super) fn around(fd: impl AsFd) -> Result<Self> {
        let fd = fd.as_fd();
        let found = fstatfs(fd).context("Failed to examine a file system")?;
        let mount = fstatvfs(fd).context("Failed to examine a mount")?;
        let size = u64::try_from(found.block_size()).unwrap_or(1);
        Ok(Self {
            free: found.blocks_available().saturating_mul(size),
            total: found.blocks().saturating_mul(size),
            free_files: found.files_free(),
            total_files: found.files(),
            in_memory: found.filesystem_type() == TMPFS_MAGIC,
            no_exec: mount.flags().contains(FsFlags::ST_NOEXEC),
        })
    }
}

impl Dir {
    /// Bytes that users other than root may still write on the file system of the directory.
    ///
    /// # Errors
    ///
    /// As `fstatvfs(3)`.
    pub fn free(&self) -> Result<u64> {
        let found = fstatvfs(self).context("Failed to examine a disk")?;
        Ok(found.blocks_available().saturating_mul(found.fragment_size()))
    }
}
