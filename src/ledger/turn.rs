//! Whose turn it is to start: the runners of a host keep a distance to each other, or all of them would ask GitHub and unpack
//! .NET in the same second of a boot.
//!
//! The modification time of one file says when the last turn begins. It lies in the future while others wait, so nobody
//! holds a lock for longer than it takes to read and set it, and whoever dies while it waits stands in nobody's way.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use super::directory::Ledger;

/// No instance can have this name.
const FILE: &str = ".turn";
/// How long the file is waited for, which nobody keeps.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest wait; with more than a hundred runners the last ones start together.
const LONGEST: Duration = Duration::from_secs(20);

impl Ledger {
    /// Takes the next turn, so far away from the one before; how long to wait for it.
    ///
    /// # Errors
    ///
    /// If the file cannot be made, locked or changed. Then there is no turn to wait for.
    pub fn turn(&self, distance: Duration) -> Result<Duration> {
        let Some(lock) = self.dir.lock(FILE, PATIENCE)? else { return Ok(Duration::ZERO) };
        let file = lock.file();
        let last = file.metadata().and_then(|metadata| metadata.modified()).context("Failed to read the last turn")?;
        let now = SystemTime::now();
        // A file that was made just now counts as a turn.
        let wait = until_next(last, now, distance);
        file.set_modified(now + wait).context("Failed to take a turn")?;
        Ok(wait)
    }
}

fn until_next(last: SystemTime, now: SystemTime, distance: Duration) -> Duration {
    match last.duration_since(now) {
        // Nobody takes a turn that is further away, so the clock was set back.
        Ok(ahead) if ahead > LONGEST => Duration::ZERO,
        Ok(ahead) => (ahead + distance).min(LONGEST),
        Err(ago) => distance.saturating_sub(ago.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Place;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn turns_keep_their_distance_and_have_an_end() {
        let now = SystemTime::now();
        let seconds = Duration::from_secs;
        let distance = Duration::from_millis(200);
        for (last, wait) in [
            (now - seconds(1), Duration::ZERO),
            (now - Duration::from_millis(50), Duration::from_millis(150)),
            (now, distance),
            (now + seconds(1), seconds(1) + distance),
            (now + LONGEST, LONGEST),
            (now + LONGEST + seconds(1), Duration::ZERO),
        ] {
            assert_eq!(until_next(last, now, distance), wait);
        }
    }

    #[test]
    fn each_of_many_gets_a_turn_of_its_own() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temporary.path(), Permissions::from_mode(0o700)).unwrap();
        let open = || {
            let dir = Place::walk(&temporary.path().canonicalize().unwrap()).unwrap().open().unwrap().unwrap();
            Ledger::new(dir).unwrap()
        };
        let distance = Duration::from_secs(1);
        let turn = || {
            // Before and not after it, so that a thread that is held up seems earlier and not later.
            let asked = SystemTime::now();
            asked + open().turn(distance).unwrap()
        };
        let mut turns: Vec<SystemTime> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..10).map(|_| scope.spawn(turn)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let last = std::fs::metadata(temporary.path().join(FILE)).unwrap().modified().unwrap();
        turns.sort();
        assert!(last >= turns[9] && turns.iter().all(|turn| *turn <= last), "{turns:?}");
        let all = last.duration_since(turns[0]).unwrap();
        assert!(all >= distance * 9, "ten turns in {all:?}");
        assert!(open().instances().unwrap().is_empty());
    }
}
