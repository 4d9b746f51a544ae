//! Memory at the end of a unit: whether the kernel ended processes because there was too little, and giving back what
//! jobs left in the work directory.

use std::path::{Path, PathBuf};

use tracing::warn;

use crate::state::start::volume;
use crate::sys::{ControlGroup, Place, on_host};

/// What systemd calls an end for lack of memory.
const RESULT: &str = "oom-kill";

/// What lack of memory did to this run, as the end of a sentence; `None` if nothing. `result` is what systemd says.
///
/// systemd alone does not tell: a unit whose listener goes on after a kill ends as it would have without.
pub(in crate::root) fn shortage(group: Option<&ControlGroup>, result: &str) -> Option<String> {
    let killed = group.and_then(|group| Some((group, group.killed_for_memory().filter(|killed| *killed > 0)?)));
    let Some((group, killed)) = killed else {
        return (result == RESULT).then(|| "the kernel killed processes of it for lack of memory".into());
    };
    let why = if group.met_own_limit() {
        "because it met its limit (`MemoryMax=`, see `resources.memoryMax`)"
    } else if group.is_limited_above() {
        "because the runners of its entry together met theirs (see `resources.pool.memoryMax`), or the host had none left"
    } else {
        "because the host had none left; `resources.memoryMax` sets a limit to a runner"
    };
    let processes = if killed == 1 { "1 process".into() } else { format!("{killed} processes") };
    Some(format!("the kernel killed {processes} of it for lack of memory, {why}"))
}

/// Takes the file system off that a work directory has for itself, with all that is in it. Otherwise PID 1 would remove it
/// file by file, and do nothing else meanwhile.
pub(in crate::root) fn let_go(work: &Path) {
    // With another `workDir` the former one may still be there; a unit may have several.
    let runtime = std::env::var_os("RUNTIME_DIRECTORY").unwrap_or_default();
    for path in std::env::split_paths(&runtime).chain([PathBuf::from(work)]).filter(|path| path.is_absolute()) {
        let take_off = || Place::walk(&path).and_then(|place| volume(&place).take_off());
        // Where nothing may be done to the host's view, nothing was mounted there.
        if let Ok(Err(error)) = on_host(take_off) {
            warn!("Failed to empty {} at once: {error:#}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A group in a slice; each file with its content, below the root of all groups.
    fn said(files: &[(&str, &str)], result: &str) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a.slice/b.service/.control")).unwrap();
        for (name, text) in files {
            fs::write(root.path().join(name), text).unwrap();
        }
        shortage(
            ControlGroup::find("1:name=systemd:/x\n0::/a.slice/b.service/.control\n", root.path()).as_ref(),
            result,
        )
    }

    #[test]
    fn a_kill_for_lack_of_memory_is_named_with_the_limit_that_was_met() {
        let events = ("a.slice/b.service/memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 0\n");
        let own = ("a.slice/b.service/memory.events.local", "oom 1\noom_kill 2\n");
        let others = ("a.slice/b.service/memory.events.local", "oom 0\noom_kill 2\n");
        let pool = ("a.slice/memory.max", "1000000\n");
        let boundless = ("a.slice/memory.max", "max\n");
        for (files, part) in [
            (vec![events, own, pool], "met its limit (`MemoryMax=`"),
            (vec![events, others, pool], "the runners of its entry together"),
            (vec![events, others, boundless], "the host had none left; `resources.memoryMax`"),
            (vec![events], "the host had none left; `resources.memoryMax`"),
        ] {
            let said = said(&files, "success").unwrap();
            assert!(
                said.starts_with("the kernel killed 2 processes of it for lack of memory, ") && said.contains(part),
                "{said}"
            );
        }
    }

    #[test]
    fn without_a_kill_nothing_is_said_unless_systemd_saw_one() {
        let none = ("a.slice/b.service/memory.events", "oom 3\noom_kill 0\n");
        assert_eq!(said(&[none], "success"), None);
        assert_eq!(said(&[], "exit-code"), None, "no such file, as with the first version of control groups");
        assert_eq!(shortage(None, "success"), None);
        let seen = said(&[none], RESULT).unwrap();
        assert!(seen.contains("for lack of memory"), "by systemd-oomd, which the kernel does not count: {seen}");
    }
}
