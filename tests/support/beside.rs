//! An attacker beside what is tested.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Does something again and again beside the rest, until that has ended or failed.
///
/// What is done must not outgrow the rest: whoever makes things waits until the last ones are gone.
pub fn beside<T>(mut again: impl FnMut() + Send, rest: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                again();
            }
        });
        // Also when the rest panics: the scope waits for its threads.
        let _over = Over(&over);
        rest()
    })
}
