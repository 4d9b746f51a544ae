//! Who can pass each directory on the way to another one.
//!
//! Reads only. Nothing is opened on the strength of what is found here, so it need not hold against somebody who changes
//! the way meanwhile; where that matters, [`Place`](crate::sys::Place) walks.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::finding::Finding;
use crate::sys::Place;

const MAX_LINKS: u32 = 40;

/// One directory on the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Where it is.
    pub path: PathBuf,
    /// Whom it belongs to, as user and group id.
    pub owner: (u32, u32),
    /// Its permission bits.
    pub mode: u32,
}

/// Who has to get to a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// The steps of root alone.
    Root,
    /// The service user besides, of whom user and group id are given if they are known.
    Service(Option<(u32, u32)>),
}

/// Whether a user can pass a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Passable {
    /// Yes.
    Yes,
    /// If the user is in its group, in a list of access rights, or its owner.
    Perhaps,
    /// No.
    No,
}

impl Step {
    /// Whether a user, of whom user and group id are given if they are known, can pass.
    #[must_use]
    pub fn lets_pass(&self, user: Option<(u32, u32)>) -> Passable {
        let may = |bit: u32| self.mode & bit != 0;
        let yes_or_no = |bit| if may(bit) { Passable::Yes } else { Passable::No };
        match user {
            Some((0, _)) => Passable::Yes,
            Some((uid, _)) if uid == self.owner.0 => yes_or_no(0o100),
            Some((_, gid)) if gid == self.owner.1 => yes_or_no(0o010),
            _ if may(0o001) => Passable::Yes,
            _ if may(0o010) || (user.is_none() && self.owner.0 != 0) => Passable::Perhaps,
            _ => Passable::No,
        }
    }
}

/// Every directory on the way to `path`, also those to where links lead, as far as they exist; and the first name that
/// does not.
///
/// # Errors
///
/// As `lstat(2)` and `readlink(2)`.
pub fn way(path: &Path) -> io::Result<(Vec<Step>, Option<PathBuf>)> {
    let mut names: VecDeque<OsString> = names_of(path).into();
    let mut steps = vec![step(Path::new("/"), &fs::symlink_metadata("/")?)];
    let mut here = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        let found = match fs::symlink_metadata(&next) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((steps, Some(next))),
            found => found?,
        };
        if !found.is_symlink() {
            steps.push(step(&next, &found));
            here = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(io::Error::other(format!("{} leads through more than {MAX_LINKS} links", path.display())));
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        for name in names_of(&target).into_iter().rev() {
            names.push_front(name);
        }
    }
    Ok((steps, None))
}

fn step(path: &Path, found: &fs::Metadata) -> Step {
    Step { path: path.into(), owner: (found.uid(), found.gid()), mode: found.mode() & 0o7777 }
}

fn names_of(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

/// What stands in the way to a directory. `by_systemd` says that systemd makes it, which shows it to a dynamic user past
/// a closed `private`.
#[must_use]
pub fn check(topic: &'static str, path: &Path, who: Who, by_systemd: bool) -> (Vec<Finding>, Option<Place>) {
    let place = match Place::walk(path) {
        Ok(place) => place,
        Err(error) => {
            let remedy = "let every component of the path be a directory, or a link that root made in a directory of root, or choose another path";
            return (vec![Finding::fault(topic, format!("{error:#}"), remedy)], None);
        }
    };
    let (steps, missing) = match way(path) {
        Ok(way) => way,
        Err(error) => {
            let said = format!("Failed to look at the way to {}: {error}", path.display());
            return (vec![Finding::fault(topic, said, "see whether the disk of it is mounted and sound")], Some(place));
        }
    };
    let mut findings = Vec::new();
    // The last one itself is given to the service user at every start.
    let parents = if missing.is_some() { &steps[..] } else { &steps[..steps.len() - 1] };
    if let Who::Service(user) = who {
        let shown = |step: &&Step| by_systemd && step.owner.0 == 0 && step.path.ends_with("private");
        findings.extend(parents.iter().filter(|step| !shown(step)).filter_map(|step| barrier(topic, step, user)));
    }
    if by_systemd && missing.is_some() {
        return (findings, Some(place));
    }
    if let Err(error) = place.check_creatable() {
        findings.push(Finding::error(topic, &error));
    }
    (findings, Some(place))
}

fn barrier(topic: &'static str, step: &Step, user: Option<(u32, u32)>) -> Option<Finding> {
    let path = step.path.display();
    let who = user.map_or_else(|| "the service user".into(), |(uid, _)| format!("the service user, id {uid},"));
    let about = format!("{path}, which has mode {:04o} and belongs to user id {}", step.mode, step.owner.0);
    let remedy = format!("let others pass with `chmod o+x {path}`, or choose a directory elsewhere");
    match step.lets_pass(user) {
        Passable::Yes => None,
        Passable::Perhaps => Some(Finding::warning(
            topic,
            format!("{who} may be unable to pass {about}"),
            format!("see that the user is its owner or in its group; or {remedy}"),
        )),
        Passable::No => Some(Finding::fault(topic, format!("{who} cannot pass {about}"), remedy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_pass_follows_owner_group_and_others() {
        use Passable::{No, Perhaps, Yes};
        for (owner, mode, user, passable) in [
            ((0, 0), 0o755, Some((990, 980)), Yes),
            ((0, 0), 0o700, Some((990, 980)), No),
            ((1000, 100), 0o700, Some((990, 980)), No),
            ((990, 980), 0o700, Some((990, 980)), Yes),
            ((990, 980), 0o077, Some((990, 980)), No),
            ((0, 980), 0o750, Some((990, 980)), Yes),
            ((0, 980), 0o705, Some((990, 980)), No),
            ((0, 5), 0o750, Some((990, 980)), Perhaps),
            ((0, 0), 0o700, Some((0, 0)), Yes),
            ((0, 0), 0o711, None, Yes),
            ((0, 0), 0o700, None, No),
            ((1000, 100), 0o700, None, Perhaps),
        ] {
            let step = Step { path: "/x".into(), owner, mode };
            assert_eq!(step.lets_pass(user), passable, "{owner:?} {mode:o} {user:?}");
        }
    }

    #[test]
    fn the_way_through_a_link_has_both_sides_of_it() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("private/a")).unwrap();
        fs::create_dir(root.join("front")).unwrap();
        std::os::unix::fs::symlink("../private/a", root.join("front/a")).unwrap();
        let (steps, missing) = way(&root.join("front/a/b/c")).unwrap();
        let names: Vec<&Path> = steps.iter().filter_map(|step| step.path.strip_prefix(&root).ok()).collect();
        assert_eq!(names, ["", "front", "private", "private/a"].map(Path::new));
        assert_eq!(missing, Some(root.join("private/a/b")));
    }
}
