//! Where a pass keeps its memory: a file in a directory of its own, for one process at a time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, fchown};

use crate::frontend::fleet::memory::{Memory, VERSION};
use crate::sys::{Dir, Lock, Place};

/// Thousands of pools fit into it.
const LARGEST: u64 = 8 << 20;
/// Held while a process may write.
const LOCK: &str = "fleet.lock";
/// A pass ends long before.
const LONGEST_PASS: Duration = Duration::from_secs(600);

/// The directory.
pub struct Store {
    path: PathBuf,
    name: String,
    dir: Option<Dir>,
}

impl Store {
    /// Opens the directory of `path`, which may be missing.
    ///
    /// # Errors
    ///
    /// If it may not be entered, or the path is none.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(parent), Some(name)) = (path.parent(), name) else {
            bail!("{} names no file: correct `stateFile`", path.display());
        };
        let dir = Place::walk(parent)?.open()?;
        Ok(Self { path: path.into(), name: name.into(), dir })
    }

    fn dir(&self) -> Result<&Dir> {
        let parent = self.path.parent().unwrap_or(&self.path);
        self.dir.as_ref().with_context(|| format!("There is no directory {}: make it, for this user", parent.display()))
    }

    /// Whose files root makes here: those of the directory's user, who makes passes. In a directory of its own it hands nothing over;
    /// the unit of passes may not.
    fn heir(&self) -> Result<Option<(Uid, Gid)>> {
        let owner = if Uid::effective().is_root() { Some(self.dir()?.owner()?) } else { None };
        Ok(owner.filter(|(uid, _)| !uid.is_root()))
    }

    /// Keeps others from writing until the lock is dropped.
    ///
    /// # Errors
    ///
    /// If there is no directory, or another process works for very long.
    pub fn lock(&self) -> Result<Lock<'_>> {
        let lock = self.dir()?.lock(LOCK, LONGEST_PASS)?;
        let lock =
            lock.with_context(|| format!("Another process still works with {}: wait for it", self.path.display()))?;
        if let Some((uid, gid)) = self.heir()? {
            fchown(lock.file(), Some(uid), Some(gid)).with_context(|| format!("Failed to hand {LOCK} to its user"))?;
        }
        Ok(lock)
    }

    /// What is remembered; nothing if there is no file.
    ///
    /// # Errors
    ///
    /// If there is one that cannot be understood.
    pub fn read(&self) -> Result<Memory> {
        let way = "move it away; pools are found again by their repository or organization, provider and tags";
        let failed = |why: String| anyhow!("Failed to read {}: {why}; {way}", self.path.display());
        let Some(dir) = &self.dir else { return Ok(Memory::default()) };
        // Another user's file would say which pools are changed.
        let owners = [Uid::effective(), Uid::from_raw(0), dir.owner()?.0];
        let content = match dir.read_file(&self.name, &owners, LARGEST)? {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(Memory::default()),
            Err(fault) => return Err(failed(fault.to_string())),
        };
        let memory: Memory = serde_json::from_slice(&content)
            .map_err(|error| failed(format!("it has an unexpected form at line {}", error.line())))?;
        if memory.version != VERSION {
            return Err(failed(format!("it has version {}, and this program reads version {VERSION}", memory.version)));
        }
        Ok(memory)
    }

    /// Replaces what is remembered: complete, or not at all.
    ///
    /// # Errors
    ///
    /// Any step of writing.
    pub fn write(&self, memory: &Memory) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(memory).context("Failed to write down what is remembered")?;
        text.push(b'\n');
        self.dir()?
            .replace_file(&self.name, &text, Mode::S_IRUSR | Mode::S_IWUSR, self.heir()?)
            .with_context(|| format!("Failed to write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_for_its_owner_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().canonicalize().unwrap().join("state.json");
        let store = Store::open(&path).unwrap();
        assert_eq!(store.read().unwrap(), Memory::default());
        let mut memory = Memory::default();
        memory.is_of_another("c");
        store.write(&memory).unwrap();
        assert_eq!(store.read().unwrap(), memory);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for (text, part) in [("{", "at line 1"), (r#"{"version":1}"#, "move it away")] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", store.read().unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_root_writes_belongs_to_the_user_of_passes() {
        if !Uid::effective().is_root() {
            eprintln!("only root can give files away");
            return;
        }
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().canonicalize().unwrap();
        nix::unistd::chown(&directory, Some(Uid::from_raw(4242)), Some(Gid::from_raw(4343))).unwrap();
        let store = Store::open(&directory.join("state.json")).unwrap();
        drop(store.lock().unwrap());
        store.write(&Memory::default()).unwrap();
        for name in ["state.json", LOCK] {
            let file = std::fs::metadata(directory.join(name)).unwrap();
            assert_eq!((file.uid(), file.gid()), (4242, 4343), "{name}");
        }
        assert_eq!(store.read().unwrap(), Memory::default());
        nix::unistd::chown(&directory.join("state.json"), Some(Uid::from_raw(5000)), None).unwrap();
        assert!(store.read().is_err(), "a stranger's file");
        nix::unistd::chown(&directory, Some(Uid::from_raw(0)), None).unwrap();
        assert_eq!(store.heir().unwrap(), None, "root has nobody to hand a file to");
    }

    #[test]
    fn without_a_directory_nothing_is_remembered_and_nothing_can_be() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Store::open(&temporary.path().canonicalize().unwrap().join("no/state.json")).unwrap();
        assert_eq!(store.read().unwrap(), Memory::default());
        assert!(store.write(&Memory::default()).unwrap_err().to_string().contains("There is no directory"));
    }
}
