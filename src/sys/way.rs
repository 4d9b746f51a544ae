//! The way to a file as the kernel goes it: every directory, every link and the file itself, each with who may change
//! it. Nothing is opened for reading and nothing is refused here; that is for whoever judges the way.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::acl::Rights;
use super::dir::kind;

const MAX_LINKS: u32 = 40;

/// Something that a way leads through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stop {
    /// Where it is.
    pub path: PathBuf,
    /// Who may do what with it; of a link only the owner matters.
    pub rights: Rights,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The directories in which it lies, by their places in the list, from the root on.
    pub above: Vec<usize>,
}

/// Goes to `path`, through links as well. The last stop is what is there; `None` if nothing is.
///
/// # Errors
///
/// As `openat(2)`; also if the path is not absolute, or leads through too many links or through what is no directory.
pub fn way(path: &Path) -> Result<Option<Vec<Stop>>> {
    if !path.is_absolute() {
        bail!("{} is not an absolute path", path.display());
    }
    let mut stops = Vec::new();
    let mut here: Vec<(usize, OwnedFd)> = vec![root(&mut stops)?];
    let mut names: VecDeque<OsString> = names_of(path).into();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if name == ".." {
            here.truncate((here.len() - 1).max(1));
            continue;
        }
        // There is always the root directory.
        let (index, above) = &here[here.len() - 1];
        let shown = stops.get(*index).map_or_else(PathBuf::new, |stop: &Stop| stop.path.join(&name));
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = match openat(above, name.as_os_str(), flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("Failed to reach {}", shown.display())),
        };
        let stat = fstat(&fd).with_context(|| format!("Failed to examine {}", shown.display()))?;
        let rights = Rights::of(&fd).with_context(|| format!("Failed to see who may use {}", shown.display()))?;
        let is_directory = kind(&stat) == SFlag::S_IFDIR;
        let above = here.iter().map(|(index, _)| *index).collect();
        stops.push(Stop { path: shown.clone(), rights, is_directory, above });
        if kind(&stat) == SFlag::S_IFLNK {
            links += 1;
            if links > MAX_LINKS {
                bail!("{} leads through more than {MAX_LINKS} links", path.display());
            }
            let target = readlinkat(&fd, c"").with_context(|| format!("Failed to read link {}", shown.display()))?;
            let target = Path::new(&target);
            if target.is_absolute() {
                here = vec![root(&mut stops)?];
            }
            names_of(target).into_iter().rev().for_each(|name| names.push_front(name));
        } else if is_directory {
            here.push((stops.len() - 1, fd));
        } else if !names.is_empty() {
            bail!("{} is not a directory", shown.display());
        }
    }
    Ok(Some(stops))
}

fn root(stops: &mut Vec<Stop>) -> Result<(usize, OwnedFd)> {
    let fd = open(c"/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).context("Failed to open /")?;
    stops.push(Stop { path: "/".into(), rights: Rights::of(&fd)?, is_directory: true, above: vec![] });
    Ok((stops.len() - 1, fd))
}

fn names_of(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}
