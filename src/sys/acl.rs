//! Who may do what with a file or a directory: owner, mode and access control list, read by handle and judged as the
//! kernel does.

use std::os::fd::{AsFd, AsRawFd as _};

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::fstat;
use rustix::fs::{getxattr, getxattr_query};
use rustix::io::Errno;

/// To read a file or to list a directory.
pub const READ: u32 = 4;
/// To write a file, or to add, remove and exchange what is in a directory.
pub const WRITE: u32 = 2;
/// To pass a directory.
pub const PASS: u32 = 1;

const LIST: &str = "system.posix_acl_access";
/// The version in the first four bytes; entries of eight follow: tag, rights, id.
const VERSION: u32 = 2;
const ENTRY: usize = 8;

/// Somebody with a user id and groups.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Person {
    /// The user id; `None` for somebody of whom only is known that nothing is theirs.
    pub uid: Option<u32>,
    /// All group ids.
    pub gids: Vec<u32>,
}

/// Owner, mode and access control list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rights {
    /// User id of the owner.
    pub uid: u32,
    /// Id of the group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// The list, where there is one.
    pub list: Option<AccessList>,
}

/// What a list says besides the mode, whose bits of the group are then the most that it grants.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccessList {
    /// What the file's own group may.
    pub group: u32,
    /// What users may, by id.
    pub users: Vec<(u32, u32)>,
    /// What other groups may, by id.
    pub groups: Vec<(u32, u32)>,
}

impl Rights {
    /// Reads them of an open file, also of an `O_PATH` handle.
    ///
    /// # Errors
    ///
    /// As `fstat(2)` and `getxattr(2)`; also a list that is not understood.
    pub fn of(fd: impl AsFd) -> Result<Self> {
        let fd = fd.as_fd();
        let stat = fstat(fd).context("Failed to examine an open file")?;
        // The magic link leads to the very inode, so this is no second look-up of a name.
        let list = match read_list(&format!("/proc/self/fd/{}", fd.as_raw_fd())) {
            Ok(content) => Some(AccessList::parse(&content)?),
            // None of its own; a file system without any; a link, which has no rights.
            Err(Errno::NODATA | Errno::NOTSUP) => None,
            Err(error) => return Err(error).context("Failed to read an access control list"),
        };
        Ok(Self { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777, list })
    }

    /// Whether `person` may do what `wanted` says, all of it.
    #[must_use]
    pub fn allow(&self, person: &Person, wanted: u32) -> bool {
        let grants = |rights: u32| rights & wanted == wanted;
        let most = self.mode >> 3;
        if person.uid == Some(self.uid) {
            return grants(self.mode >> 6);
        }
        let (own_group, users, groups) = match &self.list {
            Some(list) => (list.group & most, list.users.as_slice(), list.groups.as_slice()),
            None => (most, &[][..], &[][..]),
        };
        if let Some((_, rights)) = users.iter().find(|(uid, _)| person.uid == Some(*uid)) {
            return grants(rights & most);
        }
        let mut theirs = groups
            .iter()
            .map(|(gid, rights)| (*gid, rights & most))
            .chain([(self.gid, own_group)])
            .filter(|(gid, _)| person.gids.contains(gid))
            .peekable();
        // Whoever is in one of the groups gets nothing from the rights of all others.
        if theirs.peek().is_some() { theirs.any(|(_, rights)| grants(rights)) } else { grants(self.mode) }
    }

    /// All others than root to whom `right` is granted by name, as the ends of sentences.
    #[must_use]
    pub fn named(&self, right: u32) -> Vec<String> {
        let most = self.mode >> 3;
        let group = self.list.as_ref().map_or(most, |list| list.group & most);
        let (users, groups) = self.list.as_ref().map_or((&[][..], &[][..]), |list| (&list.users, &list.groups));
        let granted = |(id, rights): &&(u32, u32)| *id != 0 && rights & most & right != 0;
        let users = users.iter().filter(granted).map(|(id, _)| format!("user id {id}"));
        let groups = groups.iter().filter(granted).map(|(id, _)| *id);
        let own = (self.gid != 0 && group & right != 0).then_some(self.gid);
        users.chain(own.into_iter().chain(groups).map(|id| format!("members of group id {id}"))).collect()
    }
}

