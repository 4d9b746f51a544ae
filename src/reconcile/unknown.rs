//! Runners that the server lists under one of our names, that are offline, and that no ledger knows: left by a host or
//! a disk that is gone, or somebody else's.
//!
//! They are reported. Only `deleteUnknownOffline` has them deleted, and then they are first written down as a debt of the
//! runner whose name they have, because a broker deletes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;
use tracing::warn;

use super::act::Hands;
use crate::contract::protocol::{Outcome, RemoteRunner, Verb, Whom};
use crate::ledger::{Draft, Entry, Runner};
use crate::model::shown;
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::retire::{is_ours, pay};
use crate::survey::counted::counted;
use crate::survey::{Configuration, Host, HostRunner};

/// How long one is watched before it is deleted, in seconds: a listener that comes back does so in that time.
const WATCHED: u64 = 10 * 60;
/// How long deleting one may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One such runner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown {
    /// Where the server lists it.
    pub url: String,
    /// What the server says.
    pub seen: RemoteRunner,
    /// At which place among the found runners the one is whose name it has.
    pub like: usize,
}

/// Finds them. Pure.
#[must_use]
pub fn find(host: &Host, host_name: &str) -> Vec<Unknown> {
    let known: BTreeSet<(&str, u64)> = host
        .runners
        .iter()
        .filter_map(|found| found.entry.as_ref())
        .flat_map(|entry| entry.runner.iter().chain(entry.debts.iter().map(|left| &left.runner)))
        .map(|runner| (runner.url.as_str(), runner.id))
        .collect();
    // By address, the first names of our runners.
    let mut names: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    let mut attempts: BTreeSet<String> = BTreeSet::new();
    for (at, found) in host.runners.iter().enumerate() {
        let Some(configured) = &found.configured else {
            attempts.extend(attempted(found.entry.as_ref()).map(str::to_lowercase));
            continue;
        };
        let name = configured.manifest.registration.name_on(host_name).to_lowercase();
        let url = configured.manifest.registration.url.as_str();
        names.entry(url).or_default().entry(base(configured, &name).to_owned()).or_insert(at);
        // What was asked for just now is found out elsewhere.
        if found.entry.as_ref().is_none_or(|entry| entry.attempt.is_some()) {
            attempts.insert(name);
        }
    }
    let mut unknown = Vec::new();
    for (url, list) in &host.lists {
        let Some(names) = names.get(url.as_str()) else { continue };
        for seen in list.iter().filter(|seen| !seen.online && !seen.busy && !known.contains(&(url, seen.id))) {
            let name = seen.name.to_lowercase();
            let like = names.iter().find(|(base, _)| is_like(&name, base)).map(|(_, at)| *at);
            if let Some(like) = like.filter(|_| !attempts.contains(&name)) {
                unknown.push(Unknown { url: url.clone(), seen: seen.clone(), like });
            }
        }
    }
    unknown
}

/// The name that was asked for, for a runner that is not configured: its owner or a pass finds out what came of it.
fn attempted(entry: Option<&Entry>) -> Option<&str> {
    let attempt = entry?.attempt.as_ref()?;
    entry?.registration.get("name").and_then(Value::as_str).or(attempt.host.as_deref())
}

/// A runner's name without what tells it apart from the others of its entry.
fn base<'a>(configured: &Configuration, name: &'a str) -> &'a str {
    let declared = &configured.declared;
    let suffix = declared.instance.as_str().strip_prefix(declared.pool.as_str()).unwrap_or_default().to_lowercase();
    name.strip_suffix(suffix.as_str()).filter(|base| !base.is_empty()).unwrap_or(name)
}

fn is_like(name: &str, base: &str) -> bool {
    name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Reports them, and deletes what may be.
pub fn look_after(hands: &mut Hands<'_>, host: &Host, unknown: &[Unknown], delete: bool) {
    let key = |unknown: &Unknown| format!("{}#{}", unknown.url, unknown.seen.id);
    let mut since = BTreeMap::new();
    for one in unknown {
        let key = key(one);
        let first = hands.memory.unknown.get(&key).copied();
        since.insert(key, first.unwrap_or(hands.now));
        let (name, id, url) = (shown(&one.seen.name), one.seen.id, &one.url);
        // At the second sight: one that registers just now is in the list before it is in the ledger as it was read.
        let is_second = first.is_some_and(|first| hands.memory.last_pass == Some(first));
        if is_second {
            let end = if delete { "it is deleted unless it comes online" } else { "see `deleteUnknownOffline`" };
            warn!("GitHub lists the offline runner {name}, id {id}, of {url}, which no runner of this host is; {end}");
        }
        // With an entry that cannot be read, it may be one of ours.
        if delete && host.unreadable.is_empty() && first.is_some_and(|first| hands.now.saturating_sub(first) >= WATCHED)
        {
            match remove(hands, &host.runners[one.like], one) {
                Ok(true) => hands.memory.count("unknown"),
                Ok(false) => {}
                Err(error) => warn!("Failed to delete the offline runner {name}, id {id}: {error:#}"),
            }
        }
    }
    hands.memory.unknown = since;
}

fn remove(hands: &mut Hands<'_>, found: &HostRunner, unknown: &Unknown) -> Result<bool> {
    let Some(configured) = &found.configured else { return Ok(false) };
    let credential = configured.credential_key();
    // A debt that cannot be paid now would be paid later without another look at it.
    if hands.limited(&credential).is_some() {
        return Ok(false);
    }
    let Some(_lock) = hands.ledger.lock(&found.instance, Duration::ZERO)? else { return Ok(false) };
    let Some(entry) = hands.load(&found.instance)? else { return Ok(false) };
    // It may have been recorded since the ledger was read.
    if is_ours(&unknown.seen, &entry, &configured.manifest.registration.url) {
        return Ok(false);
    }
    let socket = hands.sockets.join(found.instance.as_str());
    let broker = Broker::kept(&socket, &found.instance, hands.ledger);
    let (url, place) = (&configured.manifest.registration.url, configured.manifest.credential_place());
    let broker = counted(broker, &place, url, hands.memory, hands.now);
    // The list is some minutes old by now, and its listener may be back.
    let whom = Whom::Id { id: unknown.seen.id, url: unknown.url.clone() };
    if broker.ask(Verb::Observe(whom), PATIENCE).outcome != Outcome::Seen(Some(unknown.seen.clone())) {
        return Ok(false);
    }
    let mut draft = Draft::new(hands.ledger, &found.instance, Some(entry.clone()), entry);
    let runner = Runner {
        id: unknown.seen.id,
        name: unknown.seen.name.clone(),
        url: unknown.url.clone(),
        recorded_at: hands.now,
    };
    draft.entry.owe(runner.clone(), configured.manifest.registration.ephemeral, hands.now);
    draft.save()?;
    let paid = pay(&broker, &mut draft, &configured.manifest.registration.url, Instant::now() + PATIENCE);
    if draft.entry.debts.iter().any(|left| left.is(&runner)) {
        draft.entry.debts.retain(|left| !left.is(&runner));
        draft.save()?;
    }
    Ok(paid.deleted.contains(&unknown.seen.id))
}

#[cfg(test)]
#[path = "unknown_tests.rs"]
mod tests;
