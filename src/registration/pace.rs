//! How long a start waits before it does anything, as a pure function of what the ledger counted.
//!
//! systemd starts the unit again after every end, for as long as it takes; that a broken runner neither spins nor
//! floods GitHub with registrations is decided here. Nothing here sleeps or asks the clock.

use crate::ledger::Entry;

/// The wait after the first failure, in seconds; it doubles with each further one.
const FIRST: u64 = 5;
/// The longest wait, in seconds.
const LONGEST: u64 = 5 * 60;

/// GitHub counts requests by the hour; some room for clocks is added, in seconds.
const LONGEST_LIMIT: u64 = 70 * 60;

/// Why a start waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// So many runs failed in a row.
    Failures(u32),
    /// The last registration was of no use, and is not old yet.
    Registered,
    /// The server wants no requests.
    RateLimit,
}

/// The seconds that a start has to wait, and why; `None` if it may go on at once.
///
/// `registers` tells whether it is going to register; `interval` is the least time between two registrations in
/// seconds. `news` tells whether somebody changed something since the last start, who shall not have to wait for what
/// failed before. The interval holds all the same, or a credential that is made for each start would be no limit.
#[must_use]
pub fn wait(entry: &Entry, registers: bool, news: bool, interval: u64, now: u64) -> Option<(u64, Wait)> {
    // A clock that was set back must not make anybody wait for longer than the rule says.
    let left = |since: u64, least: u64| if now < since { least } else { least.saturating_sub(now - since) };
    let failures = entry.last_exit.as_ref().filter(|exit| exit.failures > 0 && !news);
    let failed = failures.map(|exit| (left(exit.at, after(exit.failures)), Wait::Failures(exit.failures)));
    let last = entry.registrations.last.filter(|_| registers && !entry.registrations.used);
    let registered = last.map(|last| (left(last, interval), Wait::Registered));
    // A longer limit than this ends the start, and the next one waits on.
    let limit = limited(entry.not_before, now).filter(|_| registers && !news);
    let limit = limit.map(|end| (end.saturating_sub(now).min(LONGEST), Wait::RateLimit));
    failed
        .into_iter()
        .chain(registered)
        .chain(limit)
        .filter(|(seconds, _)| *seconds > 0)
        .max_by_key(|(seconds, _)| *seconds)
}

/// The end of a rate limit that holds now. One that ends later than any of GitHub's is a clock's mistake, and none.
#[must_use]
pub fn limited(until: Option<u64>, now: u64) -> Option<u64> {
    until.filter(|until| *until > now && *until - now < LONGEST_LIMIT)
}

fn after(failures: u32) -> u64 {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    FIRST.saturating_mul(doubled).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Exit, ExitKind, Registrations};

    const NOW: u64 = 1_790_000_000;

    fn entry(failures: u32, failed: u64, registered: Option<u64>, used: bool) -> Entry {
        let text = include_bytes!("../../tests/fixtures/ledger-v3.json");
        let entry = Entry::parse(text, &"runner1".to_string().try_into().unwrap()).unwrap();
        let exit = Exit { at: NOW - failed, kind: ExitKind::Crashed, said: String::new(), failures, alike: failures };
        let registrations = Registrations { total: 1, last: registered.map(|ago| NOW - ago), used, jobs: 0 };
        Entry { last_exit: Some(exit), registrations, ..entry }
    }

    #[test]
    fn the_wait_grows_with_the_failures_and_has_an_end() {
        let waits: Vec<u64> = [1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, u32::MAX]
            .map(|failures| wait(&entry(failures, 0, None, false), false, false, 60, NOW).unwrap().0)
            .into();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300]);
        assert_eq!(wait(&entry(3, 5, None, false), false, false, 60, NOW), Some((15, Wait::Failures(3))));
        assert_eq!(wait(&entry(3, 20, None, false), false, false, 60, NOW), None, "it ran for longer than that");
        assert_eq!(wait(&entry(0, 0, None, false), true, false, 60, NOW), None);
    }

    #[test]
    fn a_useless_registration_is_followed_by_another_only_after_the_interval() {
        assert_eq!(wait(&entry(0, 0, Some(10), false), true, false, 60, NOW), Some((50, Wait::Registered)));
        assert_eq!(wait(&entry(0, 0, Some(60), false), true, false, 60, NOW), None);
        let changed = wait(&entry(9, 0, Some(10), false), true, true, 60, NOW);
        assert_eq!(changed, Some((50, Wait::Registered)), "whatever was changed");
        assert_eq!(wait(&entry(0, 0, Some(10), true), true, false, 60, NOW), None, "a job was done with it");
        assert_eq!(wait(&entry(0, 0, Some(10), false), false, false, 60, NOW), None, "it keeps its registration");
        assert_eq!(wait(&entry(1, 0, Some(10), false), true, false, 60, NOW), Some((50, Wait::Registered)));
        assert_eq!(wait(&entry(9, 0, Some(10), false), true, false, 60, NOW), Some((300, Wait::Failures(9))));
    }

    #[test]
    fn a_limit_of_the_server_is_kept() {
        let limited = |end| Entry { not_before: Some(end), ..entry(0, 0, None, false) };
        assert_eq!(wait(&limited(NOW + 90), true, false, 60, NOW), Some((90, Wait::RateLimit)));
        assert_eq!(wait(&limited(NOW + 3_600), true, false, 60, NOW), Some((300, Wait::RateLimit)));
        assert_eq!(wait(&limited(NOW), true, false, 60, NOW), None);
        assert_eq!(wait(&limited(u64::MAX), true, false, 60, NOW), None, "no limit of GitHub's lasts so long");
        assert_eq!(wait(&limited(NOW + 90), false, false, 60, NOW), None, "what is kept asks nothing that it needs");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_for_long() {
        let mut entry = entry(2, 0, None, false);
        entry.last_exit.as_mut().unwrap().at = NOW + 1_000_000;
        entry.registrations.last = Some(NOW + 1_000_000);
        assert_eq!(wait(&entry, true, false, 60, NOW), Some((60, Wait::Registered)));
    }
}