fn read_list(path: &str) -> rustix::io::Result<Vec<u8>> {
    let mut content = vec![0; getxattr_query(path, LIST)?];
    let length = getxattr(path, LIST, content.as_mut_slice())?;
    content.truncate(length);
    Ok(content)
}

impl AccessList {
    fn parse(content: &[u8]) -> Result<Self> {
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
        let Some((VERSION, entries)) = content.split_at_checked(4).map(|(head, rest)| (number(head), rest)) else {
            bail!("An access control list is in a form that is not known");
        };
        let mut list = Self::default();
        for entry in entries.chunks(ENTRY) {
            let [t0, t1, r0, r1, id @ ..] = entry else { bail!("An access control list is cut short") };
            let (rights, id) = (number(&[*r0, *r1]), number(id));
            match number(&[*t0, *t1]) {
                // Owner, mask and others stand in the mode as well.
                0x01 | 0x10 | 0x20 => {}
                0x02 => list.users.push((id, rights)),
                0x04 => list.group = rights,
                0x08 => list.groups.push((id, rights)),
                _ => bail!("An access control list has an entry of a kind that is not known"),
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(uid: u32, gids: &[u32]) -> Person {
        Person { uid: Some(uid), gids: gids.into() }
    }

    #[test]
    fn owner_group_and_others_each_have_their_own_rights() {
        let rights = |mode| Rights { uid: 5, gid: 50, mode, list: None };
        for (mode, who, may) in [
            (0o400, person(5, &[]), true),
            (0o044, person(5, &[50]), false),
            (0o040, person(6, &[1, 50]), true),
            (0o404, person(6, &[50]), false),
            (0o004, person(6, &[60]), true),
            (0o440, person(6, &[60]), false),
            (0o004, Person::default(), true),
            (0o440, Person::default(), false),
        ] {
            assert_eq!(rights(mode).allow(&who, READ), may, "{mode:o} {who:?}");
        }
        assert!(!rights(0o010).allow(&person(6, &[50]), WRITE | PASS));
        assert!(rights(0o030).allow(&person(6, &[50]), WRITE | PASS));
    }

    #[test]
    fn a_list_grants_no_more_than_its_mask() {
        let list = AccessList { group: 0, users: vec![(7, READ)], groups: vec![(70, READ), (71, 0)] };
        let rights = |mode| Rights { uid: 5, gid: 50, mode, list: Some(list.clone()) };
        for (mode, who, may) in [
            (0o640, person(7, &[]), true),
            (0o604, person(7, &[]), false),
            (0o640, person(8, &[70]), true),
            (0o644, person(8, &[71]), false),
            (0o644, person(8, &[71, 70]), true),
            (0o644, person(8, &[50]), false),
            (0o644, person(8, &[80]), true),
        ] {
            assert_eq!(rights(mode).allow(&who, READ), may, "{mode:o} {who:?}");
        }
        assert_eq!(rights(0o640).named(READ), ["user id 7", "members of group id 70"]);
        assert_eq!(rights(0o600).named(READ), [""; 0]);
        assert_eq!(Rights { list: None, ..rights(0o640) }.named(READ), ["members of group id 50"]);
    }

    #[test]
    fn the_kernels_form_of_a_list_is_read() {
        let entry = |tag: u8, rights: u8, id: u32| [&[tag, 0, rights, 0][..], &id.to_le_bytes()].concat();
        let none = u32::MAX;
        let entries = [
            entry(1, 6, none),
            entry(2, 4, 990),
            entry(4, 0, none),
            entry(8, 5, 96),
            entry(16, 7, none),
            entry(32, 0, none),
        ];
        let text = [&[2, 0, 0, 0][..], &entries.concat()].concat();
        let list = AccessList { group: 0, users: vec![(990, 4)], groups: vec![(96, 5)] };
        assert_eq!(AccessList::parse(&text).unwrap(), list);
        for broken in [&text[..3], &text[..text.len() - 5], &[3, 0, 0, 0], &[2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(AccessList::parse(broken).is_err(), "{broken:?}");
        }
    }
}
