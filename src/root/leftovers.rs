//! What outlives a unit: processes that are still in its control group, and users for whom systemd keeps a manager.
//!
//! A process that a job left beside the next start could read what that start stages. Which ones there are is the kernel's
//! word, so no job can hide from it; names of processes are a job's word and only shown.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tracing::warn;

use crate::contract::names;
use crate::model::{InstanceName, shown};

/// How long a process that was told to end may take for it.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How many are named.
const NAMED: usize = 8;
/// Whose processes systemd keeps when nobody is logged in; one file for each user.
const LINGER: &str = "/var/lib/systemd/linger";

/// A process that is not of this start.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Leftover {
    /// 0 if it is in a PID namespace where we cannot see it.
    pid: u32,
    /// What it calls itself.
    name: String,
    user: String,
}

/// Where the kernel tells.
struct Kernel<'a> {
    proc: &'a Path,
    groups: &'a Path,
}

impl Kernel<'static> {
    fn of_host() -> Self {
        Self { proc: Path::new("/proc"), groups: Path::new("/sys/fs/cgroup") }
    }
}

/// Refuses to go on while processes of something else are in the control group of this runner's unit. Outside of the unit
/// there is nothing to refuse.
///
/// # Errors
///
/// Names the processes and what lets them live.
pub fn refuse(instance: &InstanceName) -> Result<()> {
    refuse_in(&names::runner(instance))
}

/// The same for the unit of an order, whichever of this class it is.
///
/// # Errors
///
/// As [`refuse`].
#[cfg(feature = "helper")]
pub fn refuse_order(class: &InstanceName) -> Result<()> {
    match Kernel::of_host().unit(|name| names::is_order_of(class, name)) {
        Ok(Some(unit)) => refuse_in(&unit),
        Ok(None) => Ok(()),
        Err(error) => {
            warn!("Nobody can tell whether a former run of this unit left processes: {error:#}");
            Ok(())
        }
    }
}

fn refuse_in(unit: &str) -> Result<()> {
    let kernel = Kernel::of_host();
    let end = Instant::now() + PATIENCE;
    loop {
        let found = match kernel.leftovers(unit, std::process::id()) {
            Ok(found) => found,
            // A host that hides its control groups shall not lose its runners for that.
            Err(error) => {
                warn!("Nobody can tell whether a former run of {unit} left processes: {error:#}");
                return Ok(());
            }
        };
        if found.is_empty() {
            return Ok(());
        }
        if Instant::now() >= end {
            bail!("{}", refusal(unit, &found));
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

fn refusal(unit: &str, found: &[Leftover]) -> String {
    let one = |process: &Leftover| match process.pid {
        0 => "one that cannot be seen from here".to_owned(),
        pid => format!("{pid} {} of user id {}", shown(&process.name), process.user),
    };
    let mut named: Vec<String> = found.iter().take(NAMED).map(one).collect();
    if found.len() > NAMED {
        named.push(format!("{} more", found.len() - NAMED));
    }
    format!(
        "Processes that are not of this start are in the control group of {unit}, and could read its secrets: {}. End them with `systemctl kill --signal=KILL {unit}`, and let systemd do so at each end: remove `KillMode` and `SendSIGKILL` from `serviceOverrides`",
        named.join(", ")
    )
}

impl Kernel<'_> {
    /// The unit that this process belongs to, if it is one of those that are asked for.
    #[cfg(feature = "helper")]
    fn unit(&self, is_meant: impl Fn(&str) -> bool) -> Result<Option<String>> {
        let text = self.membership()?;
        Ok(text.lines().flat_map(|line| line.split('/')).find(|name| is_meant(name)).map(str::to_owned))
    }

    fn membership(&self) -> Result<String> {
        let path = self.proc.join("self/cgroup");
        fs::read_to_string(&path).with_context(|| format!("Failed to read {}", path.display()))
    }

    /// The processes in the control group of `unit` that are neither `own` nor made by it; none if `own` is not in there.
    fn leftovers(&self, unit: &str, own: u32) -> Result<Vec<Leftover>> {
        let text = self.membership()?;
        let candidates = groups(&text, unit);
        if candidates.is_empty() {
            return Ok(vec![]);
        }
        for group in &candidates {
            let pids = processes(&self.groups.join(group))?;
            // Where we are not ourselves, it is not the group that systemd means.
            if pids.contains(&own) {
                let others = pids.into_iter().filter(|pid| *pid != own);
                return Ok(others.filter_map(|pid| self.leftover(pid, own)).collect());
            }
        }
        bail!("this process is not in {} of {}", candidates[0].display(), self.groups.display())
    }

    /// What a process is; `None` if it has ended, or if it is a child that systemd gave us (for PAM).
    fn leftover(&self, pid: u32, own: u32) -> Option<Leftover> {
        if pid == 0 {
            return Some(Leftover { pid, name: String::new(), user: String::new() });
        }
        let text = fs::read(self.proc.join(format!("{pid}/status"))).ok()?;
        let text = String::from_utf8_lossy(&text);
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
            value.unwrap_or_default().to_owned()
        };
        let user = field("Uid").split('\t').next().unwrap_or_default().to_owned();
        (field("PPid") != own.to_string()).then(|| Leftover { pid, name: field("Name"), user })
    }
}

/// Where the control group of `unit` may be, below the directory of all hierarchies, by the text of `/proc/self/cgroup`.
/// Control processes may be in a group below it.
fn groups(text: &str, unit: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let mut path = Path::new(path.trim_start_matches('/'));
        while path.file_name().is_some_and(|name| name != unit) {
            path = path.parent().unwrap_or(Path::new(""));
        }
        let hierarchies: &[&str] = match (number, controllers) {
            _ if path.as_os_str().is_empty() => &[],
            (_, "name=systemd") => &["systemd"],
            ("0", "") => &["", "unified"],
            _ => &[],
        };
        found.extend(hierarchies.iter().map(|hierarchy| Path::new(hierarchy).join(path)));
    }
    found
}

