//! Taking registrations back: what this host gave up is deleted on the server, and only then struck out of the ledger.
//!
//! Must not delete anything by itself, and names no runner to the broker that the ledger does not know: a debt is on disk
//! before the broker hears of it, so that a crash at any point leaves something that the next start finds.

use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, warn};

use crate::contract::protocol::{Outcome, RemoteRunner, Verb};
use crate::ledger::{Debt, Draft, Entry, Runner};
use crate::model::{RegistrationUrl, date_and_time, shown};
use crate::registration::ask::Ask;
use crate::state::start::now;

/// The longest that the answer about one debt may take.
const ONE: Duration = Duration::from_secs(15);

/// What came of paying debts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Payment {
    /// The ids that the server still knew and has deleted now.
    pub deleted: Vec<u64>,
    /// Why no more was tried, if the server does not answer.
    pub silence: Option<String>,
}

/// Whether the ledger names this runner of an address, as its present or a former one.
#[must_use]
pub fn is_ours(seen: &RemoteRunner, entry: &Entry, url: &RegistrationUrl) -> bool {
    let known = entry.runner.iter().chain(entry.debts.iter().map(|left| &left.runner));
    known.into_iter().any(|runner| runner.id == seen.id && runner.url == url.as_str())
}

/// Has the broker delete what the ledger owes, until `end`, and strikes out what is gone.
///
/// What cannot be paid stays in the ledger for the next time; that is no error. Nor is a ledger that cannot be
/// written: what was paid is found to be gone then.
pub fn pay(broker: &dyn Ask, draft: &mut Draft<'_>, url: &RegistrationUrl, end: Instant) -> Payment {
    let mut result = Payment::default();
    // The youngest first, and those elsewhere last: what just ended matters most, and time is short.
    let mut debts = draft.entry.debts.clone();
    debts.reverse();
    debts.sort_by_key(|left| left.runner.url != url.as_str());
    for left in debts {
        let time = end.saturating_duration_since(Instant::now()).min(ONE);
        if time < Duration::from_secs(1) {
            break;
        }
        let (name, id) = (shown(&left.runner.name), left.runner.id);
        let paid = match broker.ask(Verb::Retire { id, url: left.runner.url.clone() }, time).outcome {
            Outcome::Retired => {
                info!("Took back the former registration {name}, id {id}");
                result.deleted.push(id);
                true
            }
            Outcome::Gone => true,
            Outcome::Busy => {
                info!("GitHub still counts a job on the former registration {name}, id {id}; it stays in the ledger");
                false
            }
            // Out of this credential's reach, and GitHub has cleaned up by itself since.
            Outcome::Refused(_) if left.runner.url != url.as_str() && now().is_ok_and(|now| left.is_reaped(now)) => {
                true
            }
            outcome => {
                warn!(
                    "Failed to take back the former registration {name}, id {id}: {}. It stays in the ledger{}",
                    reason(&outcome),
                    page(&left)
                );
                // What is wrong with a debt of another address says nothing about the next one.
                let at_home = left.runner.url == url.as_str();
                if let Outcome::RateLimited(until) = outcome
                    && at_home
                {
                    draft.entry.not_before = Some(until);
                }
                if at_home && matches!(outcome, Outcome::Unreachable(_) | Outcome::RateLimited(_)) {
                    result.silence = Some(reason(&outcome));
                }
                if at_home && !matches!(outcome, Outcome::NotOurs(_)) {
                    break;
                }
                false
            }
        };
        if paid && let Err(error) = strike(draft, &left.runner) {
            warn!("{error:#}");
        }
    }
    result
}

/// Tries once more to have a former registration deleted that a job kept.
///
/// # Errors
///
/// If the ledger cannot be written.
pub fn retry(broker: &dyn Ask, draft: &mut Draft<'_>, seen: &RemoteRunner, url: &RegistrationUrl) -> Result<()> {
    let verb = Verb::Retire { id: seen.id, url: url.as_str().into() };
    if matches!(broker.ask(verb, ONE).outcome, Outcome::Retired | Outcome::Gone) {
        info!("Took back the former registration {}, id {}", shown(&seen.name), seen.id);
        let runner = Runner { id: seen.id, name: seen.name.clone(), url: url.as_str().into(), recorded_at: 0 };
        strike(draft, &runner)?;
    }
    Ok(())
}

/// Forgets a runner that the server does not know any more.
fn strike(draft: &mut Draft<'_>, gone: &Runner) -> Result<()> {
    draft.entry.debts.retain(|left| !left.is(gone));
    if draft.entry.runner.as_ref().is_some_and(|runner| (runner.id, &runner.url) == (gone.id, &gone.url)) {
        draft.entry.runner = None;
    }
    draft.save()
}

/// Why an answer is of no use, as the end of a sentence.
#[must_use]
pub fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(why) | Outcome::Unreachable(why) | Outcome::NotOurs(why) => {
            why.strip_suffix('.').unwrap_or(why).into()
        }
        Outcome::RateLimited(until) => {
            format!("GitHub's rate limit is used up; requests are allowed again on {}", date_and_time(*until))
        }
        _ => "its broker answered something else than it was asked: take both programs from one release".into(),
    }
}

fn page(left: &Debt) -> String {
    let page =
        RegistrationUrl::parse(&left.runner.url).map(|url| format!("; it can be removed at {}", url.settings_page()));
    page.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_ledger_names_at_this_address_is_ours() {
        let text = include_bytes!("../../tests/fixtures/ledger-v3.json");
        let entry = Entry::parse(text, &"runner1".to_string().try_into().unwrap()).unwrap();
        let url = |url| RegistrationUrl::parse(url).unwrap();
        let seen = |id| RemoteRunner { id, name: "runner1".into(), online: false, busy: false };
        let home = url("https://github.com/o/r");
        assert!(is_ours(&seen(21), &entry, &home) && is_ours(&seen(20), &entry, &home));
        assert!(!is_ours(&seen(99), &entry, &home));
        assert!(!is_ours(&seen(21), &entry, &url("https://github.com/o/other")), "ids mean nothing elsewhere");
    }

    #[test]
    fn reasons_fit_into_a_sentence() {
        assert_eq!(reason(&Outcome::Refused("The token expired.".into())), "The token expired");
        let limited = reason(&Outcome::RateLimited(1_798_070_400 + 3_660));
        assert!(limited.ends_with("on 2026-12-24 01:01:00 UTC"), "{limited}");
    }
}
