//! The files of a configured runner, written as the runner writes them.
//!
//! ConfigurationStore.cs:15-61, 236-242, 318-360; IOUtil.cs:40-43;
//! RSAFileKeyManager.cs:16-61. The weaknesses are kept on purpose: deleted and then
//! written in place, modes by the umask, a UTF-8 byte order mark, and `chmod` looked up
//! on `PATH` with its path unquoted.

use std::{
    fs, io,
    path::Path,
    process::{self, Command, Stdio},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::{environment::Environment, shared::sha256, terminal};

pub const RUNNER: &str = ".runner";
pub const RUNNER_MIGRATED: &str = ".runner_migrated";
pub const CREDENTIALS: &str = ".credentials";
pub const CREDENTIALS_MIGRATED: &str = ".credentials_migrated";
pub const KEY: &str = ".credentials_rsaparams";

/// The content of `.runner`; values equal to their default are not written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(clippy::struct_excessive_bools, reason = "the file has them")]
pub struct Settings {
    #[serde(skip_serializing_if = "is_default", deserialize_with = "number")]
    pub agent_id: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub agent_name: Option<String>,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "number")]
    pub pool_id: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub pool_name: Option<String>,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "flag")]
    pub disable_update: bool,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "flag")]
    pub ephemeral: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub server_url: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub git_hub_url: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub work_folder: Option<String>,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "flag")]
    pub use_v2_flow: bool,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "flag")]
    pub use_runner_admin_flow: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub server_url_v2: Option<String>,
    /// Written only when false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_hosted_server: Option<bool>,
}

const SETTINGS_KEYS: [&str; 13] = [
    "agentId",
    "agentName",
    "poolId",
    "poolName",
    "disableUpdate",
    "ephemeral",
    "serverUrl",
    "gitHubUrl",
    "workFolder",
    "useV2Flow",
    "useRunnerAdminFlow",
    "serverUrlV2",
    "isHostedServer",
];

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// As [`number`], for `"True"` and `"False"` in any case.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let parsed = value.as_bool().or_else(|| value.as_str()?.to_ascii_lowercase().parse().ok());
    parsed.ok_or_else(|| serde::de::Error::custom("Could not convert string to boolean."))
}

/// Settings made by the server hold numbers as strings.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let parsed = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    parsed.ok_or_else(|| serde::de::Error::custom("Could not convert to integer."))
}

/// Reads `.runner`, keys in any case; nothing if there is none.
///
/// # Errors
///
/// It cannot be read, is empty, or is no settings object.
pub fn read_settings(root: &Path) -> Result<Option<Settings>> {
    let Some(text) = read(&root.join(RUNNER))? else {
        return Ok(None);
    };
    let fields: Map<String, Value> = serde_json::from_str(&text)?;
    let canonical = fields.into_iter().filter_map(|(key, value)| {
        let known = SETTINGS_KEYS.iter().find(|known| known.eq_ignore_ascii_case(&key))?;
        Some(((*known).to_owned(), value))
    });
    let settings = serde_json::from_value(Value::Object(canonical.collect()))?;
    Ok(Some(settings))
}

/// Parses `.credentials`; an empty or absent file is no error, unlike `.runner`.
///
/// # Errors
///
/// It cannot be read or is no JSON object.
pub fn check_credentials(root: &Path) -> Result<()> {
    match read(&root.join(CREDENTIALS))? {
        Some(text) if !text.trim().is_empty() => {
            serde_json::from_str::<Map<String, Value>>(&text)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn read(file: &Path) -> Result<Option<String>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(denied(file, &error)),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            Ok(Some(text.trim_start_matches('\u{feff}').to_owned()))
        }
    }
}

/// Whether `configure` would refuse.
pub fn is_configured(root: &Path) -> bool {
    root.join(RUNNER).exists() || root.join(RUNNER_MIGRATED).exists()
}

/// Whether credentials of either kind are there.
pub fn has_credentials(root: &Path) -> bool {
    root.join(CREDENTIALS).exists() || root.join(CREDENTIALS_MIGRATED).exists()
}

/// How much of a file reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Half of it, as after a crash.
    Half,
    /// Nothing, as on a full disk.
    Empty,
}

