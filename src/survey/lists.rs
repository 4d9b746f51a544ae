//! One list of the server for each address, from the first runner whose broker gets one.
//!
//! A server that does not answer is waited for once. But a broker that is broken, or a proxy of one runner, says nothing about
//! the server: then somebody else is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::counted::counted;
use super::memory::Memory;
use super::runner::{Configuration, HostRunner};
use crate::contract::manifest::CredentialPlace;
use crate::contract::protocol::{Answer, Outcome, RemoteRunner, Verb};
use crate::model::RegistrationUrl;
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::retire::reason;

/// How long the list of one address may take, of however many pages.
const LIST: Duration = Duration::from_secs(20);
/// The same while the server is silent: a pass must not hang for an outage. Every so often it is given the whole time, or one
/// that is only slow would be silent for ever.
const SILENT_LIST: Duration = Duration::from_secs(3);
const WHOLE_TIME_EACH: u32 = 5;

/// So many brokers that do not answer are enough for one address.
const BROKEN: u32 = 3;

/// The way to a server: its host, and the variables by which a broker finds its proxy and its certificates.
pub type Way = (String, BTreeMap<String, String>);

/// The ways on which nobody answered in this pass, and what was said about that.
pub type Silences = BTreeMap<Way, String>;

/// What the servers list.
pub struct Lists {
    /// By address: the runners, or why nobody knows them.
    pub by_address: BTreeMap<String, Result<Vec<RemoteRunner>, String>>,
    /// The ways on which nobody answered.
    pub silent: Silences,
}

/// The way of a credential to an address.
#[must_use]
pub fn way(url: &RegistrationUrl, place: &CredentialPlace) -> Way {
    (url.host(), place.environment.clone())
}

/// Whether there was no word of the server at all, not even that it cannot serve just this.
#[must_use]
pub fn is_silence(answer: &Answer) -> bool {
    matches!(answer.outcome, Outcome::Unreachable(_)) && answer.requests > 0 && answer.clock_ahead.is_none()
}

/// Asks for one list for each address of these runners.
pub fn lists(runners: &[HostRunner], sockets: &Path, memory: &mut Memory, now: u64) -> Lists {
    let mut askers: BTreeMap<&str, Vec<(&HostRunner, &Configuration)>> = BTreeMap::new();
    for found in runners {
        let Some(configured) = found.configured.as_ref().filter(|configured| configured.can_ask()) else { continue };
        askers.entry(configured.manifest.registration.url.as_str()).or_default().push((found, configured));
    }
    let mut silent = Silences::new();
    let by_address = askers
        .into_iter()
        .map(|(url, askers)| (url.to_owned(), list(&askers, &mut silent, sockets, memory, now)))
        .collect();
    Lists { by_address, silent }
}

fn list(
    askers: &[(&HostRunner, &Configuration)],
    silent: &mut Silences,
    sockets: &Path,
    memory: &mut Memory,
    now: u64,
) -> Result<Vec<RemoteRunner>, String> {
    let mut said = "nobody asked".to_owned();
    // Credentials to which the server said no.
    let mut refused: BTreeSet<String> = BTreeSet::new();
    let mut missing = 0;
    for (found, configured) in askers {
        let (url, place) = (&configured.manifest.registration.url, configured.manifest.credential_place());
        let way = way(url, &place);
        let credential = configured.credential_key();
        if let Some(why) = silent.get(&way) {
            said.clone_from(why);
            continue;
        }
        if missing == BROKEN || refused.contains(&credential) {
            continue;
        }
        let silences = memory.credentials.get(&credential).map_or(0, |standing| standing.silent);
        let patience = if missing == 0 && silences.is_multiple_of(WHOLE_TIME_EACH) { LIST } else { SILENT_LIST };
        let socket = sockets.join(found.instance.as_str());
        let broker = Broker::once(&socket, &found.instance);
        let answer = counted(broker, &place, url, memory, now).ask(Verb::List, patience);
        if let Outcome::Listed(list) = answer.outcome {
            return Ok(list);
        }
        said = reason(&answer.outcome);
        match answer.outcome {
            // The server was never asked.
            Outcome::Unreachable(_) if answer.requests == 0 => missing += 1,
            Outcome::Unreachable(_) if is_silence(&answer) => _ = silent.insert(way, said.clone()),
            _ => _ = refused.insert(credential),
        }
    }
    Err(said)
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
