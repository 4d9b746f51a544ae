//! Which directories are none of a job's business, by their names alone.
//!
//! `nixos/faults/directories.nix` has the same lists, for the evaluation; a test holds them together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Directories that no work directory may be or contain, because a work directory is emptied.
const SYSTEM: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/nix/store",
    "/nix/var",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];

/// Directories in which no work directory may lie either: configuration, programs, and where secrets are put.
const WHOLE: &[&str] = &[
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib64",
    "/nix/store",
    "/nix/var",
    "/proc",
    "/run/agenix",
    "/run/agenix.d",
    "/run/booted-system",
    "/run/credentials",
    "/run/credstore",
    "/run/current-system",
    "/run/dbus",
    "/run/keys",
    "/run/secrets",
    "/run/secrets-for-users",
    "/run/secrets-for-users.d",
    "/run/secrets.d",
    "/run/systemd",
    "/run/udev",
    "/run/wrappers",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/nixos",
    "/var/lib/sops-nix",
    "/var/lib/systemd",
];

/// Where systemd keeps what belongs to units; that of dynamic users in `private`.
const BASES: &[&str] = &["/run", "/run/private", "/var/lib", "/var/lib/private", "/var/log", "/var/log/private"];

/// What runners, brokers and passes have there.
const RUNNERS: &[&str] = &[
    "github-runner",
    "github-runner-broker",
    "github-runner-broker-kept",
    "github-runner-containers",
    "github-runner-on-demand",
    "github-runner-reconcile",
    "github-runner-registrations",
];

/// The first directory of the system that `path` is or contains.
#[must_use]
pub(crate) fn system_directory_in(path: &Path) -> Option<&'static str> {
    let path: PathBuf = path.components().collect();
    SYSTEM.iter().copied().find(|system| Path::new(system).starts_with(&path))
}

/// Directories of which nothing is for jobs, with all that lies in them.
pub(crate) fn closed_directories() -> impl Iterator<Item = &'static Path> {
    WHOLE.iter().map(Path::new)
}

/// Directories of all runners, of which only the own runtime directory is for a runner's jobs.
pub(crate) fn runner_directories() -> impl Iterator<Item = PathBuf> {
    BASES.iter().flat_map(|base| RUNNERS.iter().map(move |name| Path::new(base).join(name)))
}

/// The runtime directory of a runner, in both places where systemd may keep it.
pub(crate) fn runtime_directories(instance: &str) -> [PathBuf; 2] {
    ["/run/github-runner", "/run/private/github-runner"].map(|base| Path::new(base).join(instance))
}

/// Whether all sorts of things lie in `path`, so that being in it says nothing.
#[must_use]
pub(crate) fn is_general_directory(path: &Path) -> bool {
    path.components().count() <= 2 || SYSTEM.iter().any(|system| Path::new(system) == path)
}

/// The mode of a work directory. The owner may do everything.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkDirMode(u32);

impl WorkDirMode {
    /// The permission bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for WorkDirMode {
    fn default() -> Self {
        Self(0o700)
    }
}

impl From<WorkDirMode> for String {
    fn from(mode: WorkDirMode) -> Self {
        format!("{:04o}", mode.0)
    }
}

impl TryFrom<String> for WorkDirMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('0').unwrap_or(&text);
        let is_good =
            digits.len() == 3 && digits.starts_with('7') && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        match u32::from_str_radix(digits, 8) {
            Ok(mode) if is_good => Ok(Self(mode)),
            _ => Err(format!("workDirMode `{}` is no mode such as 0700 or 0750", text.escape_debug())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_gives_the_owner_everything_and_nobody_more_than_rights() {
        for (text, mode) in [("0700", 0o700), ("750", 0o750), ("0755", 0o755)] {
            assert_eq!(WorkDirMode::try_from(text.to_string()).unwrap().bits(), mode, "{text}");
        }
        for text in ["", "0", "070", "0600", "1777", "02770", "0o700", "+700", "0788", "rwx"] {
            assert!(WorkDirMode::try_from(text.to_string()).unwrap_err().contains("no mode"), "{text}");
        }
    }

    #[test]
    fn all_runners_directories_are_known() {
        let all: Vec<PathBuf> = runner_directories().collect();
        for path in ["/var/lib/github-runner", "/var/log/private/github-runner", "/run/github-runner-broker-kept"] {
            assert!(all.contains(&path.into()), "{path}");
        }
    }

    #[test]
    fn what_lies_in_a_general_directory_is_no_neighbour() {
        for (path, general) in
            [("/", true), ("/run", true), ("/persist", true), ("/var/lib", true), ("/var/lib/ci", false)]
        {
            assert_eq!(is_general_directory(Path::new(path)), general, "{path}");
        }
    }
}
