//! What the ledger says about one runner, as text. Pure.

use anyhow::{Context as _, Result, bail};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::owner::Owner;
use crate::contract::manifest::CredentialPlace;
use crate::model::{InstanceName, TokenDigest};

/// The version of the format that this helper writes. It also reads version 1, which had no broker, and version 2, which had
/// no owner.
pub const VERSION: u64 = 3;

const DAY: u64 = 24 * 60 * 60;

/// Everything known about one runner.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Entry {
    /// Always [`VERSION`].
    pub version: u64,
    /// The runner that the file is about; equal to the file's name.
    pub instance: String,
    /// Who made the runner.
    #[serde(default)]
    pub owner: Owner,
    /// Which version of the helper wrote the file.
    pub helper: String,
    /// The configuration of the present registration, or of the one that is being made.
    pub registration: Map<String, Value>,
    /// The token of the present registration, as a digest; `None` if a GitHub App made it.
    pub token: Option<TokenDigest>,
    /// The runner on the server; `None` from the decision to register until the result is known.
    pub runner: Option<Runner>,
    /// Former registrations that GitHub may still know.
    #[serde(rename = "leftBehind")]
    pub debts: Vec<Debt>,
    /// A registration that is being made: the state directory was purged for it, and its result is not known yet.
    #[serde(default)]
    pub attempt: Option<Attempt>,
    /// How often this runner registered.
    #[serde(default)]
    pub registrations: Registrations,
    /// What the last start was told, configuration and token, as a digest: whoever changes something since need not wait.
    #[serde(default)]
    pub tried: Option<TokenDigest>,
    /// Until when the server wants no more requests, in seconds since 1970.
    #[serde(default)]
    pub not_before: Option<u64>,
    /// How the unit ended last, and what was made of it.
    #[serde(default)]
    pub last_exit: Option<Exit>,
    /// What earlier helpers wrote into entries of this version. Nothing reads it.
    #[serde(default, skip_serializing)]
    pub stays_down: IgnoredAny,
    /// With what the registrations above can be taken back when the runner is not configured any more.
    #[serde(default)]
    pub credential: Option<CredentialPlace>,
    /// The work directory that was handed to this runner last, where its path really leads: what is in it is this runner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_directory: Option<String>,
    /// The unit that was started last, as the digest of its texts: another one means that a restart is due.
    #[serde(default)]
    pub started: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    version: u64,
    #[serde(default)]
    owner: Option<IgnoredAny>,
}

/// A runner as the server knows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Runner {
    /// The id on the server.
    pub id: u64,
    /// The name on the server.
    pub name: String,
    /// The address it was registered for.
    pub url: String,
    /// When it was recorded, in seconds since 1970.
    pub recorded_at: u64,
}

/// Written before the server is asked to register the runner, so that a crash cannot hide what the server did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Attempt {
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// Who had the name just before. Another runner of that name that is there afterwards, idle and without a listener,
    /// is therefore the one that was asked for.
    pub before: NameHolder,
    /// The name of this host then, by which a runner without a configured name goes.
    #[serde(default)]
    pub host: Option<String>,
}

/// Who had a name when this host asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NameHolder {
    /// Nobody could be asked.
    Unknown,
    /// No runner had it.
    Nobody,
    /// The runner with this id, which is to be replaced.
    Runner(u64),
}

/// Counts registrations, so that a runner that fails again and again cannot flood the server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Registrations {
    /// How many were asked for, ever.
    pub total: u64,
    /// When the last one was asked for, in seconds since 1970.
    pub last: Option<u64>,
    /// Whether the last one was of use: an ephemeral runner did its job with it.
    pub used: bool,
    /// How many of all were of use in that way.
    #[serde(default)]
    pub jobs: u64,
}

/// How a run of the unit ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Exit {
    /// When, in seconds since 1970.
    pub at: u64,
    /// What it was, by kind.
    pub kind: ExitKind,
    /// The same as one sentence.
    pub said: String,
    /// How many times in a row it ended in a failure; 0 after a good end.
    pub failures: u32,
    /// How many of these, the last ones, were of this kind.
    #[serde(default)]
    pub alike: u32,
}

