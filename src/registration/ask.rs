//! Asking the broker of a runner, over the socket that only root can open.
//!
//! The one place where root steps speak to anybody. Must not open a network connection: the broker does that, in a
//! sandbox and under another user. Whatever goes wrong here is an answer like the server's silence, because for whoever
//! asks it makes no difference.
//!
//! Each connection costs systemd a process, so one is kept for the next question. A broker has the ledger entry of its
//! start, so another one is taken if the entry says something else now that the answer depends on.

use std::cell::RefCell;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::contract::names;
use crate::contract::protocol::{
    Answer, LIFE, MAX_ANSWER_BYTES, MOST_QUESTIONS, Outcome, PAUSE, Request, VERSION, Verb,
};
use crate::ledger::{Entry, Ledger};
use crate::model::InstanceName;
use crate::registration::dependence::dependence;

/// By how much the broker gives up sooner than whoever asked it, so that its reasons are heard.
const HEAD_START: Duration = Duration::from_secs(1);

/// Whoever answers questions about one runner: its broker, or somebody who has a say before it is asked.
pub trait Ask {
    /// Asks, and waits for the answer until `limit` is over.
    #[must_use]
    fn ask(&self, verb: Verb, limit: Duration) -> Answer;
}

/// The broker of one runner. A connection that is kept ends when this is dropped.
#[derive(Debug)]
pub struct Broker<'a> {
    socket: &'a Path,
    instance: &'a InstanceName,
    /// Where the entry is that brokers get a copy of; without it no connection is kept.
    ledger: Option<&'a Ledger>,
    open: RefCell<Option<Connection>>,
}

/// A connection that takes another question.
#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    /// The entry that its broker has a copy of.
    entry: Option<Entry>,
    began: Instant,
    asked: u32,
    /// When the last answer came.
    answered: Instant,
}

impl Connection {
    /// Whether the broker still waits for a question, and would answer this one by the present `entry`.
    fn serves(&self, verb: &Verb, entry: Option<&Entry>) -> bool {
        // The broker counts from somewhat later on, and from somewhat earlier for the pause.
        self.asked < MOST_QUESTIONS
            && self.began.elapsed() < LIFE
            && self.answered.elapsed() < PAUSE / 2
            && self.is_open()
            && dependence(verb, self.entry.as_ref()) == dependence(verb, entry)
    }

    /// Whether the broker is there. It says nothing unasked, so there is nothing to be read but its end.
    fn is_open(&self) -> bool {
        poll(&mut [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(0)
    }
}

impl Ask for Broker<'_> {
    fn ask(&self, verb: Verb, limit: Duration) -> Answer {
        self.try_ask(verb, limit).unwrap_or_else(|why| {
            let why = format!(
                "its broker did not answer ({why}); see `journalctl --unit '{}'`",
                names::brokers(self.instance)
            );
            Answer::unasked(Outcome::Unreachable(why))
        })
    }
}

impl<'a> Broker<'a> {
    /// The broker at `socket`, for a single question, or for some of which each has a connection of its own.
    #[must_use]
    pub fn once(socket: &'a Path, instance: &'a InstanceName) -> Self {
        Self { socket, instance, ledger: None, open: RefCell::default() }
    }

    /// The same for several questions. Whoever asks has the lock of the runner's entry in `ledger`, or asks only once.
    #[must_use]
    pub fn kept(socket: &'a Path, instance: &'a InstanceName, ledger: &'a Ledger) -> Self {
        Self { ledger: Some(ledger), ..Self::once(socket, instance) }
    }

    fn try_ask(&self, verb: Verb, limit: Duration) -> Result<Answer, String> {
        let end = Instant::now() + limit;
        let patience = limit.saturating_sub(HEAD_START).as_secs().max(1);
        // Whoever cannot read the entry has said so, and a broker says what is wrong with it.
        let entry = self.ledger.and_then(|ledger| ledger.load(self.instance).ok());
        let serves = |open: &Connection| entry.as_ref().is_some_and(|entry| open.serves(&verb, entry.as_ref()));
        // One that does not ends here, before another one begins.
        let mut connection = match self.open.take().filter(serves) {
            Some(open) => open,
            None => self.connect(entry.clone().flatten())?,
        };
        let request = Request { version: VERSION, instance: self.instance.clone(), patience, verb };
        let mut text = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
        text.push(b'\n');
        let stream = &mut connection.stream;
        stream
            .set_write_timeout(Some(limit))
            .and_then(|()| stream.write_all(&text))
            .map_err(|error| error.to_string())?;
        let answer = read_line(stream, end)?;
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|_| String::from("its answer could not be understood"))?;
        if answer.version != VERSION {
            return Err("it comes from another release".into());
        }
        if entry.is_some() {
            (connection.asked, connection.answered) = (connection.asked + 1, Instant::now());
            self.open.replace(Some(connection));
        }
        Ok(answer)
    }

    fn connect(&self, entry: Option<Entry>) -> Result<Connection, String> {
        let stream = UnixStream::connect(self.socket).map_err(|error| match error.kind() {
            ErrorKind::NotFound => "its socket is missing".into(),
            _ => error.to_string(),
        })?;
        let now = Instant::now();
        Ok(Connection { stream, entry, began: now, asked: 0, answered: now })
    }
}

/// Everything up to the end of the line; the limit holds for all of it, however slowly it comes.
fn read_line(stream: &mut UnixStream, end: Instant) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("it took too long".into());
        }
        stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        match stream.read(&mut piece) {
            Ok(0) => return Err("it went away".into()),
            Ok(length) => text.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.to_string()),
        }
        if text.last() == Some(&b'\n') {
            return Ok(text);
        }
        if text.len() as u64 > MAX_ANSWER_BYTES {
            return Err("its answer is too long".into());
        }
    }
}
