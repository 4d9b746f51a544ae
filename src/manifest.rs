//! The manifest: what the module tells the helper about one runner, as JSON in the store.
//!
//! The module writes it and has the helper check it in the same build, so both must come from one release.
//! Reading the file is the caller's business; nothing here touches the file system.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::model::{InstanceName, Registration, TokenType};

/// The version of the format that this helper reads.
pub const VERSION: u64 = 1;

/// One runner, as configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Manifest {
    /// Always [`VERSION`].
    pub version: u64,
    /// The attribute name of the runner.
    pub instance: InstanceName,
    /// What a registration is compared by.
    pub registration: Registration,
    /// Whether a runner of the same name may be replaced.
    pub replace: bool,
    /// How to understand the token.
    pub token_type: TokenType,
    /// The absolute path of `Runner.Listener`.
    pub listener: PathBuf,
}

#[derive(Deserialize)]
struct Header {
    version: u64,
}

impl Manifest {
    /// Reads and checks the text of a manifest.
    ///
    /// # Errors
    ///
    /// Names the field that is unknown, missing or wrong, and what to do about it.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let header: Header = serde_json::from_slice(text).context("it is no JSON object with a `version`")?;
        if header.version != VERSION {
            bail!(
                "field `version` is {}, but this helper reads version {VERSION}: take the module and the helper from the same release",
                header.version
            );
        }
        let manifest: Self = serde_json::from_slice(text).context(
            "a field is wrong; if it is unknown or missing, take the module and the helper from the same release",
        )?;
        manifest.registration.check().map_err(anyhow::Error::msg)?;
        if !manifest.listener.is_absolute() {
            bail!("field `listener` is not an absolute path: {}", manifest.listener.display());
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn example() -> Value {
        serde_json::from_str(include_str!("../tests/fixtures/manifest-v1.json")).unwrap()
    }

    fn error(manifest: &Value) -> String {
        format!("{:#}", Manifest::parse(manifest.to_string().as_bytes()).unwrap_err())
    }

    #[test]
    fn the_fixture_of_version_1_is_read() {
        let manifest = Manifest::parse(example().to_string().as_bytes()).unwrap();
        assert_eq!(manifest.instance.as_str(), "runner1");
        assert_eq!(Value::Object(manifest.registration.to_object().unwrap()), example()["registration"]);
    }

    #[test]
    fn an_unknown_field_is_named_with_the_fix() {
        let mut manifest = example();
        manifest["registration"]["labels"] = json!([]);
        insta::assert_snapshot!(error(&manifest), @"a field is wrong; if it is unknown or missing, take the module and the helper from the same release: unknown field `labels`, expected one of `ephemeral`, `extraLabels`, `name`, `noDefaultLabels`, `runnerGroup`, `tokenFile`, `url`, `workDir` at line 1 column 172");
    }

    #[test]
    fn another_version_is_named_with_the_fix() {
        let mut manifest = example();
        manifest["version"] = json!(2);
        manifest["whatever"] = json!("comes with it");
        insta::assert_snapshot!(error(&manifest), @"field `version` is 2, but this helper reads version 1: take the module and the helper from the same release");
    }

    #[test]
    fn a_missing_field_is_named() {
        for field in ["instance", "registration", "replace", "tokenType", "listener", "version"] {
            let mut manifest = example();
            manifest.as_object_mut().unwrap().remove(field);
            assert!(error(&manifest).contains(&format!("missing field `{field}`")), "{field}");
        }
    }

    #[test]
    fn fields_that_contradict_each_other_are_refused() {
        let mut manifest = example();
        manifest["registration"]["noDefaultLabels"] = json!(true);
        assert!(error(&manifest).contains("give at least one label"));
    }

    #[test]
    fn a_relative_listener_is_refused() {
        let mut manifest = example();
        manifest["listener"] = json!("Runner.Listener");
        assert!(error(&manifest).contains("not an absolute path"));
    }
}
