//! Whether there is an instance of a name, or is about to be one.
//!
//! An instance is seen only once its image is there: a server downloads it within the operation that makes the instance, for
//! minutes, in which a look finds nothing. So nothing is believed to be missing before a look finds nothing of it after the
//! server said that nothing is being done to it.

use std::time::{Duration, Instant};

use super::instance::{Found, can_be_named, look};
use super::server::Server;
use super::times::pause_before;
use super::wire::OperationId;
use crate::machines::Fault;

/// What was heard of the server's work on a name before a look found nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    /// It was not asked yet.
    Nothing,
    /// It does something.
    Busy,
    /// It does nothing.
    Quiet,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// There is no such instance, nor will there be one.
    Missing,
    /// Ask the server what it does.
    Ask,
    /// Nobody knows, and there is no more time to find out.
    GiveUp,
}

/// `may_come`: somebody's request may be on its way still.
fn next(heard: Heard, may_come: bool, in_time: bool) -> Next {
    match heard {
        Heard::Quiet if !may_come => Next::Missing,
        Heard::Busy if !in_time => Next::GiveUp,
        Heard::Nothing | Heard::Busy | Heard::Quiet => Next::Ask,
    }
}

/// The instance of this name; nothing only if it is sure that there is none and that the server does not make one.
///
/// A request may be on its way that nobody waits for: `patience` is how long that can take, and is spent if nothing is seen.
///
/// # Errors
///
/// [`Fault::Busy`] if the server makes one still at `deadline`; it does not answer.
pub fn sight(server: &Server, name: &str, patience: Duration, deadline: Instant) -> Result<Option<Found>, Fault> {
    if !can_be_named(name) {
        return Ok(None);
    }
    let until = deadline.min(Instant::now() + patience);
    let (mut pause, mut heard) = (server.times.pause, Heard::Nothing);
    loop {
        // Before the look: what comes while it is under way is not seen by it.
        let now = Instant::now();
        if let Some(found) = look(server, name)? {
            return Ok(Some(found));
        }
        match next(heard, now < until, now < deadline) {
            Next::Missing => return Ok(None),
            Next::GiveUp => return Err(at_work(name)),
            Next::Ask => {}
        }
        let operation = server.busy_with(name)?;
        heard = if operation.is_some() { Heard::Busy } else { Heard::Quiet };
        rest(server, operation, until, deadline, &mut pause);
    }
}

/// Waits for what the server does, or for what may come.
fn rest(server: &Server, operation: Option<OperationId>, until: Instant, deadline: Instant, pause: &mut Duration) {
    if let Some(operation) = operation {
        server.wait(&operation, deadline);
        // An operation that ends for who waits, and goes on for who asks, is asked for in peace.
        pause_before(deadline, pause);
    } else {
        pause_before(until, pause);
    }
}

fn at_work(name: &str) -> Fault {
    Fault::Busy(format!(
        "The server is still at work on instance {name}, of which nothing is to be seen yet: it may download the image. Try \
         again when that is over"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missing_before_the_server_was_quiet_and_nobody_can_come() {
        for (heard, may_come, in_time, then) in [
            (Heard::Nothing, true, true, Next::Ask),
            (Heard::Nothing, false, false, Next::Ask),
            (Heard::Quiet, true, true, Next::Ask),
            (Heard::Quiet, false, true, Next::Missing),
            (Heard::Quiet, false, false, Next::Missing),
            (Heard::Busy, true, true, Next::Ask),
            (Heard::Busy, false, true, Next::Ask),
            (Heard::Busy, false, false, Next::GiveUp),
        ] {
            assert_eq!(next(heard, may_come, in_time), then, "{heard:?} {may_come} {in_time}");
        }
    }
}
