//! How long anything may take: the one table of waits.
//!
//! GARM kills a call at its own limit, with SIGKILL, and by then nothing of it can be taken back. So each command ends by
//! itself before: GARM gives an instance 20 minutes to come up (`runner_bootstrap_timeout`) unless it is told otherwise.
//! Up to version 0.2.1 it has no limit at all, and waits for a call that does not end for ever.
//!
//! Each wait has its limit here, and each command has one as a whole, which no request outlasts: however many requests a server
//! lets run to their limits, a call ends in time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// The waits of one client.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For the answer to one request.
    pub answer: Duration,
    /// For the answer to the request that makes an instance. A busy server looks at more than its database before it.
    pub accept: Duration,
    /// For a server that is being started again or cannot answer now, before a look is given up.
    pub restart: Duration,
    /// For an instance that may have been made all the same, after the answer to that got lost.
    pub lost: Duration,
    /// For the request of a call that was killed: the server may have it, and be about to take it up.
    pub late: Duration,
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
    /// For a command that only reads, with everything that it asks. As long as the Go providers give a list.
    pub read: Duration,
    /// For the part of a creation that makes, with all looks. What it made has to be taken away after that, and before GARM's limit.
    pub make: Duration,
}

impl Times {
    /// Those of every program.
    pub const USUAL: Self = Self {
        answer: Duration::from_secs(30),
        accept: Duration::from_secs(90),
        restart: Duration::from_secs(20),
        lost: Duration::from_secs(5),
        late: Duration::from_secs(1),
        create: Duration::from_secs(480),
        power: Duration::from_secs(60),
        address: Duration::from_secs(10),
        end: Duration::from_secs(240),
        turn: Duration::from_secs(15),
        pause: Duration::from_millis(100),
        read: Duration::from_secs(60),
        make: Duration::from_secs(880),
    };

    /// For the end of an instance, with the looks before and after it.
    pub const fn whole_end(&self) -> Duration {
        self.end.saturating_add(self.answer)
    }

    /// For a start or a stop, with the looks before and after it.
    pub const fn whole_power(&self) -> Duration {
        self.power.saturating_add(self.read)
    }

    /// For the longest command, a creation: it makes, fails, and takes away what it made.
    pub const fn longest(&self) -> Duration {
        self.make.saturating_add(self.whole_end())
    }

    /// The pause after one of this length.
    pub fn longer(pause: Duration) -> Duration {
        (pause * 3 / 2).min(Duration::from_secs(1))
    }
}

/// Sleeps, each time longer, and not past `deadline`.
pub fn pause_before(deadline: Instant, pause: &mut Duration) {
    sleep((*pause).min(deadline.saturating_duration_since(Instant::now())));
    *pause = Times::longer(*pause);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_command_ends_before_garm_gives_it_up() {
        let longest = Times::USUAL.longest();
        assert!(longest < Duration::from_secs(20 * 60));
        assert!(Times::USUAL.whole_end() < longest && Times::USUAL.whole_power() < longest);
    }

    #[test]
    fn what_makes_an_instance_has_time_for_each_of_its_waits_and_for_a_minute_of_looks() {
        let Times { create, power, address, end, read, make, .. } = Times::USUAL;
        // What was there before is taken away, then the new one is made.
        assert!(end + create + power + address + read <= make);
    }
}
