//! What an instance is made from: an alias or a fingerprint of this server, or an alias of another one.
//!
//! Aliases are resolved here: LXD refuses an unknown one at once, Incus only after it has begun to make the instance.

use serde::Deserialize;
use serde_json::{Value, json};

use super::server::Server;
use super::specification::{Image, Kind};
use crate::machines::Fault;

/// As many names as a sentence can hold.
const MOST_NAMES: usize = 20;
/// Servers take the beginning of a fingerprint; a shorter one could be a word.
const SHORTEST_FINGERPRINT: usize = 12;

#[derive(Deserialize)]
struct Alias {
    name: String,
    target: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Stored {
    fingerprint: String,
    architecture: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

impl Kind {
    /// As the server writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::VirtualMachine => "virtual-machine",
        }
    }
}

/// The `source` of a request, once it is sure that the server can use it.
pub fn source(server: &Server, image: &Image, kind: Kind, architecture: &str) -> Result<Value, Fault> {
    match image {
        Image::Remote { server, protocol, alias } => {
            Ok(json!({"type": "image", "alias": alias, "server": server, "protocol": protocol}))
        }
        Image::Local(name) => {
            let stored = find(server, name)?;
            let shown = crate::model::shown(name);
            if let Some(found) = stored.kind.as_deref().filter(|found| *found != kind.word()) {
                return Err(Fault::Configuration(format!(
                    "Image {shown} is one of a {}, and a {} is asked for: choose another image, or `instance_type`",
                    super::wire::told(found),
                    kind.word()
                )));
            }
            if stored.architecture != architecture {
                return Err(Fault::Configuration(format!(
                    "Image {shown} is one for {}, and {architecture} is asked for",
                    super::wire::told(&stored.architecture)
                )));
            }
            Ok(json!({"type": "image", "fingerprint": stored.fingerprint}))
        }
    }
}

/// Whether the server has an image of its own, by an alias or a fingerprint.
///
/// # Errors
///
/// [`Fault::NotFound`] if it has not, with the aliases that it has.
pub fn look(server: &Server, name: &str) -> Result<(), Fault> {
    find(server, name).map(drop)
}

fn find(server: &Server, name: &str) -> Result<Stored, Fault> {
    // These would be another address.
    if matches!(name, "" | "." | "..") {
        return Err(missing(server, name));
    }
    let shown = crate::model::shown(name);
    let failed = |failure| server.fault(&format!("find image {shown}"), failure);
    let alias: Option<Alias> = server.find(&server.path(&["images", "aliases", name])).map_err(failed)?;
    let fingerprint = match &alias {
        Some(alias) if is_fingerprint(&alias.target) => alias.target.as_str(),
        None if is_fingerprint(name) => name,
        _ => return Err(missing(server, name)),
    };
    let stored: Option<Stored> = server.find(&server.path(&["images", fingerprint])).map_err(failed)?;
    let stored = stored.filter(|stored| is_fingerprint(&stored.fingerprint)).ok_or_else(|| missing(server, name))?;
    // Older images do not say it; their aliases do.
    let kind = stored.kind.clone().or(alias.and_then(|alias| alias.kind));
    Ok(Stored { kind, ..stored })
}

fn is_fingerprint(text: &str) -> bool {
    (SHORTEST_FINGERPRINT..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The names of all aliases of the server, as far as it tells them.
fn aliases(server: &Server) -> Vec<String> {
    let path = server.path_with(&["images", "aliases"], &[("recursion", "1")]);
    let all: Vec<Alias> = server.list(&path).unwrap_or_default();
    all.into_iter().map(|alias| alias.name).collect()
}

fn missing(server: &Server, name: &str) -> Fault {
    let names = aliases(server);
    Fault::NotFound(format!(
        "The server has no image {} in project {}, neither as an alias nor as a fingerprint; its aliases: {}",
        crate::model::shown(name),
        crate::model::shown(server.project()),
        listed(&names)
    ))
}

/// Names for a sentence.
pub fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    let more = if names.len() > MOST_NAMES { ", …" } else { "" };
    let names: Vec<String> = names.iter().take(MOST_NAMES).map(|name| super::wire::told(name)).collect();
    format!("{}{more}", names.join(", "))
}
