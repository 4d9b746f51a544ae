//! The end of an instance, whatever it does.
//!
//! Look, act, wait, and look again, until it is gone: an answer is never taken for the end. Somebody else may act at the same
//! time (a former call that was killed, whose operation goes on), so what fails is asked for again while the instance is busy.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::connection::Owner;
use super::instance::{Found, foreign, look};
use super::server::{End, Server};
use super::specification::Status;
use super::times::Times;
use super::wire::told;
use crate::http::Call;
use crate::machines::Fault;

/// So often something may fail that is done to an instance with which nobody is busy.
const TRIES: u32 = 5;

/// Ends an instance of this controller. One that is not there is fine.
pub fn run(server: &Server, owner: &Owner, name: &str) -> Result<(), Fault> {
    end(server, name, |found| found.is_of(&owner.controller))
}

/// Ends an instance, as long as `is_ours` says so of what is there.
pub fn end(server: &Server, name: &str, is_ours: impl Fn(&Found) -> bool) -> Result<(), Fault> {
    let deadline = Instant::now() + server.times.end;
    let (mut pause, mut tries) = (server.times.pause, 0);
    let (mut first, mut last) = (None, String::from("there was no time for it"));
    loop {
        let Some(found) = look(server, name)? else { return Ok(()) };
        if !is_ours(&found) {
            return Err(Fault::Other(foreign(name)));
        }
        if Instant::now() >= deadline || tries >= TRIES {
            return Err(Fault::Busy(format!(
                "Failed to delete instance {name}, which is still there: {}",
                both(first.as_deref(), &last)
            )));
        }
        match step(server, name, found.status(), deadline) {
            Ok(End::Done) => continue,
            Ok(End::Failed(why)) => last = told(&why),
            // It goes on, or nobody knows: the look tells.
            Ok(End::Unknown) => last = "it did not end in time".into(),
            Err(why) => last = why,
        }
        first.get_or_insert_with(|| last.clone());
        if let Some(operation) = server.busy_with(name) {
            server.wait(&operation, deadline);
        } else {
            tries += 1;
            pause_before(deadline, &mut pause);
        }
    }
}

/// What comes next for an instance with this status.
fn step(server: &Server, name: &str, status: Status, deadline: Instant) -> Result<End, String> {
    let deadline = deadline.min(Instant::now() + server.times.power);
    let call = match status {
        // Servers refuse to delete what runs, and to stop what does not.
        Status::Stopped | Status::Error => Call::delete(server.path(&["instances", name])),
        Status::Running | Status::Unknown => Call::put(server.path(&["instances", name, "state"]), stop()),
    };
    server.change_to_the_end(&call, deadline).map_err(|broken| broken.why)
}

/// What stops an instance without asking it.
pub fn stop() -> Value {
    json!({"action": "stop", "timeout": -1, "force": true, "stateful": false})
}

/// What failed first is often the reason of what failed later.
pub fn both(first: Option<&str>, last: &str) -> String {
    match first {
        Some(first) if first != last => format!("{first}; in the end: {last}"),
        _ => last.to_owned(),
    }
}

/// Sleeps, each time longer, and not past `deadline`.
pub fn pause_before(deadline: Instant, pause: &mut Duration) {
    sleep((*pause).min(deadline.saturating_duration_since(Instant::now())));
    *pause = Times::longer(*pause);
}
