//! Asking each server twice a day which releases of the runner there are, so that it is known before GitHub gives no jobs to
//! a version any more.
//!
//! Nothing is decided by it. A server that does not tell is asked again an hour later.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::counted::counted;
use super::memory::Memory;
use super::runner::HostRunner;
use super::situation::Server;
use crate::contract::protocol::{Outcome, Verb};
use crate::registration::ask::{Ask as _, Broker};

/// Seconds from one question to the next.
const EACH: u64 = 12 * 60 * 60;
/// The same after one without an answer.
const AGAIN: u64 = 60 * 60;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks, for each server by the first runner of it that could be looked up just now.
pub fn ask(runners: &[HostRunner], sockets: &Path, memory: &mut Memory, now: u64) {
    let mut asked = BTreeSet::new();
    for found in runners {
        let Some(configured) = found.configured.as_ref().filter(|configured| configured.can_ask()) else { continue };
        let url = &configured.manifest.registration.url;
        let answers = matches!(found.situation.server, Server::Lists(_));
        let last = memory.releases.get(&url.host()).and_then(|releases| releases.asked);
        let is_due = last.is_none_or(|last| now < last || now - last >= EACH);
        if !answers || !is_due || !asked.insert(url.host()) {
            continue;
        }
        let place = configured.manifest.credential_place();
        let socket = sockets.join(found.instance.as_str());
        let broker = Broker::once(&socket, &found.instance);
        let answer = counted(broker, &place, url, memory, now).ask(Verb::Preflight, PATIENCE);
        let releases = memory.releases.entry(url.host()).or_default();
        releases.asked = Some(now);
        match &answer.outcome {
            Outcome::Ready { newest_runner, releases: told } => {
                let told = told.iter().map(|release| (release.version.as_str(), release.at));
                releases.learn(newest_runner.as_deref(), told, now);
            }
            _ => releases.asked = Some(now.saturating_sub(EACH - AGAIN)),
        }
    }
}
