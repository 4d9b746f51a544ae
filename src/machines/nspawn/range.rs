//! Which user ids and addresses a machine has: those of its slot, which no other machine has at the same time.
//!
//! A slot is taken by a link `slots/N` to the job's number: making a link is atomic and it says whose it is. It is free
//! again when everything else of its job is gone, so that ids of a dying machine are never given to another one.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::settings::RANGE;
use crate::machines::Token;

/// A slot: 1 and up. Number 0 stands for the ids of caches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot(pub u32);

/// The addresses of a machine and of the host's end of its network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Addresses {
    /// IPv4, in a network of 30 bits.
    pub host4: Ipv4Addr,
    /// IPv4, in the same network.
    pub machine4: Ipv4Addr,
    /// IPv6, in a network of 126 bits.
    pub host6: Ipv6Addr,
    /// IPv6, in the same network.
    pub machine6: Ipv6Addr,
}

/// The IPv4 networks of all machines: a part of the private 10/8 that hardly anybody uses.
pub const NETWORK4: &str = "10.213.0.0/16";

/// Where they begin.
const FIRST4: u32 = u32::from_be_bytes([10, 213, 0, 0]);

/// The IPv6 networks of all machines: a unique local prefix with a random number, as RFC 4193 wants it.
pub const NETWORK6: &str = "fd7a:9c41:e0d3::/64";

/// Where they begin.
const FIRST6: u128 = 0xfd7a_9c41_e0d3_0000_0000_0000_0000_0000;

impl Slot {
    /// The first user id of this slot's range.
    #[must_use]
    pub fn first_id(self, base: u32) -> u32 {
        base + self.0 * RANGE
    }

    /// The addresses of this slot.
    #[must_use]
    pub fn addresses(self) -> Addresses {
        let (four, six) = (FIRST4 + 4 * self.0, FIRST6 + 4 * u128::from(self.0));
        Addresses {
            host4: (four + 1).into(),
            machine4: (four + 2).into(),
            host6: (six + 1).into(),
            machine6: (six + 2).into(),
        }
    }

    /// The host's end of the machine's network. All of them begin alike, and no other interface does.
    #[must_use]
    pub fn interface(self) -> String {
        format!("{INTERFACES}{}", self.0)
    }
}

/// How the names of all interfaces of machines begin. Such a name has at most 15 bytes.
pub const INTERFACES: &str = "glnspawn";

/// Takes a free slot in the directory `slots`, of at most `count`. `None` means that all are taken.
///
/// # Errors
///
/// As `symlink(2)`.
pub fn take(slots: &Path, count: u32, token: Token) -> Result<Option<Slot>> {
    for slot in 1..=count {
        match symlink(token.to_string(), slots.join(slot.to_string())) {
            Ok(()) => return Ok(Some(Slot(slot))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).context("Failed to take a range of user ids"),
        }
    }
    Ok(None)
}

/// The slots that a job has: one at most, unless something went wrong.
///
/// # Errors
///
/// As `readdir(3)`.
pub fn taken_by(slots: &Path, token: Token) -> Result<Vec<Slot>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(slots) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.context("Failed to list the ranges of user ids")?,
    };
    for entry in entries {
        let entry = entry.context("Failed to list the ranges of user ids")?;
        let is_its =
            fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == OsStr::new(&token.to_string()));
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(number.filter(|_| is_its).map(Slot));
    }
    Ok(found)
}

/// Lets a slot go.
///
/// # Errors
///
/// As `unlink(2)`, except that a free one is fine.
pub fn free(slots: &Path, slot: Slot) -> Result<()> {
    match fs::remove_file(slots.join(slot.0.to_string())) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("Failed to let a range of user ids go")
        }
        _ => Ok(()),
    }
}

/// The first line of `/etc/subuid` or `/etc/subgid` that gives ids from `base` to before `end` to somebody.
#[must_use]
pub fn overlap(text: &str, base: u32, end: u64) -> Option<&str> {
    text.lines().find(|line| {
        let mut fields = line.split(':').skip(1).map(|field| field.trim().parse::<u64>());
        let (Some(Ok(start)), Some(Ok(count))) = (fields.next(), fields.next()) else { return false };
        start < end && u64::from(base) < start.saturating_add(count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_belongs_to_one_job_until_it_is_let_go() {
        let directory = tempfile::tempdir().unwrap();
        let slots = directory.path();
        assert_eq!(take(slots, 2, Token(70)).unwrap(), Some(Slot(1)));
        assert_eq!(take(slots, 2, Token(7)).unwrap(), Some(Slot(2)));
        assert_eq!(take(slots, 2, Token(71)).unwrap(), None);
        assert_eq!(taken_by(slots, Token(7)).unwrap(), [Slot(2)]);
        free(slots, Slot(2)).unwrap();
        free(slots, Slot(2)).unwrap();
        assert_eq!(taken_by(slots, Token(7)).unwrap(), []);
        assert_eq!(take(slots, 2, Token(71)).unwrap(), Some(Slot(2)));
        assert_eq!(taken_by(&slots.join("missing"), Token(7)).unwrap(), []);
    }

    #[test]
    fn neighbours_share_neither_ids_nor_networks() {
        let (one, two) = (Slot(1), Slot(2));
        assert_eq!(one.first_id(1_879_048_192), 1_879_113_728);
        assert_eq!(two.first_id(1_879_048_192) - one.first_id(1_879_048_192), 65_536);
        insta::assert_debug_snapshot!(one.addresses(), @r"
        Addresses {
            host4: 10.213.0.5,
            machine4: 10.213.0.6,
            host6: fd7a:9c41:e0d3::5,
            machine6: fd7a:9c41:e0d3::6,
        }
        ");
        assert_eq!(two.addresses().host4, Ipv4Addr::new(10, 213, 0, 9));
        assert_eq!(Slot(1_024).addresses().machine4, Ipv4Addr::new(10, 213, 16, 2));
        assert!(Slot(1_024).interface().len() <= 15);
    }

    #[test]
    fn ids_that_belong_to_somebody_are_found() {
        let text = "# a comment\nalice:100000:65536\nbob:1879048000:1000\nbroken:x:y\n";
        assert_eq!(overlap(text, 1_879_048_192, 1_879_200_000), Some("bob:1879048000:1000"));
        assert_eq!(overlap(text, 1_879_049_000, 1_879_200_000), None);
        assert_eq!(overlap(text, 0, 100_000), None);
        assert_eq!(overlap(text, 0, 100_001), Some("alice:100000:65536"));
        assert_eq!(overlap("a:1:18446744073709551615", 5, 6), Some("a:1:18446744073709551615"));
    }
}
