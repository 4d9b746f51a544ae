//! Looking whether the registration that a start would keep is still there, unless a pass did so just now.

use std::time::Duration;

use anyhow::{Result, bail};
use tracing::{info, warn};

use super::basis::Basis;
use crate::contract::protocol::{Outcome, Verb, Whom};
use crate::contract::sighting::Sighting;
use crate::ledger::Entry;
use crate::registration::ask::Ask as _;
use crate::registration::credential::Credential;
use crate::registration::plan::{Action, Plan};
use crate::registration::retire::reason;
use crate::state::Snapshot;

/// How long a start looks after a registration that it would keep. Whatever is not known by then counts as good.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// What the server says about a registration that would be kept.
pub(super) enum Presence {
    /// It is there, or nobody can tell.
    Good,
    /// The server could not be asked.
    Silence,
    /// It is gone.
    Gone(u64),
    /// The one of that id has another name than the files say, and only the name would prove anything.
    Another(u64),
}

/// Whether a registration is adopted that proves nothing by itself: a token would, but an App leaves none.
fn is_unproven(decision: &Plan, credential: &Credential) -> bool {
    decision.action == Action::Adopt && credential.token().is_none()
}

/// The id of a registration that a pass saw online, and how many seconds ago, if that spares the look. Pure.
///
/// Not after a failure, of which its end may be the cause; not for what a pass has not seen in use, such as another
/// credential; and not where the server is asked in any case. If it was deleted since, its listener gives up at once, and the
/// start after that looks.
pub(super) fn spared(
    decision: &Plan,
    entry: &Entry,
    news: bool,
    sighting: Option<&Sighting>,
    now: u64,
) -> Option<(u64, u64)> {
    let runner = decision.runner.as_ref().filter(|_| decision.action == Action::Keep && !news)?;
    let failed = entry.last_exit.as_ref().is_some_and(|exit| exit.failures > 0);
    if failed || !decision.debts.is_empty() || entry.runner.as_ref() != Some(runner) {
        return None;
    }
    Some((runner.id, sighting?.age(runner.id, &runner.url, now)?))
}

/// Says that nobody looked, and why.
pub(super) fn tell_spared((id, age): (u64, u64)) {
    info!("GitHub listed id {id} as online {age} s ago, so it was not looked up");
}

/// Asks the server for the registration of `decision`.
///
/// # Errors
///
/// If it should be adopted and nobody can tell whether it may be.
pub(super) fn look(found: &Basis<'_>, decision: &Plan, snapshot: &Snapshot) -> Result<Presence> {
    let recorded = decision.runner.as_ref().map(|runner| runner.id);
    let (Some(broker), Some(id)) =
        (&found.broker, recorded.or_else(|| snapshot.identity().map(|settings| settings.id)))
    else {
        return Ok(Presence::Good);
    };
    let url = decision.runner.as_ref().map_or(found.manifest.registration.url.as_str(), |runner| &runner.url);
    let unproven = is_unproven(decision, found.credential);
    Ok(match broker.ask(Verb::Observe(Whom::Id { id, url: url.into() }), LOOK).outcome {
        Outcome::Seen(Some(seen)) => match snapshot.identity() {
            Some(settings) if unproven && !settings.name.eq_ignore_ascii_case(&seen.name) => Presence::Another(id),
            // GitHub may have renamed a runner since.
            _ => Presence::Good,
        },
        Outcome::Seen(None) => Presence::Gone(id),
        outcome if unproven => bail!(
            "Failed to adopt the registration that nixpkgs' module made, because GitHub did not confirm it: {}",
            reason(&outcome)
        ),
        outcome => {
            warn!("Could not see whether GitHub still knows id {id}: {}. Going on with it", reason(&outcome));
            Presence::Silence
        }
    })
}
