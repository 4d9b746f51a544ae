//! Requests to one server about one project, and the operations that they begin.
//!
//! Whoever reads may read again, so a server that is being started again is waited for. What changes something is sent once;
//! after an answer that got lost it is for the caller to look.

use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::connection::Connection;
use super::open;
use super::times::Times;
use super::wire::{About, Answer, Course, Operation, OperationId, Operations, Refusal, told};
use crate::http::{Broken, Call, Channel};
use crate::machines::Fault;

/// Names of instances, profiles and images are mostly made of these.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// What one thing is told by. A guest chooses how many addresses it has, and they are all told.
const LARGEST_ANSWER: u64 = 8 << 20;
/// A thousand instances with 30 KB of user data, which is told twice, have a quarter of it. Little of it is kept.
const LARGEST_LIST: u64 = 256 << 20;
/// What servers keep of a console is 128 KiB.
const LARGEST_CONSOLE: u64 = 1 << 20;

/// One project of one server.
pub struct Server {
    channel: Channel,
    project: String,
    /// Once it has answered, whatever is wrong with the way to it passes when it is started again.
    has_answered: Cell<bool>,
    pub times: Times,
}

/// Why something was not done.
#[derive(Debug)]
pub enum Failure {
    /// The server says so.
    Refused(Refusal),
    /// Nobody knows whether it was: the answer is missing.
    Lost(Broken),
}

/// How an operation ended.
#[derive(Debug, Eq, PartialEq)]
pub enum End {
    /// It did what it was for.
    Done,
    /// It did not, in the server's words.
    Failed(String),
    /// Nobody knows: it goes on, or is forgotten already. Look.
    Unknown,
}

impl Server {
    /// Reads the certificates and the environment; asks nothing.
    pub fn open(connection: &Connection) -> Result<Self, Fault> {
        let project = connection.project.clone();
        // It goes into addresses.
        if matches!(project.as_str(), "" | "." | "..") {
            return Err(Fault::Configuration(format!(
                "No project can be named {}: correct `project_name`",
                crate::model::shown(&project)
            )));
        }
        let channel = open::channel(&connection.endpoint)?;
        Ok(Self { channel, project, has_answered: Cell::new(false), times: Times::USUAL })
    }

    /// The project, as it was configured.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// `/1.0/WORD/NAME…?project=P`, all encoded.
    pub fn path(&self, words: &[&str]) -> String {
        self.path_with(words, &[])
    }

    /// The same, with more behind it.
    pub fn path_with(&self, words: &[&str], query: &[(&str, &str)]) -> String {
        let mut path = String::from("/1.0");
        for word in words {
            path.push('/');
            path.extend(utf8_percent_encode(word, ENCODED));
        }
        path.push_str("?project=");
        path.extend(utf8_percent_encode(&self.project, ENCODED));
        for (name, value) in query {
            path.push('&');
            path.push_str(name);
            path.push('=');
            path.extend(utf8_percent_encode(value, ENCODED));
        }
        path
    }

