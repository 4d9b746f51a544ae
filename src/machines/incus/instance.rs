//! Instances as a server tells of them, and whose they are.

use std::collections::BTreeMap;
use std::time::Instant;
// Nothing of it can open a connection.
use core::net::IpAddr;

use serde::Deserialize;

use super::connection::Owner;
use super::server::{Failure, Server};
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
    network: Option<BTreeMap<String, Option<Interface>>>,
}

/// What the guest says of itself. What it leaves out must not hide the instance.
#[derive(Debug, Deserialize)]
struct Interface {
    #[serde(default)]
    addresses: Option<Vec<Option<Address>>>,
}

#[derive(Debug, Deserialize)]
struct Address {
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

/// Whose an instance is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whose {
    /// The controller's.
    Ours,
    /// Somebody else's, or nobody's.
    Foreign,
    /// The server does not tell: the host of the instance is away, or something is wrong with it.
    Untold,
}

impl Found {
    fn config(&self) -> Option<&Config> {
        self.expanded_config.as_ref()
    }

    /// Whose it is, by the tag of a controller.
    pub fn whose(&self, controller: &str) -> Whose {
        match self.config() {
            None => Whose::Untold,
            Some(config) if config.controller.as_deref() == Some(controller) => Whose::Ours,
            Some(_) => Whose::Foreign,
        }
    }

    /// Whether the server tells whose it is.
    pub fn is_told(&self) -> bool {
        self.config().is_some()
    }

    /// Whether it carries the tag of this controller, as far as the server tells.
    pub fn is_of(&self, controller: &str) -> bool {
        self.whose(controller) == Whose::Ours
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
        let interfaces = self.state.iter().filter_map(|state| state.network.as_ref()).flat_map(BTreeMap::values);
        let all = interfaces.flatten().filter_map(|interface| interface.addresses.as_ref()).flatten().flatten();
        let all = all.filter(|address| address.scope.as_deref() == Some("global"));
        // The guest is a stranger, too.
        let mut all: Vec<IpAddr> =
            all.filter_map(|address| address.address.as_deref()?.parse().ok()).take(MOST_ADDRESSES).collect();
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
    if !can_be_named(name) {
        return Ok(None);
    }
    checked(server, name, server.find(&server.path(&["instances", name])))
}

/// One instance with its state, for which the server looks into the guest, and not for longer than until `deadline`.
pub fn look_inside(server: &Server, name: &str, deadline: Instant) -> Result<Option<Found>, Fault> {
    if !can_be_named(name) {
        return Ok(None);
    }
    let path = server.path_with(&["instances", name], &[("recursion", "1")]);
    checked(server, name, server.find_before(&path, deadline))
}

/// What was found, unless it is not what was asked for.
fn checked(server: &Server, name: &str, found: Result<Option<Found>, Failure>) -> Result<Option<Found>, Fault> {
    match found.map_err(|failure| server.fault(&format!("look at instance {name}"), failure))? {
        Some(other) if other.name != name => Err(Fault::Other(format!(
            "Failed to look at instance {name}: the server answered with {}",
            crate::model::shown(&other.name)
        ))),
        found => Ok(found),
    }
}

/// An instance of this controller, with its state.
pub fn own(server: &Server, controller: &str, name: &str) -> Result<Instance, Fault> {
    let found = look_inside(server, name, Instant::now() + server.times.read)?.ok_or_else(|| missing(server, name))?;
    match found.whose(controller) {
        Whose::Ours => Ok(found.told()),
        Whose::Foreign => Err(Fault::NotFound(not_ours(&found))),
        Whose::Untold => Err(Fault::Unavailable(not_ours(&found))),
    }
}

/// There is no such instance.
pub fn missing(server: &Server, name: &str) -> Fault {
    let (name, project) = (crate::model::shown(name), crate::model::shown(server.project()));
    Fault::NotFound(format!("There is no instance {name} in project {project}"))
}

/// What is said of an instance that does not show that it is the controller's. The end of one is for others to ask for.
pub fn not_ours(found: &Found) -> String {
    let name = &found.name;
    if !found.is_told() {
        return format!(
            "The server does not tell the configuration of instance {name}, and so not whose it is; nothing was done to it. \
             Look whether its host is there and what the server logs"
        );
    }
    format!(
        "Instance {name} does not carry the tag of this controller (user.runner-controller-id), so nothing was done to it. If \
         it may go, delete it by hand"
    )
}

/// All instances of an owner, in the order of their names, without their states.
///
/// # Errors
///
/// One may be missing: of an instance whose host is away servers list the name alone, and whoever left it out would have its
/// owner forget it.
pub fn list(server: &Server, owner: &Owner) -> Result<Vec<Instance>, Fault> {
    let path = server.path_with(&["instances"], &[("recursion", "1")]);
    let listed: Vec<Found> = server.list(&path).map_err(|failure| server.fault("list the instances", failure))?;
    let mut all = Vec::new();
    for found in listed {
        all.extend(told_again(server, found)?);
    }
    all.retain(|found| found.is_of(&owner.controller));
    if let Some(pool) = &owner.pool {
        all.retain(|found| found.is_in(pool));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all.iter().map(Found::told).collect())
}

/// An instance of a list, asked for by its name if the list does not tell whose it is. Nothing if it is gone meanwhile.
fn told_again(server: &Server, listed: Found) -> Result<Option<Found>, Fault> {
    if listed.is_told() {
        return Ok(Some(listed));
    }
    if !can_be_named(&listed.name) {
        let name = crate::model::shown(&listed.name);
        return Err(Fault::Other(format!("The server lists an instance {name}, which cannot be a name")));
    }
    match look(server, &listed.name)? {
        Some(found) if !found.is_told() => {
            Err(Fault::Unavailable(format!("Failed to list the instances: {}", not_ours(&found))))
        }
        found => Ok(found),
    }
}
