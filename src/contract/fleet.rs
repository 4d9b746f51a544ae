//! The fleet file: which runners this host should have, as the module wrote it. For what looks after all of them; a unit
//! only knows its own manifest.
//!
//! Types only: nothing here reads, runs or asks.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::model::InstanceName;

/// The version of the format that this program reads.
pub const VERSION: u64 = 1;

/// Every declared runner and what holds for all of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fleet {
    /// Always [`VERSION`].
    pub version: u64,
    /// The declared runners.
    pub instances: Vec<Declaration>,
    /// Whether this host makes passes by itself; only when somebody says so otherwise.
    #[serde(default = "by_itself")]
    pub passes: bool,
    /// Whether a runner that is offline, has one of our names and is in no ledger may be deleted.
    pub delete_unknown_offline: bool,
    /// Where metrics are written for `node_exporter`.
    pub textfile_directory: Option<PathBuf>,
    /// The sandbox of a broker, as properties of systemd, for a runner that has none any more.
    pub broker_properties: Vec<String>,
}

/// As every host did before there was a choice.
fn by_itself() -> bool {
    true
}

/// One declared runner.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Declaration {
    /// Its name on this host.
    pub instance: InstanceName,
    /// The entry of the configuration that it comes from.
    pub pool: String,
    /// The name of its unit.
    pub unit: String,
    /// Its configuration.
    pub manifest: PathBuf,
    /// What a change of it does while it runs.
    pub restart_policy: RestartPolicy,
    /// After how many seconds a restart that is due does not wait for a job any more.
    pub drain_timeout: Option<u64>,
    /// Where its jobs run.
    pub work_directory: PathBuf,
    /// What its jobs may that the usual sandbox keeps from them, each in a word or two.
    #[serde(default)]
    pub may: Vec<String>,
    /// For whose jobs it is, if somebody said so.
    pub trust: Option<Trust>,
}

/// How far the jobs of a runner are trusted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Not at all: it is for people whom nobody knows.
    Untrusted,
}

/// When a runner restarts whose unit or manifest changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum RestartPolicy {
    /// As soon as it runs no job, and can be given none any more.
    WhenIdle,
    /// At the switch, by systemd.
    Immediate,
    /// When somebody says so.
    Never,
}

#[derive(Deserialize)]
struct Header {
    version: u64,
}

impl Fleet {
    /// Reads the text of a fleet file.
    ///
    /// # Errors
    ///
    /// Names the field that is wrong, and what to do about it.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let header: Header = serde_json::from_slice(text).context("it is no JSON object with a `version`")?;
        if header.version != VERSION {
            bail!(
                "field `version` is {}, but this program reads version {VERSION}: take the module and the program from the same release",
                header.version
            );
        }
        serde_json::from_slice(text).context(
            "a field is wrong; if it is unknown or missing, take the module and the program from the same release",
        )
    }

    /// The declared runner of this name.
    #[must_use]
    pub fn get(&self, instance: &InstanceName) -> Option<&Declaration> {
        self.instances.iter().find(|declared| declared.instance == *instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixture_is_understood_and_another_version_is_not() {
        let text = include_str!("../../tests/fixtures/fleet-v1.json");
        let fleet = Fleet::parse(text.as_bytes()).unwrap();
        assert_eq!(fleet.instances.len(), 2);
        assert!(!fleet.passes);
        assert!(Fleet::parse(text.replace("  \"passes\": false,\n", "").as_bytes()).unwrap().passes, "an older module");
        assert_eq!(fleet.instances[0].restart_policy, RestartPolicy::WhenIdle);
        let untrusted = text.replacen("\"pool\"", "\"trust\": \"untrusted\", \"pool\"", 1);
        let trusted = |text: &str| Fleet::parse(text.as_bytes()).unwrap().instances[0].trust;
        assert_eq!((trusted(text), trusted(&untrusted)), (None, Some(Trust::Untrusted)));
        let name = "builder-2".to_string().try_into().unwrap();
        assert_eq!(fleet.get(&name).unwrap().drain_timeout, Some(3600));
        for (from, to, part) in [
            ("\"version\": 1", "\"version\": 2", "version` is 2"),
            ("\"pool\"", "\"pond\"", "the same release"),
            ("when-idle", "whenever", "the same release"),
            ("\"pool\"", "\"trust\": \"half\", \"pool\"", "the same release"),
        ] {
            let error = format!("{:#}", Fleet::parse(text.replace(from, to).as_bytes()).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
