//! How long anything may take: the one table of waits.
//!
//! GARM kills a call at its own limit, with SIGKILL, and by then nothing of it can be taken back. So each command ends by
//! itself before: GARM gives an instance 20 minutes to come up (`runner_bootstrap_timeout`) unless it is told otherwise.
//! Up to version 0.2.1 it has no limit at all, and waits for a call that does not end for ever.

use std::time::Duration;

/// The waits of one client.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For the answer to one request.
    pub answer: Duration,
    /// For a server that is being started again, before a look is given up.
    pub restart: Duration,
    /// For an instance that may have been made all the same, after the answer to that got lost.
    pub lost: Duration,
    /// For an instance to be made. The download of its image is a part of it.
    pub create: Duration,
    /// For an instance to be started or stopped.
    pub power: Duration,
    /// For a started instance to have an address. It is a success without one.
    pub address: Duration,
    /// For everything that has to end before an instance is gone, and for that.
    pub end: Duration,
    /// One question for an operation waits this long at the server. Shorter than proxies keep a silent connection.
    pub turn: Duration,
    /// Between two looks, at first. Each pause is half as long again, and none longer than a second.
    pub pause: Duration,
}

impl Times {
    /// Those of every program.
    pub const USUAL: Self = Self {
        answer: Duration::from_secs(30),
        restart: Duration::from_secs(20),
        lost: Duration::from_secs(5),
        create: Duration::from_secs(480),
        power: Duration::from_secs(60),
        address: Duration::from_secs(10),
        end: Duration::from_secs(240),
        turn: Duration::from_secs(15),
        pause: Duration::from_millis(100),
    };

    /// The pause after one of this length.
    pub fn longer(pause: Duration) -> Duration {
        (pause * 3 / 2).min(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_command_ends_before_garm_gives_it_up() {
        let Times { answer, restart, lost, create, power, address, end, .. } = Times::USUAL;
        // What was there before is taken away, the new one is made, fails, and is taken away again.
        let looks = (answer + restart) * 2;
        assert!(end + lost + create + power + address + end + looks < Duration::from_secs(20 * 60));
    }
}
