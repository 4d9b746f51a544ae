//! Instances as real machines: each is a copy of one system, booted by systemd-nspawn in a network of its own.
//!
//! In that network there are a loopback with the address of the metadata service, and ports of this host's loopback under the same
//! numbers; nothing else can be reached. A machine that powers itself off has ended, and one that has to end is killed.
//!
//! Needs root, systemd-nspawn, setpriv and ip. Must not be run where somebody else works: machines are not confined.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ec2::{Door, Ec2, Event};
use crate::machine::{self, Machine};

/// Where machines find what they are told.
const METADATA: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// How machines are made.
#[derive(Clone)]
pub struct Options {
    /// The system of all of them.
    pub root: PathBuf,
    /// Where their copies and consoles are.
    pub work: PathBuf,
    /// Ports of this host's loopback that they reach at theirs.
    pub forward: Vec<u16>,
    /// Names that are their own loopback.
    pub hosts: Vec<String>,
}

/// A machine from its copy to its end.
#[derive(Clone, Copy)]
enum Stage {
    /// Nothing runs yet.
    Making,
    Runs(Pid),
    /// It has to end, and whoever runs it knows, if it runs.
    Doomed,
}

/// All machines.
pub struct Machines {
    ec2: Arc<Ec2>,
    options: Options,
    stages: Mutex<BTreeMap<String, Stage>>,
    changed: Condvar,
}

impl Machines {
    /// Makes machines of the instances that are launched from now on.
    pub fn start(ec2: Arc<Ec2>, options: Options) -> Result<Arc<Self>> {
        fs::create_dir_all(&options.work).with_context(|| format!("Failed to make {}", options.work.display()))?;
        let events = ec2.booted();
        let machines = Arc::new(Self { ec2, options, stages: Mutex::default(), changed: Condvar::new() });
        let followed = Arc::clone(&machines);
        thread::spawn(move || followed.follow(&events));
        Ok(machines)
    }

    /// Kills all of them, and waits until nothing of them is left.
    pub fn end(&self) {
        let all: Vec<String> = self.lock().keys().cloned().collect();
        for id in &all {
            self.kill(id);
        }
        let stages = self.lock();
        drop(self.changed.wait_while(stages, |stages| !stages.is_empty()));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stage>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(self: Arc<Self>, events: &mpsc::Receiver<Event>) {
        for event in events {
            match event {
                Event::Launched(id) => {
                    self.lock().insert(id.clone(), Stage::Making);
                    let machines = Arc::clone(&self);
                    thread::spawn(move || machines.live(&id));
                }
                Event::Ending(id) => self.kill(&id),
            }
        }
    }

    fn kill(&self, id: &str) {
        let mut stages = self.lock();
        match stages.get_mut(id) {
            Some(stage) => {
                // It is not waited for as long as it is here, so nobody else has its number.
                if let Stage::Runs(pid) = *stage {
                    _ = kill(pid, Signal::SIGTERM);
                }
                // Never twice: it would go and leave its machine.
                *stage = Stage::Doomed;
            }
            // One that stands still.
            None => self.ec2.with(|state| state.has_ended(id)),
        }
    }

    /// The whole life of a machine.
    fn live(&self, id: &str) {
        let directory = self.options.work.join(id);
        let lived = self.make(id, &directory).and_then(|machine| {
            let lived = self.run(id, &machine);
            if let Err(error) = machine.clear() {
                eprintln!("{id}: {error:#}");
            }
            lived
        });
        // Before it is told: whoever ends an instance that stands still finds no machine.
        self.lock().remove(id);
        match lived {
            Ok(()) => self.ec2.with(|state| state.has_ended(id)),
            Err(error) => {
                eprintln!("{id}: {error:#}");
                self.ec2.with(|state| state.has_failed(id, "Server.InternalError", "The machine could not be made"));
            }
        }
        self.changed.notify_all();
    }

    fn make(&self, id: &str, directory: &Path) -> Result<Machine> {
        let machine = Machine::copy(id, &self.options.root, directory, &self.options.hosts)?;
        self.ec2.with(|state| {
            if let Some(instance) = state.instance_mut(id) {
                instance.console_file = Some(machine.console.clone());
            }
        });
        Ok(machine)
    }

    /// Runs a machine in a network that a thread has for itself. Its ports are served from the network of this host.
    fn run(&self, id: &str, machine: &Machine) -> Result<()> {
        let (sender, bound) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                machine::new_network()?;
                sender.send(self.bind()?).context("nobody serves the ports")?;
                gone.recv().context("the ports are not served")?;
                self.boot(id, machine)
            });
            // Nothing comes if it has failed, and its end says why.
            let served = bound.recv().ok().map(|listeners| self.serve(id, listeners)).transpose();
            if matches!(served, Ok(Some(_))) {
                // It may have ended already.
                _ = go.send(());
            }
            drop(go);
            let lived = inside.join().unwrap_or_else(|_| Err(anyhow!("the thread of the machine panicked")));
            served.and(lived)
        })
    }

    fn bind(&self) -> Result<Vec<TcpListener>> {
        let ports = self.options.forward.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
        let bind = |address| TcpListener::bind(address).with_context(|| format!("Failed to listen on {address}"));
        [METADATA].into_iter().chain(ports).map(bind).collect()
    }

    fn serve(&self, id: &str, listeners: Vec<TcpListener>) -> Result<Vec<Door>> {
        let serve = |listener: TcpListener| match listener.local_addr()? {
            METADATA => self.ec2.serve_metadata(id, listener),
            address => Door::forward(listener, address),
        };
        listeners.into_iter().map(serve).collect()
    }

    /// Boots it, as often as it wants, until it is off.
    fn boot(&self, id: &str, machine: &Machine) -> Result<()> {
        loop {
            let mut child = {
                let mut stages = self.lock();
                if matches!(stages.get(id), Some(Stage::Doomed)) {
                    return Ok(());
                }
                let child = machine.boot()?;
                let pid = Pid::from_raw(i32::try_from(child.id()).context("a number of a process")?);
                stages.insert(id.into(), Stage::Runs(pid));
                child
            };
            self.ec2.with(|state| state.has_started(id));
            machine::wait_without_reaping(&child)?;
            let mut stages = self.lock();
            let status = child.wait()?;
            if matches!(stages.get(id), Some(Stage::Doomed)) {
                return Ok(());
            }
            // Its number may be another one's from now on.
            stages.insert(id.into(), Stage::Making);
            if status.code() != Some(machine::AGAIN) {
                return Ok(());
            }
        }
    }
}
