//! Asking the broker of a runner, over the socket that only root can open.
//!
//! The one place where root steps speak to anybody. Must not open a network connection: the broker does that, in a
//! sandbox and under another user. Whatever goes wrong here is an answer like the server's silence, because for whoever
//! asks it makes no difference.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::contract::names;
use crate::contract::protocol::{Answer, MAX_ANSWER_BYTES, Outcome, Request, VERSION, Verb};
use crate::model::InstanceName;

/// By how much the broker gives up sooner than whoever asked it, so that its reasons are heard.
const HEAD_START: Duration = Duration::from_secs(1);

/// Whoever answers questions about one runner: its broker, or somebody who has a say before it is asked.
pub trait Ask {
    /// Asks, and waits for the answer until `limit` is over.
    #[must_use]
    fn ask(&self, verb: Verb, limit: Duration) -> Answer;
}

/// The broker of one runner.
#[derive(Clone, Copy, Debug)]
pub struct Broker<'a> {
    /// Its socket.
    pub socket: &'a Path,
    /// The runner.
    pub instance: &'a InstanceName,
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

impl Broker<'_> {
    fn try_ask(&self, verb: Verb, limit: Duration) -> Result<Answer, String> {
        let end = Instant::now() + limit;
        let patience = limit.saturating_sub(HEAD_START).as_secs().max(1);
        let request = Request { version: VERSION, instance: self.instance.clone(), patience, verb };
        let mut text = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
        text.push(b'\n');
        let mut stream = UnixStream::connect(self.socket).map_err(|error| match error.kind() {
            ErrorKind::NotFound => "its socket is missing".into(),
            _ => error.to_string(),
        })?;
        stream
            .set_write_timeout(Some(limit))
            .and_then(|()| stream.write_all(&text))
            .map_err(|error| error.to_string())?;
        let answer = read_line(&mut stream, end)?;
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|_| String::from("its answer could not be understood"))?;
        if answer.version != VERSION {
            return Err("it comes from another release".into());
        }
        Ok(answer)
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
