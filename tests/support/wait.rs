//! Waiting for the thing itself, with the limit of all tests.

use std::thread;
use std::time::{Duration, Instant};

use crate::times::HANGS;

/// Waits until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < HANGS, "waited in vain for {what}");
        // Between two looks; the limit is above.
        thread::sleep(Duration::from_millis(2));
    }
}
