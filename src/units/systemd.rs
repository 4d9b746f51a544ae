//! Units of the systemd that runs this host, by `systemctl`, whose properties are made to be read by programs.
//!
//! Must not be told names that a job chose: they come from the configuration and from root's ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{Activity, Unit, Units};

/// What is asked about each unit.
const PROPERTIES: &str =
    "--property=Id,Names,LoadState,ActiveState,SubState,Job,Result,ControlGroup,StateChangeTimestamp";

/// The program of a runner that runs one job, as the kernel names its process (runner contract, 3.5).
const WORKER: &str = "Runner.Worker";

/// Numbers of errno(3) that a control group gives that is gone, or whose processes are all in threaded groups.
const ENOENT: i32 = nix::errno::Errno::ENOENT as i32;
const ENODEV: i32 = nix::errno::Errno::ENODEV as i32;
const EOPNOTSUPP: i32 = nix::errno::Errno::EOPNOTSUPP as i32;

/// Of a unit's output, no more than this is read.
const LAST_LINES: &str = "--lines=100";

/// Where systemd keeps groups, below their common directory: there itself, or beside those of version 1. Only one of them
/// may be there.
const HIERARCHIES: [&str; 3] = ["", "unified", "systemd"];

/// More processes and groups than this are not looked through.
const MOST_PROCESSES: usize = 100_000;

/// The systemd of this host.
#[derive(Clone, Debug)]
pub struct Systemd {
    control_groups: PathBuf,
}

impl Default for Systemd {
    fn default() -> Self {
        Self { control_groups: "/sys/fs/cgroup".into() }
    }
}

impl Systemd {
    /// Whether a group of a unit has a worker in it, or nobody can say.
    fn has_job(&self, group: &str) -> bool {
        // A job can make trees of groups that nobody can look through; that keeps nobody else waiting.
        let has_worker = |hierarchy: &&str| {
            let group = self.control_groups.join(hierarchy).join(group.trim_start_matches('/'));
            has_worker(&group).unwrap_or(true)
        };
        HIERARCHIES.iter().any(has_worker)
    }
}

impl Units for Systemd {
    fn show(&self, units: &[&str]) -> Result<BTreeMap<String, Unit>> {
        let found = self.list(units)?;
        if let Some(missing) = units.iter().find(|unit| !found.contains_key(**unit)) {
            bail!("systemctl says nothing about {missing}");
        }
        Ok(found)
    }

    /// `systemctl show` takes patterns for units that systemd has loaded, and says nothing where there are none (seen with 252
    /// and 257).
    fn list(&self, patterns: &[&str]) -> Result<BTreeMap<String, Unit>> {
        if patterns.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut arguments = vec!["show", PROPERTIES, "--timestamp=unix", "--"];
        arguments.extend(patterns);
        let text = systemctl(&arguments)?;
        let mut found = BTreeMap::new();
        for block in text.split("\n\n") {
            let properties: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once('=')).collect();
            let Some(id) = properties.get("Id") else { continue };
            let mut unit = unit(&properties);
            let group = properties.get("ControlGroup").copied().unwrap_or_default();
            if unit.activity == Activity::Active && !group.is_empty() {
                unit.has_job = self.has_job(group);
            }
            found.insert((*id).to_owned(), unit);
        }
        Ok(found)
    }

    fn start(&self, unit: &str) -> Result<()> {
        systemctl(&["start", "--no-block", "--", unit]).map(drop)
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        systemctl(&["reset-failed", "--", unit]).map(drop)
    }

    fn restart(&self, unit: &str) -> Result<()> {
        systemctl(&["restart", "--no-block", "--", unit]).map(drop)
    }

    fn reload(&self) -> Result<()> {
        systemctl(&["daemon-reload"]).map(drop)
    }

    fn stop(&self, unit: &str) -> Result<()> {
        systemctl(&["stop", "--", unit]).map(drop)
    }

    fn property(&self, unit: &str, name: &str) -> Result<String> {
        let value = systemctl(&["show", "--value", &format!("--property={name}"), "--", unit])?;
        Ok(value.trim_end().into())
    }

    fn printed(&self, unit: &str) -> Result<Vec<String>> {
        let text = systemctl(&["show", "--property=MainPID,InvocationID", "--", unit])?;
        let property = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let (process, invocation) = (property("MainPID="), property("InvocationID="));
        if matches!(process, "" | "0") || invocation.is_empty() {
            return Ok(Vec::new());
        }
        // Of this run, and not of its other processes, which are a job's.
        let (process, invocation) = (format!("_PID={process}"), format!("_SYSTEMD_INVOCATION_ID={invocation}"));
        let arguments = ["--quiet", "--output=cat", "--reverse", "--boot", LAST_LINES, &process, &invocation];
        Ok(run("journalctl", &arguments)?.lines().map(str::to_owned).collect())
    }

    fn journal(&self, unit: &str) -> Result<Vec<String>> {
        let unit = format!("--unit={unit}");
        let arguments = ["--quiet", "--output=cat", "--reverse", "--boot", LAST_LINES, &unit];
        Ok(run("journalctl", &arguments)?.lines().map(str::to_owned).collect())
    }

    fn version(&self) -> Result<Option<u32>> {
        systemctl(&["--version"]).map(|text| version(&text))
    }
}

