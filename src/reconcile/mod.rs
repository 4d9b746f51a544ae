//! One pass over all runners of this host: what is declared, what runs, what the ledger remembers, and what the server
//! lists, brought in line.
//!
//! As root and without a network: it asks brokers. It must not decide anything itself (that is `plan`), and a pass that dies
//! leaves nothing that the next one does not find.

mod act;
mod figures;
mod former;
mod jobs;
mod operate;
mod plan;
mod sightings;
mod unknown;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, warn};

use crate::contract::fleet::{Declaration, Fleet, RestartPolicy};
use crate::contract::names;
use crate::root::prepare::foresee;
use crate::state::start::{host_name, now};
use crate::survey::{Host, HostRunner, Memory, Places, gather, memory_directory, open_ledger, releases};
use crate::units::{Activity, Units, copy};
use act::Hands;

pub use jobs::wait_for_jobs;
pub use operate::{Wish, operate};
pub use plan::{Cause, Decision, Why, plan};

/// The lock of passes, beside what they remember.
const LOCK: &str = "pass.lock";

/// After this time a pass begins nothing any more.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// How long a pass waits for another one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Makes one pass.
///
/// # Errors
///
/// What keeps the whole pass from being made. What keeps one runner from being looked after is a warning, and the next pass
/// tries again.
pub fn run(fleet: &Fleet, units: &dyn Units, places: &Places) -> Result<()> {
    let start = Instant::now();
    let dir = memory_directory(places)?;
    let Some(_lock) = dir.lock(LOCK, PATIENCE)? else {
        info!("Another pass is under way");
        return Ok(());
    };
    let Some(ledger) = open_ledger(places)? else {
        info!("No runner of this host ever started");
        return Ok(());
    };
    let mut memory = Memory::load(&dir);
    let time = now()?;
    let host = gather(fleet, Some(&ledger), units, &places.sockets, &mut memory, time)?;
    for why in host.unreadable.values() {
        warn!("{why}");
    }
    forget(&mut memory, &host);
    let decisions = decide(&host, &mut memory, time);
    host.runners.iter().for_each(keep);
    // What was found is worth more than what is done about it: a pass that is cut off while it acts has seen it all the same.
    remark(memory.save(&dir));
    remark(sightings::note(&host.runners, &places.sockets, time));
    let silent = host.silent.clone();
    let would_start = |declared: &Declaration| would_start(places, declared);
    let mut hands = Hands {
        ledger: &ledger,
        units,
        sockets: &places.sockets,
        would_start: &would_start,
        memory: &mut memory,
        silent,
        now: time,
    };
    for (found, decision) in &decisions {
        if start.elapsed() > LONGEST {
            warn!("There is no time left for the rest of this pass; the next one goes on");
            break;
        }
        let done = match decision {
            Decision::Dissolve => {
                former::dissolve(&mut hands, found, fleet, places).map(|done| done.sentence(&found.gone()))
            }
            decision => act::act(&mut hands, found, decision),
        };
        let said = done.unwrap_or_else(|error| format!("could not be looked after: {error:#}"));
        say(hands.memory, found.instance.as_str(), said);
        if matches!(decision, Decision::Restart(_)) {
            // Or a pass that dies later would have it restarted again by the next one.
            remark(hands.memory.save(&dir));
        }
    }
    let unknown = unknown::find(&host, &host_name()?);
    unknown::look_after(&mut hands, &host, &unknown, fleet.delete_unknown_offline);
    // Nobody waits for this, so it gets what of time and requests the rest left.
    releases::ask(&host.runners, &places.sockets, &mut memory, time);
    memory.last_pass = Some(time);
    memory.took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let saved = memory.save(&dir);
    if let Some(directory) = &fleet.textfile_directory {
        // What was taken back just now is not told any more: perhaps no pass follows.
        let left = ledger.instances()?;
        let is_left = |found: &HostRunner| found.configured.is_some() || left.contains(&found.instance);
        figures::tell(directory, &figures::figures(&host, &memory, is_left));
    }
    saved
}

/// Drops what is remembered about runners and credentials that are not there any more.
fn forget(memory: &mut Memory, host: &Host) {
    let is_there = |name: &str| host.runners.iter().any(|found| found.instance.as_str() == name);
    memory.runners.retain(|name, _| is_there(name) || host.unreadable.contains_key(name));
    let used: BTreeSet<String> = host.runners.iter().filter_map(HostRunner::credential_key).collect();
    memory.credentials.retain(|credential, _| used.contains(credential) || !host.unreadable.is_empty());
}

/// Decides about every runner. What may take long comes last.
fn decide<'a>(host: &'a Host, memory: &mut Memory, time: u64) -> Vec<(&'a HostRunner, Decision)> {
    let mut decisions = Vec::new();
    for found in &host.runners {
        let recall = memory.runners.entry(found.instance.as_str().to_owned()).or_default();
        let (decision, next) = plan(&found.situation, recall, time);
        *recall = next;
        decisions.push((found, decision));
    }
    decisions.sort_by_key(|(_, decision)| *decision == Decision::Dissolve);
    let formers = decisions.partition_point(|(_, decision)| *decision != Decision::Dissolve);
    rotate(&mut decisions[formers..], time);
    decisions
}

/// Whether the next start of a declared runner would register it, as far as this host can tell without changing anything.
fn would_start(places: &Places, declared: &Declaration) -> Result<()> {
    foresee(&places.start(declared)?, &places.ledger, None).map(drop)
}

/// Begins with another one in each minute, so that those that take long keep nobody from its turn for ever.
fn rotate<T>(all: &mut [T], now: u64) {
    if let Some(first) = (now / 60).checked_rem(all.len() as u64) {
        all.rotate_left(usize::try_from(first).unwrap_or_default());
    }
}

/// Keeps a copy of the unit of a runner that a switch may take out of the configuration while it runs.
fn keep(found: &HostRunner) {
    let runs = found.situation.unit.activity == Activity::Active;
    let stays = found.situation.wanted.is_some_and(|wanted| wanted.policy != RestartPolicy::Immediate);
    if runs && stays {
        for unit in names::containers(&found.instance).iter().chain([&found.unit]) {
            remark(copy::keep(unit).map(drop));
        }
    }
}

fn remark(result: Result<()>) {
    if let Err(error) = result {
        warn!("{error:#}");
    }
}

/// Says what came of a runner, unless that was said by the pass before.
fn say(memory: &mut Memory, name: &str, said: String) {
    let before = memory.runners.get(name).and_then(|recall| recall.said.as_deref());
    if before != Some(said.as_str()) {
        if said.contains("could not be") {
            warn!("Runner {name} {said}");
        } else {
            info!("Runner {name} {said}");
        }
    }
    if let Some(recall) = memory.runners.get_mut(name) {
        recall.said = Some(said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_begins_nothing_when_systemd_ends_it() {
        let contract = include_str!("../../tests/fixtures/contract.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        assert!(LONGEST.as_secs() < contract["seconds"]["pass"].as_u64().unwrap());
    }
}
