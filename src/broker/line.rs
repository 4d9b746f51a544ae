//! One line in, one line out, with limits on length and time.

use std::io::{ErrorKind, Write as _};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;

use crate::contract::protocol::{Answer, MAX_ANSWER_BYTES, MAX_BYTES, Outcome};

/// Who asks has the question ready.
const LIMIT: Duration = Duration::from_secs(5);

/// Reads the question from standard input, up to its newline.
///
/// # Errors
///
/// One sentence: none came in time, or it is too long.
pub fn read() -> Result<Vec<u8>, String> {
    read_from(std::io::stdin().as_fd(), LIMIT)
}

fn read_from(input: impl AsFd, limit: Duration) -> Result<Vec<u8>, String> {
    let end = Instant::now() + limit;
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err("No complete question came in time.".into()),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(format!("The question cannot be waited for: {error}.")),
        }
        let read = match unistd::read(input.as_fd(), &mut buffer) {
            Ok(0) => return Err("The question ended before its newline.".into()),
            Ok(read) => &buffer[..read],
            Err(Errno::EINTR | Errno::EAGAIN) => continue,
            Err(error) => return Err(format!("The question cannot be read: {error}.")),
        };
        let newline = read.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&read[..newline.unwrap_or(read.len())]);
        if line.len() as u64 > MAX_BYTES {
            return Err(format!("The question is longer than {MAX_BYTES} bytes."));
        }
        if newline.is_some() {
            return Ok(line);
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
    use crate::contract::protocol::Seen;
    use std::io::pipe;

    #[test]
    fn a_question_ends_with_its_newline() {
        let (broker, mut asker) = pipe().unwrap();
        asker.write_all(b"{}\nmore").unwrap();
        assert_eq!(read_from(&broker, LIMIT).unwrap(), b"{}");
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let (broker, mut asker) = pipe().unwrap();
        asker.write_all(b"{").unwrap();
        assert!(read_from(&broker, Duration::from_millis(1)).unwrap_err().contains("in time"));
        drop(asker);
        assert!(read_from(&broker, LIMIT).unwrap_err().contains("before its newline"));
    }

    #[test]
    fn an_endless_question_is_refused() {
        let (broker, mut asker) = pipe().unwrap();
        let writer = std::thread::spawn(move || while asker.write_all(&[b'x'; 4096]).is_ok() {});
        assert!(read_from(&broker, LIMIT).unwrap_err().contains("longer than"));
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
            "{\"version\":1,\"credentialExpires\":7,\"requests\":3,\"rateLimitRemaining\":null,\"clockAhead\":null,\"outcome\":{\"refused\":\"GitHub's answer is too large to be passed on.\"}}\n"
        );
        let runner = |id| Seen { id, name: "x".repeat(256), online: false, busy: false };
        let list = written(Outcome::Listed((0..20_000).map(runner).collect()));
        assert!(list.contains("The list of 20000 runners has") && list.contains("at most 4194304"), "{list}");
        let fits = written(Outcome::Listed((0..10_000).map(runner).collect()));
        assert_eq!(fits.matches("\"id\":").count(), 10_000);
    }
}
