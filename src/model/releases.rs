//! What a host knows about releases of the runner, and what that means for the version that it has. Pure.
//!
//! GitHub gives no jobs to a runner that has not taken a release within thirty days (runner contract, 8). Where it does not
//! tell when a release came out, the time counts at which this host heard of it first, which is later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::numbers;

/// How long GitHub waits for a release to be taken, in seconds.
const GRACE: u64 = 30 * 24 * 60 * 60;
/// No more are remembered, the newest ones.
const MOST: usize = 40;

/// What is known of one server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Releases {
    /// When the server was asked last, in seconds since 1970.
    pub asked: Option<u64>,
    /// By version.
    known: BTreeMap<String, Out>,
}

/// Since when a release is out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Out {
    /// In seconds since 1970.
    at: u64,
    /// Whether the server said so, and not only what it offers now.
    told: bool,
}

/// How a version stands to what is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Nothing is known, or the version is none.
    Unknown,
    /// There is no newer one.
    Current,
    /// There is.
    Behind(Behind),
}

/// How a version is behind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Behind {
    /// The newest version that is known.
    pub newest: String,
    /// Since when there is a newer one, in seconds since 1970.
    pub since: u64,
    /// Whether there is none for longer than that; or else `since` is the latest that it can be.
    pub exact: bool,
}

impl Behind {
    /// From when on GitHub gives it no jobs, in seconds since 1970; earlier, unless `exact`.
    #[must_use]
    pub fn until(&self) -> u64 {
        self.since.saturating_add(GRACE)
    }
}

impl Releases {
    /// Takes in what the server says at the time `now`: what it offers, and what came out when.
    pub fn learn<'a>(&mut self, newest: Option<&'a str>, releases: impl IntoIterator<Item = (&'a str, u64)>, now: u64) {
        for (version, at) in releases {
            self.known.insert(version.to_owned(), Out { at, told: true });
        }
        if let Some(newest) = newest {
            self.known.entry(newest.to_owned()).or_insert(Out { at: now, told: false });
        }
        self.known.retain(|version, _| numbers(version).is_some());
        while self.known.len() > MOST {
            let oldest = self.known.keys().min_by_key(|version| numbers(version)).cloned();
            oldest.map(|oldest| self.known.remove(&oldest));
        }
    }

    /// How `version` stands to them.
    #[must_use]
    pub fn standing(&self, version: &str) -> Standing {
        let newest = self.known.keys().max_by_key(|version| numbers(version));
        let (Some(own), Some(newest)) = (numbers(version), newest) else { return Standing::Unknown };
        let newer = self.known.iter().filter(|(version, _)| numbers(version) > Some(own));
        let Some((_, first)) = newer.min_by_key(|(_, out)| out.at) else { return Standing::Current };
        // Without one before it there may be others between that nobody told of.
        let is_next = self.known.iter().any(|(version, out)| out.told && numbers(version) <= Some(own));
        Standing::Behind(Behind { newest: newest.clone(), since: first.at, exact: first.told && is_next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;
    const NOW: u64 = 1_790_000_000;

    fn behind(newest: &str, since: u64, exact: bool) -> Standing {
        Standing::Behind(Behind { newest: newest.into(), since, exact })
    }

    #[test]
    fn a_version_is_behind_since_the_first_that_is_newer() {
        let mut releases = Releases::default();
        assert_eq!(releases.standing("2.333.1"), Standing::Unknown, "nobody was asked");
        let told = [
            ("2.334.0", NOW - 20 * DAY),
            ("2.333.1", NOW - 40 * DAY),
            ("2.1000.0", NOW - DAY),
            ("2.335.0", NOW - 9 * DAY),
        ];
        releases.learn(Some("2.335.0"), told, NOW);
        assert_eq!(releases.standing("2.333.1"), behind("2.1000.0", NOW - 20 * DAY, true));
        assert_eq!(releases.standing("2.333.1-patched"), behind("2.1000.0", NOW - 20 * DAY, true));
        assert_eq!(releases.standing("2.335.0"), behind("2.1000.0", NOW - DAY, true));
        assert_eq!(releases.standing("2.1000.0"), Standing::Current);
        assert_eq!(releases.standing("3.0.0"), Standing::Current);
        assert_eq!(releases.standing("unknown"), Standing::Unknown);
        let Standing::Behind(found) = releases.standing("2.300.0") else { panic!() };
        assert_eq!((found.since, found.exact), (NOW - 40 * DAY, false), "what came between is not known");
        assert_eq!(found.until(), NOW - 10 * DAY);
    }

    #[test]
    fn without_dates_it_counts_when_a_version_was_first_heard_of() {
        let mut releases = Releases::default();
        releases.learn(Some("2.333.1"), [], NOW);
        assert_eq!(releases.standing("2.333.1"), Standing::Current);
        releases.learn(Some("2.334.0"), [], NOW + DAY);
        releases.learn(Some("2.335.0"), [], NOW + 9 * DAY);
        releases.learn(Some("2.335.0"), [], NOW + 10 * DAY);
        assert_eq!(releases.standing("2.333.1"), behind("2.335.0", NOW + DAY, false));
        assert_eq!(releases.standing("2.334.0"), behind("2.335.0", NOW + 9 * DAY, false));
    }

    #[test]
    fn no_server_fills_the_memory() {
        let mut releases = Releases::default();
        for number in 0..1_000 {
            releases.learn(Some(&format!("2.{number}.0")), [("nonsense", 1)], NOW);
        }
        assert_eq!(releases.known.len(), MOST);
        assert!(releases.known.contains_key("2.999.0"));
    }
}
