//! What a pass does about one runner, as a pure function of what was found and of what earlier passes saw.
//!
//! Nothing here reads, asks or acts. Two rules stand above all others: nothing is decided about a runner that something else
//! owns; and under `when-idle` nothing that could end a job, but for `drainTimeout`, which says so.

use crate::contract::fleet::RestartPolicy;
use crate::ledger::{Lease, Owner, Runner};
use crate::survey::{Absence, Recall};
use crate::survey::{Intent, Knowledge, Server, Situation};
use crate::units::Activity;

/// How long a running unit may be missing from the server's list, in seconds: one that registers just now is not there yet.
const MISSING: u64 = 60;
/// How long it may be listed as offline: right after a start that is normal.
const OFFLINE: u64 = 10 * 60;
/// The least time between two restarts for that, in seconds; it doubles with each one that did not help.
const FIRST_PAUSE: u64 = 10 * 60;
const LONGEST_PAUSE: u64 = 6 * 60 * 60;
/// The time between two tries to pay debts, in seconds; it doubles as well.
const FIRST_PAYMENT: u64 = 60;
const LONGEST_PAYMENT: u64 = 60 * 60;

/// What is done about a runner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Nothing, and why.
    Leave(Why),
    /// Have the server delete this registration, and if it does, restart the unit: it can be given no job meanwhile.
    RetireThenRestart(Runner),
    /// Restart the unit, which runs no job.
    Restart(Cause),
    /// Restart the unit although it runs a job: its time is over.
    CutShort,
    /// Take back what the ledger owes.
    Pay,
    /// Take back everything of a runner that nobody wants any more, and forget it: it is not configured, and if something
    /// else made it, that owner's time is over.
    Dissolve,
}

/// Why a runner is restarted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cause {
    /// Its configuration changed.
    Changed,
    /// The server does not list it.
    Missing,
    /// The server lists it as offline.
    Offline,
}

impl Cause {
    /// One word, for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Offline => "offline",
        }
    }
}

/// Why nothing is done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Why {
    /// It runs as configured.
    Fine,
    /// It does not run, and nothing is owed.
    Stopped,
    /// It is being started or stopped.
    Moving,
    /// A restart is due and waits for the end of a job.
    Busy,
    /// A restart is due and waits for a word of the server; why there is none.
    Silent(String),
    /// A restart is due, and the start would not register the runner again; why.
    Unprepared(String),
    /// A restart is due, and the policy leaves it to somebody else.
    NotOurs(RestartPolicy),
    /// The server does not see it as running, and that is watched or waited for.
    Watched(Cause),
    /// Something else owns it for this time.
    Leased(Lease),
}

/// Decides, and says what to remember for the next pass.
#[must_use]
pub fn plan(found: &Situation, recall: &Recall, now: u64) -> (Decision, Recall) {
    let nothing = || Recall { said: recall.said.clone(), ..Recall::default() };
    if let Some(lease) = found.known.as_ref().and_then(|known| known.owner.lease(now)) {
        return (Decision::Leave(Why::Leased(lease.clone())), nothing());
    }
    let Some(wanted) = &found.wanted else {
        return (former(found), nothing());
    };
    let mut next = recall.clone();
    let owes = found.known.as_ref().is_some_and(|known| known.owes || is_orphan(found, known));
    if !owes {
        (next.payments, next.pay_after) = (0, None);
    }
    // A time that is further away was noted by a clock that was wrong.
    let waits = |after: u64| after > now && after - now <= LONGEST_PAYMENT;
    let pays = owes && matches!(found.server, Server::Lists(_)) && !next.pay_after.is_some_and(waits);
    if found.unit.activity != Activity::Active {
        (next.pending_since, next.pending_from, next.lost) = (None, None, None);
        let moves = matches!(found.unit.activity, Activity::Starting | Activity::Stopping);
        let decision = match pays {
            _ if moves => Decision::Leave(Why::Moving),
            true => pay(&mut next, now),
            false => Decision::Leave(Why::Stopped),
        };
        return (decision, next);
    }
    if !wanted.outdated {
        (next.pending_since, next.pending_from) = (None, None);
        let decision = watched(found, wanted, &mut next, now);
        return match decision {
            Decision::Leave(Why::Fine) if pays => (pay(&mut next, now), next),
            decision => (decision, next),
        };
    }
    let started = found.known.as_ref().and_then(|known| known.started.clone());
    if next.pending_from != started {
        // It started anew since, so what was due then is done; this is another change, with a time of its own.
        (next.pending_since, next.pending_from) = (None, started);
    }
    let since = *next.pending_since.get_or_insert(now);
    (due(found, wanted, since, now), next)
}

