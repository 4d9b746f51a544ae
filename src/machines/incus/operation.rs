//! Operations of a server: how one ends, and which one is at work on an instance.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::server::{Failure, Server};
use super::wire::{Answer, Course, Operation, OperationId, Operations, Refusal};
use crate::http::{Broken, Call};
use crate::machines::Fault;

/// How an operation ended.
#[derive(Debug, Eq, PartialEq)]
pub enum End {
    /// It did what it was for.
    Done,
    /// It did not, in the server's words.
    Failed(String),
    /// Nobody knows: it goes on, or is forgotten already. Look. The last word that was heard of it.
    Unknown(String),
}

impl Server {
    /// Sends what changes something, and waits for its end. A refusal is a failure with the server's words.
    pub fn change_to_the_end(&self, call: &Call, deadline: Instant) -> Result<End, Broken> {
        match self.change(call, self.times.answer) {
            Ok(None) => Ok(End::Done),
            Ok(Some(operation)) => Ok(self.wait(&operation, deadline)),
            Err(Failure::Refused(refusal)) => Ok(End::Failed(refusal.text)),
            Err(Failure::Lost(broken)) => Err(broken),
        }
    }

    /// Waits for the end of an operation.
    pub fn wait(&self, operation: &OperationId, deadline: Instant) -> End {
        let late = || End::Unknown("it did not end in time".into());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return late();
            }
            let turn = left.min(self.times.turn).as_secs().max(1);
            let path = self.path_with(&["operations", operation.as_str(), "wait"], &[("timeout", &turn.to_string())]);
            match self.ask_for::<Operation>(&Call::get(path), self.times.answer + Duration::from_secs(turn)) {
                Ok(Answer::Done(Some(found))) => match found.course() {
                    Course::Running => {}
                    Course::Done => return End::Done,
                    Course::Failed(why) => return End::Failed(why),
                },
                // Incus says the same of a wait that is over as of an operation that failed.
                Ok(Answer::Refused(refusal)) => {
                    if let Some(end) = self.look_at(operation, refusal) {
                        return end;
                    }
                }
                Ok(_) => return End::Unknown("nothing is said of it".into()),
                Err(Failure::Lost(broken)) => return End::Unknown(broken.why),
                Err(Failure::Refused(refusal)) => return End::Unknown(refusal.text),
            }
            // Whoever answers before the turn is over is not asked without a rest.
            sleep(self.times.pause.min(deadline.saturating_duration_since(Instant::now())));
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
            // Forgotten. The refusal may have been about the wait alone, so it is no more than the last word.
            Ok(None) | Err(_) => Some(End::Unknown(refusal.text)),
        }
    }

    /// What the server does to an instance, or to one that is to have this name: an image is downloaded before there is one.
    ///
    /// # Errors
    ///
    /// The server does not tell.
    pub fn busy_with(&self, instance: &str) -> Result<Option<OperationId>, Fault> {
        let path = self.path_with(&["operations"], &[("recursion", "1")]);
        let all: Operations = self
            .get(&path)
            .map_err(|failure| self.fault(&format!("look what the server does with instance {instance}"), failure))?;
        Ok(all.into_values().flatten().find_map(|operation| operation.if_on(instance)))
    }
}