/// The number in a first line such as `systemd 257 (257.9)`.
fn version(text: &str) -> Option<u32> {
    text.strip_prefix("systemd ")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn unit(properties: &BTreeMap<&str, &str>) -> Unit {
    let value = |name: &str| properties.get(name).copied().unwrap_or_default();
    // A start that waits for something else is no state of the unit.
    let waits = !matches!(value("Job"), "" | "0");
    let activity = match (value("ActiveState"), value("SubState")) {
        ("inactive" | "failed", _) if waits => Activity::Starting,
        ("active" | "reloading" | "refreshing", _) => Activity::Active,
        ("activating", _) => Activity::Starting,
        ("deactivating", _) => Activity::Stopping,
        ("failed", _) => Activity::Failed,
        _ => Activity::Inactive,
    };
    Unit {
        activity,
        since: value("StateChangeTimestamp").strip_prefix('@').and_then(|seconds| seconds.parse().ok()),
        result: value("Result").into(),
        has_job: false,
        is_defined: value("LoadState") == "loaded",
    }
}

/// Whether a control group or one below it has a process of that name.
fn has_worker(group: &Path) -> Result<bool> {
    let mut groups = vec![group.to_owned()];
    let mut seen = 0;
    while let Some(group) = groups.pop() {
        seen += 1;
        let processes = match fs::read_to_string(group.join("cgroup.procs")) {
            // It ended meanwhile, or it is threaded and has none of its own.
            Err(error) if matches!(error.raw_os_error(), Some(ENOENT | ENODEV | EOPNOTSUPP)) => String::new(),
            processes => processes.with_context(|| format!("Failed to list the processes of {}", group.display()))?,
        };
        for process in processes.lines() {
            seen += 1;
            // One that ended meanwhile is no worker any more.
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            if name.trim_end() == WORKER {
                return Ok(true);
            }
        }
        if seen > MOST_PROCESSES {
            return Ok(true);
        }
        let Ok(below) = fs::read_dir(&group) else { continue };
        groups.extend(
            below.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
    Ok(false)
}

fn systemctl(arguments: &[&str]) -> Result<String> {
    run("systemctl", arguments)
}

/// Runs a program of systemd; what it printed.
fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .arg("--no-pager")
        .args(arguments)
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("Failed to run {program}"))?;
    if !output.status.success() {
        bail!("{program} {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn states_of_systemd_have_their_meaning() {
        for (active, sub, activity) in [
            ("active", "running", Activity::Active),
            ("activating", "start-pre", Activity::Starting),
            ("activating", "auto-restart", Activity::Starting),
            ("deactivating", "stop-sigint", Activity::Stopping),
            ("inactive", "dead", Activity::Inactive),
            ("failed", "failed", Activity::Failed),
            ("", "", Activity::Inactive),
        ] {
            let properties = BTreeMap::from([
                ("ActiveState", active),
                ("SubState", sub),
                ("LoadState", "loaded"),
                ("StateChangeTimestamp", "@1790000000"),
            ]);
            let unit = unit(&properties);
            assert_eq!((unit.activity, unit.since, unit.is_defined), (activity, Some(1_790_000_000), true), "{active}");
        }
        assert_eq!(unit(&BTreeMap::new()), Unit::default());
        for (active, job, activity) in [
            ("inactive", "290", Activity::Starting),
            ("failed", "290", Activity::Starting),
            ("inactive", "0", Activity::Inactive),
            ("active", "290", Activity::Active),
        ] {
            let properties = BTreeMap::from([("ActiveState", active), ("Job", job)]);
            assert_eq!(unit(&properties).activity, activity, "{active}, job {job}");
        }
    }

    #[test]
    fn the_version_is_the_first_number() {
        for (text, number) in
            [("systemd 252 (252.39-1~deb12u2)\n+PAM", Some(252)), ("systemd 258~rc1", Some(258)), ("elogind 255", None)]
        {
            assert_eq!(version(text), number, "{text}");
        }
    }

    #[test]
    fn a_worker_is_found_in_a_group_below_by_the_name_of_its_process() {
        let temporary = tempfile::tempdir().unwrap();
        let below = temporary.path().join("below");
        fs::create_dir(&below).unwrap();
        let script = format!("printf {WORKER} > /proc/$$/comm; echo ready; read line");
        let mut child =
            Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        fs::write(temporary.path().join("cgroup.procs"), format!("{}\n", std::process::id())).unwrap();
        assert!(!has_worker(temporary.path()).unwrap());
        fs::write(below.join("cgroup.procs"), format!("{}\n", child.id())).unwrap();
        let found = has_worker(temporary.path()).unwrap();
        let above = temporary.path().join("kept");
        let in_hierarchy = HIERARCHIES.map(|hierarchy| {
            let unit = above.join(hierarchy).join("a.slice/a.service");
            fs::create_dir_all(&unit).unwrap();
            fs::write(unit.join("cgroup.procs"), format!("{}\n", child.id())).unwrap();
            let found = Systemd { control_groups: above.clone() }.has_job("/a.slice/a.service");
            fs::remove_dir_all(&above).unwrap();
            found
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found && !has_worker(temporary.path()).unwrap());
        assert_eq!(in_hierarchy, [true; 3]);
    }
}
