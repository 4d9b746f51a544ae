//! Carries out the course of a machine: one loop over all that can happen, without threads.

mod act;
mod hear;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::course::{Client, Course, Event};
use super::start::Machine;
use crate::machines::nspawn::group;
use crate::machines::nspawn::notify::Watchdog;
use crate::machines::nspawn::wire::Connection;

/// How much of what a machine writes to its console is kept, in bytes.
const CONSOLE: usize = 4 * 1024;

/// How many lines of it go to the journal at the end of a machine that had work of its own.
const LAST_LINES: usize = 10;

/// How many drivers may be connected at a time. One job has one or two.
const MOST_CLIENTS: usize = 32;

/// How long nspawn may take to end after its machine was killed. It is killed as well then.
const END: Duration = Duration::from_secs(10);

/// How often time is looked at.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Within this time the loop below says that it is alive. Making a machine may take longer; closing a descriptor that came from
/// one should not, and a job could have made it one that does.
const ALIVE: Duration = Duration::from_secs(60);

/// Supervises `machine` until it is to end, and kills it then.
pub fn serve(machine: Machine, orderer: Connection, mut watchdog: Option<Watchdog>) -> Result<()> {
    if let Some(watchdog) = &mut watchdog {
        watchdog.tighten(ALIVE);
    }
    let mut supervisor = Supervisor::new(machine, orderer, watchdog)?;
    let mut quit = None;
    while quit.is_none() {
        for event in supervisor.wait()? {
            let acts = supervisor.course.on(supervisor.began.elapsed(), event);
            for act in acts {
                quit = quit.or(supervisor.act(act));
            }
        }
    }
    supervisor.end();
    Ok(())
}

/// A driver's connection, with the descriptors of a stage that has not begun.
struct Driver {
    connection: Connection,
    descriptors: Vec<OwnedFd>,
}

struct Supervisor {
    machine: Machine,
    course: Course,
    began: Instant,
    watchdog: Option<Watchdog>,
    signals: SignalFd,
    /// nspawn's process.
    nspawn: OwnedFd,
    /// The first process of the machine, once it has connected. Its end is the end of all others.
    leader: Option<OwnedFd>,
    orderer: Option<Connection>,
    agent: Option<Connection>,
    drivers: BTreeMap<Client, Driver>,
    next_client: Client,
    console: VecDeque<u8>,
    /// Standard output and error of nspawn, until their ends.
    outputs: Vec<Option<OwnedFd>>,
    has_exited: bool,
    /// How many processes the kernel had killed for lack of memory when the last stage ended.
    killed_for_memory: u64,
}

/// What can become readable.
#[derive(Clone, Copy)]
enum Source {
    Signal,
    Nspawn,
    Runner,
    Orderer,
    Agent,
    AgentListener,
    Readiness,
    Output(usize),
    Listener,
    Driver(Client),
}

impl Supervisor {
    fn new(mut machine: Machine, orderer: Connection, watchdog: Option<Watchdog>) -> Result<Self> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGTERM);
        mask.add(Signal::SIGINT);
        mask.thread_block().context("Failed to wait for signals")?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .context("Failed to wait for signals")?;
        let nspawn = pidfd_open(Pid::from_child(&machine.nspawn), PidfdFlags::empty())
            .context("Failed to watch nspawn; Linux 5.3 is needed")?;
        orderer.never_wait()?;
        let outputs =
            vec![machine.nspawn.stdout.take().map(OwnedFd::from), machine.nspawn.stderr.take().map(OwnedFd::from)];
        for output in outputs.iter().flatten() {
            let flags = rustix::fs::fcntl_getfl(output)?;
            rustix::fs::fcntl_setfl(output, flags | rustix::fs::OFlags::NONBLOCK)?;
        }
        Ok(Self {
            course: Course::new(machine.boots, machine.lifetime, machine.purpose),
            killed_for_memory: group::killed_for_memory(&machine.group),
            machine,
            began: Instant::now(),
            watchdog,
            signals,
            nspawn,
            leader: None,
            orderer: Some(orderer),
            agent: None,
            drivers: BTreeMap::new(),
            next_client: 1,
            console: VecDeque::new(),
            outputs,
            has_exited: false,
        })
    }

    /// Everything that can happen now.
    fn sources(&self) -> Vec<(Source, BorrowedFd<'_>)> {
        let mut sources = vec![
            (Source::Signal, self.signals.as_fd()),
            (Source::Listener, self.machine.sockets.drivers.as_fd()),
            (Source::Readiness, self.machine.sockets.readiness.as_fd()),
        ];
        if !self.has_exited {
            sources.push((Source::Nspawn, self.nspawn.as_fd()));
        }
        sources.extend(self.machine.runner.iter().map(|runner| (Source::Runner, runner.as_fd())));
        sources.extend(self.orderer.iter().map(|orderer| (Source::Orderer, orderer.as_fd())));
        sources.extend(self.agent.iter().map(|agent| (Source::Agent, agent.as_fd())));
        sources.extend(self.machine.sockets.agent.iter().map(|listener| (Source::AgentListener, listener.as_fd())));
        sources.extend(
            self.outputs
                .iter()
                .enumerate()
                .filter_map(|(number, output)| Some((Source::Output(number), output.as_ref()?.as_fd()))),
        );
        sources
            .extend(self.drivers.iter().map(|(client, driver)| (Source::Driver(*client), driver.connection.as_fd())));
        sources
    }

    /// Waits until something happens, and says what.
    fn wait(&mut self) -> Result<Vec<Event>> {
        let until = self.course.next_tick().saturating_sub(self.began.elapsed());
        let longest = self.watchdog.as_ref().map_or(LONGEST_WAIT, |watchdog| watchdog.interval.min(LONGEST_WAIT));
        let timeout = Timespec::try_from(until.min(longest)).context("Failed to wait")?;
        let sources = self.sources();
        let mut polled: Vec<PollFd<'_>> =
            sources.iter().map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        match poll(&mut polled, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => return Ok(vec![]),
            polled => polled.context("Failed to wait")?,
        };
        let ready: Vec<Source> = sources
            .iter()
            .zip(&polled)
            .filter(|(_, polled)| !polled.revents().is_empty())
            .map(|((source, _), _)| *source)
            .collect();
        drop(polled);
        drop(sources);
        if let Some(watchdog) = &self.watchdog {
            watchdog.pat();
        }
        let mut events = Vec::new();
        for source in ready {
            events.extend(self.learn(source)?);
        }
        events.push(Event::Tick);
        Ok(events)
    }

    /// What a source that is readable has to say.
    fn learn(&mut self, source: Source) -> Result<Option<Event>> {
        Ok(match source {
            Source::Signal => self.signals.read_signal().ok().flatten().map(|_| Event::Terminated),
            Source::Nspawn => Some(self.exited()?),
            Source::Runner => {
                self.machine.runner = None;
                Some(Event::RunnerGone)
            }
            // It has nothing more to say; what it says all the same is its end.
            Source::Orderer => {
                self.orderer = None;
                Some(Event::OrdererGone)
            }
            Source::AgentListener => self.meet_agent().map(Event::Agent),
            Source::Agent => Some(self.hear_agent()),
            Source::Readiness => self.machine.sockets.readiness.came().then_some(Event::Booted),
            Source::Output(number) => {
                self.read_console(number);
                None
            }
            Source::Listener => {
                self.accept_driver();
                None
            }
            Source::Driver(client) => self.hear_driver(client),
        })
    }
}
