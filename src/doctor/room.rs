//! Room for jobs, and the programs that they bring: the disk of the work directory, and the package of the runner.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::finding::Finding;
use crate::model::MemorySize;
use crate::state::start::volume;
use crate::sys::{MountState, Place, Space};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// In memory; a checkout and its build soon take as much.
const LITTLE: u64 = 2 * GIB;
/// A checkout with its dependencies easily has so many files.
const FEW_FILES: u64 = 20_000;
const TOPIC: &str = "work directory";

/// Judges the room of a work directory. `own` is how large a start makes a file system that it has for itself, if it has;
/// `needs` is what a start asks for.
///
/// # Errors
///
/// If nobody can tell.
pub fn of_work(place: &Place, own: Option<u64>, needs: Needs) -> Result<Vec<Finding>> {
    if let Some(total) = own.filter(|_| !matches!(volume(place).mounted(), Ok(MountState::Ours | MountState::Other))) {
        let needs = Needs { empties: false, ..needs };
        return Ok([to_come(total)].into_iter().chain(needs.judge(TOPIC, total)).collect());
    }
    let found = place.space()?;
    Ok([space(&found)].into_iter().chain(needs.judge(TOPIC, found.free)).chain(programs(&found)).collect())
}

/// What a start asks of the room in its directories before it offers the runner.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// So many bytes, if it asks for any.
    pub least: Option<MemorySize>,
    /// Whether it removes before what jobs left.
    pub empties: bool,
}

impl Needs {
    /// Judges a directory that is called `topic` and has so many bytes left.
    #[must_use]
    pub fn judge(self, topic: &'static str, free: u64) -> Option<Finding> {
        let Some(MemorySize::Bytes(least)) = self.least.filter(|least| free < least.of(0)) else { return None };
        let (free, least) = (size(free), MemorySize::Bytes(least));
        let remedy = "make room there, or set `minFreeSpace` to less";
        Some(if self.empties {
            let said = format!(
                "{free} are left: unless removing what jobs left gives more back, a start does not offer the runner to GitHub, because `minFreeSpace` is {least}"
            );
            Finding::warning(topic, said, remedy)
        } else {
            let said = format!(
                "{free} are left: a start does not offer the runner to GitHub, because `minFreeSpace` is {least}"
            );
            Finding::fault(topic, said, remedy)
        })
    }
}

/// Judges a file system that the next start makes.
fn to_come(total: u64) -> Finding {
    let said = format!("the start gives it a file system of its own in memory, of {}", size(total));
    if total < LITTLE {
        Finding::warning(
            TOPIC,
            said,
            "set `workDirSize`, or `workDir` to a directory on disk, which is made if it is missing",
        )
    } else {
        Finding::good(TOPIC, said)
    }
}

/// Judges what all work directories together may take of the `memory` of this host.
#[must_use]
pub fn together(sizes: &[u64], memory: u64) -> Option<Finding> {
    let sum = sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(*size));
    (sizes.len() > 1 && sum > memory / 2).then(|| {
        let said = format!(
            "jobs may fill up to {} of {} with the work directories of {} runners",
            size(sum),
            size(memory),
            sizes.len()
        );
        let remedy = "set `workDirSize` to less, `workDir` to directories on disk, or `resources.pool.memoryMax`, in which work directories in memory count";
        Finding::warning("memory", said, remedy)
    })
}

fn size(bytes: u64) -> String {
    if bytes >= GIB {
        format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB)
    } else {
        format!("{} MiB", bytes / MIB)
    }
}

/// Judges the file system of a work directory.
#[must_use]
pub fn space(space: &Space) -> Finding {
    let Space { free, total, free_files, total_files, in_memory, .. } = *space;
    let room = format!("{} of {} are free", size(free), size(total));
    let remedy = "set `workDir` to a directory on a larger disk, which is made if it is missing";
    if in_memory && (total < LITTLE || free < total / 4 || free < GIB) {
        let said = format!("it is in memory, and only {room}");
        let remedy = "set `workDirSize`, or `workDir` to a directory on disk, which is made if it is missing";
        return Finding::warning(TOPIC, said, remedy);
    }
    if free < GIB {
        return Finding::warning(TOPIC, format!("only {room}"), remedy);
    }
    if total_files > 0 && free_files < FEW_FILES {
        return Finding::warning(TOPIC, format!("its disk has room for {free_files} more files only"), remedy);
    }
    Finding::good(TOPIC, if in_memory { format!("it is in memory, and {room}") } else { room })
}

