//! Instances as a server tells of them, and whose they are.

use std::collections::BTreeMap;
// Nothing of it can open a connection.
use core::net::IpAddr;

use serde::Deserialize;

use super::connection::Owner;
use super::server::Server;
use super::specification::{Instance, Status};
use crate::machines::Fault;

/// A guest gives itself as many as it likes.
const MOST_ADDRESSES: usize = 16;
/// Longer than every name of an operating system or a release.
const LONGEST_WORD: usize = 64;

/// One instance, of which everything else is skipped while it is read: its user data above all.
#[derive(Debug, Deserialize)]
pub struct Found {
    pub name: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    status_code: u16,
    /// That of the profiles counts, too.
    #[serde(default)]
    expanded_config: Option<Config>,
    #[serde(default)]
    state: Option<State>,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(rename = "user.runner-controller-id")]
    controller: Option<String>,
    #[serde(rename = "user.runner-pool-id")]
    pool: Option<String>,
    #[serde(rename = "user.runner-create-id")]
    mark: Option<String>,
    #[serde(rename = "image.os")]
    os: Option<String>,
    #[serde(rename = "image.release")]
    release: Option<String>,
}

#[derive(Debug, Deserialize)]
struct State {
    #[serde(default)]
    network: Option<BTreeMap<String, Interface>>,
}

#[derive(Debug, Deserialize)]
struct Interface {
    #[serde(default)]
    addresses: Vec<Address>,
}

#[derive(Debug, Deserialize)]
struct Address {
    address: String,
    #[serde(default)]
    scope: String,
}

impl Found {
    fn config(&self) -> Option<&Config> {
        self.expanded_config.as_ref()
    }

    /// Whether it carries the tag of this controller.
    pub fn is_of(&self, controller: &str) -> bool {
        self.config().and_then(|config| config.controller.as_deref()) == Some(controller)
    }

    /// Whether it carries the tag of this pool.
    pub fn is_in(&self, pool: &str) -> bool {
        self.config().and_then(|config| config.pool.as_deref()) == Some(pool)
    }

    /// Whether the call that chose this mark made it.
    pub fn is_marked(&self, mark: &str) -> bool {
        self.config().and_then(|config| config.mark.as_deref()) == Some(mark)
    }

    /// What it does.
    pub fn status(&self) -> Status {
        match self.status_code {
            103 | 113 => Status::Running,
            102 => Status::Stopped,
            112 => Status::Error,
            _ => Status::Unknown,
        }
    }

    /// Addresses that are good beyond the host.
    pub fn addresses(&self) -> Vec<String> {
        let interfaces = self.state.iter().filter_map(|state| state.network.as_ref()).flatten();
        let all =
            interfaces.flat_map(|(_, interface)| &interface.addresses).filter(|address| address.scope == "global");
        // The guest is a stranger, too.
        let mut all: Vec<IpAddr> =
            all.filter_map(|address| address.address.parse().ok()).take(MOST_ADDRESSES).collect();
        all.sort_by_key(IpAddr::is_ipv6);
        all.iter().map(ToString::to_string).collect()
    }

    /// As it is told.
    pub fn told(&self) -> Instance {
        let word = |text: &Option<String>| text.as_deref().map(word).filter(|word| !word.is_empty());
        let config = self.config();
        Instance {
            name: self.name.clone(),
            status: self.status(),
            os_name: config.and_then(|config| word(&config.os)).map(|name| name.to_lowercase()),
            os_version: config.and_then(|config| word(&config.release)),
            architecture: self::word(&self.architecture),
            addresses: self.addresses(),
            controller: config.and_then(|config| config.controller.clone()),
            pool: config.and_then(|config| config.pool.clone()),
        }
    }
}

/// A word that an image brings: short, and nothing that a terminal would obey.
fn word(text: &str) -> String {
    text.chars().filter(|c| !crate::model::is_obeyed(*c)).take(LONGEST_WORD).collect()
}

/// Whether an instance can have this name at all. It goes into addresses.
pub fn can_be_named(name: &str) -> bool {
    (1..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// One instance without its state, whosever it is.
pub fn look(server: &Server, name: &str) -> Result<Option<Found>, Fault> {
    find(server, name, &server.path(&["instances", name]))
}

/// One instance with its state, for which the server looks into the guest.
pub fn look_inside(server: &Server, name: &str) -> Result<Option<Found>, Fault> {
    find(server, name, &server.path_with(&["instances", name], &[("recursion", "1")]))
}

fn find(server: &Server, name: &str, path: &str) -> Result<Option<Found>, Fault> {
    if !can_be_named(name) {
        return Ok(None);
    }
    let found: Option<Found> =
        server.find(path).map_err(|failure| server.fault(&format!("look at instance {name}"), failure))?;
    match found {
        // Whatever it is, it is not what was asked for.
        Some(other) if other.name != name => Err(Fault::Other(format!(
            "Failed to look at instance {name}: the server answered with {}",
            crate::model::shown(&other.name)
        ))),
        found => Ok(found),
    }
}

/// An instance of this controller, with its state.
pub fn own(server: &Server, controller: &str, name: &str) -> Result<Instance, Fault> {
    match look_inside(server, name)? {
        Some(found) if found.is_of(controller) => Ok(found.told()),
        Some(_) => Err(Fault::NotFound(foreign(name))),
        None => Err(missing(server, name)),
    }
}

/// There is no such instance.
pub fn missing(server: &Server, name: &str) -> Fault {
    let (name, project) = (crate::model::shown(name), crate::model::shown(server.project()));
    Fault::NotFound(format!("There is no instance {name} in project {project}"))
}

/// What is said of somebody else's instance, the end of which is for others to ask for.
pub fn foreign(name: &str) -> String {
    format!(
        "Instance {name} does not carry the tag of this controller (user.runner-controller-id), so nothing was done to it. If \
         it may go, delete it by hand"
    )
}

/// All instances of an owner, in the order of their names, without their states.
pub fn list(server: &Server, owner: &Owner) -> Result<Vec<Instance>, Fault> {
    let path = server.path_with(&["instances"], &[("recursion", "1")]);
    let mut all: Vec<Found> = server.list(&path).map_err(|failure| server.fault("list the instances", failure))?;
    all.retain(|found| found.is_of(&owner.controller));
    if let Some(pool) = &owner.pool {
        all.retain(|found| found.is_in(pool));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all.iter().map(Found::told).collect())
}
