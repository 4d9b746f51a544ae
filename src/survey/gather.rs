//! Reading everything that a pass decides by: configuration, ledger, units, and one list of the server for each address.
//!
//! Changes nothing. What cannot be read about one runner does not keep the others waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail};

use super::lists::{Lists, Silences, lists};
use super::memory::Memory;
use super::runner::{Configuration, HostRunner, key_of};
use super::situation::{Intent, Knowledge, Server, Situation};
use crate::contract::fleet::Fleet;
use crate::contract::names;
use crate::contract::protocol::RemoteRunner;
use crate::ledger::{Entry, Ledger};
use crate::model::{InstanceName, changes};
use crate::registration::credential::Credential;
use crate::registration::pace::limited;
use crate::registration::started;
use crate::state::start::read_manifest;
use crate::units::{Unit, Units};

/// Everything that a pass found.
pub struct Host {
    /// The declared runners, then those that left an entry, each by name.
    pub runners: Vec<HostRunner>,
    /// The runners that the server lists, by address.
    pub lists: BTreeMap<String, Vec<RemoteRunner>>,
    /// The ways on which nobody answered.
    pub silent: Silences,
    /// The runners about which something could not be read, with what that was.
    pub unreadable: BTreeMap<String, String>,
}

/// Reads the host.
///
/// # Errors
///
/// If systemd cannot be asked or the ledger not be listed.
pub fn gather(
    fleet: &Fleet,
    ledger: Option<&Ledger>,
    units: &dyn Units,
    sockets: &Path,
    memory: &mut Memory,
    now: u64,
) -> Result<Host> {
    let mut names: Vec<InstanceName> = fleet.instances.iter().map(|declared| declared.instance.clone()).collect();
    let declared: BTreeSet<String> = names.iter().map(|name| name.as_str().to_owned()).collect();
    if let Some(ledger) = ledger {
        names.extend(ledger.instances()?.into_iter().filter(|name| !declared.contains(name.as_str())));
    }
    let unit_names: Vec<String> = names.iter().map(names::runner).collect();
    let shown = units.show(&unit_names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut runners = Vec::new();
    let mut unreadable = BTreeMap::new();
    for (instance, name) in names.into_iter().zip(unit_names) {
        match read(fleet, ledger, instance.clone(), name, &shown) {
            Ok(found) => runners.push(found),
            Err(error) => _ = unreadable.insert(instance.as_str().to_owned(), format!("{error:#}")),
        }
    }
    learn_limits(&runners, memory, now);
    let Lists { by_address, silent } = lists(&runners, sockets, memory, now);
    for found in &mut runners {
        found.situation.server = server(found, &by_address);
    }
    let lists = by_address.into_iter().filter_map(|(url, list)| Some((url, list.ok()?))).collect();
    Ok(Host { runners, lists, silent, unreadable })
}

/// Reads one runner, without asking the server.
///
/// # Errors
///
/// If it is neither configured nor in the ledger, or if something about it cannot be read.
pub fn one(fleet: &Fleet, ledger: Option<&Ledger>, units: &dyn Units, instance: InstanceName) -> Result<HostRunner> {
    let name = names::runner(&instance);
    let shown = units.show(&[&name])?;
    let found = read(fleet, ledger, instance, name, &shown)?;
    if found.configured.is_none() && found.entry.is_none() {
        bail!(
            "There is no runner `{}` on this host, and there was none: `github-runnerctl status` lists them",
            found.instance.as_str()
        );
    }
    Ok(found)
}

fn read(
    fleet: &Fleet,
    ledger: Option<&Ledger>,
    instance: InstanceName,
    unit: String,
    shown: &BTreeMap<String, Unit>,
) -> Result<HostRunner> {
    let entry = ledger.map(|ledger| ledger.load(&instance)).transpose()?.flatten();
    let configured = match fleet.get(&instance) {
        None => None,
        Some(declared) => {
            let manifest = read_manifest(&declared.manifest)?;
            let credential = Credential::read(&manifest).map_err(|error| format!("{error:#}"));
            Some(Configuration { declared: declared.clone(), manifest, credential })
        }
    };
    let wanted = configured.as_ref().map(|configured| wanted(configured, entry.as_ref())).transpose()?;
    let situation = Situation {
        wanted,
        unit: shown.get(&unit).cloned().unwrap_or_default(),
        known: entry.as_ref().map(Knowledge::of),
        server: Server::NoCredential,
    };
    Ok(HostRunner { instance, unit, configured, entry, situation })
}

fn wanted(configured: &Configuration, entry: Option<&Entry>) -> Result<Intent> {
    let Configuration { declared, manifest, .. } = configured;
    let present = started::digest(&declared.instance, &declared.manifest)?;
    // An entry without it is of an older helper, so of another unit.
    let outdated = entry.is_some_and(|entry| present.is_some() && entry.started != present);
    let registration = manifest.registration.to_object().map_err(anyhow::Error::msg)?;
    let credential_matters = manifest.re_register_on_token_change || !configured.can_ask();
    let differs = entry.is_some_and(|entry| {
        let changes = changes(&entry.registration, &registration);
        changes.iter().any(|change| credential_matters || change.field != "tokenFile")
    });
    Ok(Intent {
        policy: declared.restart_policy,
        drain_timeout: declared.drain_timeout,
        outdated,
        registers_anew: differs || manifest.registration.ephemeral,
    })
}

/// A rate limit that a start met holds for passes, too.
fn learn_limits(runners: &[HostRunner], memory: &mut Memory, now: u64) {
    for entry in runners.iter().filter_map(|found| found.entry.as_ref()) {
        if let (Some(until), Some(key)) = (limited(entry.not_before, now), key_of(entry)) {
            let standing = memory.credentials.entry(key).or_default();
            standing.limited = limited(standing.limited, now).max(Some(until));
        }
    }
}

fn server(found: &HostRunner, lists: &BTreeMap<String, Result<Vec<RemoteRunner>, String>>) -> Server {
    let Some(configured) = &found.configured else { return Server::NoCredential };
    match &configured.credential {
        Err(why) => return Server::Silent(why.clone()),
        Ok(credential) if !credential.is_of_api() => return Server::NoCredential,
        Ok(_) => {}
    }
    let runner = found.entry.as_ref().and_then(|entry| entry.runner.as_ref());
    let home = configured.manifest.registration.url.as_str();
    match (lists.get(home), runner) {
        (Some(Err(why)), _) => Server::Silent(why.clone()),
        (None, _) => Server::Silent("nobody asked".into()),
        (Some(Ok(_)), None) => Server::Lists(None),
        (Some(Ok(list)), Some(runner)) if runner.url == home => {
            // By ascending id.
            let at = list.binary_search_by_key(&runner.id, |seen| seen.id);
            Server::Lists(at.ok().map(|at| list[at].clone()))
        }
        // It is registered at the address that was configured before: what is listed here says nothing about it.
        (Some(Ok(_)), Some(runner)) => {
            Server::Lists(Some(RemoteRunner { id: runner.id, name: runner.name.clone(), online: true, busy: false }))
        }
    }
}
