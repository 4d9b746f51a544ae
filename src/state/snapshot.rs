//! What lies in a state directory, read by handle and taken apart.
//!
//! Everything in it can have been written by a hostile job: nothing is followed, nothing large is read, and
//! whatever is not what it should be becomes a sentence instead of an error. Nothing here changes a file.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use nix::unistd::Uid;
use serde_json::{Map, Value};

use crate::model::{Registration, Token, shown};
use crate::sys::{Dir, EntryKind, FileFault, LastLink, read_regular_file};

/// The listener's settings. Written last, so it marks a complete registration (`ConfigurationManager.cs:472`).
pub const SETTINGS: &str = ".runner";
/// Settings after GitHub moved the runner to another service (`HostContext.cs:489`).
pub const SETTINGS_MIGRATED: &str = ".runner_migrated";
/// How the listener signs in.
pub const CREDENTIALS: &str = ".credentials";
/// The same after a move.
pub const CREDENTIALS_MIGRATED: &str = ".credentials_migrated";
/// The private key of the registration.
pub const KEY: &str = ".credentials_rsaparams";
/// Everything that makes up a registration; the order is that of purging, the mark of completeness first.
pub const REGISTRATION_FILES: [&str; 5] = [SETTINGS, SETTINGS_MIGRATED, CREDENTIALS, CREDENTIALS_MIGRATED, KEY];
/// The listener's own logs.
pub const DIAGNOSTICS: &str = "_diag";
/// Variables that the listener loads before anything else, over those of its unit (`Program.cs:172`).
pub const ENVIRONMENT: &str = ".env";
/// The secret on its way from `prepare` to `configure`.
pub const STAGED_TOKEN: &str = ".staged-token";
/// Says that the listener found the name taken before it asked for a registration. Whoever forges it only keeps us from
/// deleting something.
pub const NAME_TAKEN: &str = ".name-taken";
/// Says that the server refused to register this version of the listener. Believed only if a registration was tried, which
/// purges what a job could have left.
pub const VERSION_REFUSED: &str = ".version-refused";
/// nixpkgs' copy of the configuration: a link into the store.
pub const NIXPKGS_CONFIG: &str = ".nixos-current-config.json";
/// nixpkgs' copy of the token.
pub const NIXPKGS_TOKEN: &str = ".current-token";

const MAX_BYTES: u64 = 64 * 1024;
/// No name or address that GitHub makes is longer.
const LONGEST_TEXT: usize = 512;

/// One file of a state directory.
#[derive(Clone, Debug, PartialEq)]
pub enum Content<T> {
    /// There is nothing of that name.
    Absent,
    /// It is there and was understood.
    Good(T),
    /// It is there, but cannot be used; the text continues a sentence that starts with the file's name.
    Bad(String),
}

impl<T> Content<T> {
    /// What was understood, if anything.
    pub fn good(&self) -> Option<&T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Bad(_) => None,
        }
    }

    fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, String>) -> Content<U> {
        match self {
            Self::Absent => Content::Absent,
            Self::Bad(why) => Content::Bad(why),
            Self::Good(value) => read(value).map_or_else(Content::Bad, Content::Good),
        }
    }
}

/// What the helper reads in `.runner`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The runner's id on the server, never 0.
    pub id: u64,
    /// The runner's name on the server.
    pub name: String,
    /// Where it was registered; files that a JIT configuration made do not say it.
    pub url: Option<String>,
    /// Whether the registration ends with its first job.
    pub ephemeral: bool,
}

impl Settings {
    /// Reads the content of `.runner`.
    ///
    /// The listener writes a byte order mark and camel case; files from the server come without the mark, in
    /// another case and with numbers as texts (`ConfigurationStore.cs:15`).
    ///
    /// # Errors
    ///
    /// Continues a sentence that starts with the file's name. Never repeats the content.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        let object = json_object(content)?;
        let mut names: Vec<String> = object.keys().map(|key| key.to_ascii_lowercase()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            // The listener would pick one and this program perhaps the other.
            return Err("has a field twice, in different spelling".into());
        }
        if names.iter().any(|name| name == "monitorsocketaddress") {
            return Err("names a monitor, which would receive the data of every job".into());
        }
        let field =
            |wanted: &str| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
        let id = match field("agentId") {
            Some(Value::Number(id)) => id.as_u64(),
            Some(Value::String(id)) => id.parse().ok(),
            _ => None,
        };
        let ephemeral = match field("ephemeral") {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(flag)) => flag.eq_ignore_ascii_case("true"),
            _ => false,
        };
        let text = |wanted: &str| {
            let good = |text: &&str| text.len() <= LONGEST_TEXT && !text.contains(char::is_control);
            field(wanted).and_then(Value::as_str).filter(good).map(String::from)
        };
        Ok(Self {
            id: id.filter(|id| *id > 0).ok_or("has no positive agent id")?,
            name: text("agentName").ok_or("has no agent name, or an impossible one")?,
            url: text("gitHubUrl"),
            ephemeral,
        })
    }

    /// What differs from what was asked for, as the end of a sentence; `None` if it is as asked. Without a `name`
    /// any will do.
    #[must_use]
    pub fn mismatch(&self, asked: &Registration, name: Option<&str>) -> Option<String> {
        if let Some(name) = name
            && !name.eq_ignore_ascii_case(&self.name)
        {
            return Some(format!("has the name {} instead of {}", shown(&self.name), shown(name)));
        }
        match &self.url {
            None => return Some("has no url".into()),
            Some(url) if url != asked.url.as_str() => {
                return Some(format!("has the url {} instead of {}", shown(url), shown(asked.url.as_str())));
            }
            Some(_) => {}
        }
        if self.ephemeral != asked.ephemeral {
            let kind = if self.ephemeral { "ephemeral" } else { "not ephemeral" };
            return Some(format!("is {kind}, unlike the configuration"));
        }
        None
    }
}

