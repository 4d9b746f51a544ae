//! Lines in, lines out, each with limits on length and time.

use std::io::{ErrorKind, Write as _};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;

use crate::contract::protocol::{Answer, MAX_ANSWER_BYTES, MAX_BYTES, Outcome, PAUSE};

/// Who asks has the question ready.
const LIMIT: Duration = Duration::from_secs(5);

/// The questions that come over a connection.
pub struct Questions<T> {
    input: T,
    /// What came behind the last newline.
    rest: Vec<u8>,
}

impl<T: AsFd> Questions<T> {
    /// Reads from `input`.
    pub fn new(input: T) -> Self {
        Self { input, rest: Vec::new() }
    }

    /// The first question, up to its newline.
    ///
    /// # Errors
    ///
    /// One sentence: none came in time, or it is too long.
    pub fn first(&mut self) -> Result<Vec<u8>, String> {
        self.read(LIMIT)
    }

    /// Another question; `None` if nothing more comes, or not soon enough.
    ///
    /// # Errors
    ///
    /// One sentence: only a part of it came, or it is too long.
    pub fn next(&mut self) -> Option<Result<Vec<u8>, String>> {
        let read = self.read(PAUSE);
        (read.is_ok() || !self.rest.is_empty()).then_some(read)
    }

    fn read(&mut self, limit: Duration) -> Result<Vec<u8>, String> {
        let end = Instant::now() + limit;
        let mut buffer = [0; 4096];
        let mut seen = 0;
        loop {
            if let Some(newline) = self.rest[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.rest.drain(..=seen + newline).collect();
                line.pop();
                return Ok(line);
            }
            seen = self.rest.len();
            if seen as u64 > MAX_BYTES {
                return Err(format!("The question is longer than {MAX_BYTES} bytes."));
            }
            let read = self.more(&mut buffer, end)?;
            self.rest.extend_from_slice(&buffer[..read]);
        }
    }

    /// Waits for more until `end`, and tells how much came.
    fn more(&self, buffer: &mut [u8], end: Instant) -> Result<usize, String> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            match poll(&mut [PollFd::new(self.input.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) => return Err("No complete question came in time.".into()),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(format!("The question cannot be waited for: {error}.")),
            }
            match unistd::read(self.input.as_fd(), buffer) {
                Ok(0) => return Err("The question ended before its newline.".into()),
                Ok(read) => return Ok(read),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(error) => return Err(format!("The question cannot be read: {error}.")),
            }
        }
    }
}

/// Writes the answer to standard output.
///
/// # Errors
///
/// Nobody reads it.
pub fn write(answer: &Answer) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line(answer)?).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => anyhow::Error::msg("whoever asked is gone"),
        _ => error.into(),
    })
}

fn line(answer: &Answer) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(answer).context("Failed to write the answer as JSON")?;
    line.push(b'\n');
    if line.len() as u64 <= MAX_ANSWER_BYTES {
        return Ok(line);
    }
    let why = match &answer.outcome {
        Outcome::Listed(runners) => format!(
            "The list of {} runners has {} bytes, and an answer at most {MAX_ANSWER_BYTES}: remove runners that nobody needs from the page of the address.",
            runners.len(),
            line.len()
        ),
        _ => "GitHub's answer is too large to be passed on.".into(),
    };
    self::line(&Answer { outcome: Outcome::Refused(why), ..*answer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::protocol::RemoteRunner;
    use std::io::pipe;

    #[test]
    fn a_question_ends_with_its_newline() {
        let (broker, mut asker) = pipe().unwrap();
        let mut questions = Questions::new(&broker);
        asker.write_all(b"{}\nmore").unwrap();
        assert_eq!(questions.first().unwrap(), b"{}");
        asker.write_all(b"\n\n").unwrap();
        assert_eq!(questions.next().unwrap().unwrap(), b"more");
        assert_eq!(questions.next().unwrap().unwrap(), b"");
        drop(asker);
        assert!(questions.next().is_none());
    }

    #[test]
    fn a_part_of_another_question_is_refused() {
        let (broker, mut asker) = pipe().unwrap();
        let mut questions = Questions::new(&broker);
        asker.write_all(b"{}\nmore").unwrap();
        questions.first().unwrap();
        drop(asker);
        assert!(questions.next().unwrap().unwrap_err().contains("before its newline"));
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let (broker, mut asker) = pipe().unwrap();
        asker.write_all(b"{").unwrap();
        let mut questions = Questions::new(&broker);
        assert!(questions.read(Duration::from_millis(1)).unwrap_err().contains("in time"));
        drop(asker);
        assert!(questions.first().unwrap_err().contains("before its newline"));
    }

    #[test]
    fn an_endless_question_is_refused() {
        let (broker, mut asker) = pipe().unwrap();
        let writer = std::thread::spawn(move || while asker.write_all(&[b'x'; 4096]).is_ok() {});
        assert!(Questions::new(&broker).first().unwrap_err().contains("longer than"));
        drop(broker);
        writer.join().unwrap();
    }

    #[test]
    fn an_answer_that_nobody_would_read_is_replaced() {
        let written = |outcome| {
            let answer = Answer { credential_expires: Some(7), requests: 3, ..Answer::unasked(outcome) };
            String::from_utf8(line(&answer).unwrap()).unwrap()
        };
        assert_eq!(
            written(Outcome::Refused("x".repeat(5_000_000))),
            "{\"version\":2,\"credentialExpires\":7,\"requests\":3,\"rateLimitRemaining\":null,\"clockAhead\":null,\"outcome\":{\"refused\":\"GitHub's answer is too large to be passed on.\"}}\n"
        );
        let runner = |id| RemoteRunner { id, name: "x".repeat(256), online: false, busy: false };
        let list = written(Outcome::Listed((0..20_000).map(runner).collect()));
        assert!(list.contains("The list of 20000 runners has") && list.contains("at most 4194304"), "{list}");
        let fits = written(Outcome::Listed((0..10_000).map(runner).collect()));
        assert_eq!(fits.matches("\"id\":").count(), 10_000);
    }
}