/// Whether jobs can run what they build or download into a work directory on this file system.
#[must_use]
pub fn programs(space: &Space) -> Option<Finding> {
    space.no_exec.then(|| {
        Finding::warning(
            TOPIC,
            "its file system is mounted with `noexec`, so jobs cannot run what they build or download there",
            "mount it without `noexec`, or set `workDir` to a directory elsewhere",
        )
    })
}

/// Looks at the package of a runner by its listener.
#[must_use]
pub fn package(listener: &Path) -> Option<Finding> {
    let topic = "package";
    let real = match fs::canonicalize(listener) {
        Ok(real) => real,
        Err(error) => {
            let said = format!("{} cannot be found: {error}", listener.display());
            return Some(Finding::fault(topic, said, "build the system again, with a `package` that has this program"));
        }
    };
    let lib = real.parent()?.parent()?.join("lib");
    if !lib.is_dir() {
        return None;
    }
    let externals = lib.join("externals");
    let nodes: Vec<&str> = ["node20", "node24"].into_iter().filter(|node| externals.join(node).exists()).collect();
    Some(if nodes.is_empty() {
        Finding::fault(
            topic,
            format!("{} has no Node.js, which all JavaScript actions need", externals.display()),
            "name one in `nodeRuntimes`",
        )
    } else {
        Finding::good(topic, format!("has {} for actions", nodes.join(" and ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn little_room_is_told_with_the_option_that_helps() {
        let disk = Space {
            free: 50 * GIB,
            total: 100 * GIB,
            free_files: 1_000_000,
            total_files: 0,
            in_memory: false,
            no_exec: false,
        };
        let memory = Space { free: 4 * GIB, total: 4 * GIB, in_memory: true, ..disk };
        for (found, level, part) in [
            (disk, Level::Good, "50.0 GiB of 100.0 GiB are free"),
            (Space { free: GIB - 1, ..disk }, Level::Warning, "only 1023 MiB of"),
            (Space { free_files: 0, ..disk }, Level::Good, "free"),
            (Space { free_files: 19_999, total_files: 20_000, ..disk }, Level::Warning, "19999 more files"),
            (memory, Level::Good, "in memory, and 4.0 GiB"),
            (Space { free: GIB - 1, ..memory }, Level::Warning, "in memory, and only"),
            (Space { free: 5 * GIB, total: 40 * GIB, ..memory }, Level::Warning, "in memory, and only 5.0 GiB"),
            (Space { free: GIB * 3 / 2, total: GIB * 3 / 2, ..memory }, Level::Warning, "only 1.5 GiB of 1.5 GiB"),
        ] {
            let finding = space(&found);
            assert!(finding.level == level && finding.said.contains(part), "{found:?}: {finding:?}");
            assert!(level == Level::Good || finding.remedy.unwrap().contains("`workDir`"));
        }
    }

    #[test]
    fn a_file_system_from_which_nothing_runs_is_told() {
        let disk = Space { free: GIB, total: GIB, free_files: 0, total_files: 0, in_memory: false, no_exec: false };
        assert_eq!(programs(&disk), None);
        let finding = programs(&Space { no_exec: true, ..disk }).unwrap();
        assert!(finding.level == Level::Warning && finding.said.contains("`noexec`"), "{finding:?}");
        // Where this runs, as the kernel lists it.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        for path in ["/", "/dev/pts", "/proc", "/sys"] {
            let mount = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some(path));
            let Some(options) = mount.and_then(|line| line.split(' ').nth(3)) else { continue };
            let space = crate::sys::Place::walk(Path::new(path)).unwrap().space().unwrap();
            assert_eq!(space.no_exec, options.split(',').any(|option| option == "noexec"), "{path}");
        }
    }

    #[test]
    fn a_file_system_that_is_still_to_be_made_is_told_with_its_size() {
        let temporary = tempfile::tempdir().unwrap();
        let place = Place::walk(&temporary.path().canonicalize().unwrap()).unwrap();
        let needs = Needs { least: None, empties: true };
        let of_work = |own| of_work(&place, own, needs).unwrap().remove(0);
        let finding = of_work(Some(6 * GIB));
        assert!(
            finding.level == Level::Good && finding.said.ends_with("of its own in memory, of 6.0 GiB"),
            "{finding:?}"
        );
        let finding = of_work(Some(GIB));
        assert!(finding.level == Level::Warning && finding.remedy.unwrap().contains("`workDirSize`"));
        let finding = of_work(None);
        assert!(finding.said.contains(" are free"), "{finding:?}");
    }

    #[test]
    fn a_start_that_would_not_offer_the_runner_is_told_before_it_comes() {
        let needs = |empties| Needs { least: Some(MemorySize::parse("20G").unwrap()), empties };
        assert_eq!(needs(false).judge("disk", 20 * GIB), None);
        assert_eq!(Needs { least: None, empties: false }.judge("disk", 0), None);
        let finding = needs(false).judge("disk", 3 * GIB).unwrap();
        let said = "3.0 GiB are left: a start does not offer the runner to GitHub, because `minFreeSpace` is 20G";
        assert!((finding.level, finding.said.as_str()) == (Level::Fault, said), "{finding:?}");
        assert!(finding.remedy.unwrap().contains("`minFreeSpace`"));
        let finding = needs(true).judge("disk", 20 * GIB - 1).unwrap();
        assert!(finding.level == Level::Warning && finding.said.contains("unless removing what jobs left"));
        // What is still to be made has nothing to remove.
        let temporary = tempfile::tempdir().unwrap();
        let place = Place::walk(&temporary.path().canonicalize().unwrap()).unwrap();
        let found = of_work(&place, Some(6 * GIB), needs(true)).unwrap();
        assert_eq!([found[0].level, found[1].level], [Level::Good, Level::Fault], "{found:?}");
        let least = Some(MemorySize::parse("9000000T").unwrap());
        let found = of_work(&place, None, Needs { least, empties: true }).unwrap();
        assert!(found.iter().any(|finding| finding.said.contains("`minFreeSpace`")), "{found:?}");
    }

    #[test]
    fn work_directories_that_could_take_all_memory_are_told_together() {
        for (sizes, is_told) in
            [(&[][..], false), (&[7 * GIB], false), (&[4 * GIB, 4 * GIB], false), (&[3 * GIB, 3 * GIB, 3 * GIB], true)]
        {
            assert_eq!(together(sizes, 16 * GIB).is_some(), is_told, "{sizes:?}");
        }
        let said = together(&[u64::MAX, GIB], 16 * GIB).unwrap();
        assert!(said.level == Level::Warning && said.said.contains("of 16.0 GiB") && said.said.contains("2 runners"));
    }

    #[test]
    fn a_package_without_any_node_is_a_fault_and_one_without_lib_is_not_judged() {
        let temporary = tempfile::tempdir().unwrap();
        let listener = temporary.path().join("bin/Runner.Listener");
        assert_eq!(package(&listener).unwrap().level, Level::Fault);
        fs::create_dir(temporary.path().join("bin")).unwrap();
        fs::write(&listener, "").unwrap();
        assert_eq!(package(&listener), None);
        fs::create_dir_all(temporary.path().join("lib/externals")).unwrap();
        assert!(package(&listener).unwrap().remedy.unwrap().contains("`nodeRuntimes`"));
        fs::create_dir(temporary.path().join("lib/externals/node24")).unwrap();
        assert_eq!(package(&listener).unwrap().said, "has node24 for actions");
    }
}