/// A state directory at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Whether there is nothing at all.
    pub empty: bool,
    /// `.runner`
    pub settings: Content<Settings>,
    /// `.runner_migrated`
    pub settings_migrated: Content<Settings>,
    /// `.credentials`
    pub credentials: Content<()>,
    /// `.credentials_migrated`
    pub credentials_migrated: Content<()>,
    /// `.credentials_rsaparams`
    pub key: Content<()>,
    /// Whether a secret waits for a `configure` that never took it.
    pub staged: bool,
    /// What nixpkgs' module registered with.
    pub nixpkgs_config: Content<Map<String, Value>>,
    /// The token that nixpkgs' module registered with.
    pub nixpkgs_token: Content<Token>,
}

impl Snapshot {
    /// A state directory in which there is nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            empty: true,
            settings: Content::Absent,
            settings_migrated: Content::Absent,
            credentials: Content::Absent,
            credentials_migrated: Content::Absent,
            key: Content::Absent,
            staged: false,
            nixpkgs_config: Content::Absent,
            nixpkgs_token: Content::Absent,
        }
    }

    /// Reads a state directory.
    ///
    /// # Errors
    ///
    /// Only what the system reports about reading itself.
    pub fn read(dir: &Dir) -> Result<Self> {
        let (owner, _) = dir.owner()?;
        let owners = [owner];
        // A root step of nixpkgs' module wrote these copies, so they can belong to root.
        let root_or_owner = [owner, Uid::effective()];
        let read = |name: &str, owners: &[Uid]| found(dir.read_file(name, owners, MAX_BYTES));
        let settings = |name| Ok::<_, anyhow::Error>(read(name, &owners)?.and_then(|text| Settings::parse(&text)));
        let object = |name| Ok::<_, anyhow::Error>(read(name, &owners)?.and_then(|text| json_object(&text).map(drop)));
        Ok(Self {
            empty: dir.is_empty()?,
            settings: settings(SETTINGS)?,
            settings_migrated: settings(SETTINGS_MIGRATED)?,
            credentials: object(CREDENTIALS)?,
            credentials_migrated: object(CREDENTIALS_MIGRATED)?,
            key: object(KEY)?,
            staged: dir.entry(STAGED_TOKEN)? != EntryKind::Absent,
            nixpkgs_config: nixpkgs_config(dir, &root_or_owner)?,
            nixpkgs_token: read(NIXPKGS_TOKEN, &root_or_owner)?
                .and_then(|text| Token::parse(&text).map_err(|fault| fault.to_string())),
        })
    }

    /// The files that the listener could not work with, each with the reason.
    #[must_use]
    pub fn unusable(&self) -> Vec<(&'static str, &str)> {
        fn bad<'a, T>(name: &'static str, found: &'a Content<T>) -> Option<(&'static str, &'a str)> {
            match found {
                Content::Bad(why) => Some((name, why)),
                Content::Absent | Content::Good(_) => None,
            }
        }
        [
            bad(SETTINGS, &self.settings),
            bad(SETTINGS_MIGRATED, &self.settings_migrated),
            bad(CREDENTIALS, &self.credentials),
            bad(CREDENTIALS_MIGRATED, &self.credentials_migrated),
            bad(KEY, &self.key),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The files without which there is no registration.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        fn absent<T>(found: &Content<T>) -> bool {
            matches!(found, Content::Absent)
        }
        [
            (SETTINGS, absent(&self.settings) && absent(&self.settings_migrated)),
            (CREDENTIALS, absent(&self.credentials) && absent(&self.credentials_migrated)),
            (KEY, absent(&self.key)),
        ]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect()
    }

    /// Everything that keeps this from being a registration, as sentences.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let unusable = self.unusable().into_iter().map(|(file, why)| format!("{file} {why}"));
        let missing = self.missing().into_iter().map(|file| format!("{file} is missing"));
        unusable.chain(missing).collect()
    }

    /// Whether the listener's settings are gone, as they are after it removed them; damaged ones are still there.
    #[must_use]
    pub fn settings_are_gone(&self) -> bool {
        self.settings == Content::Absent && self.settings_migrated == Content::Absent
    }

    /// The settings in force: those of before a move to another service, or else those of after it.
    #[must_use]
    pub fn identity(&self) -> Option<&Settings> {
        self.settings.good().or(self.settings_migrated.good())
    }

    /// All settings that are there, each with its file's name.
    pub fn all_settings(&self) -> impl Iterator<Item = (&'static str, &Settings)> {
        [(SETTINGS, &self.settings), (SETTINGS_MIGRATED, &self.settings_migrated)]
            .into_iter()
            .filter_map(|(name, found)| found.good().map(|settings| (name, settings)))
    }
}

