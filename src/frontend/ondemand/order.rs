//! One wanted runner, from the request to its end, and how that is written down. Pure.
//!
//! The file is the memory of everything that was decided: it is written before each act, so that whoever dies between two
//! steps finds out by looking how far it came. It holds no secret. The registration stands in the ledger.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::label::{Class, Key, Label, Run};
use super::source::Source;
use crate::model::{Repository, hex};

pub use super::reason::Reason;

/// The version of the format.
pub const VERSION: u64 = 1;

/// How many bytes of its digest name a machine's order.
const NAMING: usize = 20;

/// An amount of money, in ten-thousandths of the unit that the operator counts in: small machines cost less than a cent an hour.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Cost(pub u64);

impl fmt::Display for Cost {
    /// In the operator's unit, with two digits behind the point or as many as it takes: `1.60`, `0.0125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, format!("{:04}", self.0 % 10_000));
        let (cents, finer) = rest.split_at(2);
        write!(f, "{whole}.{cents}{}", finer.trim_end_matches('0'))
    }
}

/// How it was shown that a run wants the runner.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Proof {
    /// A job of the run waits for a runner with the label.
    Queue,
    /// The caller has an ID token of the run.
    Oidc,
    /// The run has an artifact of the order's name.
    Artifact,
    /// Nothing was shown, and the operator wants it so.
    None,
}

/// What was reached. The words are an interface: callers, files and metrics have them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Its proof is looked for. Until then it counts among those that wait and nowhere else.
    Accepted,
    /// The run wants it.
    Proven,
    /// The server is asked for a registration; the attempt stands in the ledger.
    Registering,
    /// There is a registration, and no machine was asked for with it.
    Registered,
    /// A machine was asked for, by the token that the order has, and it is not known whether there is one.
    Launching,
    /// There is a machine.
    Launched,
    /// The runner on it waits for its job.
    Online,
    /// It runs a job.
    Busy,
    /// Everything of it is taken down.
    Ending,
    /// It has no machine any more. It is remembered, so that its label is not served again.
    Ended,
}

impl State {
    /// All of them, in the order of an order's life.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Proven,
        Self::Registering,
        Self::Registered,
        Self::Launching,
        Self::Launched,
        Self::Online,
        Self::Busy,
        Self::Ending,
        Self::Ended,
    ];

    /// The word for it, as in files and answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Proven => "proven",
            Self::Registering => "registering",
            Self::Registered => "registered",
            Self::Launching => "launching",
            Self::Launched => "launched",
            Self::Online => "online",
            Self::Busy => "busy",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}

/// A candidate that had no room, or whose machine ended at once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Try {
    /// Which one.
    pub candidate: u32,
    /// What was said of it.
    pub code: String,
}

/// Names one machine to whoever makes machines: the same request under the same token makes no second one.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(String);

impl Token {
    /// The token of a candidate. `host` is what tells this host from all others and never changes, such as its machine id.
    #[must_use]
    pub fn new(host: &str, key: &Key, attempt: u32, candidate: u32) -> Self {
        let mut hash = Sha256::new();
        for part in [host, key.label.as_str(), key.class.as_str(), &attempt.to_string()] {
            hash.update(part);
            // Stands in none of them, so that they cannot run into each other.
            hash.update([0]);
        }
        Self(format!("{}-{candidate}", hex(&hash.finalize()[..NAMING])))
    }

    /// At most 64 characters of ASCII: 40 hexadecimal digits, `-`, and the candidate's number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A number of it, for kinds of machines whose names are numbers.
    #[must_use]
    pub fn number(&self) -> u64 {
        let digest = Sha256::digest(&self.0);
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_good = text.split_once('-').is_some_and(|(digits, candidate)| {
            let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            digits.len() == 2 * NAMING && digits.bytes().all(is_hex) && candidate.parse::<u32>().is_ok()
        });
        if is_good { Ok(Self(text)) } else { Err("it has a token that no order has".into()) }
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0
    }
}

/// What makes machines. A class can get another kind while an order has one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Maker {
    /// Units of this host.
    Local,
    /// Machines of systemd-nspawn.
    Nspawn,
    /// Incus or LXD.
    Incus,
    /// EC2, by the broker of the class.
    Ec2,
}

