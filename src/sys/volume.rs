//! A file system in memory on a directory, with limits of its own, so that whoever fills it fails alone.
//!
//! It has to be mounted where the whole host sees it, and a unit's steps have a view of their own, root's as well; see
//! [`on_host`]. Each bears a mark, by which `mount` lists it, and nothing that does not
//! bear the mark is ever taken off. One that is taken off goes at once for everybody who looks at the path, and its
//! memory when the last process is gone that has something of it open.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{FileStat, major, minor};
use nix::sys::sysinfo::sysinfo;
use nix::unistd::{Gid, Uid};

use super::Place;

const KIND: &str = "tmpfs";
/// One for each page: what the kernel needs for as many empty files is a quarter of that again.
const BYTES_PER_FILE: u64 = 4096;
const FEWEST_FILES: u64 = 256;

/// What is mounted on a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MountState {
    /// Nothing: it belongs to the file system of the directory above.
    Nothing,
    /// A file system that bears the mark.
    Ours,
    /// Somebody else's.
    Other,
}

/// The place of a file system that bears a mark.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a> {
    place: &'a Place,
    mark: &'a str,
}

impl<'a> Volume<'a> {
    /// The one on `place`, which need not be there.
    #[must_use]
    pub fn new(place: &'a Place, mark: &'a str) -> Self {
        Self { place, mark }
    }

    /// What is mounted on the directory.
    ///
    /// # Errors
    ///
    /// If the kernel does not list what is mounted.
    pub fn mounted(&self) -> Result<MountState> {
        let Some((_, stat)) = self.place.end() else { return Ok(MountState::Nothing) };
        let list = std::fs::read("/proc/thread-self/mountinfo").context("Failed to read what is mounted")?;
        Ok(look_up(&list, &self.place.resolved(), &stat, self.mark))
    }

    /// Mounts an empty one of at most `bytes` that belongs to `owner`. The place still is the directory below.
    ///
    /// # Errors
    ///
    /// As `mount(2)`.
    pub fn put_on(&self, bytes: u64, (uid, gid): (Uid, Gid)) -> nix::Result<()> {
        let Some((fd, _)) = self.place.end() else { return Err(Errno::ENOENT) };
        let files = (bytes / BYTES_PER_FILE).max(FEWEST_FILES);
        let options = format!("size={bytes},nr_inodes={files},mode=0700,uid={uid},gid={gid}");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some(self.mark), &by_handle(fd), Some(KIND), flags, Some(options.as_str()))
    }

    /// Takes it off, if it is there; says whether it was.
    ///
    /// # Errors
    ///
    /// As [`Volume::mounted`] and `umount2(2)`.
    pub fn take_off(&self) -> Result<bool> {
        let Some((fd, _)) = self.place.end() else { return Ok(false) };
        if self.mounted()? != MountState::Ours {
            return Ok(false);
        }
        umount2(&by_handle(fd), MntFlags::MNT_DETACH)
            .with_context(|| format!("Failed to unmount {}", self.place.resolved().display()))?;
        Ok(true)
    }
}

/// Does something with the view of mounts that PID 1 has. In a thread of its own, which alone gets that view and ends with
/// it. Directories that are open show the view in which they were opened.
///
/// # Errors
///
/// As `unshare(2)` and `setns(2)`; nothing was done then.
pub fn on_host<T: Send>(act: impl FnOnce() -> T + Send) -> Result<T, Errno> {
    // Only systemd gives views of their own to what it starts.
    if std::env::var_os("INVOCATION_ID").is_none() {
        return Ok(act());
    }
    let number = |error: &std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or_default());
    let host = File::open("/proc/1/ns/mnt").map_err(|error| number(&error))?;
    let there = || {
        // Root and working directory are the view's; what threads share cannot change.
        unshare(CloneFlags::CLONE_FS)?;
        setns(&host, CloneFlags::CLONE_NEWNS)?;
        Ok(act())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, there).map_err(|error| number(&error))?;
        thread.join().unwrap_or(Err(Errno::ECANCELED))
    })
}

/// The memory of this host, in bytes.
///
/// # Errors
///
/// As `sysinfo(2)`.
pub fn memory() -> Result<u64> {
    Ok(sysinfo().context("Failed to learn how much memory there is")?.ram_total())
}