    /// Reads, and reads again while the server does not answer, up to the limit of its restart.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.read(path, LARGEST_ANSWER)
    }

    /// The same of a list of everything.
    pub fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        self.read(path, LARGEST_LIST)
    }

    fn read<T: DeserializeOwned>(&self, path: &str, largest: u64) -> Result<T, Failure> {
        let call = Call::get(path.to_owned());
        let missing = || Failure::Refused(Refusal { code: 0, text: "its answer has nothing in it".into() });
        match self.ask(&call, self.times.answer, largest)? {
            Answer::Done(found) => found.ok_or_else(missing),
            Answer::Begun(_) => Err(missing()),
            Answer::Refused(refusal) => Err(Failure::Refused(refusal)),
        }
    }

    /// The same of something that may be missing.
    pub fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.get(path) {
            Ok(found) => Ok(Some(found)),
            Err(Failure::Refused(Refusal { code: 404, .. })) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn ask<T: DeserializeOwned>(&self, call: &Call, limit: Duration, largest: u64) -> Result<Answer<T>, Failure> {
        let (start, mut pause) = (Instant::now(), self.times.pause);
        loop {
            match self.channel.json(call, limit, largest) {
                Ok(answer) => {
                    self.has_answered.set(true);
                    return Ok(answer);
                }
                Err(broken)
                    if (broken.lasting && !self.has_answered.get()) || start.elapsed() + pause > self.times.restart =>
                {
                    return Err(Failure::Lost(broken));
                }
                Err(_) => sleep(pause),
            }
            pause = Times::longer(pause);
        }
    }

    /// Sends what changes something, once.
    pub fn change(&self, call: &Call) -> Result<Option<OperationId>, Failure> {
        match self.channel.json::<Answer<IgnoredAny>>(call, self.times.answer, LARGEST_ANSWER) {
            Ok(Answer::Done(_)) => Ok(None),
            Ok(Answer::Begun(operation)) => Ok(Some(operation)),
            Ok(Answer::Refused(refusal)) => Err(Failure::Refused(refusal)),
            Err(broken) => Err(Failure::Lost(broken)),
        }
    }

    /// Sends what changes something, and waits for its end. A refusal is a failure with the server's words.
    pub fn change_to_the_end(&self, call: &Call, deadline: Instant) -> Result<End, Broken> {
        match self.change(call) {
            Ok(None) => Ok(End::Done),
            Ok(Some(operation)) => Ok(self.wait(&operation, deadline)),
            Err(Failure::Refused(refusal)) => Ok(End::Failed(refusal.text)),
            Err(Failure::Lost(broken)) => Err(broken),
        }
    }

    /// Waits for the end of an operation.
    pub fn wait(&self, operation: &OperationId, deadline: Instant) -> End {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return End::Unknown;
            }
            let turn = left.min(self.times.turn).as_secs().max(1);
            let path = self.path_with(&["operations", operation.as_str(), "wait"], &[("timeout", &turn.to_string())]);
            let limit = self.times.answer + Duration::from_secs(turn);
            match self.ask::<Operation>(&Call::get(path), limit, LARGEST_ANSWER) {
                Ok(Answer::Done(Some(found))) => match found.course() {
                    Course::Running => {}
                    Course::Done => return End::Done,
                    Course::Failed(why) => return End::Failed(why),
                },
                // Incus says the same of a wait that is over as of an operation that failed.
                Ok(Answer::Refused(refusal)) => match self.look_at(operation, refusal) {
                    Some(end) => return end,
                    None => sleep(self.times.pause),
                },
                Ok(_) | Err(_) => return End::Unknown,
            }
        }
    }

    /// How an operation ended whose wait was refused; nothing if it goes on.
    fn look_at(&self, operation: &OperationId, refusal: Refusal) -> Option<End> {
        match self.find::<Operation>(&self.path(&["operations", operation.as_str()])) {
            Ok(Some(found)) => match found.course() {
                Course::Running => None,
                Course::Done => Some(End::Done),
                Course::Failed(why) => Some(End::Failed(why)),
            },
            // Forgotten: what the wait said is the last word, unless it was about that.
            Ok(None) if refusal.code != 404 => Some(End::Failed(refusal.text)),
            Ok(None) | Err(_) => Some(End::Unknown),
        }
    }

    /// What is being done to an instance. Nothing where the server does not tell.
    pub fn busy_with(&self, instance: &str) -> Option<OperationId> {
        let path = self.path_with(&["operations"], &[("recursion", "1")]);
        let all: Operations = self.get(&path).ok()?;
        all.into_values().flatten().find_map(|operation| operation.if_on(instance))
    }

    /// Reads text that is no JSON; a refusal is JSON all the same.
    pub fn text(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let call = Call::get(path.to_owned());
        let (status, bytes) = self.channel.bytes(&call, self.times.answer, LARGEST_CONSOLE).map_err(Failure::Lost)?;
        if status == 200 {
            return Ok(bytes);
        }
        match serde_json::from_slice::<Answer<IgnoredAny>>(&bytes) {
            Ok(Answer::Refused(refusal)) => Err(Failure::Refused(refusal)),
            _ => Err(Failure::Refused(Refusal { code: status, text: format!("it answered with status {status}") })),
        }
    }

    /// Looks whether the project is there: of one that is not both servers list no instances.
    pub fn look_at_project(&self) -> Result<(), Fault> {
        let named = crate::model::shown(&self.project);
        // Without a project in the query: it is one of the server's, and not in another one.
        let mut path = String::from("/1.0/projects/");
        path.extend(utf8_percent_encode(&self.project, ENCODED));
        match self.find::<IgnoredAny>(&path) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Fault::Configuration(format!(
                "The server at {} has no project {named}: make it (`incus project create`, `lxc project create`), or correct \
                 `project_name`",
                self.channel.named()
            ))),
            Err(failure) => Err(self.fault(&format!("look at project {named}"), failure)),
        }
    }

    /// What the server is.
    pub fn about(&self) -> Result<About, Fault> {
        self.get("/1.0").map_err(|failure| self.fault("ask the server what it can do", failure))
    }

    /// What is told of a failure. `what` follows "Failed to".
    pub fn fault(&self, what: &str, failure: Failure) -> Fault {
        let at = self.channel.named();
        match failure {
            Failure::Lost(broken) if broken.lasting => {
                Fault::Configuration(format!("Failed to {what}: {}", broken.why))
            }
            Failure::Lost(broken) => Fault::Unavailable(format!("Failed to {what} at {at}: {}", broken.why)),
            Failure::Refused(Refusal { code: 401 | 403, text }) => Fault::Configuration(format!(
                "Failed to {what}: the server at {at} does not allow it ({}): its trust list has to have this client's \
                 certificate, and that one the project {}",
                told(&text),
                crate::model::shown(&self.project)
            )),
            Failure::Refused(Refusal { code: 503, text }) => {
                Fault::Unavailable(format!("Failed to {what}: the server at {at} is not ready ({})", told(&text)))
            }
            Failure::Refused(refusal) => {
                Fault::Other(format!("Failed to {what}: the server at {at} says: {}", told(&refusal.text)))
            }
        }
    }
}
