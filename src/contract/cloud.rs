//! What the desk asks the broker of a cloud, and what that answers: a line of JSON each, one question for a connection (version 1).
//! Pure.
//!
//! A machine goes by the token of its order's candidate. The cloud's own names of machines stay behind the broker, and no text of a
//! caller is in a question but the name that people see.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::protocol::Secret;

/// The version of the format.
pub const VERSION: u64 = 1;
/// The most that a question may have: user data of the largest size that a cloud takes, and what stands around it.
pub const MAX_QUESTION: u64 = 64 << 10;
/// The most that an answer may have: a thousand instances take a tenth of it.
pub const MAX_ANSWER: u64 = 2 << 20;

/// A question.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Question {
    /// Always [`VERSION`].
    pub version: u64,
    /// The class that the broker is for.
    pub class: String,
    /// Seconds after which nobody waits for the answer.
    pub patience: u64,
    /// What is asked.
    pub verb: Verb,
}

/// What can be asked.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Verb {
    /// Which machine a candidate is. Nothing is made.
    Place {
        /// `‹40 hexadecimal digits›-‹candidate›`, counted from 1.
        token: String,
        /// The image, if it was looked up a short time ago.
        image: Option<Image>,
    },
    /// Make that machine; repeated with the same values it makes none besides.
    Launch(Box<Launch>),
    /// All machines that this host has made, also those that ended a short time ago.
    List,
    /// End the machines of a token. None is fine.
    End {
        /// As in [`Launch::token`].
        token: String,
    },
    /// Close the metadata service of the machines of a token, which has told its user data by then.
    Seal {
        /// As in [`Launch::token`].
        token: String,
    },
    /// The last text of the machine of a token.
    Console {
        /// As in [`Launch::token`].
        token: String,
    },
    /// Look whether everything that is configured is there and allowed.
    Check,
}

/// A machine that is to be made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Launch {
    /// What it goes by.
    pub token: String,
    /// What people see.
    pub name: String,
    /// As [`Outcome::Placed`] said. It stays the same when a request is repeated, whatever is configured by then.
    pub placement: Placement,
    /// What the machine is told. Holds secrets.
    pub user_data: Secret,
}

/// Where a candidate is, and what.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Placement {
    /// How it is paid.
    pub market: Market,
    /// Such as `c7i.xlarge`.
    pub instance_type: String,
    /// Such as `subnet-0123456789abcdef0`.
    pub subnet: String,
    /// What it boots.
    pub image: Image,
}

/// What a machine boots.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    /// Such as `ami-0123456789abcdef0`.
    pub id: String,
    /// The device of its root disk, such as `/dev/sda1`.
    pub root_device: String,
    /// Those of its further disks, which end with the machine as well.
    pub other_devices: Vec<String>,
}

/// How a machine is paid.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Market {
    /// What nobody else pays for at the moment; it can be taken away.
    Spot,
    /// At the list price.
    OnDemand,
}

impl Market {
    /// As people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::OnDemand => "on-demand",
        }
    }
}

/// An answer.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Answer {
    /// Always [`VERSION`].
    pub version: u64,
    /// How many requests it took.
    pub requests: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a question.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Outcome {
    /// The candidate.
    Placed(Placement),
    /// There is a machine of the token, or there was one.
    Launched,
    /// All machines of this host.
    Listed(Vec<Instance>),
    /// It is done.
    Done,
    /// What the machine wrote. It is the machine's word.
    Console(String),
    /// What was looked at.
    Checked(Vec<Checked>),
    /// It is not done, or nobody knows.
    Refused(Refusal),
}

/// A machine, as the cloud lists it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Instance {
    /// What it was asked for by.
    pub token: String,
    /// What it does.
    pub condition: Condition,
}

/// What a machine does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// It boots, works, or is about to end.
    Alive,
    /// It does nothing, and stands.
    Stopped,
    /// Nothing of it stands.
    Over,
    /// Nothing of it stands, because the cloud had no room for it after all.
    NoRoom,
}

/// Why something is not done, or why that is not known. The texts are for people; a code of the cloud is the first word of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "why")]
pub enum Refusal {
    /// No room for this candidate, and no machine.
    NoRoom(String),
    /// No room for any spot candidate of the account, and no machine.
    NoSpot(String),
    /// The account may have no further machine, and there is none.
    Quota(String),
    /// It is not known whether it was done: no useful answer.
    Passing(String),
    /// It was not done: too many requests.
    Slower(String),
    /// The same token was used for something else: what was asked for then may be there.
    Mismatch(String),
    /// There was a machine of the token, and nothing of it stands.
    Over(String),
    /// The credential is of no use, or has not the right.
    Credential(String),
    /// It can never work as it is configured.
    Configuration(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom(why)
            | Self::NoSpot(why)
            | Self::Quota(why)
            | Self::Passing(why)
            | Self::Slower(why)
            | Self::Mismatch(why)
            | Self::Over(why)
            | Self::Credential(why)
            | Self::Configuration(why) => f.write_str(why),
        }
    }
}

/// One thing that was looked at for `doctor`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Checked {
    /// What was looked at, such as `image`.
    pub what: String,
    /// Whether it is as it has to be; `None` if that cannot be told.
    pub good: Option<bool>,
    /// One sentence: what was found, and the way out if it is a fault.
    pub words: String,
}
