//! From the root directory to a directory that a unit was given, looking at every step on the way.
//!
//! Links are followed only where nobody but root (or the user that runs this) could have put them: systemd
//! itself makes `/var/lib/NAME` a link for units with a dynamic user. Any other link on the way is an error,
//! because whoever can change it could choose which directory is emptied.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};

use super::dir::kind;
use super::{Dir, Space, empty};

const MAX_LINKS: u32 = 40;

/// A path, walked as far as it exists.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// The directories from the root to the end, each with its name.
    steps: Vec<Arc<Step>>,
    /// The names that do not exist yet.
    missing: Vec<OsString>,
    through_link: bool,
    /// Whether everything before the last link that was followed is safe.
    safe_before: bool,
}

#[derive(Debug)]
struct Step {
    name: OsString,
    fd: OwnedFd,
    stat: FileStat,
}

impl Step {
    /// Whether nobody but root and ourselves can exchange what has a name in this directory.
    fn is_safe(&self) -> bool {
        let sticky = self.stat.st_mode & Mode::S_ISVTX.bits() != 0;
        ours(self.stat.st_uid) && (!self.is_open_to_others() || sticky)
    }

    /// Whether others than the owner can put something in this directory.
    fn is_open_to_others(&self) -> bool {
        self.stat.st_mode & (Mode::S_IWGRP | Mode::S_IWOTH).bits() != 0
    }

    fn identity(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }
}

fn ours(uid: u32) -> bool {
    uid == 0 || Uid::from_raw(uid) == Uid::effective()
}

impl Place {
    /// Walks `path` from the root directory.
    ///
    /// # Errors
    ///
    /// Names the component that blocks: a file in the way, a link that others could have put there, a
    /// directory that may not be entered.
    pub fn walk(path: &Path) -> Result<Self> {
        let mut place = Self {
            path: path.into(),
            steps: vec![root()?.into()],
            missing: Vec::new(),
            through_link: false,
            safe_before: true,
        };
        let mut names = VecDeque::new();
        for part in path.components() {
            match part {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => names.push_back(name.into()),
                Component::ParentDir | Component::Prefix(_) => {
                    bail!("{} contains `..`: write the path out", path.display())
                }
            }
        }
        if !path.is_absolute() {
            bail!("{} is not an absolute path", path.display());
        }
        place.walk_on(names)?;
        Ok(place)
    }

    /// Walks on from the end of this one to the name `name` in it.
    ///
    /// # Errors
    ///
    /// As [`Place::walk`].
    pub(super) fn below(&self, name: &OsStr) -> Result<Self> {
        let mut place = Self {
            path: self.path.join(name),
            steps: self.steps.clone(),
            missing: self.missing.clone(),
            through_link: self.through_link,
            safe_before: self.safe_before,
        };
        place.walk_on(VecDeque::from([name.to_owned()]))?;
        Ok(place)
    }

    fn walk_on(&mut self, mut names: VecDeque<OsString>) -> Result<()> {
        let mut links = 0;
        while let Some(name) = names.pop_front() {
            if !self.missing.is_empty() {
                self.missing.push(name);
                continue;
            }
            if name == ".." {
                if self.steps.len() > 1 {
                    self.steps.pop();
                }
                continue;
            }
            self.step(&name, &mut names, &mut links)?;
        }
        Ok(())
    }

    fn step(&mut self, name: &OsStr, names: &mut VecDeque<OsString>, links: &mut u32) -> Result<()> {
        let parent = self.last();
        let shown = self.resolved().join(name);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = match openat(&parent.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => {
                self.missing.push(name.into());
                return Ok(());
            }
            Err(error) => return Err(error).with_context(|| format!("Failed to enter {}", shown.display())),
        };
        let stat = fstat(&fd).with_context(|| format!("Failed to examine {}", shown.display()))?;
        match kind(&stat) {
            SFlag::S_IFDIR => self.steps.push(Arc::new(Step { name: name.into(), fd, stat })),
            SFlag::S_IFLNK => {
                if !parent.is_safe() || !ours(stat.st_uid) {
                    bail!(
                        "{} is a symbolic link that user id {} could exchange: use the path that it stands for",
                        shown.display(),
                        if ours(stat.st_uid) { parent.stat.st_uid } else { stat.st_uid }
                    );
                }
                *links += 1;
                if *links > MAX_LINKS {
                    bail!("{} leads through more than {MAX_LINKS} links", self.path.display());
                }
                let target =
                    readlinkat(&fd, c"").with_context(|| format!("Failed to read link {}", shown.display()))?;
                self.follow(Path::new(&target), names)?;
            }
            _ => bail!("{} is not a directory", shown.display()),
        }
        Ok(())
    }