/// What the end of a unit means; see `settle`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ExitKind {
    /// An ephemeral runner did its job.
    JobDone,
    /// It was stopped as asked, or ended well by itself.
    Clean,
    /// It did not come to run its listener.
    NotStarted,
    /// The listener gave up for good; its registration may have been deleted.
    Terminated,
    /// Another session uses the registration, or one that was cut off still lives.
    SessionConflict,
    /// GitHub no longer accepts this version of the runner.
    VersionDeprecated,
    /// Anything that may pass: a crash, a signal, the listener's own request to be started again.
    Crashed,
}

/// A registration that was given up locally without being removed from the server.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Debt {
    /// The runner.
    pub runner: Runner,
    /// Whether it was an ephemeral one.
    pub ephemeral: bool,
    /// When it was given up, in seconds since 1970.
    pub since: u64,
}

impl Debt {
    /// Whether this is about `runner`, under whatever name.
    #[must_use]
    pub fn is(&self, runner: &Runner) -> bool {
        self.runner.id == runner.id && self.runner.url == runner.url
    }

    /// Whether GitHub itself has removed the runner by now, if nobody used it.
    #[must_use]
    pub fn is_reaped(&self, now: u64) -> bool {
        // It does so with ephemeral runners after one day offline and with others after fourteen. One day is added for
        // clocks and for slow clean-up.
        let days = if self.ephemeral { 2 } else { 15 };
        now.saturating_sub(self.since) > days * DAY
    }
}

impl Entry {
    /// An entry of a declared runner that knows of no registration yet.
    #[must_use]
    pub fn new(instance: &InstanceName, registration: Map<String, Value>, token: Option<TokenDigest>) -> Self {
        Self {
            version: VERSION,
            instance: instance.as_str().into(),
            owner: Owner::Declared,
            helper: env!("CARGO_PKG_VERSION").into(),
            registration,
            token,
            runner: None,
            debts: vec![],
            attempt: None,
            registrations: Registrations::default(),
            tried: None,
            not_before: None,
            last_exit: None,
            stays_down: IgnoredAny,
            credential: None,
            work_directory: None,
            started: None,
        }
    }

