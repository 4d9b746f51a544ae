//! The clocks of this host, and whoever waits at the other end of standard output.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::http::Surroundings;

/// What is really there.
pub struct Real {
    started: Instant,
}

impl Real {
    /// Starts to count the time that has passed.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Surroundings for Real {
    fn now(&self) -> u64 {
        since_1970().as_secs()
    }

    fn passed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Standard input says nothing about it: its writer may well have finished.
    fn asker_stays(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        let stdout = io::stdout();
        loop {
            // Rounded up, so that the end is reached.
            let left = end.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
            let timeout = u16::try_from(left).unwrap_or(u16::MAX);
            // Without a request, errors and the other side's end are told all the same.
            match poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::empty())], PollTimeout::from(timeout)) {
                Ok(0) if left <= timeout.into() => return true,
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) | Err(_) => return false,
            }
        }
    }

    fn sleep(&self, wait: Duration) {
        std::thread::sleep(wait);
    }

    fn jitter(&self) -> u32 {
        since_1970().subsec_nanos() % 1001
    }
}