/// All processes in a control group and those below it; 0 stands for one that cannot be seen. A group that is gone has none.
fn processes(top: &Path) -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    let mut groups = vec![top.to_path_buf()];
    while let Some(group) = groups.pop() {
        match inside(&group) {
            Ok((some, below)) => {
                pids.extend(some);
                groups.extend(below);
            }
            Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ENODEV) => {}
            // A threaded group: its processes are those of a group above.
            Err(error) if error.raw_os_error() == Some(EOPNOTSUPP) => {}
            // A job may have made it so that nobody looks.
            Err(_) if group != top => pids.push(0),
            Err(error) => return Err(error).with_context(|| format!("Failed to read {}", group.display())),
        }
    }
    Ok(pids)
}

/// What reading of a control group says that was removed meanwhile.
const ENODEV: i32 = nix::errno::Errno::ENODEV as i32;
/// What reading of a control group says that has threads and no processes of its own.
const EOPNOTSUPP: i32 = nix::errno::Errno::EOPNOTSUPP as i32;

fn inside(group: &Path) -> std::io::Result<(Vec<u32>, Vec<PathBuf>)> {
    let text = fs::read_to_string(group.join("cgroup.procs"))?;
    let mut below = Vec::new();
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            below.push(entry.path());
        }
    }
    Ok((text.lines().filter_map(|line| line.parse().ok()).collect(), below))
}

/// The name of the user `uid`, if systemd keeps a manager for it also when it is not logged in. Users that are not in the
/// host's own list, such as dynamic ones, are none of those.
#[must_use]
pub fn lingering(uid: u32) -> Option<String> {
    lingering_in(Path::new("/etc/passwd"), Path::new(LINGER), uid)
}

fn lingering_in(users: &Path, linger: &Path, uid: u32) -> Option<String> {
    let text = fs::read_to_string(users).ok()?;
    let is_of = |line: &&str| line.split(':').nth(2) == Some(uid.to_string().as_str());
    let name = text.lines().filter(is_of).find_map(|line| line.split(':').next())?;
    linger.join(name).exists().then(|| name.to_owned())
}

/// What that means and what to do, for the user `name`.
#[must_use]
pub fn about_lingering(name: &str) -> (String, String) {
    (
        format!("user {name} lingers: what its jobs start in its own manager outlives job and runner"),
        format!("end that with `loginctl disable-linger {name}`, or `users.users.{name}.linger = false`"),
    )
}

#[cfg(test)]
#[path = "leftovers_tests.rs"]
mod tests;
