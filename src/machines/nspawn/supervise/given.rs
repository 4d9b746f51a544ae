//! What comes with an order: the process that owns the machine, or what the machine is to do.
//!
//! Whoever may ask for machines may send any descriptor. So each is held to its kind before anything is done with it: reading from
//! something else could wait for ever, and data that can still change would be checked in one form and used in another.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::fs::{FileType, SealFlags, fcntl_get_seals, fstat};

use crate::machines::nspawn::protocol::{LONGEST_USER_DATA, Order};

/// What came with an order.
pub enum Given {
    /// A pidfd: the machine ends with this process.
    Runner(OwnedFd),
    /// User data, which holds secrets.
    UserData(Vec<u8>),
}

impl Given {
    /// Takes what came with an order.
    ///
    /// # Errors
    ///
    /// It is not what the order says; never repeats what is in it.
    pub fn take(order: &Order, descriptors: Vec<OwnedFd>) -> Result<Self> {
        let [one]: [OwnedFd; 1] = descriptors
            .try_into()
            .map_err(|_| anyhow!("An order comes with one descriptor, a pidfd or the user data"))?;
        if order.user_data { user_data(one).map(Self::UserData) } else { runner(one).map(Self::Runner) }
    }
}

fn runner(pidfd: OwnedFd) -> Result<OwnedFd> {
    let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))
        .context("Failed to look at the descriptor of an order")?;
    if !about.lines().any(|line| line.starts_with("Pid:")) {
        bail!("The descriptor of an order is no pidfd");
    }
    Ok(pidfd)
}

fn user_data(memory: OwnedFd) -> Result<Vec<u8>> {
    // Only memory has seals.
    let seals = fcntl_get_seals(&memory).unwrap_or(SealFlags::empty());
    let stat = fstat(&memory).context("Failed to look at the descriptor of an order")?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
        || !seals.contains(SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK)
    {
        bail!("The user data of an order is no sealed memory");
    }
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if size == 0 || size > LONGEST_USER_DATA {
        bail!("The user data of an order has {size} bytes: 1 to {LONGEST_USER_DATA} can be handed on");
    }
    let mut data = vec![0; usize::try_from(size).context("Failed to read the user data of an order")?];
    File::from(memory).read_exact_at(&mut data, 0).context("Failed to read the user data of an order")?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustix::fs::{MemfdFlags, fcntl_add_seals, memfd_create};

    use super::*;

    const SEALS: SealFlags = SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

    fn order(user_data: bool) -> Order {
        Order { version: 1, job: 1, image: "a".into(), timeout: 1, cache: None, user_data }
    }

    fn memory(bytes: &[u8], seals: SealFlags) -> OwnedFd {
        let mut file = File::from(memfd_create("data", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap());
        file.write_all(bytes).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file.into()
    }

    fn refused(user_data: bool, descriptors: Vec<OwnedFd>) -> String {
        Given::take(&order(user_data), descriptors).err().expect("it is refused").to_string()
    }

    #[test]
    fn sealed_memory_is_read_from_its_beginning() {
        let Given::UserData(data) = Given::take(&order(true), vec![memory(b"#!/bin/sh\n", SEALS)]).unwrap() else {
            panic!("it is user data");
        };
        assert_eq!(data, b"#!/bin/sh\n");
    }

    #[test]
    fn what_could_change_or_wait_is_no_user_data() {
        let pipe = std::io::pipe().unwrap().0;
        let file = tempfile::tempfile().unwrap();
        let directory = File::open("/proc/self").unwrap();
        for other in
            [memory(b"x", SealFlags::SEAL), memory(b"x", SEALS.difference(SealFlags::WRITE)), file.into(), pipe.into()]
        {
            assert!(refused(true, vec![other]).contains("no sealed memory"));
        }
        assert!(refused(true, vec![directory.into()]).contains("no sealed memory"));
        assert!(refused(true, vec![memory(b"", SEALS)]).contains("has 0 bytes"));
        let longer = vec![b'x'; usize::try_from(LONGEST_USER_DATA).unwrap() + 1];
        assert!(refused(true, vec![memory(&longer, SEALS)]).contains("262145 bytes"));
    }

    #[test]
    fn an_order_comes_with_what_it_says_and_nothing_else() {
        let own = || rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty());
        assert!(matches!(Given::take(&order(false), vec![own().unwrap()]).unwrap(), Given::Runner(_)));
        assert!(refused(true, vec![own().unwrap()]).contains("no sealed memory"));
        assert!(refused(false, vec![memory(b"x", SEALS)]).contains("no pidfd"));
        assert!(refused(true, vec![]).contains("one descriptor"));
        assert!(refused(true, vec![memory(b"x", SEALS), own().unwrap()]).contains("one descriptor"));
    }
}
