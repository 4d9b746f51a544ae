//! Starting and stopping instances, and what they wrote to their consoles.

use std::time::Instant;

use serde_json::json;

use super::delete::{both, stop as forced};
use super::instance::{Found, look, missing, not_ours};
use super::operation::End;
use super::server::{Failure, Server};
use super::specification::Status;
use super::times::pause_before;
use super::wire::{Refusal, told};
use crate::http::Call;
use crate::machines::Fault;

/// So often something may fail that is done to an instance with which nobody is busy.
const TRIES: u32 = 3;

/// Starts an instance of this controller, unless it runs.
pub fn start(server: &Server, controller: &str, name: &str) -> Result<(), Fault> {
    let deadline = Instant::now() + server.times.power;
    reach(server, name, Status::Running, deadline, |found| found.is_of(controller)).map(drop)
}

/// Stops an instance of this controller without asking it, unless it is stopped.
pub fn stop(server: &Server, controller: &str, name: &str) -> Result<(), Fault> {
    let deadline = Instant::now() + server.times.power;
    reach(server, name, Status::Stopped, deadline, |found| found.is_of(controller)).map(drop)
}

/// Has an instance that `is_ours` come to `wanted`, which is looked at. What fails is asked for again while it is busy.
pub fn reach(
    server: &Server,
    name: &str,
    wanted: Status,
    deadline: Instant,
    is_ours: impl Fn(&Found) -> bool,
) -> Result<Found, Fault> {
    let (verb, action) = match wanted {
        Status::Running => ("start", json!({"action": "start", "timeout": -1, "force": false, "stateful": false})),
        _ => ("stop", forced()),
    };
    let call = Call::put(server.path(&["instances", name, "state"]), action);
    let (mut pause, mut tries) = (server.times.pause, 0);
    let (mut first, mut last) = (None, String::from("it did not come to that in time"));
    let look = || look(server, name)?.ok_or_else(|| missing(server, name));
    let mut found = look()?;
    loop {
        if !is_ours(&found) {
            return Err(Fault::Other(not_ours(&found)));
        }
        if found.status() == wanted {
            return Ok(found);
        }
        if Instant::now() >= deadline || tries >= TRIES {
            return Err(Fault::Other(format!("Failed to {verb} instance {name}: {}", both(first.as_deref(), &last))));
        }
        match server.change_to_the_end(&call, deadline) {
            Ok(End::Done) => last = "the server says it is done, and it is not".into(),
            Ok(End::Failed(why)) => last = format!("the server says: {}", told(&why)),
            Ok(End::Unknown(why)) => last = told(&why),
            Err(broken) => last = broken.why,
        }
        first.get_or_insert_with(|| last.clone());
        found = look()?;
        if found.status() == wanted {
            continue;
        }
        // Who cannot tell what goes on says that nothing does.
        if let Ok(Some(operation)) = server.busy_with(name) {
            server.wait(&operation, deadline);
        } else {
            tries += 1;
            pause_before(deadline, &mut pause);
        }
        found = look()?;
    }
}

/// The last text on the console of an instance of this controller.
pub fn console(server: &Server, controller: &str, name: &str) -> Result<String, Fault> {
    let found = look(server, name)?.ok_or_else(|| missing(server, name))?;
    if !found.is_of(controller) {
        return Err(Fault::NotFound(not_ours(&found)));
    }
    match server.text(&server.path(&["instances", name, "console"])) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        // Nothing was written yet.
        Err(Failure::Refused(Refusal { code: 404, .. })) => Ok(String::new()),
        Err(failure) => Err(server.fault(&format!("read the console of instance {name}"), failure)),
    }
}
