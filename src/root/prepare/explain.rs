//! Saying what a start decided and why, and waiting where the ledger demands it.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use tracing::{info, warn};

use super::basis::Basis;
use crate::contract::manifest::Manifest;
use crate::ledger::{Entry, Exit, ExitKind, Ledger};
use crate::model::{TokenKind, date, shown};
use crate::registration::credential::Credential;
use crate::registration::pace::{Wait, wait};
use crate::registration::paced::PacedBroker;
use crate::registration::plan::{Action, Orphan, Plan};
use crate::state::start::now;

/// Waits as long as the ledger demands.
pub(super) fn hold_back(entry: &Entry, registers: bool, news: bool, manifest: &Manifest) -> Result<()> {
    let Some((seconds, why)) = wait(entry, registers, news, manifest.registration_interval, now()?) else {
        return Ok(());
    };
    match why {
        Wait::Failures(times) => {
            let said = entry.last_exit.as_ref().map(|exit| exit.said.as_str()).unwrap_or_default();
            info!("Waiting {seconds} s before the next try, because {times} in a row failed: {said}");
        }
        Wait::RateLimit => info!("Waiting {seconds} s, because GitHub wants no requests for so long"),
        Wait::Registered => {
            info!("Waiting {seconds} s before registering again, because the last registration was not used");
        }
    }
    thread::sleep(Duration::from_secs(seconds));
    Ok(())
}

/// A start that comes so soon after an end is the next cycle of the unit, in seconds.
const RECENT: u64 = 10;

/// Waits until it is this runner's turn among those of the host that start.
pub(super) fn wait_for_turn(ledger: &Ledger, entry: &Entry, manifest: &Manifest) {
    // Jobs end one by one, and the next one may be waiting. A start that failed had its wait, and may have little time. Not
    // so after a reboot, when the last end was long ago.
    let is_recent = |exit: &Exit| now().is_ok_and(|now| now.abs_diff(exit.at) < RECENT);
    let goes_on = |exit: &Exit| exit.failures > 0 || (exit.kind == ExitKind::JobDone && is_recent(exit));
    if manifest.start_distance == 0 || entry.last_exit.as_ref().is_some_and(goes_on) {
        return;
    }
    match ledger.turn(Duration::from_millis(manifest.start_distance)) {
        Ok(wait) => {
            if wait >= Duration::from_secs(1) {
                info!("Waiting {} s, because other runners of this host start", wait.as_secs());
            }
            thread::sleep(wait);
        }
        // It is a courtesy, and no reason not to start.
        Err(error) => warn!("Starts without waiting for others: {error:#}"),
    }
}

/// One line for each reason, and what people should know besides.
pub(super) fn explain(plan: &Plan, found: &Basis<'_>) {
    let name = found.manifest.instance.as_str();
    for reason in &plan.reasons {
        match plan.action {
            Action::Keep => info!("Keeping the registration of {name}: {reason}"),
            Action::Adopt => info!("Adopting the registration of {name}: {reason}"),
            Action::Register => info!("Registering {name} anew: {reason}"),
        }
    }
    for left in &plan.forgotten {
        let (name, id, url) = (shown(&left.runner.name), left.runner.id, shown(&left.runner.url));
        warn!("The ledger has no room for the former registration {name}, id {id}, of {url} any more");
    }
    if let (Action::Register, Credential::Token(_, TokenKind::Registration)) = (plan.action, found.credential) {
        warn!(
            "The token is a registration token, which GitHub accepts for one hour; whenever this runner has to register later than that, it needs a new one. An access token or a GitHub App needs no such care"
        );
    }
    // With a broker it is not left to people to remove it, or they are told when that fails.
    let Some(Orphan { id, name, page, taken_over }) = plan.gives_up.as_ref().filter(|old| {
        let is_owed = plan.claimed == Some(old.id) || plan.debts.iter().any(|left| left.runner.id == old.id);
        found.broker.is_none() || !is_owed
    }) else {
        return;
    };
    let name = shown(name);
    if *taken_over {
        info!("The old registration {name}, id {id}, will be replaced, because `replace` is set");
    } else {
        let place = page.as_deref().map_or_else(|| "in its settings".into(), |page| format!("at {page}"));
        warn!("GitHub still knows the old registration {name}, id {id}; it can be removed {place}");
    }
}

/// How long before its end an access token is complained about, in seconds.
const EXPIRES_SOON: u64 = 14 * 24 * 60 * 60;

/// Complains about an access token that ends soon.
pub(super) fn warn_about_expiry(found: &Basis<'_>, now: u64) {
    let Some(end) =
        found.broker.as_ref().and_then(PacedBroker::expires).filter(|end| end.saturating_sub(EXPIRES_SOON) <= now)
    else {
        return;
    };
    let file = found.manifest.registration.token_file.as_ref();
    let file = file.map_or_else(String::new, |file| format!(" in {}", file.as_str()));
    warn!(
        "The access token{file} expires on {}: replace it before, or this runner cannot register any more",
        date(end)
    );
}
