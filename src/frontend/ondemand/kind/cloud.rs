//! Asking the broker of a cloud: a line, and a line as its answer, over the broker's socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::contract::cloud::{Answer, MAX_ANSWER, Outcome, Question, VERSION, Verb};
use crate::frontend::ondemand::label::Class;
use crate::machines::Fault;

/// How long the broker is given besides what the question may take.
const MARGIN: Duration = Duration::from_secs(10);

/// The broker of a class.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Its socket.
    pub socket: PathBuf,
    /// The class.
    pub class: Class,
}

impl Broker {
    /// Asks one question.
    ///
    /// # Errors
    ///
    /// [`Fault::Unavailable`]: there is no answer, so nobody knows what was done.
    pub fn ask(&self, verb: Verb, patience: Duration) -> Result<Outcome, Fault> {
        let question =
            Question { version: VERSION, class: self.class.as_str().into(), patience: patience.as_secs(), verb };
        exchange(&self.socket, &question, patience + MARGIN)
            .map(|answer| answer.outcome)
            .map_err(|why| Fault::Unavailable(format!("The broker at {} {why}", self.socket.display())))
    }
}

fn exchange(socket: &Path, question: &Question, limit: Duration) -> Result<Answer, String> {
    let failed = |what: &str, error: &std::io::Error| format!("{what}: {error}");
    let mut line = serde_json::to_vec(question).map_err(|error| format!("cannot be asked: {error}"))?;
    line.push(b'\n');
    let mut stream = UnixStream::connect(socket).map_err(|error| failed("does not answer", &error))?;
    let limits = stream.set_write_timeout(Some(limit)).and_then(|()| stream.set_read_timeout(Some(limit)));
    limits.map_err(|error| failed("cannot be waited for", &error))?;
    stream.write_all(&line).map_err(|error| failed("takes no question", &error))?;
    let mut text = vec![];
    stream.take(MAX_ANSWER + 1).read_to_end(&mut text).map_err(|error| failed("gives no answer", &error))?;
    if text.len() as u64 > MAX_ANSWER {
        return Err("gives an answer that is far too long".into());
    }
    // Without its newline it is a part of one.
    let Some(line) = text.strip_suffix(b"\n") else { return Err("gives no answer".into()) };
    let answer: Answer =
        serde_json::from_slice(line).map_err(|_| "gives no answer that is understood: it is of another release")?;
    if answer.version == VERSION { Ok(answer) } else { Err("is of another release".into()) }
}
