//! What brokers of one credential need not ask GitHub twice: tokens of an App's installations, and ids of runner
//! groups; and whose turn it is to register.
//!
//! Everything is kept under a digest of all that it depends on, the content of the credential included: whoever has
//! another key, App, account or address never meets it. Only one broker at a time asks for what is missing. Others
//! wait for it, but all this waiting together takes no more than a third of the time that there is: then a broker goes
//! its own way, as it does without a directory to share. Must not keep the credential itself.

use std::cell::Cell;
use std::fmt::Write as _;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::contract::protocol::Secret;
use crate::github::{Client, Failure, InstallationToken};

use super::credential::Credential;
use super::shared::{SharedDirectory, SharedLock};

const VERSION: u64 = 1;
/// Between two looks whether another broker is done.
const STEP: Duration = Duration::from_millis(20);

/// How long something is kept, in seconds.
struct Kind {
    name: &'static str,
    /// It is not used for the last of its time.
    spare: u64,
    /// What claims to be good for longer was written by a clock that is wrong.
    longest: u64,
}

const TOKEN: Kind = Kind { name: "token", spare: 5 * 60, longest: 2 * 60 * 60 };
const GROUP: Kind = Kind { name: "group", spare: 0, longest: 10 * 60 };

/// The memory of the brokers of one credential.
pub struct Memory<'a> {
    kept: Option<SharedDirectory>,
    client: &'a Client<'a>,
    /// Stands for the host and the credential.
    owner: String,
    /// How much longer others are waited for.
    patience: Cell<Duration>,
}

/// Something that was asked for, now or before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fact<T> {
    /// What it is.
    pub value: T,
    /// Whether it was asked for before, so that it may not be true any more.
    pub kept: bool,
}

#[derive(Deserialize, Serialize)]
struct Record<T> {
    version: u64,
    /// Until when it is true, in seconds since 1970.
    until: u64,
    value: T,
}

impl<'a> Memory<'a> {
    /// The memory for this credential at the host that `client` asks.
    pub fn new(kept: Option<SharedDirectory>, credential: &Credential, client: &'a Client<'a>) -> Self {
        let credential = match credential {
            Credential::Token(token) => json!(["token", token.expose()]),
            Credential::App(app, key) => json!(["app", app.id, key.expose()]),
        };
        let owner = digest(&json!([client.host(), credential]));
        Self { kept, client, owner, patience: Cell::new(client.patience() / 3) }
    }

    /// The token for `place`, but not `refused`; `ask` gets a new one.
    pub fn token(
        &self,
        place: &Value,
        refused: Option<&Secret>,
        ask: impl FnOnce() -> Result<InstallationToken, Failure>,
    ) -> Result<Fact<Secret>, Failure> {
        self.get(&TOKEN, place, refused, || ask().map(|made| (made.token, made.expires)))
    }

    /// Forgets the token for `place`, if it is this one.
    pub fn forget_token(&self, place: &Value, token: &Secret) {
        if let Some(kept) = &self.kept
            && self.entry::<Secret>(kept, &TOKEN, place).is_some_and(|known| known == *token)
        {
            kept.forget(&self.file(&TOKEN, place));
        }
    }

    /// The id of the group at `place`, but not `refused`; `ask` looks it up.
    pub fn group(
        &self,
        place: &Value,
        refused: Option<u64>,
        ask: impl FnOnce() -> Result<u64, Failure>,
    ) -> Result<Fact<u64>, Failure> {
        self.get(&GROUP, place, refused.as_ref(), || Ok((ask()?, Some(self.client.now() + GROUP.longest))))
    }

    /// The turn to register something with this credential, until it is dropped. `None` if there is no waiting for it.
    pub fn turn(&self) -> Result<Option<SharedLock>, Failure> {
        self.kept.as_ref().map_or(Ok(None), |kept| self.lock(kept, "turn", &Value::Null))
    }

    fn get<T: DeserializeOwned + PartialEq + Serialize>(
        &self,
        kind: &Kind,
        place: &Value,
        refused: Option<&T>,
        ask: impl FnOnce() -> Result<(T, Option<u64>), Failure>,
    ) -> Result<Fact<T>, Failure> {
        let Some(kept) = &self.kept else { return ask().map(|(value, _)| Fact { value, kept: false }) };
        let known = || self.entry(kept, kind, place).filter(|value| Some(value) != refused);
        if let Some(value) = known() {
            return Ok(Fact { value, kept: true });
        }
        let _lock = self.lock(kept, kind.name, place)?;
        // Whoever had the lock until now has asked for it.
        if let Some(value) = known() {
            return Ok(Fact { value, kept: true });
        }
        let file = self.file(kind, place);
        if refused.is_some() {
            kept.forget(&file);
        }
        let (value, until) = ask()?;
        let entry = Record { version: VERSION, until: until.unwrap_or(0), value };
        if self.is_good(kind, &entry)
            && let Ok(content) = serde_json::to_vec(&entry)
        {
            kept.write(&file, &content, self.client.now());
        }
        Ok(Fact { value: entry.value, kept: false })
    }

    /// What is kept and still good.
    fn entry<T: DeserializeOwned>(&self, kept: &SharedDirectory, kind: &Kind, place: &Value) -> Option<T> {
        let file = self.file(kind, place);
        let Ok(entry) = serde_json::from_slice::<Record<T>>(&kept.read(&file)?) else {
            // What is wrong with it is not told, because that could repeat a part of it.
            tracing::warn!("Ignored {file}, which brokers share, because it is damaged");
            return None;
        };
        self.is_good(kind, &entry).then_some(entry.value)
    }

    fn is_good<T>(&self, kind: &Kind, entry: &Record<T>) -> bool {
        let now = self.client.now();
        let left = entry.until.saturating_sub(now);
        entry.version == VERSION && left > kind.spare && left <= kind.longest
    }

    /// Takes a lock, if that is possible in the time that there is for waiting.
    fn lock(&self, kept: &SharedDirectory, name: &str, place: &Value) -> Result<Option<SharedLock>, Failure> {
        // Without the credential, so that another one leaves no other file behind.
        let file = format!("{name}-{}", digest(&json!([self.client.host(), place])));
        kept.lock(&file, || {
            let patience = self.patience.get();
            if patience.is_zero() {
                tracing::info!("Did not wait any longer for another broker of this credential");
                return Ok(false);
            }
            self.patience.set(patience.saturating_sub(STEP));
            self.client.wait(STEP.min(patience)).map(|()| true)
        })
    }

    fn file(&self, kind: &Kind, place: &Value) -> String {
        format!("{}-{}.json", kind.name, digest(&json!([self.owner, place])))
    }
}

/// The SHA-256 of a value, in hexadecimal.
fn digest(value: &Value) -> String {
    Sha256::digest(value.to_string()).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}
