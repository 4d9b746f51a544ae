//! Requests to one server about one project.
//!
//! Whoever reads may read again, so a server that is being started again is waited for. What changes something is sent once;
//! after an answer that got lost it is for the caller to look. A command has one deadline, and no request lasts beyond it.

use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::connection::Connection;
use super::open;
use super::times::Times;
use super::wire::{About, Answer, OperationId, Refusal, told};
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
    /// When the command has to be over.
    deadline: Cell<Instant>,
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

impl Server {
    /// Reads the certificates and the environment; asks nothing.
    pub fn open(connection: &Connection) -> Result<Self, Fault> {
        let project = connection.project.clone();
        // It goes into addresses.
        if matches!(project.as_str(), "" | "." | "..") {
            return Err(Fault::Configuration(format!(
                "No project can be named {}: correct the project of the settings",
                crate::model::shown(&project)
            )));
        }
        let channel = open::channel(&connection.endpoint)?;
        let times = Times::USUAL;
        let deadline = Cell::new(Instant::now() + times.read);
        Ok(Self { channel, project, has_answered: Cell::new(false), deadline, times })
    }

    /// Begins a command, or its last part: no request of it lasts for longer than this from now on.
    pub fn allow(&self, whole: Duration) {
        self.deadline.set(Instant::now() + whole);
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

    /// Reads, and reads again while the server does not or cannot answer, up to the limit of its restart.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.read(path, LARGEST_ANSWER, self.times.answer, self.deadline.get())
    }

    /// The same of a list of everything.
    pub fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        self.read(path, LARGEST_LIST, self.times.read, self.deadline.get())
    }

    /// The same of something that may be missing.
    pub fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        self.find_before(path, self.deadline.get())
    }

    /// The same, and not for longer than until `deadline`.
    pub fn find_before<T: DeserializeOwned>(&self, path: &str, deadline: Instant) -> Result<Option<T>, Failure> {
        match self.read(path, LARGEST_ANSWER, self.times.answer, deadline) {
            Ok(found) => Ok(Some(found)),
            Err(Failure::Refused(Refusal { code: 404, .. })) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// One answer, whatever it says, for which the server may take up to `limit`.
    pub fn ask_for<T: DeserializeOwned>(&self, call: &Call, limit: Duration) -> Result<Answer<T>, Failure> {
        self.ask(call, limit, LARGEST_ANSWER, self.deadline.get())
    }

    fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        largest: u64,
        limit: Duration,
        deadline: Instant,
    ) -> Result<T, Failure> {
        let call = Call::get(path.to_owned());
        let missing = || Failure::Refused(Refusal { code: 0, text: "its answer has nothing in it".into() });
        let (start, mut pause) = (Instant::now(), self.times.pause);
        loop {
            match self.ask(&call, limit, largest, deadline)? {
                Answer::Done(found) => return found.ok_or_else(missing),
                Answer::Begun(_) => return Err(missing()),
                // A database that is locked or has no leader, or a server that is not ready yet.
                Answer::Refused(Refusal { code: 500..600, .. })
                    if start.elapsed() + pause <= self.times.restart && self.left(pause, deadline) == pause =>
                {
                    sleep(pause);
                    pause = Times::longer(pause);
                }
                Answer::Refused(refusal) => return Err(Failure::Refused(refusal)),
            }
        }
    }

    /// What is left of `limit`, before `deadline` and before that of the command.
    fn left(&self, limit: Duration, deadline: Instant) -> Duration {
        limit.min(deadline.min(self.deadline.get()).saturating_duration_since(Instant::now()))
    }

    fn ask<T: DeserializeOwned>(
        &self,
        call: &Call,
        limit: Duration,
        largest: u64,
        deadline: Instant,
    ) -> Result<Answer<T>, Failure> {
        let (start, mut pause) = (Instant::now(), self.times.pause);
        loop {
            match self.send(call, self.left(limit, deadline), largest) {
                Ok(answer) => return Ok(answer),
                Err(broken)
                    if (broken.lasting && !self.has_answered.get())
                        || start.elapsed() + pause > self.times.restart
                        || self.left(pause, deadline) < pause =>
                {
                    return Err(Failure::Lost(broken));
                }
                Err(_) => sleep(pause),
            }
            pause = Times::longer(pause);
        }
    }

    fn send<T: DeserializeOwned>(&self, call: &Call, limit: Duration, largest: u64) -> Result<Answer<T>, Broken> {
        if limit.is_zero() {
            return Err(Broken { why: "there was no time left to ask it".into(), lasting: false });
        }
        let answer = self.channel.json(call, limit, largest)?;
        self.has_answered.set(true);
        Ok(answer)
    }

    /// Sends what changes something, once. The server may take up to `limit` to take it up.
    pub fn change(&self, call: &Call, limit: Duration) -> Result<Option<OperationId>, Failure> {
        match self.send::<IgnoredAny>(call, self.left(limit, self.deadline.get()), LARGEST_ANSWER) {
            Ok(Answer::Done(_)) => Ok(None),
            Ok(Answer::Begun(operation)) => Ok(Some(operation)),
            Ok(Answer::Refused(refusal)) => Err(Failure::Refused(refusal)),
            Err(broken) => Err(Failure::Lost(broken)),
        }
    }

    /// Reads text that is no JSON; a refusal is JSON all the same.
    pub fn text(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let call = Call::get(path.to_owned());
        let limit = self.left(self.times.answer, self.deadline.get());
        let (status, bytes) = self.channel.bytes(&call, limit, LARGEST_CONSOLE).map_err(Failure::Lost)?;
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
                 the project of the settings",
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
