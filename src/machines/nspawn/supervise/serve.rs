//! Carries out the course of a machine: one loop over all that can happen, without threads.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::process::{Pid, PidfdFlags, Signal as Kill, pidfd_open, pidfd_send_signal};

use super::course::{Act, Client, Course, Event, Note, harmless};
use super::start::Machine;
use crate::machines::Fault;
use crate::machines::nspawn::notify::Watchdog;
use crate::machines::nspawn::protocol::{Answer, Command, Gone, LONGEST_STAGE, Progress, Report, Request};
use crate::machines::nspawn::wire::{Connection, Received};
use crate::machines::nspawn::{group, network};

/// How much of what a machine writes to its console is kept, in bytes.
const CONSOLE: usize = 4 * 1024;

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
    runner_watched: bool,
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
            course: Course::new(machine.boots, machine.lifetime),
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
            runner_watched: true,
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
        if self.runner_watched {
            sources.push((Source::Runner, self.machine.runner.as_fd()));
        }
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
                self.runner_watched = false;
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

    fn exited(&mut self) -> Result<Event> {
        let status = self.machine.nspawn.wait().context("Failed to learn how nspawn ended")?;
        self.has_exited = true;
        self.agent = None;
        // If nspawn alone was killed, its machine is still there.
        self.kill();
        let memory = group::killed_for_memory(&self.machine.group) > self.killed_for_memory;
        tracing::info!("The nspawn of job {} ended: {status}", self.machine.token);
        Ok(Event::Exited(status.code().filter(|_| status.signal().is_none()), memory))
    }

    /// The first one who connects is the first process of the machine: nobody else is there yet. Its number comes from
    /// the kernel.
    fn meet_agent(&mut self) -> Option<Report> {
        let mut meet = || -> Result<Report> {
            // Closed by its end here: whoever else connects is refused.
            let listener = self.machine.sockets.agent.take().context("The agent came twice")?;
            let connection = listener.accept()?;
            let peer = connection.peer()?;
            self.leader = Some(pidfd_open(peer.pid, PidfdFlags::empty()).context("Failed to watch the machine")?);
            fs::remove_file(&self.machine.sockets.agent_path).context("Failed to remove the agent's socket")?;
            let Some(Received { message, .. }) = connection.receive()? else { bail!("The agent went away") };
            // Nothing of the image runs before the agent is told to start.
            group::bound(&self.machine.group)?;
            if let Some(slot) = self.machine.slot {
                network::connect(
                    slot,
                    peer.pid.as_raw_nonzero().get().cast_unsigned(),
                    &self.machine.ports,
                    &self.machine.rules,
                )?;
            }
            connection.never_wait()?;
            self.agent = Some(connection);
            Ok(message)
        };
        match meet() {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::error!("{error:#}");
                self.remember(format!("{error:#}\n").as_bytes());
                self.kill();
                None
            }
        }
    }

    fn hear_agent(&mut self) -> Event {
        let heard = self.agent.as_ref().map(Connection::receive::<Report>);
        match heard {
            Some(Ok(Some(Received { message, .. }))) => Event::Agent(message),
            Some(Err(error)) => {
                let said = harmless(&format!("{error:#}"));
                tracing::warn!("The agent of job {} is not understood: {said}", self.machine.token);
                self.agent = None;
                Event::AgentGone
            }
            _ => {
                self.agent = None;
                Event::AgentGone
            }
        }
    }

    fn accept_driver(&mut self) {
        let accepted =
            self.machine.sockets.drivers.accept().and_then(|connection| connection.never_wait().map(|()| connection));
        match accepted {
            Ok(connection) if self.drivers.len() < MOST_CLIENTS => {
                self.drivers.insert(self.next_client, Driver { connection, descriptors: vec![] });
                self.next_client += 1;
            }
            Ok(_) => tracing::warn!("Job {} has {MOST_CLIENTS} drivers already", self.machine.token),
            Err(error) => tracing::warn!("{error:#}"),
        }
    }

    fn hear_driver(&mut self, client: Client) -> Option<Event> {
        let driver = self.drivers.get_mut(&client)?;
        let heard = driver.connection.receive::<Request>().and_then(|received| match received {
            Some(Received { message, descriptors }) => {
                check(&message, &descriptors).map(|()| Some((message, descriptors)))
            }
            None => Ok(None),
        });
        match heard {
            Ok(Some((request, descriptors))) => {
                if !descriptors.is_empty() {
                    driver.descriptors = descriptors;
                }
                Some(Event::Asked(client, request))
            }
            Ok(None) => {
                self.drivers.remove(&client);
                Some(Event::Left(client))
            }
            Err(error) => {
                let answer = Answer::Failed(Fault::Other(format!("{error:#}")));
                self.answer(client, &answer);
                Some(Event::Left(client))
            }
        }
    }

    fn read_console(&mut self, number: usize) {
        let mut buffer = [0; 4_096];
        let Some(output) = &self.outputs[number] else { return };
        match rustix::io::read(output, &mut buffer) {
            Ok(length) if length > 0 => self.remember(&buffer[..length]),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => self.outputs[number] = None,
        }
    }

    fn remember(&mut self, text: &[u8]) {
        self.console.extend(text);
        let over = self.console.len().saturating_sub(CONSOLE);
        self.console.drain(..over);
    }

    /// The console as text, without what a terminal would obey.
    fn console(&self) -> String {
        let bytes: Vec<u8> = self.console.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let harmless = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
        text.trim().chars().map(harmless).collect()
    }

    /// Does one thing; what it gives back is the end.
    fn act(&mut self, act: Act) -> Option<Gone> {
        match act {
            Act::Start => self.tell_agent(&Command::Start { environment: self.machine.environment.clone() }, &[]),
            Act::Ready => self.tell_orderer(&Progress::Ready),
            Act::Failed(reason) => {
                let console = self.console();
                let said = if console.is_empty() { String::new() } else { format!(". Its console: {console}") };
                let text = format!("{} before it was ready{said}", reason.sentence());
                tracing::error!("Job {}: {text}", self.machine.token);
                self.tell_orderer(&Progress::Failed(Fault::Unavailable(text)));
            }
            Act::Stage(client) => {
                let descriptors = self.drivers.get_mut(&client).map(|driver| std::mem::take(&mut driver.descriptors));
                self.tell_agent(&Command::Stage, &descriptors.unwrap_or_default());
            }
            Act::Cancel(grace) => self.tell_agent(&Command::Cancel { grace }, &[]),
            Act::Answer(client, answer) => self.answer(client, &answer),
            Act::Note(note) => self.note(&note),
            Act::Console(client) => {
                let answer = Answer::Console(self.console());
                self.answer(client, &answer);
            }
            Act::Kill => self.kill(),
            Act::Quit(reason) => {
                tracing::info!("Job {}: {}", self.machine.token, reason.sentence());
                return Some(reason);
            }
        }
        None
    }

    /// An agent that does not read what it is told is none.
    fn tell_agent(&mut self, command: &Command, descriptors: &[OwnedFd]) {
        let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        let told = match &self.agent {
            Some(agent) => agent.send(command, &descriptors),
            None => Err(anyhow!("it is gone")),
        };
        if let Err(error) = told {
            tracing::warn!("Failed to tell the agent of job {}: {error:#}", self.machine.token);
            // Seen as the end of the agent by the next look at it.
            self.kill();
        }
    }

    fn tell_orderer(&mut self, progress: &Progress) {
        if let Some(orderer) = self.orderer.take()
            && let Err(error) = orderer.send(progress, &[])
        {
            tracing::warn!("Nobody waits for job {}: {error:#}", self.machine.token);
        }
    }

    /// Who does not read its answer gets none.
    fn answer(&mut self, client: Client, answer: &Answer) {
        if let Some(driver) = self.drivers.remove(&client)
            && let Err(error) = driver.connection.send(answer, &[])
        {
            tracing::warn!("Failed to answer a driver of job {}: {error:#}", self.machine.token);
        }
    }

    fn note(&self, note: &Note) {
        let result = match &note.answer {
            Answer::Exit(code) => format!("exit {code}"),
            Answer::Signal(signal) => format!("signal {signal}"),
            Answer::Gone(reason) => reason.sentence().into(),
            Answer::Failed(fault) => fault.to_string(),
            other => format!("{other:?}"),
        };
        tracing::info!(
            "Job {}, stage {}: {result} after {:.1} s",
            self.machine.token,
            note.stage,
            note.took.as_secs_f64()
        );
    }

    /// Kills the machine: its first process, with which all others end. Before that has connected there is only nspawn,
    /// and what it started ends with the unit.
    fn kill(&self) {
        let target = self.leader.as_ref().unwrap_or(&self.nspawn);
        // It may be gone already.
        _ = pidfd_send_signal(target, Kill::KILL);
    }

    /// Kills the machine and waits for nspawn, which takes its own mounts and directories away.
    fn end(mut self) {
        self.kill();
        let until = Instant::now() + END;
        while !self.has_exited {
            let left = until.saturating_duration_since(Instant::now());
            let mut polled = [PollFd::new(&self.nspawn, PollFlags::IN)];
            let timeout = Timespec::try_from(left).ok();
            if left.is_zero() || matches!(poll(&mut polled, timeout.as_ref()), Ok(0)) {
                _ = pidfd_send_signal(&self.nspawn, Kill::KILL);
            }
            self.has_exited = left.is_zero() || !matches!(self.machine.nspawn.try_wait(), Ok(None));
        }
    }
}

/// Holds a request to its form: a stage has a script that is a file, and two pipes; nothing else has descriptors. So
/// no directory and no socket of the host gets into a machine.
fn check(request: &Request, descriptors: &[OwnedFd]) -> Result<()> {
    let Request::Stage { name } = request else {
        return if descriptors.is_empty() { Ok(()) } else { Err(anyhow!("Only a stage comes with descriptors")) };
    };
    if name.len() > LONGEST_STAGE {
        bail!("The name of a stage has at most {LONGEST_STAGE} bytes");
    }
    let kinds: Vec<_> = descriptors
        .iter()
        .map(|descriptor| rustix::fs::fstat(descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode)))
        .collect::<Result<_, _>>()
        .context("Failed to look at the descriptors of a stage")?;
    if kinds != [FileType::RegularFile, FileType::Fifo, FileType::Fifo] {
        bail!("A stage comes with a script, which is a file, and with two pipes, and not with {kinds:?}");
    }
    Ok(())
}
