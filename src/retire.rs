//! Taking registrations back: what this host gave up is deleted on the server, and only then struck out of the ledger.
//!
//! Must not delete anything by itself, and names no runner to the broker that the ledger does not know: a debt is on disk
//! before the broker hears of it, so that a crash at any point leaves something that the next start finds.

use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, warn};

use crate::ask::Broker;
use crate::ledger::{Book, Ledger, LeftBehind, NameHolder, Runner};
use crate::model::{RegistrationUrl, date, shown};
use crate::protocol::{Outcome, Seen, Verb};

/// The longest that the answer about one debt may take.
const ONE: Duration = Duration::from_secs(8);

/// Whose runner holds a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holder {
    /// One that the ledger knows and gave up.
    Former,
    /// The one that an attempt made which was cut off before the ledger could know.
    Attempted,
    /// Somebody else's.
    Foreign,
}

/// Decides whose runner has the configured name.
///
/// A runner that no ledger knows is taken for this host's only if it did not have the name before this host asked for
/// one, and if no listener ever used it: an attempt that came to that would be in the ledger.
#[must_use]
pub fn whose(seen: &Seen, entry: &Ledger) -> Holder {
    let known = entry.runner.iter().chain(entry.left_behind.iter().map(|left| &left.runner));
    if known.into_iter().any(|runner| runner.id == seen.id) {
        return Holder::Former;
    }
    let attempted = entry.runner.is_none()
        && entry.attempt.as_ref().is_some_and(|attempt| match attempt.before {
            NameHolder::Unknown => false,
            NameHolder::Nobody => true,
            NameHolder::Runner(id) => id != seen.id,
        });
    if attempted && !seen.online && !seen.busy { Holder::Attempted } else { Holder::Foreign }
}

/// What came of paying debts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Paid {
    /// The ids that the server still knew and has deleted now.
    pub deleted: Vec<u64>,
    /// Why no more was tried, if the server does not answer.
    pub silence: Option<String>,
}

/// Notes a runner that an attempt made as a debt.
///
/// # Errors
///
/// If the ledger cannot be written.
pub fn note_attempted(
    book: &mut Book<'_>,
    seen: &Seen,
    url: &RegistrationUrl,
    ephemeral: bool,
    now: u64,
) -> Result<()> {
    let runner = Runner { id: seen.id, name: seen.name.clone(), url: url.as_str().into(), recorded_at: now };
    book.entry.leave_behind(runner, ephemeral, now);
    book.entry.attempt = None;
    book.save()
}

/// Has the broker delete what the ledger owes, until `end`, and strikes out what is gone.
///
/// What cannot be paid stays in the ledger for the next time; that is no error.
///
/// # Errors
///
/// If the ledger cannot be written.
pub fn pay(broker: &Broker<'_>, book: &mut Book<'_>, url: &RegistrationUrl, end: Instant) -> Result<Paid> {
    let mut result = Paid::default();
    for left in book.entry.left_behind.clone() {
        let time = end.saturating_duration_since(Instant::now()).min(ONE);
        if time < Duration::from_secs(1) {
            break;
        }
        let (name, id) = (shown(&left.runner.name), left.runner.id);
        let paid = match broker.ask(Verb::Retire { id }, time).outcome {
            Outcome::Retired => {
                info!("Took back the former registration {name}, id {id}");
                result.deleted.push(id);
                true
            }
            Outcome::Gone => {
                info!("The former registration {name}, id {id}, was gone already");
                true
            }
            Outcome::Busy => {
                info!("GitHub still counts a job on the former registration {name}, id {id}; it stays in the ledger");
                false
            }
            outcome => {
                warn!(
                    "Failed to take back the former registration {name}, id {id}: {}. It stays in the ledger{}",
                    reason(&outcome),
                    page(&left)
                );
                if matches!(outcome, Outcome::Unreachable(_) | Outcome::RateLimited(_)) {
                    result.silence = Some(reason(&outcome));
                    break;
                }
                // What is wrong with one debt of another address says nothing about the next one.
                if matches!(outcome, Outcome::Refused(_)) && left.runner.url == url.as_str() {
                    break;
                }
                false
            }
        };
        if paid {
            strike(book, id)?;
        }
    }
    Ok(result)
}