/// A runner that nobody wants any more. Whether it runs a job is the server's to say, or else found out when it comes to
/// stopping it.
fn former(found: &Situation) -> Decision {
    match found.unit.activity {
        Activity::Starting | Activity::Stopping => Decision::Leave(Why::Moving),
        _ => Decision::Dissolve,
    }
}

/// Whether a declared runner rests on the registration of a former owner, whose time is over: its next start would take that
/// back, but an operator may have stopped it.
fn is_orphan(found: &Situation, known: &Knowledge) -> bool {
    found.unit.activity != Activity::Active && known.owner != Owner::Declared && known.runner.is_some()
}

/// Debts are paid now, and if that fails again and again, ever more rarely: some are where the credential does not reach.
fn pay(recall: &mut Recall, now: u64) -> Decision {
    let pause = (FIRST_PAYMENT << recall.payments.min(6)).min(LONGEST_PAYMENT);
    recall.payments = recall.payments.saturating_add(1);
    recall.pay_after = Some(now + pause);
    Decision::Pay
}

/// A restart that is due since then.
fn due(found: &Situation, wanted: &Intent, since: u64, now: u64) -> Decision {
    if wanted.policy != RestartPolicy::WhenIdle {
        return Decision::Leave(Why::NotOurs(wanted.policy));
    }
    if wanted.drain_timeout.is_some_and(|limit| now.saturating_sub(since) >= limit) {
        return Decision::CutShort;
    }
    let runner = found.known.as_ref().and_then(|known| known.runner.as_ref());
    match (&found.server, runner) {
        (Server::Lists(Some(seen)), _) if seen.busy => Decision::Leave(Why::Busy),
        // What the server deletes runs no job, whatever a process calls itself; a job could keep such a one for ever.
        (Server::Lists(_), Some(runner)) if wanted.registers_anew => Decision::RetireThenRestart(runner.clone()),
        _ if found.unit.has_job => Decision::Leave(Why::Busy),
        (Server::Silent(why), _) => Decision::Leave(Why::Silent(why.clone())),
        // Also one that lost its entry: between `configure` and `record` a unit is not active.
        _ => Decision::Restart(Cause::Changed),
    }
}

/// A runner that is configured as it runs: does the server see it?
fn watched(found: &Situation, wanted: &Intent, recall: &mut Recall, now: u64) -> Decision {
    let runner = found.known.as_ref().and_then(|known| known.runner.as_ref());
    let (Server::Lists(seen), Some(runner)) = (&found.server, runner) else { return Decision::Leave(Why::Fine) };
    let cause = match seen {
        Some(seen) if seen.online => {
            (recall.lost, recall.cures, recall.cured_at) = (None, 0, None);
            return Decision::Leave(Why::Fine);
        }
        Some(_) => Cause::Offline,
        None => Cause::Missing,
    };
    let lost = match recall.lost {
        Some(lost) if (lost.id, lost.missing) == (runner.id, cause == Cause::Missing) => lost,
        _ => Absence { id: runner.id, missing: cause == Cause::Missing, since: now },
    };
    recall.lost = Some(lost);
    let patience = if cause == Cause::Missing { MISSING } else { OFFLINE };
    let seen_from = lost.since.max(found.unit.since.unwrap_or_default());
    let is_over = now.saturating_sub(seen_from) >= patience;
    let pause = (FIRST_PAUSE << recall.cures.saturating_sub(1).min(6)).min(LONGEST_PAUSE);
    let rests = recall.cured_at.is_some_and(|at| now.saturating_sub(at) < pause && now >= at);
    // The server may be wrong about it, so a job is a job.
    if !is_over || rests || found.unit.has_job || wanted.policy == RestartPolicy::Never {
        return Decision::Leave(Why::Watched(cause));
    }
    Decision::Restart(cause)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
