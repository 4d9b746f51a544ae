//! The desk's socket and its signals: each connection is one question of the door, and waits in a thread of its own.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::net::{AddressFamily, SocketType, sockopt};
use tracing::warn;

use super::event::Event;
use super::waiting::Caller;
use crate::frontend::ondemand::refusal::Refusal;
use crate::frontend::ondemand::wire::{Answer, LONGEST_QUESTION, Outcome, Question};

/// The door has the question ready.
const PATIENCE: Duration = Duration::from_secs(5);
/// The stack of a thread that waits.
const STACK: usize = 256 * 1024;
/// More connections than the door can have.
const MOST: usize = 128;
/// How much longer than its question a caller waits for a desk that is busy.
const LATE: Duration = Duration::from_secs(8);
/// Between two looks whether the caller still waits.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// How long the desk waits when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// From now on SIGTERM and SIGINT end nothing, and are read from here.
///
/// # Errors
///
/// As `signalfd(2)`.
pub fn signals() -> Result<SignalFd> {
    let set: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    set.thread_block().context("Failed to block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).context("Failed to listen to signals")
}

/// Has questions and signals become events.
///
/// # Errors
///
/// If the socket is no listening Unix socket, or there is no thread.
pub fn start(socket: OwnedFd, signals: SignalFd, events: &Sender<Event>) -> Result<()> {
    let fault = "Failed to serve: the standard input must be a listening Unix socket, as `StandardInput=socket` of systemd gives it";
    ensure!(sockopt::socket_domain(&socket).context(fault)? == AddressFamily::UNIX, fault);
    ensure!(sockopt::socket_type(&socket).context(fault)? == SocketType::STREAM, fault);
    ensure!(sockopt::socket_acceptconn(&socket).context(fault)?, fault);
    let listener = UnixListener::from(socket);
    listener.set_nonblocking(false).context(fault)?;
    let ends = events.clone();
    let await_signal = move || {
        if let Ok(Some(_)) = signals.read_signal() {
            drop(ends.send(Event::Stop));
        }
    };
    thread::Builder::new().spawn(await_signal).context("Failed to start a thread")?;
    let events = events.clone();
    let accept = move || accept_all(&listener, &events);
    thread::Builder::new().spawn(accept).context("Failed to start a thread")?;
    Ok(())
}

fn accept_all(listener: &UnixListener, events: &Sender<Event>) {
    let count = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!("Failed to accept a connection: {error}");
                thread::sleep(NO_ROOM);
                continue;
            }
        };
        let place = Place::take(&count);
        let events = events.clone();
        let attended = move || {
            let Some(_place) = place else { return say(stream, &Refusal::Busy(5)) };
            if let Err(error) = attend(stream, &events) {
                warn!("{error:#}");
            }
        };
        if let Err(error) = thread::Builder::new().stack_size(STACK).spawn(attended) {
            warn!("Failed to start a thread for a connection: {error}");
        }
    }
}

/// One of [`MOST`] connections.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(count));
        (count.fetch_add(1, Ordering::Relaxed) < MOST).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One question, from its first byte to its answer.
fn attend(mut stream: UnixStream, events: &Sender<Event>) -> Result<()> {
    let Some(line) = read_line(&mut stream)? else { return Ok(()) };
    let question = match Question::of_line(&line) {
        Ok(question) => question,
        Err(error) => {
            warn!("{error:#}");
            say(stream, &Refusal::Busy(60));
            return Ok(());
        }
    };
    let end = Instant::now() + Duration::from_secs(question.wait.into()) + LATE;
    let (caller, answered) = Caller::new();
    if events.send(Event::Asked(question, caller)).is_err() {
        return Ok(());
    }
    loop {
        match answered.answer.recv_timeout(BETWEEN_LOOKS) {
            Ok(outcome) => {
                let line = Answer::new(outcome).line()?;
                stream.set_write_timeout(Some(PATIENCE))?;
                // Whoever went away needs no answer.
                drop(stream.write_all(&line));
                return Ok(());
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if is_gone(&stream) || Instant::now() > end => {
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Whether the caller closed its connection: it says nothing more, so there is nothing to be read but the end.
fn is_gone(stream: &UnixStream) -> bool {
    poll(&mut [PollFd::new(stream.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) != Ok(0)
}

fn say(mut stream: UnixStream, refusal: &Refusal) {
    if let Ok(line) = Answer::new(Outcome::Refused(refusal.explanation())).line() {
        drop(stream.set_write_timeout(Some(PATIENCE)));
        drop(stream.write_all(&line));
    }
}

/// Everything up to the end of a line; `None` if nothing came.
fn read_line(stream: &mut UnixStream) -> Result<Option<Vec<u8>>> {
    let end = Instant::now() + PATIENCE;
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    while !line.ends_with(b"\n") {
        let left = end.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "Failed to read a question: it did not come in time");
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(length) => line.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("Failed to read a question"),
        }
        ensure!(line.len() <= LONGEST_QUESTION, "Failed to read a question: it has more than {LONGEST_QUESTION} bytes");
    }
    Ok(Some(line))
}
