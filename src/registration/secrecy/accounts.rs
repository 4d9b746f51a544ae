//! The groups that a unit's user is in besides its own, as systemd will find them: those of the user by the host's files,
//! and those that the unit names.
//!
//! The files are read as they are, because a static program cannot load what else the host may ask for its accounts. So
//! groups from elsewhere, LDAP for one, are not seen here.

use std::fs;

use crate::contract::manifest::Manifest;

/// The ids of these groups.
pub(super) fn groups(uid: Option<u32>, manifest: &Manifest) -> Vec<u32> {
    // Without the files there are no such groups.
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    groups_in(&read("/etc/passwd"), &read("/etc/group"), uid, &manifest.supplementary_groups)
}

fn groups_in(accounts: &str, groups: &str, uid: Option<u32>, named: &[String]) -> Vec<u32> {
    let fields = |line: &str| line.split(':').map(String::from).collect::<Vec<_>>();
    let mut users = Vec::new();
    for line in accounts.lines().map(fields) {
        if let [name, _, id, ..] = line.as_slice()
            && uid.is_some()
            && id.parse().ok() == uid
        {
            users.push(name.clone());
        }
    }
    let mut found: Vec<u32> = named.iter().filter_map(|name| name.parse().ok()).collect();
    for line in groups.lines().map(fields) {
        if let [name, _, id, members, ..] = line.as_slice()
            && let Ok(id) = id.parse()
            && (named.contains(name) || members.split(',').any(|member| users.iter().any(|user| user == member)))
        {
            found.push(id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_of_the_user_and_those_of_the_unit() {
        let accounts = "root:x:0:0::/root:/bin/sh\nci:x:990:980::/var/empty:/bin/sh\nsame:x:990:1::/:/bin/sh\nbroken\n";
        let groups = "root:x:0:\nkeys:x:96:ci,other\ndocker:x:131:same\nvideo:x:26:other\nbroken:x:z:ci\n";
        let named = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(groups_in(accounts, groups, Some(990), &[]), [96, 131]);
        assert_eq!(groups_in(accounts, groups, Some(991), &[]), [0; 0]);
        assert_eq!(groups_in(accounts, groups, None, &named(&["video", "7", "missing"])), [7, 26]);
        assert_eq!(groups_in("", "", Some(990), &named(&["video"])), [0; 0]);
    }
}
