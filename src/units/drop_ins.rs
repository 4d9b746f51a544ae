//! Which drop-ins of this host take a setting away from a unit: containers bring some for all services at once.
//!
//! Only for telling people. systemd alone knows what holds in the end; this looks where it looks, and at nothing else.

use std::fs;
use std::path::{Path, PathBuf};

/// How to get back what a drop-in took away, as the end of a sentence.
pub const REMEDY: &str =
    "remove that line, or hide the file with a link of its name to /dev/null in /etc/systemd/system/service.d";

/// Longer than any drop-in.
const MAX_BYTES: u64 = 64 * 1024;

/// The directories in which systemd looks for units; see systemd.unit(5).
#[must_use]
pub fn places() -> Vec<PathBuf> {
    [
        "/etc/systemd/system.control",
        "/run/systemd/system.control",
        "/run/systemd/transient",
        "/run/systemd/generator.early",
        "/etc/systemd/system",
        "/run/systemd/system",
        "/run/systemd/generator",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
        "/run/systemd/generator.late",
    ]
    .map(PathBuf::from)
    .into()
}

/// The drop-ins of `unit` below `places`, in the order in which they are applied.
#[must_use]
pub fn drop_ins(places: &[PathBuf], unit: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = places
        .iter()
        .flat_map(|place| directories(unit).into_iter().map(|name| place.join(name)))
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "conf"))
        .collect();
    found.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    found
}

/// Which of these drop-ins, in their order, resets the list `setting` so that nothing of it is left.
#[must_use]
pub fn reset_by(drop_ins: &[PathBuf], setting: &str) -> Option<PathBuf> {
    let mut culprit = None;
    for path in drop_ins {
        match last(path, setting) {
            Some(value) if value.is_empty() => culprit = Some(path.clone()),
            Some(_) => culprit = None,
            None => {}
        }
    }
    culprit
}

/// The names of the directories whose drop-ins are for `unit`: its own, those of its prefixes, and that of all services.
fn directories(unit: &str) -> Vec<String> {
    let prefixes = unit.match_indices('-').map(|(at, _)| format!("{}.service.d", &unit[..=at]));
    prefixes.chain([format!("{unit}.d"), "service.d".into()]).collect()
}

/// The last value that a drop-in gives `setting`.
fn last(path: &Path, setting: &str) -> Option<String> {
    let is_small = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_BYTES);
    let text = if is_small { fs::read_to_string(path).ok()? } else { return None };
    let assignments = text.lines().filter_map(|line| line.split_once('='));
    let mut values = assignments.filter(|(name, _)| name.trim() == setting).map(|(_, value)| value.trim().to_owned());
    values.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_found_wherever_it_holds_for_the_unit() {
        let root = tempfile::TempDir::new().unwrap();
        let put = |directory: &str, name: &str, text: &str| {
            let directory = root.path().join(directory);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(name), text).unwrap();
        };
        let unit = "github-runner-broker-a-b@.service";
        let found = || reset_by(&drop_ins(&[root.path().into()], unit), "LoadCredential");
        let named = || found().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        put("other.service.d", "c.conf", "[Service]\nLoadCredential=\n");
        put("service.d", "good.conf", "[Service]\nLoadCredential=x:/y\n#LoadCredential=\n");
        put("service.d", "no-drop-in", "[Service]\nLoadCredential=\n");
        put("service.d", "and-more.conf", "[Service]\nLoadCredential=\nLoadCredential=x:/y\n");
        assert_eq!(named(), None);
        for (directory, name) in [
            ("github-runner-.service.d", "m.conf"),
            ("github-runner-broker-a-b@.service.d", "n.conf"),
            ("service.d", "zzz-lxc.conf"),
        ] {
            put(directory, name, "[Service]\n LoadCredential = \n");
            assert_eq!(named(), Some(name.into()));
        }
        put(
            "github-runner-broker-a-b@.service.d",
            "zzzz.conf",
            "[Service]\nLoadCredential=credential:/run/secrets/x\n",
        );
        assert_eq!(named(), None, "a later one gives it back");
        assert!(drop_ins(&[root.path().join("missing")], unit).is_empty());
    }
}
