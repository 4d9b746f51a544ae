//! Who made a runner, and so who may take it down. Pure.
//!
//! A pass takes back what the configuration no longer declares. A runner that something else made never was declared,
//! and is left alone as long as that owner's time lasts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{date_and_time, shown};

/// Who made a runner.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Owner {
    /// The configuration of this host, which declares it or did.
    #[default]
    Declared,
    /// Something else, for a limited time.
    Other(Lease),
}

/// The time for which something else than the configuration owns a runner. It may be prolonged by writing another one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Lease {
    /// The name of the owner, for people: kind and name, such as `order od-1-build`.
    pub name: String,
    /// When it ends, in seconds since 1970. From that second on the runner is an orphan.
    pub until: u64,
}

impl Owner {
    /// The lease that holds at this time, in seconds since 1970; `None` if passes and declared runners may have the entry.
    #[must_use]
    pub fn lease(&self, now: u64) -> Option<&Lease> {
        match self {
            Self::Other(lease) if now < lease.until => Some(lease),
            Self::Declared | Self::Other(_) => None,
        }
    }

    /// How a sentence about a runner begins that nobody wants any more.
    #[must_use]
    pub fn gone(&self) -> String {
        match self {
            Self::Declared => "is not configured any more".into(),
            Self::Other(lease) => format!("belonged to {lease} and is not wanted any more"),
        }
    }
}

impl fmt::Display for Lease {
    /// The owner in quotes and the end, in the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} until {}", shown(&self.name), date_and_time(self.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other() -> Owner {
        Owner::Other(Lease { name: "order od-1".into(), until: 1_790_000_000 })
    }

    #[test]
    fn a_lease_holds_until_its_last_second_and_nobody_leases_what_is_declared() {
        for (owner, now, holds) in [
            (other(), 0, true),
            (other(), 1_789_999_999, true),
            (other(), 1_790_000_000, false),
            (other(), u64::MAX, false),
            (Owner::Declared, 0, false),
        ] {
            assert_eq!(owner.lease(now).is_some(), holds, "{owner:?} {now}");
        }
    }

    #[test]
    fn a_name_cannot_steer_a_terminal() {
        let lease = Lease { name: "order\n\u{1b}[2J".into(), until: 1_790_000_000 };
        assert_eq!(lease.to_string(), r#""order\n\u{1b}[2J" until 2026-09-21 14:13:20 UTC"#);
    }

    #[test]
    fn owners_are_read_as_they_are_written_and_others_are_errors() {
        for (owner, text) in
            [(Owner::Declared, r#""declared""#), (other(), r#"{"other":{"name":"order od-1","until":1790000000}}"#)]
        {
            assert_eq!(serde_json::to_string(&owner).unwrap(), text);
            assert_eq!(serde_json::from_str::<Owner>(text).unwrap(), owner);
        }
        for text in
            [r#""other""#, r#""nobody""#, r#"{"other":{"name":"a"}}"#, r#"{"other":{"name":"a","until":1,"x":1}}"#]
        {
            assert!(serde_json::from_str::<Owner>(text).is_err(), "{text}");
        }
    }
}
