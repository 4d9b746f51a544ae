//! The end of an instance, whatever it does.
//!
//! Look, act, wait, and look again, until it is gone: an answer is never taken for the end. Somebody else may act at the same
//! time (a former call that was killed, whose operation goes on), so what fails is asked for again while the instance is busy.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::connection::Owner;
use super::instance::{Found, not_ours};
use super::operation::End;
use super::server::Server;
use super::sight::sight;
use super::specification::Status;
use super::times::pause_before;
use super::wire::told;
use crate::http::Call;
use crate::machines::Fault;

/// So often something may fail that is done to an instance with which nobody is busy.
const TRIES: u32 = 5;
/// An instance is stopped and deleted. Each step more shows that one of them had no effect.
const STEPS: u32 = 2;

/// Ends an instance of this controller. One that is not there is fine.
pub fn run(server: &Server, owner: &Owner, name: &str) -> Result<(), Fault> {
    // A creation that was killed a moment ago may have left its request on the way.
    end(server, name, server.times.late, |found| found.is_of(&owner.controller))
}

/// Ends an instance, as long as `is_ours` says so of what is there. One that was not there at all may come for `late`.
pub fn end(server: &Server, name: &str, late: Duration, is_ours: impl Fn(&Found) -> bool) -> Result<(), Fault> {
    let deadline = Instant::now() + server.times.end;
    let (mut pause, mut tries, mut steps, mut late) = (server.times.pause, 0, 0, late);
    let (mut first, mut last) = (None, String::from("there was no time for it"));
    loop {
        let Some(found) = sight(server, name, late, deadline)? else { return Ok(()) };
        late = Duration::ZERO;
        if !is_ours(&found) {
            return Err(Fault::Other(not_ours(&found)));
        }
        if Instant::now() >= deadline || tries >= TRIES {
            return Err(Fault::Busy(format!(
                "Failed to delete instance {name}, which is still there: {}",
                both(first.as_deref(), &last)
            )));
        }
        match step(server, name, plan(found.status()), deadline) {
            Ok(End::Done) => {
                steps += 1;
                if steps <= STEPS {
                    continue;
                }
                last = "the server says that it is done, and it is not".into();
            }
            Ok(End::Failed(why) | End::Unknown(why)) => last = told(&why),
            Err(why) => last = why,
        }
        first.get_or_insert_with(|| last.clone());
        // Who cannot tell what goes on says that nothing does.
        if let Ok(Some(operation)) = server.busy_with(name) {
            server.wait(&operation, deadline);
        } else {
            tries += 1;
        }
        pause_before(deadline, &mut pause);
    }
}

/// What comes next for an instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Plan {
    /// Servers refuse to delete what runs.
    Stop,
    /// They refuse to stop what does not, so that is not asked for.
    Delete,
    /// Nobody knows whether it runs: a refusal to stop it means nothing.
    StopIfItRunsAndDelete,
}

fn plan(status: Status) -> Plan {
    match status {
        Status::Running | Status::Unknown => Plan::Stop,
        Status::Stopped => Plan::Delete,
        Status::Error => Plan::StopIfItRunsAndDelete,
    }
}

fn step(server: &Server, name: &str, plan: Plan, deadline: Instant) -> Result<End, String> {
    let ask = |call: &Call| {
        let deadline = deadline.min(Instant::now() + server.times.power);
        server.change_to_the_end(call, deadline).map_err(|broken| broken.why)
    };
    let stop = Call::put(server.path(&["instances", name, "state"]), stop());
    let delete = Call::delete(server.path(&["instances", name]));
    match plan {
        Plan::Stop => ask(&stop),
        Plan::Delete => ask(&delete),
        Plan::StopIfItRunsAndDelete => {
            _ = ask(&stop);
            ask(&delete)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_run_is_stopped_before_it_is_deleted() {
        for (status, next) in [
            (Status::Running, Plan::Stop),
            (Status::Unknown, Plan::Stop),
            (Status::Stopped, Plan::Delete),
            (Status::Error, Plan::StopIfItRunsAndDelete),
        ] {
            assert_eq!(plan(status), next, "{status:?}");
        }
    }
}
