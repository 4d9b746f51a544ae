//! The provider's settings: the TOML file that GARM names in `config_file`.
//!
//! Each key of the Go providers for LXD and Incus, with its meaning and its default, so that their files are taken as they
//! are. Keys that nobody knows change nothing here; `check` tells them. What cannot work is an error that names the key.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value as Json, json};
use toml::{Table, Value};

use crate::machines::incus::{Connection, Endpoint, Kind};
use crate::model::shown;

/// Nobody writes more by hand.
const MAX_SIZE: u64 = 1 << 20;

/// The project, unless the settings say otherwise. Both Go providers have it.
const PROJECT: &str = "garm-project";

/// Each key, with its type and meaning.
const KEYS: [(&str, &str, &str); 11] = [
    ("unix_socket_path", "string", "Socket of the server; goes before url"),
    ("url", "string", "https address of the server"),
    ("client_certificate", "string", "Path of the certificate for url"),
    ("client_key", "string", "Path of the key for url"),
    ("tls_server_certificate", "string", "Path of the one certificate that the server may have"),
    ("tls_ca", "string", "Path of the authority that signed the server's certificate"),
    ("project_name", "string", "Project of the instances, garm-project by default"),
    ("include_default_profile", "boolean", "Whether profile default comes before the flavor's"),
    ("instance_type", "string", "container or virtual-machine, the default"),
    ("secure_boot", "boolean", "Whether virtual machines check who signed their kernel"),
    ("image_remotes", "object", "Servers of images, by name"),
];

/// The keys of an image remote. The last two are those of the Go providers, which never used them.
const REMOTE_KEYS: [&str; 4] = ["addr", "protocol", "public", "skip_verify"];

/// Everything that is configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The server and project.
    pub connection: Connection,
    /// Whether profile `default` comes first.
    pub include_default_profile: bool,
    /// What instances are, unless their pool says otherwise.
    pub kind: Kind,
    /// Whether virtual machines check who signed their kernel.
    pub secure_boot: bool,
    /// Servers of images, in the order of their names.
    pub remotes: Vec<Remote>,
    /// What the file has that means nothing, one sentence each.
    pub oddities: Vec<String>,
}

/// A server of images.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    /// What stands before the `:` of an image.
    pub name: String,
    /// Its address.
    pub address: String,
    /// How it answers: `simplestreams`.
    pub protocol: String,
}

impl Remote {
    /// What keeps the server from taking images from it. It matters to those images alone: no other call fails by it.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let name = &self.name;
        if !["http://", "https://"].iter().any(|scheme| self.address.starts_with(scheme)) {
            return Some(format!(
                "`image_remotes.{name}.addr` has to be an address that begins with https:// or http://"
            ));
        }
        self.protocol.is_empty().then(|| {
            format!("`image_remotes.{name}.protocol` is missing: it is `simplestreams` for all usual servers of images")
        })
    }
}