    /// Whether the registration that the entry is about ends with its first job.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.registration.get("ephemeral") == Some(&Value::Bool(true))
    }

    /// Notes that `runner` was given up, once.
    pub fn owe(&mut self, runner: Runner, ephemeral: bool, since: u64) {
        self.debts.retain(|left| !left.is(&runner));
        self.debts.push(Debt { runner, ephemeral, since });
    }

    /// Whether the text of a ledger file tells nothing, as after a power cut that left a file without its content. There is
    /// nothing in it that could be restored.
    #[must_use]
    pub fn is_blank(text: &[u8]) -> bool {
        text.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace())
    }

    /// Reads the text of a ledger file.
    ///
    /// # Errors
    ///
    /// Another version, an unknown field, or the entry of another runner.
    pub fn parse(text: &[u8], instance: &InstanceName) -> Result<Self> {
        let header: Header = serde_json::from_slice(text).context("it is no JSON object with a `version`")?;
        if !(1..=VERSION).contains(&header.version) {
            let version = header.version;
            bail!("it has version {version}, but this helper knows none above {VERSION}: use the newer helper again");
        }
        if header.version >= 3 && header.owner.is_none() {
            // Without it the runner would count as declared once, and be taken down.
            bail!("missing field `owner`");
        }
        let mut entry = Self { version: VERSION, ..serde_json::from_slice(text)? };
        if header.version == 1 && entry.runner.is_none() {
            // What version 1 meant by an entry without a runner.
            entry.attempt = Some(Attempt { since: 0, before: NameHolder::Unknown, host: None });
        }
        if entry.instance != instance.as_str() {
            bail!("it is about runner `{}`", entry.instance.escape_debug());
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::super::owner::Lease;
    use super::*;

    fn instance() -> InstanceName {
        "runner1".to_string().try_into().unwrap()
    }

    #[test]
    fn the_fixture_of_version_3_survives_a_round_trip() {
        let text = include_str!("../../tests/fixtures/ledger-v3.json");
        let entry = Entry::parse(text.as_bytes(), &instance()).unwrap();
        assert_eq!((entry.runner.as_ref().unwrap().id, &entry.owner), (21, &Owner::Declared));
        assert_eq!(serde_json::to_string_pretty(&entry).unwrap() + "\n", text);
        let text = text.replace(r#""declared""#, r#"{ "other": { "name": "order od-1", "until": 1790003600 } }"#);
        let entry = Entry::parse(text.as_bytes(), &instance()).unwrap();
        assert_eq!(entry.owner, Owner::Other(Lease { name: "order od-1".into(), until: 1_790_003_600 }));
    }

    #[test]
    fn what_earlier_helpers_of_version_3_wrote_is_read_and_not_kept() {
        let text = include_str!("../../tests/fixtures/ledger-v3.json");
        let before = text.replacen('{', r#"{ "staysDown": true, "#, 1);
        let entry = Entry::parse(before.as_bytes(), &instance()).unwrap();
        assert_eq!(serde_json::to_string_pretty(&entry).unwrap() + "\n", text);
    }

    #[test]
    fn an_entry_of_version_2_is_declared_and_loses_nothing() {
        let text = include_str!("../../tests/fixtures/ledger-v2.json");
        let entry = Entry::parse(text.as_bytes(), &instance()).unwrap();
        assert_eq!(entry.owner, Owner::Declared);
        let mut written = serde_json::to_value(&entry).unwrap();
        let mut before: Value = serde_json::from_str(text).unwrap();
        (before["version"], before["owner"]) = (3.into(), "declared".into());
        assert_eq!(written, before);
        written["version"] = 2.into();
        written["owner"] = serde_json::json!({ "other": { "name": "order od-1", "until": 1 } });
        let entry = Entry::parse(written.to_string().as_bytes(), &instance()).unwrap();
        assert_ne!(entry.owner, Owner::Declared, "what says who owns it is believed in any version");
    }

    #[test]
    fn an_entry_of_version_1_is_read_and_written_as_version_3() {
        let entry = Entry::parse(include_bytes!("../../tests/fixtures/ledger-v1.json"), &instance()).unwrap();
        assert_eq!((entry.version, entry.runner.as_ref().unwrap().id, entry.debts.len()), (3, 21, 1));
        assert_eq!(entry.owner, Owner::Declared);
        assert_eq!((entry.attempt, entry.registrations, entry.last_exit), (None, Registrations::default(), None));
        let mut unfinished: Value = serde_json::from_str(include_str!("../../tests/fixtures/ledger-v1.json")).unwrap();
        unfinished["runner"] = Value::Null;
        let entry = Entry::parse(unfinished.to_string().as_bytes(), &instance()).unwrap();
        assert_eq!(entry.attempt, Some(Attempt { since: 0, before: NameHolder::Unknown, host: None }));
    }

    #[test]
    fn entries_that_cannot_be_trusted_are_errors() {
        for (text, part) in [
            ("", "no JSON object"),
            ("{}", "missing field `version`"),
            (r#"{"version":4}"#, "newer helper"),
            (r#"{"version":3}"#, "missing field `owner`"),
            (r#"{"version":3,"owner":null}"#, "missing field `owner`"),
            (r#"{"version":3,"owner":"declared"}"#, "missing field `instance`"),
            (r#"{"version":0}"#, "newer helper"),
            (r#"{"version":1}"#, "missing field"),
            (
                &include_str!("../../tests/fixtures/ledger-v1.json").replace("runner1\"", "other\""),
                "about runner `other`",
            ),
        ] {
            let error = format!("{:#}", Entry::parse(text.as_bytes(), &instance()).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_github_removes_by_itself_is_forgotten_only_then() {
        let left = |ephemeral| Debt {
            runner: Runner { id: 1, name: "n".into(), url: "u".into(), recorded_at: 0 },
            ephemeral,
            since: 1000,
        };
        assert!(!left(true).is_reaped(1000 + 2 * DAY));
        assert!(left(true).is_reaped(1001 + 2 * DAY));
        assert!(!left(false).is_reaped(1000 + 15 * DAY));
        assert!(left(false).is_reaped(1001 + 15 * DAY));
        assert!(!left(true).is_reaped(0), "a clock that jumped back forgets nothing");
    }
}
