//! The settings file: what the driver reads of it, and the machines' part as a whole.
//!
//! One file for all programs, rendered by the NixOS module or written by hand. The driver checks all of it at each call, so that a
//! mistake is found by `config`, before a machine is asked for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::machines::nspawn;

/// From SIGTERM to SIGKILL for the processes of a stage, unless the settings say otherwise, in seconds. gitlab-runner's own
/// patience, `graceful_kill_timeout`, has to be longer.
const GRACE: u64 = 20;

/// Everything that is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the machines.
    pub machines: nspawn::Settings,
    /// The image of jobs that name none.
    pub default_image: Option<String>,
    /// From SIGTERM to SIGKILL for the processes of a stage.
    pub grace: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    /// Read by the machines' own code.
    #[serde(rename = "machines")]
    _machines: IgnoredAny,
    #[serde(default)]
    default_image: Option<String>,
    #[serde(default = "grace")]
    grace: u64,
}

fn grace() -> u64 {
    GRACE
}

impl Settings {
    /// Reads the settings file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or says what cannot work; the text names the key.
    pub fn read(path: &Path) -> Result<Self> {
        nspawn::read_settings(path, Self::parse)
    }

    fn parse(text: &[u8]) -> Result<Self> {
        let File { _machines, default_image, grace } = serde_json::from_slice(text)?;
        let machines = nspawn::Settings::parse(text)?;
        if let Some(name) = &default_image
            && machines.image(name).is_none()
        {
            bail!("defaultImage names no image of machines.images: {name:?}");
        }
        if !(1..=nspawn::LONGEST_GRACE).contains(&grace) {
            bail!("grace must be 1 to {} seconds", nspawn::LONGEST_GRACE);
        }
        Ok(Self { machines, default_image, grace: Duration::from_secs(grace) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGES: &str = r#""machines": {"images": {"debian": {"root": "/var/lib/machines/debian"}}}"#;

    #[test]
    fn the_shortest_settings_are_images_alone() {
        let settings = Settings::parse(format!("{{{IMAGES}}}").as_bytes()).unwrap();
        assert_eq!(settings.default_image, None);
        assert_eq!(settings.grace, Duration::from_secs(20));
        let all = format!(r#"{{{IMAGES}, "defaultImage": "debian", "grace": 5}}"#);
        let settings = Settings::parse(all.as_bytes()).unwrap();
        assert_eq!(settings.default_image.as_deref(), Some("debian"));
        assert_eq!(settings.grace, Duration::from_secs(5));
    }

    /// Evaluation tests hold the NixOS module to the same file.
    #[test]
    fn what_the_module_writes_is_read() {
        let text = include_bytes!("../../../tests/fixtures/gitlab-nspawn-settings.json");
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.default_image.as_deref(), Some("debian"));
        assert_eq!(settings.grace, Duration::from_secs(30));
        assert_eq!(settings.machines.images.keys().collect::<Vec<_>>(), ["debian", "nixos"]);
        assert_eq!(settings.machines.slots, 64);
    }

    #[test]
    fn what_cannot_work_is_refused_by_the_name_of_its_key() {
        for (text, said) in [
            ("{}".into(), "missing field `machines`"),
            (r#"{"machines": {}}"#.into(), "missing field `images`"),
            (format!(r#"{{{IMAGES}, "defaultImage": "../debian"}}"#), "defaultImage names no image"),
            (format!(r#"{{{IMAGES}, "grace": 0}}"#), "grace must be 1 to 600"),
            (format!(r#"{{{IMAGES}, "defaultimage": "debian"}}"#), "unknown field `defaultimage`"),
        ] as [(String, &str); _]
        {
            let error = format!("{:#}", Settings::parse(text.as_bytes()).unwrap_err());
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