/// Tries once more to have a former registration deleted that a job kept; whether it is gone now.
///
/// # Errors
///
/// If the ledger cannot be written.
pub fn retry(broker: &Broker<'_>, book: &mut Book<'_>, seen: &Seen) -> Result<bool> {
    let gone = matches!(broker.ask(Verb::Retire { id: seen.id }, ONE).outcome, Outcome::Retired | Outcome::Gone);
    if gone {
        info!("Took back the former registration {}, id {}", shown(&seen.name), seen.id);
        strike(book, seen.id)?;
    }
    Ok(gone)
}

/// Forgets a runner that the server does not know any more.
fn strike(book: &mut Book<'_>, id: u64) -> Result<()> {
    book.entry.left_behind.retain(|left| left.runner.id != id);
    if book.entry.runner.as_ref().is_some_and(|runner| runner.id == id) {
        book.entry.runner = None;
    }
    book.save()
}

/// Why an answer is of no use, as the end of a sentence.
#[must_use]
pub fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(why) | Outcome::Unreachable(why) | Outcome::NotOurs(why) => {
            why.strip_suffix('.').unwrap_or(why).into()
        }
        Outcome::RateLimited(until) => {
            format!("GitHub's rate limit is used up; requests are allowed again on {} UTC", moment(*until))
        }
        _ => "its broker answered something else than it was asked: take both programs from one release".into(),
    }
}

fn moment(seconds: u64) -> String {
    let of_day = seconds % 86_400;
    format!("{} {:02}:{:02}", date(seconds), of_day / 3_600, of_day / 60 % 60)
}

fn page(left: &LeftBehind) -> String {
    let page =
        RegistrationUrl::parse(&left.runner.url).map(|url| format!("; it can be removed at {}", url.settings_page()));
    page.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Attempt, NameHolder};

    fn entry() -> Ledger {
        let text = include_bytes!("../tests/fixtures/ledger-v2.json");
        Ledger::parse(text, &"runner1".to_string().try_into().unwrap()).unwrap()
    }

    fn seen(id: u64) -> Seen {
        Seen { id, name: "runner1".into(), online: false, busy: false }
    }

    #[test]
    fn only_what_the_ledger_accounts_for_is_ours() {
        let mut entry = entry();
        entry.attempt = None;
        assert_eq!(whose(&seen(21), &entry), Holder::Former);
        assert_eq!(whose(&seen(20), &entry), Holder::Former);
        assert_eq!(whose(&seen(99), &entry), Holder::Foreign);
    }

    #[test]
    fn what_an_attempt_made_is_ours_until_a_listener_uses_it() {
        let mut entry = entry();
        entry.runner = None;
        entry.attempt = Some(Attempt { since: 0, before: NameHolder::Nobody });
        assert_eq!(whose(&seen(99), &entry), Holder::Attempted);
        assert_eq!(whose(&Seen { online: true, ..seen(99) }, &entry), Holder::Foreign);
        assert_eq!(whose(&Seen { busy: true, ..seen(99) }, &entry), Holder::Foreign);
        entry.attempt = Some(Attempt { since: 0, before: NameHolder::Unknown });
        assert_eq!(whose(&seen(99), &entry), Holder::Foreign, "it may have been there before");
        entry.attempt = Some(Attempt { since: 0, before: NameHolder::Runner(7) });
        assert_eq!(whose(&seen(7), &entry), Holder::Foreign, "it was there before");
        assert_eq!(whose(&seen(99), &entry), Holder::Attempted, "it took the place of the other one");
    }

    #[test]
    fn reasons_fit_into_a_sentence() {
        assert_eq!(reason(&Outcome::Refused("The token expired.".into())), "The token expired");
        let limited = reason(&Outcome::RateLimited(1_798_070_400 + 3_660));
        assert!(limited.ends_with("on 2026-12-24 01:01 UTC"), "{limited}");
    }
}