/// One wanted runner. All times are in seconds since 1970.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Order {
    /// Always [`VERSION`].
    pub version: u64,
    /// What its runner is called by.
    pub label: Label,
    /// Of which class it is.
    pub class: Class,
    /// Whose runs it serves, spelled as configured.
    pub repository: Repository,
    /// The run that it is for; `None` only without a proof.
    pub run: Option<Run>,
    /// How the run shows that it wants it.
    pub proof: Proof,
    /// Whether the run belongs to a pull request from a fork.
    pub fork: bool,
    /// Who asked.
    pub source: Source,
    /// When it began to count against the limits: when it was taken, or proven, which is later.
    pub accepted_at: u64,
    /// When its machine ends, whatever it does.
    pub deadline: u64,
    /// The most that its machine can cost; after its end the cost of the time that it had.
    pub reserved: Cost,
    /// What was reached.
    pub state: State,
    /// When.
    pub since: u64,
    /// How many registrations were asked for.
    pub attempt: u32,
    /// Which machine of the class's possible ones is tried, from 1 on; 0 before the first.
    pub candidate: u32,
    /// The name of the machine that was asked for last. It stays until that machine is known to be gone, or never to have been.
    pub token: Option<Token>,
    /// Who was asked for it.
    pub maker: Option<Maker>,
    /// Where that one makes machines, if it is not this host.
    pub place: Option<String>,
    /// When a machine was asked for first.
    pub launched_at: Option<u64>,
    /// When the machine of the token was asked for last. For a while afterwards a list may not have it.
    pub asked_at: Option<u64>,
    /// Whether it was asked for more than once: then a refusal says nothing of the first request.
    pub repeated: bool,
    /// Whether nobody could be asked for it, so that there is none.
    pub unasked: bool,
    /// Candidates that were of no use.
    pub tries: Vec<Try>,
    /// Whether its machine tells nobody any more what it was told.
    pub sealed: bool,
    /// When the runner was seen online first.
    pub online_at: Option<u64>,
    /// When it was seen with a job first.
    pub busy_at: Option<u64>,
    /// When everything of it was gone.
    pub ended_at: Option<u64>,
    /// Why it ends.
    pub reason: Option<Reason>,
}

#[derive(Deserialize)]
struct Header {
    version: u64,
}

impl Order {
    /// Label and class.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { label: self.label.clone(), class: self.class.clone() }
    }

    /// Whether it has or may get a machine: the limits are about these.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Accepted | State::Ended)
    }

    /// Whether the machine that it asks for was refused, so that there is none of its token.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.state == State::Launching && self.tries.last().is_some_and(|tried| tried.candidate == self.candidate)
    }

    /// Puts it into another state.
    pub fn enter(&mut self, state: State, now: u64) {
        if self.state != state {
            (self.state, self.since) = (state, now);
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The end of a sentence: another version, an unknown or missing field, another order's file, or a state without what
    /// belongs to it.
    pub fn parse(text: &[u8], key: &Key) -> Result<Self, String> {
        let header: Header = serde_json::from_slice(text).map_err(|_| "it is no JSON object with a `version`")?;
        if header.version != VERSION {
            return Err(format!("it has version {}, but this program knows {VERSION} only", header.version));
        }
        let order: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if order.key() != *key {
            return Err("it is about another order".into());
        }
        match order.fault() {
            Some(fault) => Err(fault.into()),
            None => Ok(order),
        }
    }

    /// What contradicts itself, so that nothing may be decided by it.
    fn fault(&self) -> Option<&'static str> {
        let has_machine = matches!(self.state, State::Launching | State::Launched | State::Online | State::Busy);
        let ends = matches!(self.state, State::Ending | State::Ended);
        [
            (self.run.is_none() && self.proof != Proof::None, "it has a proof and no run"),
            (self.deadline < self.accepted_at, "it ends before it began"),
            (has_machine && self.token.is_none(), "it has a machine without a token"),
            (
                self.token.is_some() && (self.launched_at.is_none() || self.asked_at.is_none()),
                "it has a token that was never used",
            ),
            (ends != self.reason.is_some(), "it ends without a reason, or has one and goes on"),
            ((self.state == State::Ended) != self.ended_at.is_some(), "it is over at no time, or not over at one"),
        ]
        .into_iter()
        .find_map(|(is_wrong, fault)| is_wrong.then_some(fault))
    }

    /// Its text as a file.
    ///
    /// # Errors
    ///
    /// Only if JSON cannot express it.
    pub fn to_text(&self) -> Result<Vec<u8>, String> {
        let mut text = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        text.push(b'\n');
        Ok(text)
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
