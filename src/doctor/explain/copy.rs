//! The sandbox of a unit, taken out of its text, and the text of a unit that has it and nothing else. Pure.

use std::path::{Path, PathBuf};

/// Directives that shape what a process may do and see. Everything else of a unit is the runner's: its steps, its credentials, its
/// directories, when it is started again.
const EXACT: [&str; 31] = [
    "AmbientCapabilities",
    "BindReadOnlyPaths",
    "CapabilityBoundingSet",
    "DeviceAllow",
    "DevicePolicy",
    "DynamicUser",
    "Environment",
    "ExecPaths",
    "Group",
    "IPAddressAllow",
    "IPAddressDeny",
    "InaccessiblePaths",
    "KeyringMode",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NetworkNamespacePath",
    "NoExecPaths",
    "NoNewPrivileges",
    "Personality",
    "PassEnvironment",
    "ProcSubset",
    "ReadOnlyPaths",
    // Those of an operator; work directory, home and cache are closed.
    "ReadWritePaths",
    "RemoveIPC",
    "SecureBits",
    "Slice",
    "SupplementaryGroups",
    "TasksMax",
    "TemporaryFileSystem",
    "UMask",
    "User",
];
/// The same by how they begin.
const BEGINNINGS: [&str; 8] = ["CPU", "IO", "Limit", "Memory", "Private", "Protect", "Restrict", "SystemCall"];
/// Where runners have what is theirs, and root what it remembers of them.
const CLOSED: [&str; 13] = [
    "/var/lib/github-runner",
    "/var/lib/private/github-runner",
    "/var/log/github-runner",
    "/var/log/private/github-runner",
    "/run/github-runner",
    "/run/private/github-runner",
    "/run/github-runner-broker",
    "/run/github-runner-containers",
    "/run/github-runner-on-demand",
    "/var/lib/github-runner-containers",
    "/var/lib/github-runner-home",
    "/var/lib/github-runner-on-demand",
    "/var/lib/github-runner-registrations",
];

/// Variables that lead jobs to their cache: what they left there would run with lines lifted.
const OF_CACHES: [&str; 3] = ["AGENT_TOOLSDIRECTORY=", "RUNNER_TOOL_CACHE=", "XDG_CACHE_HOME="];

/// The lines of a unit that shape its sandbox, in their order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sandbox {
    lines: Vec<(String, String)>,
    work_directory: PathBuf,
    /// Where jobs keep what they download, if they do.
    cache: Option<String>,
}

impl Sandbox {
    /// Takes them from a unit's text, with its drop-ins behind it as `systemctl cat` shows them.
    #[must_use]
    pub fn parse(text: &str, work_directory: &Path) -> Self {
        let mut lines = vec![];
        let mut cache = None;
        let mut is_service = false;
        // A line goes on behind a backslash.
        let joined = text.replace("\\\n", " ");
        for line in joined.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                is_service = section == "Service";
            } else if is_service && let Some((name, value)) = line.split_once('=') {
                let (name, value) = (name.trim_end(), value.trim_start());
                // Of the mounts only nodes of devices: the others are the runner's directories.
                let is_node = name == "BindPaths" && value.trim_start_matches('-').starts_with("/dev/");
                let shapes = EXACT.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
                let word = value.trim_matches('"');
                if name == "Environment" && OF_CACHES.iter().any(|variable| word.starts_with(variable)) {
                    let tools = word.strip_prefix("RUNNER_TOOL_CACHE=").and_then(|path| path.strip_suffix("/tools"));
                    cache = tools.map(str::to_owned).or(cache);
                } else if shapes || is_node {
                    lines.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        let mut sandbox = Self { lines, work_directory: work_directory.into(), cache };
        if sandbox.is_on("DynamicUser") {
            // The copy gets a user of its own, who has nothing in common with the runner's.
            sandbox.lines.retain(|(name, _)| name != "User" && name != "Group");
        }
        sandbox
    }

    /// Whether the unit has no such line, and so no definition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What a directive is set to: all of its values, but for those that a later empty one takes back.
    #[must_use]
    pub fn values(&self, directive: &str) -> Vec<&str> {
        let all = self.lines.iter().filter(|(name, _)| name == directive).map(|(_, value)| value.as_str());
        all.fold(vec![], |mut values, value| {
            if value.is_empty() {
                values.clear();
            }
            values.push(value);
            values
        })
    }

    /// Whether a directive that is a switch, or can be one, is on.
    #[must_use]
    pub fn is_on(&self, directive: &str) -> bool {
        let last = self.values(directive).pop();
        last.is_some_and(|value| !matches!(value, "" | "no" | "false" | "off" | "0" | "none"))
    }

    /// The text of a unit with this sandbox but for what is lifted, which runs `script` once with its output appended to `output`.
    #[must_use]
    pub fn unit(&self, name: &str, lifted: &[&str], script: &Path, output: &Path, limit: u64) -> String {
        let joined = |lines: Vec<String>| lines.join("\n");
        let lines = joined(self.lines.iter().map(|(name, value)| format!("{name}={value}")).collect());
        let closed = CLOSED.into_iter().chain(self.cache.as_deref());
        let closed = joined(closed.map(|path| format!("InaccessiblePaths=-{path}")).collect());
        let lifted = lifted.join("\n");
        // As in the runner's own unit, so that specifiers mean the same; in quotes for the sake of spaces.
        let work = self.work_directory.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        let (script, output) = (script.display(), output.display());
        format!(
            "[Unit]\nDescription=A command in the sandbox of a GitHub Actions runner\nCollectMode=inactive-or-failed\n\n\
             [Service]\nType=oneshot\nExecStart=/bin/sh {script}\nStandardInput=null\nStandardOutput=append:{output}\n\
             StandardError=inherit\nTimeoutStartSec={limit}\nTimeoutStopSec=5s\nKillMode=mixed\n\
             {lines}\n{closed}\nInaccessiblePaths=\"-{work}\"\n{lifted}\n\
             RuntimeDirectory={name}\nRuntimeDirectoryMode=0700\nWorkingDirectory=%t/{name}\nEnvironment=HOME=%t/{name}\n"
        )
    }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
