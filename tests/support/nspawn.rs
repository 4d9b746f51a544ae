//! What systemd does with the socket and the units of machines, done here: for tests where it is not the first process.
//!
//! A connection starts a supervisor in a control group of its own; when that ends, what is left in the group is killed,
//! and `ended` runs in it. So the programs meet what they meet as units, without the time that a boot takes. Needs root.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, shutdown, socket_with,
};

use crate::wait::wait_for;

/// Where a unit has control groups: the ones that exist here.
const HIERARCHIES: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// The control groups of this name, one in each hierarchy that this machine has.
pub fn groups(name: &str) -> Vec<PathBuf> {
    let roots = HIERARCHIES.iter().map(Path::new).filter(|root| root.join("cgroup.procs").exists());
    roots.map(|root| root.join(name)).collect()
}

/// A control group in each hierarchy, and its supervisor.
#[derive(Clone)]
pub struct Unit {
    pub groups: Vec<PathBuf>,
    pub supervisor: i32,
}

impl Unit {
    /// SIGKILL to everything in the unit, as systemd does it after the first process.
    pub fn kill(&self) {
        wait_for("the end of all processes", || {
            let processes = self.processes();
            for process in &processes {
                kill(*process);
            }
            processes.is_empty().then_some(())
        });
    }

    /// All processes of the unit.
    pub fn processes(&self) -> Vec<i32> {
        let mut found = Vec::new();
        self.groups.iter().for_each(|group| collect(group, &mut found));
        found
    }

    /// The process of the unit that runs `program`, once there is one.
    pub fn process(&self, program: &str) -> i32 {
        wait_for(program, || {
            self.processes().into_iter().find(|process| {
                fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim() == program)
            })
        })
    }
}

/// What units meet in place of what this machine has.
#[derive(Default)]
pub struct Surroundings {
    /// The process whose network is that of the host.
    pub network: Option<u32>,
    /// The directory in the place of that of the Nix daemon's socket.
    pub nix_daemon: Option<PathBuf>,
}

/// The units of one socket; they end when it is dropped.
pub struct Units {
    shared: Arc<Shared>,
    socket: Arc<OwnedFd>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    program: PathBuf,
    /// Where `settings.json` is; `log` and `nspawn`, which stands for nspawn's own directory, are made beside it.
    directory: PathBuf,
    surroundings: Surroundings,
    running: Mutex<Vec<Unit>>,
}

impl Units {
    /// Serves `directory`/run/machines.sock with `program` and `directory`/settings.json. `name` is that of the units.
    pub fn listen(program: &Path, directory: &Path, name: &str, surroundings: Surroundings) -> Self {
        for made in ["run", "nspawn"] {
            fs::create_dir(directory.join(made)).unwrap();
        }
        let socket = Arc::new(listener(&directory.join("run/machines.sock")));
        let (program, directory) = (program.to_owned(), directory.to_owned());
        let shared = Arc::new(Shared { program, directory, surroundings, running: Mutex::default() });
        let accepting = thread::spawn({
            let (socket, shared, name) = (Arc::clone(&socket), Arc::clone(&shared), name.to_owned());
            move || {
                let mut units = Vec::new();
                while let Ok(connection) = accept_with(&*socket, SocketFlags::CLOEXEC) {
                    let (shared, name) = (Arc::clone(&shared), format!("{name}-{}.service", units.len()));
                    units.push(thread::spawn(move || shared.run(connection, &name)));
                }
                for unit in units {
                    // A failed one said so, and what it left is what a claim finds.
                    _ = unit.join();
                }
            }
        });
        Self { shared, socket, accepting: Some(accepting) }
    }

    /// Those that run, in the order in which they began.
    pub fn running(&self) -> Vec<Unit> {
        self.shared.running().clone()
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        _ = shutdown(&*self.socket, Shutdown::Both);
        // After a failed claim machines may run.
        self.running().iter().for_each(Unit::kill);
        if let Some(accepting) = self.accepting.take() {
            _ = accepting.join();
        }
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Vec<Unit>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One unit, from its connection to its last step.
    fn run(&self, connection: OwnedFd, name: &str) {
        let groups = groups(name);
        for group in &groups {
            fs::create_dir(group).unwrap();
        }
        let mut supervisor = self.command(&groups, "supervise").stdin(Stdio::from(connection)).spawn().unwrap();
        let unit = Unit { groups, supervisor: supervisor.id().cast_signed() };
        self.running().push(unit.clone());
        supervisor.wait().unwrap();
        unit.kill();
        let ended = self.command(&unit.groups, "ended").stdin(Stdio::null()).status().unwrap();
        if !ended.success() {
            eprintln!("ended: {ended}\n{}", fs::read_to_string(self.directory.join("log")).unwrap_or_default());
        }
        for group in &unit.groups {
            wait_for("an empty control group", || remove(group).then_some(()));
        }
        self.running().retain(|other| other.supervisor != unit.supervisor);
    }

    /// A step of the unit.
    fn command(&self, groups: &[PathBuf], step: &str) -> Command {
        let enter =
            "for group; do [ \"$group\" = -- ] && break; echo $$ > \"$group/cgroup.procs\"; shift; done; shift; \
             exec unshare --mount sh -ec 'mkdir -p /run/systemd/nspawn; mount --bind \"$0\" /run/systemd/nspawn
                 if [ -n \"$NIX_DAEMON\" ]; then
                     mkdir -p /nix; mount -t tmpfs none /nix; mkdir -p /nix/var/nix/daemon-socket
                     mount --bind \"$NIX_DAEMON\" /nix/var/nix/daemon-socket
                 fi
                 exec \"$@\"' \"$@\"";
        let Surroundings { network, nix_daemon } = &self.surroundings;
        let mut command = Command::new("sh");
        command.env("NIX_DAEMON", nix_daemon.as_deref().unwrap_or(Path::new("")));
        command.args(["-c", enter, "sh"]).args(groups).arg("--").arg(self.directory.join("nspawn"));
        if let Some(process) = network {
            command.args(["nsenter", &format!("--net=/proc/{process}/ns/net")]);
        }
        let log = File::options().create(true).append(true).open(self.directory.join("log")).unwrap();
        command.arg(&self.program).arg(step).arg("--settings").arg(self.directory.join("settings.json"));
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command
    }
}

/// SIGKILL to one process.
pub fn kill(process: i32) {
    // It may be gone.
    _ = nix::sys::signal::kill(Pid::from_raw(process), Signal::SIGKILL);
}

fn collect(group: &Path, found: &mut Vec<i32>) {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|process| *process > 0));
    inner(group).for_each(|inner| collect(&inner, found));
}

fn remove(group: &Path) -> bool {
    inner(group).for_each(|inner| _ = remove(&inner));
    fs::remove_dir(group).is_ok() || !group.exists()
}

fn inner(group: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

fn listener(path: &Path) -> OwnedFd {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 64).unwrap();
    socket
}