/// The kernel takes paths only; this one leads to the open directory, wherever that is by now.
fn by_handle(fd: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

/// Looks for what is mounted on `path` and has the device of `stat`; see `proc_pid_mountinfo(5)`.
fn look_up(list: &[u8], path: &Path, stat: &FileStat, mark: &str) -> MountState {
    let device = format!("{}:{}", major(stat.st_dev), minor(stat.st_dev));
    let on_it = |line: &&[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        fields.nth(2) == Some(device.as_bytes())
            && fields.nth(1).is_some_and(|point| plain(point) == path.as_os_str().as_bytes())
    };
    let Some(line) = list.split(|byte| *byte == b'\n').rfind(on_it) else { return MountState::Nothing };
    let mut fields = line.split(|byte| *byte == b' ').skip_while(|field| *field != b"-").skip(1);
    let ours = fields.next() == Some(KIND.as_bytes()) && fields.next() == Some(mark.as_bytes());
    if ours { MountState::Ours } else { MountState::Other }
}

/// Without the escapes, which are three octal digits after a backslash.
fn plain(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, more)) = rest.split_first() {
        let number = more.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = number.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            plain.push(byte);
            rest = &more[3..];
        } else {
            plain.push(*first);
            rest = more;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::stat::{makedev, stat};

    use super::*;

    #[test]
    fn only_what_bears_the_mark_on_this_very_directory_is_ours() {
        let mut found = stat("/").unwrap();
        found.st_dev = makedev(0, 41);
        let on = |list: &str, path: &str| look_up(list.as_bytes(), Path::new(path), &found, "mark");
        let line = |device: &str, point: &str, rest: &str| format!("30 20 {device} / {point} rw shared:5 - {rest}\n");
        let ours = line("0:41", "/run/a\\040b", "tmpfs mark rw,size=1k");
        assert_eq!(on(&ours, "/run/a b"), MountState::Ours);
        assert_eq!(on(&ours, "/run/a"), MountState::Nothing, "on another directory");
        assert_eq!(
            on(&line("0:42", "/run/a", "tmpfs mark rw"), "/run/a"),
            MountState::Nothing,
            "hidden by another one"
        );
        assert_eq!(on(&line("0:41", "/run/a", "tmpfs tmpfs rw"), "/run/a"), MountState::Other);
        assert_eq!(on(&line("0:41", "/run/a", "ext4 mark rw"), "/run/a"), MountState::Other);
        assert_eq!(on("", "/run/a"), MountState::Nothing);
    }

    /// Whether this process may mount; says so if not, because the test then proves less.
    fn may_mount(place: &Place) -> bool {
        match Volume::new(place, "probe").put_on(1 << 20, (Uid::effective(), Gid::effective())) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("cannot mount: {error}");
                false
            }
        }
    }

    #[test]
    fn a_full_one_is_full_alone_and_what_bears_another_mark_stays() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().canonicalize().unwrap().join("a b");
        fs::create_dir(&path).unwrap();
        let walk = || Place::walk(&path).unwrap();
        let mounted = |mark| Volume::new(&walk(), mark).mounted().unwrap();
        assert_eq!(mounted("probe"), MountState::Nothing);
        if !may_mount(&walk()) {
            return;
        }
        assert_eq!((mounted("probe"), mounted("other")), (MountState::Ours, MountState::Other));
        let full = |name: &str, bytes: usize| fs::write(path.join(name), vec![0; bytes]).unwrap_err().raw_os_error();
        assert_eq!(full("large", 2 << 20), Some(nix::libc::ENOSPC));
        fs::remove_file(path.join("large")).unwrap();
        let failed = (0..300).find_map(|number| fs::write(path.join(format!("{number}")), "").err());
        assert_eq!(failed.unwrap().raw_os_error(), Some(nix::libc::ENOSPC), "files without content, too");
        fs::write(temporary.path().join("beside"), "").unwrap();

        assert!(!Volume::new(&walk(), "other").take_off().unwrap());
        assert!(Volume::new(&walk(), "probe").take_off().unwrap());
        assert_eq!((mounted("probe"), fs::read_dir(&path).unwrap().count()), (MountState::Nothing, 0));
        assert!(!Volume::new(&walk(), "probe").take_off().unwrap());
    }
}