    fn follow(&mut self, target: &Path, names: &mut VecDeque<OsString>) -> Result<()> {
        self.through_link = true;
        self.safe_before &= self.steps.iter().all(|step| step.is_safe());
        if target.is_absolute() {
            self.steps = vec![root()?.into()];
        }
        for part in target.components().rev() {
            match part {
                Component::Normal(name) => names.push_front(name.into()),
                Component::ParentDir => names.push_front("..".into()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Ok(())
    }

    fn last(&self) -> &Step {
        // There is always the root directory.
        &self.steps[self.steps.len() - 1]
    }

    /// Where the path really leads, without links.
    #[must_use]
    pub fn resolved(&self) -> PathBuf {
        self.steps.iter().map(|step| &step.name).chain(&self.missing).collect()
    }

    /// Whether the path led through a link.
    #[must_use]
    pub fn is_through_link(&self) -> bool {
        self.through_link
    }

    /// The directory; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// As `open(2)`.
    pub fn open(&self) -> Result<Option<Dir>> {
        if !self.missing.is_empty() {
            return Ok(None);
        }
        self.reopen(self.last()).map(Some)
    }

    /// A handle of the directory, for nothing but to say which one is meant, and what it is; `None` if it does not exist.
    pub(super) fn end(&self) -> Option<(&OwnedFd, FileStat)> {
        self.missing.is_empty().then(|| (&self.last().fd, self.last().stat))
    }

    /// Refuses to make what is missing, if something is, where others than root could exchange it.
    ///
    /// # Errors
    ///
    /// One sentence.
    pub fn check_creatable(&self) -> Result<()> {
        if self.missing.is_empty() || self.last().is_safe() {
            return Ok(());
        }
        bail!(
            "{} does not exist, and user id {} could exchange it while it is made: make it yourself, for example with systemd-tmpfiles",
            self.path.display(),
            self.last().stat.st_uid
        );
    }

    /// Makes what is missing: directories on the way with mode 0755, the last one with `mode`.
    ///
    /// # Errors
    ///
    /// As `mkdir(2)`; also if others than root could exchange the new directory.
    pub fn create(&self, mode: Mode) -> Result<Dir> {
        self.check_creatable()?;
        let way = Mode::S_IRWXU | Mode::S_IRGRP | Mode::S_IXGRP | Mode::S_IROTH | Mode::S_IXOTH;
        let mut dir = self.reopen(self.last())?;
        for (index, name) in self.missing.iter().enumerate() {
            let last = index + 1 == self.missing.len();
            dir = dir
                .make_dir(name, if last { mode } else { way })
                .with_context(|| format!("Failed to make {}", self.path.display()))?;
        }
        Ok(dir)
    }

    /// Whether nobody but root and ourselves can have put this directory, which must exist, in its place.
    ///
    /// In a sticky directory such as `/tmp` nobody can exchange what is there, but anybody can put something there.
    #[must_use]
    pub fn is_firm(&self) -> bool {
        let parents = &self.steps[..self.steps.len() - 1];
        let ours_alone =
            ours(self.last().stat.st_uid) || parents.last().is_none_or(|parent| !parent.is_open_to_others());
        self.safe_before && ours_alone && parents.iter().all(|parent| parent.is_safe())
    }

    /// Whether one of the two is, contains or lies in the other, also if one is a bind mount of the other. A bind
    /// mount of a directory *in* the other one is not seen: its path does not lead through it.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Whether the other one is this one or lies in it, as far as [`Place::overlaps`] sees that.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.resolved().starts_with(self.resolved()) || other.is_within(self)
    }

    /// Removes the directory with everything in it, and the link that the path itself is, if it is one. One that is not
    /// there is fine. Goes on until `end` at most; what was removed by then stays removed.
    ///
    /// # Errors
    ///
    /// As [`empty`] and `unlinkat(2)`.
    pub fn remove(self, end: Instant) -> Result<()> {
        let fault = || format!("Failed to remove {}", self.path.display());
        if let Some(dir) = self.open()? {
            empty(&dir, end).with_context(fault)?;
            let [.., parent, last] = self.steps.as_slice() else { bail!("The root directory is not to be removed") };
            unlinkat(&parent.fd, last.name.as_os_str(), UnlinkatFlags::RemoveDir).with_context(fault)?;
        }
        let (Some(above), Some(name)) = (self.path.parent(), self.path.file_name().and_then(OsStr::to_str)) else {
            return Ok(());
        };
        if let Some(above) = Self::walk(above)?.open()?
            && above.link_target(name)?.is_some()
        {
            above.unlink(name)?;
        }
        Ok(())
    }

    /// The room on the file system in which the directory is or would be made.
    ///
    /// # Errors
    ///
    /// As `fstatfs(2)`.
    pub fn space(&self) -> Result<Space> {
        Space::around(&self.last().fd).with_context(|| format!("Failed to examine the disk of {}", self.path.display()))
    }

    fn is_within(&self, other: &Self) -> bool {
        other.missing.is_empty() && self.steps.iter().any(|step| step.identity() == other.last().identity())
    }

    fn reopen(&self, step: &Step) -> Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&step.fd, c".", flags, Mode::empty())
            .map(Dir::from_fd)
            .with_context(|| format!("Failed to open {}", self.path.display()))
    }
}

fn root() -> Result<Step> {
    let fd = open(c"/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).context("Failed to open /")?;
    let stat = fstat(&fd).context("Failed to examine /")?;
    Ok(Step { name: "/".into(), fd, stat })
}
