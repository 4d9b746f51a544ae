//! Which settings can never work: found when the file is read, and not when the first job comes.

use std::path::Path;

use anyhow::{Result, bail};

use super::{FIRST_BASE, RANGE, Settings, Source};

/// The first id of systemd's range for foreign images, see <https://systemd.io/UIDS-GIDS/>.
const FOREIGN: u32 = 2_147_352_576;

/// How many machines there can be at most, unless the settings say less: so many slots have addresses of both networks.
const MOST_SLOTS: u32 = 1_024;

impl Settings {
    /// Whether everything can work, as far as the settings alone tell.
    ///
    /// # Errors
    ///
    /// The first thing that cannot; the text names the key.
    pub(super) fn check(&self) -> Result<()> {
        if self.images.is_empty() {
            bail!("machines.images has no image: without one no job can run");
        }
        for (name, image) in &self.images {
            let (key, path) = match &image.source {
                Source::Root(path) => ("root", path),
                Source::System(path) => ("system", path),
            };
            check_path(&format!("machines.images.{name}.{key}"), path)?;
            if key == "system" && !image.boot {
                bail!("machines.images.{name}.boot: the programs of a system are in no place before its init ran");
            }
        }
        for device in &self.devices {
            check_path("machines.devices", device)?;
            if !device.starts_with("/dev") {
                bail!("machines.devices: {} is not below /dev", device.display());
            }
        }
        for (key, path) in [
            ("gitlabRunner", self.gitlab_runner.as_ref()),
            ("cache.directory", self.cache.as_ref().map(|cache| &cache.directory)),
            ("runDirectory", Some(&self.run_directory)),
            ("stateDirectory", Some(&self.state_directory)),
        ] {
            path.map_or(Ok(()), |path| check_path(&format!("machines.{key}"), path))?;
        }
        if self.slots == 0 || self.slots > MOST_SLOTS {
            bail!("machines.slots must be 1 to {MOST_SLOTS}");
        }
        let end = self.end_of_ids();
        if !self.uid_base.is_multiple_of(RANGE) || self.uid_base == 0 || end > u64::from(FOREIGN) {
            bail!(
                "machines.uidBase must be a multiple of {RANGE}, and with {} slots end before {FOREIGN}; the usual one is {FIRST_BASE}",
                self.slots
            );
        }
        if self.idle == 0 {
            bail!("machines.idle must be 1 or more seconds");
        }
        for (key, value) in [("memory", &self.limits.memory), ("tmpfs", &self.limits.tmpfs)] {
            if value.as_ref().is_some_and(|value| !is_size(value)) {
                bail!("machines.limits.{key} must be a number with K, M, G or T, or percent, such as \"4G\"");
            }
        }
        Ok(())
    }
}

/// Absolute, without `..`, and with nothing that the programs it is handed to read as more than a path: nspawn splits at
/// colons, the kernel's overlay at commas, systemd at blanks and per cent signs.
fn check_path(key: &str, path: &Path) -> Result<()> {
    let text = path.to_str().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@=".contains(c);
    if !text.starts_with('/') || !text.chars().all(is_plain) || text.split('/').any(|part| part == "..") {
        bail!("{key} must be an absolute path of letters, digits and ./_-+@= without `..`: {}", path.display());
    }
    Ok(())
}

fn is_size(text: &str) -> bool {
    let digits = text.strip_suffix(['K', 'M', 'G', 'T', '%']).unwrap_or(text);
    !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use crate::machines::nspawn::settings::tests::parsed;

    #[test]
    fn what_cannot_work_is_refused_by_the_name_of_its_key() {
        let image = r#""images": {"a": {"root": "/a"}}"#;
        for (text, said) in [
            (r#"{"images": {}}"#.into(), "machines.images has no image"),
            (r#"{"images": {"a": {"root": "a"}}}"#.into(), "machines.images.a.root must be an absolute path"),
            (r#"{"images": {"a": {"root": "/a/../b"}}}"#.into(), "machines.images.a.root"),
            (r#"{"images": {"a": {"root": "/a:b"}}}"#.into(), "machines.images.a.root"),
            (r#"{"images": {"a": {"root": "/a", "system": "/b"}}}"#.into(), "unknown field `system`"),
            (r#"{"images": {"a": {"boot": true}}}"#.into(), "no variant"),
            (r#"{"images": {"a": {"root": "/a", "bot": true}}}"#.into(), "bot"),
            (r#"{"images": {"a": {"system": "/a", "boot": false}}}"#.into(), "machines.images.a.boot"),
            (format!(r#"{{{image}, "limit": {{}}}}"#), "unknown field `limit`"),
            (format!(r#"{{{image}, "network": {{"mode": "bridge"}}}}"#), "unknown variant `bridge`"),
            (format!(r#"{{{image}, "devices": ["/etc/passwd"]}}"#), "machines.devices: /etc/passwd is not below /dev"),
            (format!(r#"{{{image}, "limits": {{"tmpfs": "1G,mode=777"}}}}"#), "machines.limits.tmpfs must be"),
            (format!(r#"{{{image}, "uidBase": 1000}}"#), "machines.uidBase must be a multiple"),
            (format!(r#"{{{image}, "uidBase": 2147287040}}"#), "end before 2147352576"),
            (format!(r#"{{{image}, "slots": 0}}"#), "machines.slots must be 1 to"),
            (format!(r#"{{{image}, "idle": 0}}"#), "machines.idle must be"),
            (format!(r#"{{{image}, "cache": {{"directory": "/c d", "limit": 1}}}}"#), "machines.cache.directory"),
        ] as [(String, &str); _]
        {
            let error = format!("{:#}", parsed(&text).unwrap_err());
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