/// All of it as a JSON Schema.
#[must_use]
pub fn schema() -> Json {
    let key = |(name, kind, description): (&str, &str, &str)| {
        let mut form = json!({"type": kind, "description": description});
        if name == "image_remotes" {
            let text = json!({"type": "string"});
            let remote = json!({"addr": text, "protocol": text, "public": {"type": "boolean"}, "skip_verify": {"type": "boolean"}});
            form["additionalProperties"] =
                json!({"type": "object", "properties": remote, "required": ["addr", "protocol"]});
        }
        (name.to_owned(), form)
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": KEYS.into_iter().map(key).collect::<serde_json::Map<_, _>>(),
    })
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or says what cannot work; the text names file and key.
    pub fn read(path: &Path) -> Result<Self> {
        let read = || {
            let file = File::open(path)?;
            if !file.metadata()?.is_file() {
                bail!("it is no regular file");
            }
            let mut text = Vec::new();
            file.take(MAX_SIZE + 1).read_to_end(&mut text)?;
            Self::parse(&text)
        };
        read().with_context(|| format!("Failed to read the provider's settings from {}", path.display()))
    }

    fn parse(text: &[u8]) -> Result<Self> {
        if text.len() as u64 > MAX_SIZE {
            bail!("it has more than {MAX_SIZE} bytes");
        }
        let text = std::str::from_utf8(text).ok().context("it is no UTF-8 text")?;
        let table: Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
            anyhow::anyhow!("line {line} is no TOML: {}", error.message())
        })?;
        let file = Section { name: String::new(), table: &table };
        let remotes = remotes(&file)?;
        let kind = file.text("instance_type")?;
        let project = file.text("project_name")?;
        let mut oddities = file.unknown(&KEYS.map(|(name, ..)| name));
        if !matches!(kind.as_str(), "" | "container" | "virtual-machine") {
            oddities.push(format!("instance_type {} is taken for virtual-machine", shown(&kind)));
        }
        for (name, section) in file.sections("image_remotes")? {
            oddities.extend(section.unknown(&REMOTE_KEYS));
            if section.flag("skip_verify")? {
                oddities.push(format!(
                    "image_remotes.{name}.skip_verify has no effect: the server downloads images and checks"
                ));
            }
        }
        Ok(Self {
            connection: Connection {
                endpoint: endpoint(&file)?,
                project: if project.is_empty() { PROJECT.into() } else { project },
            },
            include_default_profile: file.flag("include_default_profile")?,
            kind: if kind == "container" { Kind::Container } else { Kind::VirtualMachine },
            secure_boot: file.flag("secure_boot")?,
            remotes,
            oddities,
        })
    }
}

/// How the server is reached: by its socket, or else by its address.
fn endpoint(file: &Section) -> Result<Endpoint> {
    let socket = file.text("unix_socket_path")?;
    if !socket.is_empty() {
        return Ok(Endpoint::Socket(socket.into()));
    }
    let url = file.text("url")?;
    if url.is_empty() {
        bail!("neither `unix_socket_path` nor `url` is set: name the server's socket or address");
    }
    if !url.starts_with("https://") {
        bail!("`url` has to begin with https://, since a certificate proves who calls");
    }
    let path = |key| Ok::<_, anyhow::Error>(Some(file.text(key)?).filter(|text| !text.is_empty()).map(PathBuf::from));
    let needed =
        |key| path(key)?.with_context(|| format!("`url` needs `{key}`, a certificate or key that the server trusts"));
    Ok(Endpoint::Https {
        url,
        client_certificate: needed("client_certificate")?,
        client_key: needed("client_key")?,
        server_certificate: path("tls_server_certificate")?,
        ca: path("tls_ca")?,
    })
}

fn remotes(file: &Section) -> Result<Vec<Remote>> {
    let read = |(name, section): (&str, Section)| {
        Ok(Remote { name: name.into(), address: section.text("addr")?, protocol: section.text("protocol")? })
    };
    file.sections("image_remotes")?.into_iter().map(read).collect()
}

/// A table of the file, and its name with a dot.
struct Section<'a> {
    name: String,
    table: &'a Table,
}

impl<'a> Section<'a> {
    fn typed<T>(&self, key: &str, kind: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        read(value).with_context(|| format!("`{}{key}` has to be {kind}", self.name)).map(Some)
    }

    fn text(&self, key: &str) -> Result<String> {
        Ok(self.typed(key, "a text in quotes", Value::as_str)?.unwrap_or_default().to_owned())
    }

    fn flag(&self, key: &str) -> Result<bool> {
        Ok(self.typed(key, "true or false", Value::as_bool)?.unwrap_or(false))
    }

    /// The tables of a table, in the order of their names.
    fn sections(&self, key: &str) -> Result<Vec<(&'a str, Section<'a>)>> {
        let table = self.typed(key, "a table", Value::as_table)?;
        let section = |(name, value): (&'a String, &'a Value)| {
            let named = format!("{key}.{name}");
            let table = value.as_table().with_context(|| format!("`{named}` has to be a table"))?;
            Ok((name.as_str(), Section { name: format!("{named}."), table }))
        };
        table.into_iter().flatten().map(section).collect()
    }

    fn unknown(&self, known: &[&str]) -> Vec<String> {
        let unknown = self.table.keys().filter(|key| !known.contains(&key.as_str()));
        unknown
            .map(|key| format!("key {} is not known and has no effect", shown(&format!("{}{key}", self.name))))
            .collect()
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
