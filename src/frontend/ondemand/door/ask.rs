//! Asks the desk: one connection, one line there, one line back, while somebody waits for it.
//!
//! The desk may be gone, slow or of another release. Each of these is an answer to the caller, who may ask again: the desk
//! writes down each order before it acts on it, so that nothing is ordered twice.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::frontend::ondemand::wire::{Answer, LONGEST_ANSWER, Question};

/// What the desk said.
#[derive(Debug)]
pub enum Asked {
    /// Its answer.
    Answered(Answer),
    /// Nobody waits for the answer any more.
    Abandoned,
}

/// Asks the desk at `path` and waits for its answer until `end`, or until `caller` closes its connection: the desk sees that as
/// an end of this connection, and stops waiting, too.
///
/// # Errors
///
/// If there is no answer in time, or none of this release.
pub fn ask(path: &Path, question: &Question, end: Instant, caller: &UnixStream) -> Result<Asked> {
    let line = question.line().context("Failed to put a question to the desk")?;
    let mut desk = connected(path, end).with_context(|| format!("Failed to reach the desk at {}", path.display()))?;
    desk.write_all(&line).context("Failed to ask the desk")?;
    desk.set_nonblocking(true).context("Failed to wait for the desk")?;
    let mut answer = Vec::new();
    let mut piece = [0; 4 * 1024];
    while !answer.ends_with(b"\n") {
        let Some(left) = left(end) else { bail!("Failed to ask the desk: no answer in time") };
        let mut both = [PollFd::new(&desk, PollFlags::IN), PollFd::new(caller, PollFlags::empty())];
        match poll(&mut both, Timespec::try_from(left).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("Failed to wait for the desk"),
        }
        if both[1].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            return Ok(Asked::Abandoned);
        }
        match desk.read(&mut piece) {
            Ok(0) => bail!("Failed to ask the desk: its answer ended before the end of a line"),
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("Failed to read the desk's answer"),
        }
        ensure!(
            answer.len() <= LONGEST_ANSWER,
            "Failed to read the desk's answer: it has more than {LONGEST_ANSWER} bytes"
        );
    }
    Ok(Asked::Answered(Answer::of_line(&answer)?))
}

/// A connection to the socket at `path`. A desk that is too busy to take it is waited for until `end`.
fn connected(path: &Path, end: Instant) -> io::Result<UnixStream> {
    let socket: OwnedFd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let address = SocketAddrUnix::new(path)?;
    loop {
        let left = left(end).ok_or(ErrorKind::TimedOut)?;
        // Holds for a place in the desk's queue, and for the question itself.
        set_socket_timeout(&socket, sockopt::Timeout::Send, Some(left))?;
        match connect(&socket, &address) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is left until `end`; nothing once it is there.
#[must_use]
pub fn left(end: Instant) -> Option<Duration> {
    Some(end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
}