fn found(read: Result<Result<Option<Vec<u8>>, FileFault>>) -> Result<Content<Vec<u8>>> {
    Ok(match read? {
        Ok(None) => Content::Absent,
        Ok(Some(content)) => Content::Good(content),
        Err(fault) => Content::Bad(fault.to_string()),
    })
}

/// nixpkgs links its copy of the configuration from the store. The link lies where jobs can write, so it is
/// followed into the store only, which everybody can read anyway.
fn nixpkgs_config(dir: &Dir, owners: &[Uid]) -> Result<Content<Map<String, Value>>> {
    let content = match dir.link_target(NIXPKGS_CONFIG)? {
        None => found(dir.read_file(NIXPKGS_CONFIG, owners, MAX_BYTES))?,
        Some(target) => match store_path(&target) {
            // A job can have the store hold a link of its choice, but not a file that it cannot read itself.
            Some(path) => found(read_regular_file(path, MAX_BYTES, LastLink::Refuse))
                .unwrap_or_else(|_| Content::Bad("leads to what cannot be read".into())),
            None => Content::Bad("is a link that does not lead into the store".into()),
        },
    };
    Ok(content.and_then(|text| json_object(&text)))
}

/// `target`, if it is the text of a name directly in the store. A job chose it, so nothing is left to resolve.
fn store_path(target: &OsString) -> Option<&Path> {
    let name = target.as_encoded_bytes().strip_prefix(b"/nix/store/")?;
    let plain = !name.is_empty() && name.len() <= 255 && !name.contains(&b'/') && name != b"." && name != b"..";
    plain.then_some(Path::new(target))
}

fn json_object(content: &[u8]) -> Result<Map<String, Value>, String> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    if content.is_empty() {
        return Err("is empty".into());
    }
    // serde_json's own message could repeat a part of the content.
    serde_json::from_slice(content)
        .map_err(|error| if error.is_eof() { "is cut short".into() } else { "is no JSON object".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_in_both_dialects() {
        let ours =
            "\u{feff}{\n  \"agentId\": 21,\n  \"agentName\": \"n\",\n  \"ephemeral\": true,\n  \"gitHubUrl\": \"u\"\n}";
        let servers = r#"{"AgentId":"21","AgentName":"n","Ephemeral":"True"}"#;
        let expected = Settings { id: 21, name: "n".into(), url: Some("u".into()), ephemeral: true };
        assert_eq!(Settings::parse(ours.as_bytes()).unwrap(), expected);
        assert_eq!(Settings::parse(servers.as_bytes()).unwrap(), Settings { url: None, ..expected });
    }

    #[test]
    fn unusable_settings_say_why_without_repeating_themselves() {
        for (text, why) in [
            ("", "is empty"),
            ("\u{feff}", "is empty"),
            ("{\"agentId\": 21, \"agentNa", "is cut short"),
            ("[]", "is no JSON object"),
            ("\"secret\"", "is no JSON object"),
            (r#"{"agentName":"n"}"#, "has no positive agent id"),
            (r#"{"agentId":0,"agentName":"n"}"#, "has no positive agent id"),
            (r#"{"agentId":-1,"agentName":"n"}"#, "has no positive agent id"),
            (r#"{"agentId":1}"#, "has no agent name, or an impossible one"),
            (r#"{"agentId":1,"AGENTID":2,"agentName":"n"}"#, "has a field twice, in different spelling"),
            (
                r#"{"agentId":1,"agentName":"n","monitorSocketAddress":"192.0.2.1:5"}"#,
                "names a monitor, which would receive the data of every job",
            ),
        ] {
            assert_eq!(Settings::parse(text.as_bytes()).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn only_files_directly_in_the_store_count_as_store_paths() {
        let is_store = |text: &str| store_path(&OsString::from(text)).is_some();
        assert!(is_store("/nix/store/x-config.json"));
        for text in
            ["/nix/store/../../etc/shadow", "/nix/store/x/y", "/nix/store/..", "/etc/shadow", "x", "/nix/store/"]
        {
            assert!(!is_store(text), "{text}");
        }
    }
}
