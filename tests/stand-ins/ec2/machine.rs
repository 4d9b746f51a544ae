//! One machine of systemd-nspawn: its copy, its network, its process.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// What systemd-nspawn ends with if the machine is to be started again.
pub const AGAIN: i32 = 133;

/// Is there where systemd runs.
const SYSTEMD: &str = "/run/systemd/system";
/// Joins control groups of its own, where no systemd makes them, and goes on as a program.
const IN_GROUPS: &str = r#"
name=$1; shift
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ ! -e "$hierarchy/cgroup.procs" ] || { mkdir -p "$hierarchy/$name" && echo $$ > "$hierarchy/$name/cgroup.procs"; } || exit
done
exec "$@"
"#;

/// Where control groups are, of every version of them.
const HIERARCHIES: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// A machine that was copied.
pub struct Machine {
    id: String,
    root: PathBuf,
    /// What it writes there is kept after its end.
    pub console: PathBuf,
}

impl Machine {
    /// Copies a system, which knows these names as its own loopback.
    pub fn copy(id: &str, image: &Path, directory: &Path, hosts: &[String]) -> Result<Self> {
        fs::create_dir(directory).with_context(|| format!("Failed to make {}", directory.display()))?;
        let root = directory.join("root");
        let copied = Command::new("cp").args(["-a", "--reflink=auto", "--"]).arg(image).arg(&root).status()?;
        ensure!(copied.success(), "cp of {} ended with {copied}", image.display());
        let etc = root.join("etc");
        fs::write(etc.join("hostname"), format!("{id}\n")).context("Failed to name the machine")?;
        // Of its own, made at its first boot.
        fs::write(etc.join("machine-id"), "").context("Failed to take its number from the machine")?;
        let mut table = OpenOptions::new().create(true).append(true).open(etc.join("hosts"))?;
        writeln!(table, "127.0.0.1 localhost {}", hosts.join(" ")).context("Failed to write the names of hosts")?;
        Ok(Self { id: id.into(), root, console: directory.join("console") })
    }

    /// Removes everything but its console.
    pub fn clear(&self) -> Result<()> {
        if !fs::exists(SYSTEMD)? {
            let groups = HIERARCHIES.map(|hierarchy| Path::new(hierarchy).join(&self.id));
            for group in groups.iter().filter(|group| group.exists()) {
                let mut command = Command::new("find");
                command.arg(group).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
                let status = command.status()?;
                ensure!(status.success(), "the removal of {} ended with {status}", group.display());
            }
        }
        fs::remove_dir_all(&self.root).with_context(|| format!("Failed to remove {}", self.root.display()))
    }

    /// Boots it in the network of this thread. It is killed when this thread ends, or when the process gets SIGTERM; SIGKILL would
    /// leave the machine behind, whose parent systemd-nspawn is not.
    pub fn boot(&self) -> Result<Child> {
        let console = OpenOptions::new().create(true).append(true).open(&self.console)?;
        // systemd gives it a scope of its own. Elsewhere two machines in one group would take each other's units for theirs.
        let has_systemd = fs::exists(SYSTEMD)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]);
        if !has_systemd {
            command.args(["/bin/sh", "-c", IN_GROUPS, "sh"]).arg(&self.id);
        }
        command.args(["systemd-nspawn", "--quiet", "--boot", "--register=no", "--settings=no", "--link-journal=no"]);
        command.args(["--resolv-conf=off", "--timezone=off", "--kill-signal=SIGKILL"]);
        if !has_systemd {
            command.arg("--keep-unit");
        }
        command.arg(format!("--machine={}", self.id)).arg(format!("--directory={}", self.root.display()));
        command.stdin(Stdio::null()).stdout(console.try_clone()?).stderr(console);
        command.spawn().context("Failed to run systemd-nspawn by setpriv")
    }
}

/// Gives this thread a network with nothing in it but a loopback, which has the address of the metadata service as well.
pub fn new_network() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("Failed to make a network")?;
    for arguments in ["link set lo up", "address add 169.254.169.254/32 dev lo"] {
        let status = Command::new("ip").args(arguments.split(' ')).status().context("Failed to run ip")?;
        ensure!(status.success(), "ip {arguments} ended with {status}");
    }
    Ok(())
}

/// Waits for the end of a process whose number stays its own.
pub fn wait_without_reaping(child: &Child) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).context("Failed to wait for a machine")?;
    Ok(())
}
