//! Finding out what came of a registration that was asked for and whose answer never came.
//!
//! The server may have made the runner, may still make it, or may have made none; and somebody else may have taken the name
//! in the same moment. Nothing is deleted here that a listener uses, or that had the name before.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tracing::info;

use crate::contract::protocol::{Outcome, RemoteRunner, Verb, Whom};
use crate::ledger::{Attempt, Draft, NameHolder, Runner};
use crate::model::{RegistrationUrl, shown};
use crate::registration::ask::Ask;
use crate::registration::retire::{pay, reason};
use crate::state::NAME_TAKEN;
use crate::state::start::{host_name, now};
use crate::sys::{Dir, EntryKind};

/// How long one look may take; with the wait before it, a stop still ends in time.
const LOOK: Duration = Duration::from_secs(4);

/// How old an attempt may be for what is found under its name to be its own, in seconds. Longer than a machine takes to
/// come back after a power cut.
const BELIEVED: u64 = 6 * 60 * 60;

/// What became of an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// There was none, or it made nothing that is left.
    Nothing,
    /// It had made a runner, which is gone now.
    TakenBack,
    /// It had made a runner, which is a debt now.
    Owed,
    /// Not known yet, and why; another time may tell.
    Open(String),
    /// Nobody here can tell; why, and where people can look.
    Unclear(String),
}

/// Whether a runner is the one that an attempt made, if it has the attempt's name.
///
/// Long afterwards somebody else may have taken the name in the meantime, for example for a host in the place of this one.
fn made(seen: &RemoteRunner, attempt: &Attempt, now: u64) -> bool {
    let is_new = match attempt.before {
        NameHolder::Unknown => false,
        NameHolder::Nobody => true,
        NameHolder::Runner(id) => id != seen.id,
    };
    is_new && !seen.online && !seen.busy && now.abs_diff(attempt.since) < BELIEVED
}

/// Looks for what an open attempt made, under the name and at the address of then, and takes it back, until `end`.
///
/// `interval` is the least time between two registrations in seconds. What is found is watched for a fifth of it, in which
/// somebody else's listener of the same name would come online. For eight times as long the broker or the listener that
/// were asked to register may still be at work, so nothing counts as never made.
///
/// # Errors
///
/// If the ledger cannot be written, or the clock stands before 1970.
pub fn resolve(broker: &dyn Ask, draft: &mut Draft<'_>, interval: u64, end: Instant) -> Result<Resolution> {
    let Some(attempt) = draft.entry.attempt.clone().filter(|_| draft.entry.runner.is_none()) else {
        return Ok(Resolution::Nothing);
    };
    if attempt.before == NameHolder::Unknown {
        return Ok(unclear(draft, "nobody could look who had its name before"));
    }
    let here = host_name()?;
    let unnamed = draft.entry.registration.get("name").is_none_or(serde_json::Value::is_null);
    if let Some(host) = attempt.host.as_ref().filter(|host| unnamed && **host != here) {
        return Ok(unclear(draft, &format!("it was for the name {}, which this host had then", shown(host))));
    }
    let left = || end.saturating_duration_since(Instant::now());
    let look = || broker.ask(Verb::Observe(Whom::Attempt), LOOK.min(left())).outcome;
    let time = now()?;
    let is_made = |seen: &RemoteRunner| made(seen, &attempt, time);
    let mut outcome = look();
    if let Outcome::Seen(Some(first)) = &outcome
        && is_made(first)
    {
        let (id, watch) = (first.id, Duration::from_secs(interval / 5));
        if watch + Duration::from_secs(1) > left() {
            return Ok(Resolution::Open("it is too early to tell".into()));
        }
        if !watch.is_zero() {
            thread::sleep(watch);
            outcome = look();
        }
        if matches!(&outcome, Outcome::Seen(Some(seen)) if seen.id != id) {
            return Ok(Resolution::Open("its name went from one runner to another just now".into()));
        }
    }
    match outcome {
        Outcome::Seen(Some(seen)) if is_made(&seen) => {
            let (name, id) = (shown(&seen.name), seen.id);
            info!("The runner {name}, id {id}, was made by a start that was cut off");
            take_back(broker, draft, seen, end)
        }
        Outcome::Seen(None) if time.abs_diff(attempt.since) < 8 * interval => {
            Ok(Resolution::Open("there is none so far".into()))
        }
        Outcome::Seen(_) => {
            draft.entry.attempt = None;
            draft.save()?;
            Ok(Resolution::Nothing)
        }
        // Of another server, say, or out of reach of another credential: waiting does not change that.
        Outcome::Refused(_) => Ok(unclear(draft, &reason(&outcome))),
        outcome => Ok(Resolution::Open(reason(&outcome))),
    }
}

/// Closes an attempt whose listener found the name taken before it asked for anything; tells whether it was one.
///
/// # Errors
///
/// If the state directory cannot be read or the ledger not be written.
pub fn gave_way(draft: &mut Draft<'_>, state: &Dir) -> Result<bool> {
    if draft.entry.attempt.is_none() || state.entry(NAME_TAKEN)? != EntryKind::File {
        return Ok(false);
    }
    draft.entry.attempt = None;
    draft.save()?;
    Ok(true)
}

fn unclear(draft: &Draft<'_>, why: &str) -> Resolution {
    let page = address(draft).map_or_else(|| "GitHub".into(), |url| url.settings_page());
    Resolution::Unclear(format!("{why}; see {page}"))
}

/// The address that the attempt asked at.
fn address(draft: &Draft<'_>) -> Option<RegistrationUrl> {
    RegistrationUrl::parse(draft.entry.registration.get("url")?.as_str()?).ok()
}

/// Notes what an attempt made as a debt, closes the attempt, and pays.
fn take_back(broker: &dyn Ask, draft: &mut Draft<'_>, seen: RemoteRunner, end: Instant) -> Result<Resolution> {
    let url = address(draft).context("The ledger has no good address for what an attempt made")?;
    let ephemeral = draft.entry.is_ephemeral();
    let time = now()?;
    let runner = Runner { id: seen.id, name: seen.name, url: url.as_str().into(), recorded_at: time };
    draft.entry.owe(runner.clone(), ephemeral, time);
    draft.entry.attempt = None;
    draft.save()?;
    pay(broker, draft, &url, end);
    let owed = draft.entry.debts.iter().any(|left| left.is(&runner));
    Ok(if owed { Resolution::Owed } else { Resolution::TakenBack })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attempt_made_is_ours_until_a_listener_uses_it() {
        let seen = |id| RemoteRunner { id, name: "runner1".into(), online: false, busy: false };
        let attempt = |before| Attempt { since: 0, before, host: None };
        let made = |seen: &RemoteRunner, attempt: &Attempt| made(seen, attempt, 1_000);
        assert!(made(&seen(99), &attempt(NameHolder::Nobody)));
        assert!(
            !super::made(&seen(99), &attempt(NameHolder::Nobody), 7 * 60 * 60),
            "somebody else may have come since"
        );
        assert!(!made(&RemoteRunner { online: true, ..seen(99) }, &attempt(NameHolder::Nobody)));
        assert!(!made(&RemoteRunner { busy: true, ..seen(99) }, &attempt(NameHolder::Nobody)));
        assert!(!made(&seen(99), &attempt(NameHolder::Unknown)), "it may have been there before");
        assert!(!made(&seen(7), &attempt(NameHolder::Runner(7))), "it was there before");
        assert!(made(&seen(99), &attempt(NameHolder::Runner(7))), "it took the place of the other one");
    }
}
