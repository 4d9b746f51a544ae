//! Asking the broker of a cloud: a line, and a line as its answer, over the broker's socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::contract::cloud::{Answer, MAX_ANSWER, Outcome, Question, VERSION, Verb};
use crate::contract::names::cloud_broker_socket;
use crate::frontend::ondemand::label::Class;
use crate::machines::Fault;

/// How long the broker is given besides what the question may take.
const MARGIN: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug)]
pub enum Silence {
    /// It was not asked, so nothing was done.
    Unasked(String),
    /// Nobody knows what was done.
    Unanswered(String),
}

impl From<Silence> for Fault {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Unasked(why) | Silence::Unanswered(why) => Self::Unavailable(why),
        }
    }
}

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
    /// There is no answer.
    pub fn ask(&self, verb: Verb, patience: Duration) -> Result<Outcome, Silence> {
        let question =
            Question { version: VERSION, class: self.class.as_str().into(), patience: patience.as_secs(), verb };
        let said = |why: String| format!("The broker at {} {why}", self.socket.display());
        let stream = UnixStream::connect(&self.socket).map_err(|error| {
            let unit = cloud_broker_socket(self.class.as_str());
            Silence::Unasked(said(format!("does not answer ({error}): start it with `systemctl start {unit}`")))
        })?;
        exchange(stream, &question, patience + MARGIN)
            .map(|answer| answer.outcome)
            .map_err(|why| Silence::Unanswered(said(why)))
    }
}

fn exchange(mut stream: UnixStream, question: &Question, limit: Duration) -> Result<Answer, String> {
    let failed = |what: &str, error: &std::io::Error| format!("{what}: {error}");
    let mut line = serde_json::to_vec(question).map_err(|error| format!("cannot be asked: {error}"))?;
    line.push(b'\n');
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