/// Deletes and writes a settings file: not atomic, mode by the umask, mark first.
///
/// # Errors
///
/// It cannot be deleted or written.
pub fn write(file: &Path, value: &impl Serialize, extent: Extent) -> Result<()> {
    delete(file)?;
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend(serde_json::to_vec_pretty(value)?);
    bytes.truncate(match extent {
        Extent::Whole => bytes.len(),
        Extent::Half => bytes.len() / 2,
        Extent::Empty => 0,
    });
    fs::write(file, bytes).map_err(|error| denied(file, &error))
}

/// The content of `.credentials`, fields in the order of the runner.
#[derive(Debug, Serialize)]
pub struct Credentials {
    scheme: &'static str,
    data: CredentialData,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CredentialData {
    client_id: String,
    authorization_url: String,
    require_fips_cryptography: &'static str,
}

/// Credentials for the server's token endpoint; all values are strings.
pub fn credentials(client_id: &str, authorization_url: &str) -> Credentials {
    Credentials {
        scheme: "OAuth",
        data: CredentialData {
            client_id: client_id.to_owned(),
            authorization_url: authorization_url.to_owned(),
            require_fips_cryptography: "True",
        },
    }
}

/// Makes a key, or takes the one that is there: a fresh identity needs it deleted.
/// Returns the public half as the server wants it. The numbers are no RSA key.
///
/// # Errors
///
/// The key file cannot be read or written.
pub fn key(root: &Path, environment: &Environment) -> Result<String> {
    let file = root.join(KEY);
    if !file.exists() {
        let seed = format!("{}{:?}", process::id(), std::time::SystemTime::now());
        let part = |name: &str, length: usize| {
            let mut bytes = format!("FAKE KEY, NOT A SECRET: {name} {}", sha256(&seed)).into_bytes();
            bytes.resize(length, b'.');
            BASE64_STANDARD.encode(bytes)
        };
        let key = json!({
            "d": part("d", 256),
            "dp": part("dp", 128),
            "dq": part("dq", 128),
            "exponent": "AQAB",
            "inverseQ": part("inverseQ", 128),
            "modulus": part("modulus", 256),
            "p": part("p", 128),
            "q": part("q", 128),
        });
        write(&file, &key, Extent::Whole)?;
        restrict(&file, environment);
    }
    let text = read(&file)?.unwrap_or_default();
    let key: Value = serde_json::from_str(&text)?;
    let (modulus, exponent) = (key["modulus"].as_str(), key["exponent"].as_str());
    let (modulus, exponent) = modulus.zip(exponent).context("The RSA key is incomplete.")?;
    Ok(format!("<RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent></RSAKeyValue>"))
}

/// `chmod 600 <path>` with the `chmod` on `PATH` and the path unquoted; failure is no
/// failure (RSAFileKeyManager.cs:28-51).
fn restrict(file: &Path, environment: &Environment) {
    let path = environment.get("PATH").unwrap_or_default();
    let mut found = path.split(':').map(|directory| Path::new(directory).join("chmod"));
    if let Some(chmod) = found.find(|chmod| chmod.is_file()) {
        let words = format!("600 {}", file.display());
        _ = Command::new(chmod)
            .args(words.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Deletes the local registration; a key without credentials stays behind.
///
/// # Errors
///
/// A file cannot be deleted.
pub fn delete_registration(root: &Path) -> Result<()> {
    if has_credentials(root) {
        for name in [CREDENTIALS, CREDENTIALS_MIGRATED, KEY] {
            delete(&root.join(name))?;
        }
        terminal::success("Removed .credentials");
    } else {
        terminal::line("Does not exist. Skipping Removing .credentials");
    }
    if is_configured(root) {
        for name in [RUNNER, RUNNER_MIGRATED] {
            delete(&root.join(name))?;
        }
        terminal::success("Removed .runner");
    } else {
        terminal::line("Does not exist. Skipping Removing .runner");
    }
    Ok(())
}

fn delete(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(denied(file, &error)),
        _ => Ok(()),
    }
}

fn denied(file: &Path, error: &io::Error) -> anyhow::Error {
    let file = file.display();
    if error.kind() == io::ErrorKind::PermissionDenied {
        anyhow::anyhow!("Access to the path '{file}' is denied.")
    } else {
        anyhow::anyhow!("{error} : '{file}'")
    }
}
