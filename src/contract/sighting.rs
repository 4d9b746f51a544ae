//! What a pass tells the next start about one runner: that the server listed it as online. Pure.
//!
//! It lies beside the socket of the runner's broker, where only root can write and nothing outlives a boot.

use serde::{Deserialize, Serialize};

use crate::model::{InstanceName, id};

/// The version of the format.
pub const VERSION: u64 = 1;

/// How old a sighting may be for a start to rely on it, in seconds: two passes of every minute with their delay at random
/// and the time that each may take. Passes see a runner that runs each minute, so a longer time would spare no further look.
pub const TRUSTED: u64 = 3 * 60;

/// The largest file of one.
pub const MAX_BYTES: u64 = 16 << 10;

/// A runner that the server listed as online.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Sighting {
    version: u64,
    /// Its id on the server.
    #[serde(deserialize_with = "id")]
    id: u64,
    /// The address that it is registered for.
    url: String,
    /// When the pass began that saw it, in seconds since 1970.
    at: u64,
}

impl Sighting {
    /// The sighting of the runner of this id and address by a pass that began at `at`.
    #[must_use]
    pub fn new(id: u64, url: String, at: u64) -> Self {
        Self { version: VERSION, id, url, at }
    }

    /// How many seconds ago it was, if it is about this runner and a start at `now` may rely on it.
    #[must_use]
    pub fn age(&self, id: u64, url: &str, now: u64) -> Option<u64> {
        let is_about = self.version == VERSION && self.id == id && self.url == url;
        // One that comes from the future was written by a clock that was set since.
        now.checked_sub(self.at).filter(|age| is_about && *age <= TRUSTED)
    }
}

/// The name of its file beside the socket; no instance can be called so.
#[must_use]
pub fn file_name(instance: &InstanceName) -> String {
    format!(".seen-{}", instance.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://github.com/octo-org";
    const NOW: u64 = 1_790_000_000;

    #[test]
    fn the_fixture_of_version_1_is_read_and_written() {
        let text = include_str!("../../tests/fixtures/sighting-v1.json");
        let sighting = Sighting::new(21, URL.into(), NOW);
        assert_eq!(serde_json::from_str::<Sighting>(text).unwrap(), sighting);
        assert_eq!(serde_json::to_string(&sighting).unwrap() + "\n", text);
    }

    #[test]
    fn a_sighting_is_good_for_its_runner_and_for_some_minutes() {
        let age = |at, id, url| Sighting::new(21, URL.into(), at).age(id, url, NOW);
        assert_eq!((age(NOW, 21, URL), age(NOW - TRUSTED, 21, URL)), (Some(0), Some(TRUSTED)));
        assert_eq!(age(NOW - TRUSTED - 1, 21, URL), None, "too long ago");
        assert_eq!(age(NOW + 1, 21, URL), None, "from the future");
        assert_eq!(age(NOW, 22, URL), None, "another runner");
        assert_eq!(age(NOW, 21, "https://github.com/octo-org/example"), None, "ids mean nothing elsewhere");
        let newer = Sighting { version: 2, ..Sighting::new(21, URL.into(), NOW) };
        assert_eq!(newer.age(21, URL, NOW), None);
    }

    #[test]
    fn no_instance_is_called_like_a_sighting() {
        let instance: InstanceName = "a".to_owned().try_into().unwrap();
        assert!(InstanceName::try_from(file_name(&instance)).is_err());
    }
}
