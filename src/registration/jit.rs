//! A registration that the server made, with its files: what is good about one, and how root hands it on.
//!
//! The names of the files come from the server, and the listener's own reading of such a configuration follows any of
//! them (actions/runner `Runner.cs:234`). Nothing is ever written under a name that is not known.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::contract::protocol::Secret;
use crate::model::{Repository, id, shown};
use crate::state::{CREDENTIALS, KEY, SETTINGS, Settings};

/// The files of a registration in the order of writing: the mark of completeness last.
pub const FILES: [&str; 3] = [KEY, CREDENTIALS, SETTINGS];

/// The most bytes of a registration as JSON.
pub const MAX_BYTES: u64 = 64 * 1024;

/// A registration for one job, on its way to the machine that is to run it. Holds secrets: only root can read its file, which
/// lies in memory.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct JitRegistration {
    /// The runner's id on the server.
    #[serde(deserialize_with = "id")]
    pub id: u64,
    /// Its name there.
    pub name: String,
    /// What the listener reads, by the names of [`FILES`].
    pub files: BTreeMap<String, Secret>,
    /// Whose job it is for.
    pub repository: Repository,
    /// Of which run; `None` if that is not known.
    pub run: Option<u64>,
    /// When its machine ends at the latest, in seconds since 1970 by the clock of the host that registered it. It stands here so
    /// that a machine that is asked for again is told the same.
    pub deadline: u64,
}

impl JitRegistration {
    /// Reads [`JitRegistration::to_text`].
    ///
    /// # Errors
    ///
    /// It is none, or not one that can be used; never repeats what is in it.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let made: Self = serde_json::from_slice(text).ok().context("it is no registration of this release")?;
        check(&made.files, made.id, &made.name)?;
        Ok(made)
    }

    /// Its text as a file.
    ///
    /// # Errors
    ///
    /// Only if JSON cannot express it.
    pub fn to_text(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// Whether these are the three files of the registration that was made, and nothing else.
///
/// # Errors
///
/// The end of a sentence about the configuration.
pub fn check(files: &BTreeMap<String, Secret>, id: u64, name: &str) -> Result<()> {
    for file in files.keys() {
        if !FILES.contains(&file.as_str()) {
            bail!("it has a file {}, which no registration needs", shown(file));
        }
    }
    for file in FILES {
        if !files.contains_key(file) {
            bail!("it has no {file}");
        }
    }
    let settings =
        Settings::parse(files[SETTINGS].expose().as_bytes()).map_err(|why| anyhow::anyhow!("its {SETTINGS} {why}"))?;
    if settings.id != id || !settings.name.eq_ignore_ascii_case(name) || !settings.ephemeral {
        bail!("its {SETTINGS} is not about ephemeral runner {}, id {id}", shown(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(settings: &str) -> BTreeMap<String, Secret> {
        let secret = |text: &str| Secret::new(text.into());
        BTreeMap::from([
            (SETTINGS.into(), secret(settings)),
            (CREDENTIALS.into(), secret("{}")),
            (KEY.into(), secret("{}")),
        ])
    }

    const GOOD: &str = r#"{"AgentId":"7","AgentName":"n","Ephemeral":"True"}"#;

    #[test]
    fn exactly_the_three_files_of_the_runner_are_accepted() {
        assert!(check(&files(GOOD), 7, "N").is_ok());
        for (settings, part) in [
            (r#"{"AgentId":"8","AgentName":"n","Ephemeral":"True"}"#, "not about"),
            (r#"{"AgentId":"7","AgentName":"m","Ephemeral":"True"}"#, "not about"),
            (r#"{"AgentId":"7","AgentName":"n"}"#, "not about"),
            (r#"{"AgentId":"7","AgentName":"n","Ephemeral":"True","MonitorSocketAddress":"x"}"#, "monitor"),
            ("", "is empty"),
        ] {
            let error = check(&files(settings), 7, "n").unwrap_err().to_string();
            assert!(error.contains(part), "{settings}: {error}");
        }
        for name in ["../.ssh/authorized_keys", ".env", "/etc/passwd", ".runner_migrated"] {
            let mut more = files(GOOD);
            more.insert(name.into(), Secret::new("x".into()));
            assert!(check(&more, 7, "n").unwrap_err().to_string().contains("no registration needs"), "{name}");
        }
        for name in FILES {
            let mut fewer = files(GOOD);
            fewer.remove(name);
            assert!(check(&fewer, 7, "n").unwrap_err().to_string().contains(name));
        }
    }
}
