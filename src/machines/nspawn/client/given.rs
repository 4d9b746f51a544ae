//! What goes with an order: the process that owns the machine, or what the machine is to do.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::machines::Fault;
use crate::machines::nspawn::protocol::LONGEST_USER_DATA;

/// A pidfd of the owner, or of this process if nobody is named.
pub(super) fn owner(named: Option<BorrowedFd<'_>>) -> Result<OwnedFd, Fault> {
    let pidfd = match named {
        Some(owner) => owner.try_clone_to_owned(),
        None => rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())
            .map_err(Into::into),
    };
    pidfd.map_err(|error| Fault::Other(format!("Failed to open a pidfd: {error}; Linux 5.3 has them")))
}

/// User data as memory that nobody can change any more. It is on no command line and in no file.
pub(super) fn user_data(text: &str) -> Result<OwnedFd, Fault> {
    if u64::try_from(text.len()).is_ok_and(|size| size > LONGEST_USER_DATA) {
        return Err(Fault::Configuration(format!(
            "The user data has {} bytes, more than the {LONGEST_USER_DATA} that can be handed on",
            text.len()
        )));
    }
    let write = || -> std::io::Result<OwnedFd> {
        let mut memory = File::from(memfd_create("user-data", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        memory.write_all(text.as_bytes())?;
        fcntl_add_seals(&memory, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        Ok(memory.into())
    };
    write().map_err(|error| Fault::Other(format!("Failed to hand user data on: {error}")))
}
