//! The door's sockets: takes connections, one thread each, and ends when nobody comes.
//!
//! systemd keeps the listening socket and starts the door when somebody connects, so nothing is lost when it ends. Threads and
//! not processes: a connection of a stranger costs one small stack, and not a sandbox that systemd has to make.
//!
//! Everything has an end: a request has to be whole in time, and a wait ends with its caller. No stranger can make more threads,
//! waits or memory than [`Limits`] says.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketType, shutdown, sockopt};
use tracing::warn;

use super::ask::{Asked, ask, left};
use super::errand::Errand;
use super::http::{Fault, Incoming, Request};
use super::places::{Limits, Place, Places};
use super::reply::Reply;
use super::route::{Way, route};
use crate::frontend::ondemand::label::Grammar;

/// The stack of a thread: what reading JSON of the deepest kind needs, several times.
const STACK: usize = 256 * 1024;

/// How long the door waits when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// What a door is told.
#[derive(Debug)]
pub struct Door {
    /// The desk's socket.
    pub desk: PathBuf,
    /// Which labels are taken.
    pub grammar: Grammar,
    /// What strangers can have.
    pub limits: Limits,
}

/// Serves the listening Unix socket until nobody came for a while.
///
/// # Errors
///
/// If it is another kind of socket, or cannot be waited for.
pub fn serve(socket: OwnedFd, door: Door) -> Result<()> {
    let listener = adopted(socket)?;
    let places = Places::new(&door.limits);
    let door = Arc::new(door);
    let mut refused = VecDeque::new();
    loop {
        let idle = |since: Instant| door.limits.idle.saturating_sub(since.elapsed());
        let patience = places.idle_since().map_or(door.limits.idle, idle);
        if patience.is_zero() {
            return Ok(());
        }
        let Some(stream) = next(&listener, patience)? else { continue };
        let Some(place) = places.connect() else {
            refuse(stream, &mut refused, door.limits.connections);
            continue;
        };
        let door = Arc::clone(&door);
        let attended = move || attend(&door, stream, &place);
        // Without a thread the connection is closed.
        if let Err(error) = thread::Builder::new().stack_size(STACK).spawn(attended) {
            warn!("Failed to start a thread for a connection: {error}");
        }
    }
}

/// The socket that this program was given.
fn adopted(socket: OwnedFd) -> Result<UnixListener> {
    let fault = "Failed to serve: the standard input must be a listening Unix socket, as `StandardInput=socket` of systemd gives it";
    ensure!(sockopt::socket_domain(&socket).context(fault)? == AddressFamily::UNIX, fault);
    ensure!(sockopt::socket_type(&socket).context(fault)? == SocketType::STREAM, fault);
    ensure!(sockopt::socket_acceptconn(&socket).context(fault)?, fault);
    Ok(UnixListener::from(socket))
}

/// The next connection; `None` if there was none for so long, or it went away again.
fn next(listener: &UnixListener, patience: Duration) -> Result<Option<UnixStream>> {
    match poll(&mut [PollFd::new(listener, PollFlags::IN)], Timespec::try_from(patience).ok().as_ref()) {
        Ok(0) | Err(Errno::INTR) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(error).context("Failed to wait for connections"),
    }
    match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(error) => {
            let went_away = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
            if !went_away.contains(&error.kind()) {
                warn!("Failed to accept a connection: {error}");
                // The connection still waits, so this would be repeated at once.
                thread::sleep(NO_ROOM);
            }
            Ok(None)
        }
    }
}

/// Answers a connection that has no place, without reading it. It is kept for a while, because one that is closed with
/// something unread in it breaks before its caller has read the answer.
fn refuse(mut stream: UnixStream, refused: &mut VecDeque<UnixStream>, most: usize) {
    // A new connection has room for it. Whoever is gone needs no answer.
    if stream.set_nonblocking(true).is_ok() && stream.write_all(&Reply::busy().bytes()).is_ok() {
        finish(&stream);
        refused.truncate(most.saturating_sub(1));
        refused.push_front(stream);
    }
}

/// One connection, from its first byte to its end.
fn attend(door: &Door, mut stream: UnixStream, place: &Place) {
    let end = Instant::now() + door.limits.request;
    match receive(&mut stream, end) {
        Ok(None) => {}
        Ok(Some(request)) => {
            if let Some(reply) = answer(door, &request, &stream, place) {
                send(&mut stream, &reply, door.limits.request);
            }
        }
        Err(fault) => {
            send(&mut stream, &Reply::fault(fault), door.limits.request);
            drain(&mut stream, end);
        }
    }
}

/// Reads one request; `None` if the caller said nothing and went away.
fn receive(stream: &mut UnixStream, end: Instant) -> Result<Option<Request>, Fault> {
    let mut incoming = Incoming::default();
    let mut piece = [0; 4 * 1024];
    loop {
        match read(stream, &mut piece, end) {
            Some(0) if incoming.is_empty() => return Ok(None),
            Some(0) => return Err(Fault::Ended),
            Some(length) => {
                if let Some(request) = incoming.add(&piece[..length])? {
                    return Ok(Some(request));
                }
            }
            None => return Err(Fault::Late),
        }
    }
}

/// Reads what is there, or waits for it; 0 at the end of the connection, `None` at `end`.
fn read(stream: &mut UnixStream, piece: &mut [u8], end: Instant) -> Option<usize> {
    loop {
        stream.set_read_timeout(Some(left(end)?)).ok()?;
        match stream.read(piece) {
            Ok(length) => return Some(length),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(_) => return Some(0),
        }
    }
}

/// The answer to a request; `None` if nobody waits for it any more.
fn answer(door: &Door, request: &Request, caller: &UnixStream, place: &Place) -> Option<Reply> {
    let Errand { mut question, reply } = match route(request, &door.grammar) {
        Way::Say(reply) => return Some(reply),
        Way::Ask(errand) => errand,
    };
    let wait = if question.wait > 0 { place.wait(question.source) } else { None };
    if wait.is_none() {
        // Whoever would wait is told to ask again.
        question.wait = 0;
    }
    let end = Instant::now() + Duration::from_secs(question.wait.into()) + door.limits.desk;
    match ask(&door.desk, &question, end, caller) {
        Ok(Asked::Answered(answer)) => Some(reply(&question, answer.outcome)),
        Ok(Asked::Abandoned) => None,
        Err(error) => {
            warn!("{error:#}");
            Some(Reply::busy())
        }
    }
}

/// Sends an answer. A caller who does not take it gets none.
fn send(stream: &mut UnixStream, reply: &Reply, patience: Duration) {
    if stream.set_write_timeout(Some(patience)).is_ok() && stream.write_all(&reply.bytes()).is_ok() {
        finish(stream);
    }
}

/// Says that nothing more is sent.
fn finish(stream: impl AsFd) {
    // Fails only if the caller is gone.
    _ = shutdown(stream, Shutdown::Write);
}

/// Throws away what is still sent, until the caller closes the connection. If that broke instead, whoever is still sending would
/// never read the answer.
fn drain(stream: &mut UnixStream, end: Instant) {
    let mut piece = [0; 4 * 1024];
    while read(stream, &mut piece, end).is_some_and(|length| length > 0) {}
}
