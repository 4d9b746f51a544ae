//! How many runners there may be, for whom, and at what cost. Pure.
//!
//! Only an order whose run has shown that it wants it counts. Requests that wait for their proof count among themselves: a
//! stranger who asks in the name of other people's runs must neither use up their places nor their labels.
//!
//! The ceiling of a day holds as long as this host or the machine itself ends each machine in time: the most that one can cost is
//! reserved before it is asked for, and is replaced by the cost of its time after its end. A job with all rights on a machine can keep
//! that from ending itself, so a host that is gone for good leaves a cloud's own limits.

use serde::{Deserialize, Serialize};

use super::breaker;
use super::label::{Key, Run};
use super::order::{Cost, Order, Proof, State};
use super::refusal::{Limit, Refusal, until_midnight};
use super::source::Source;
use crate::model::Repository;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// How much later than its deadline a machine may be ended from outside, in seconds.
pub const GRACE: u64 = 120;

/// The longest life of an order, in seconds.
pub const LONGEST_TTL: u64 = 6 * HOUR;

/// How long a caller waits before the next try where nobody can say when a place is free, in seconds.
const SOON: u64 = 30;

/// The limits of a host. The defaults are for one operator with one repository or a few.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// Open orders.
    pub open: u32,
    /// Open orders of a repository.
    pub per_repository: u32,
    /// Open orders of a run.
    pub per_run: u32,
    /// Orders of a run, also those that are over.
    pub per_run_ever: u32,
    /// Open orders of pull requests from forks.
    pub forks: u32,
    /// Open orders without a proof.
    pub unproven: u32,
    /// Orders that wait for their proof.
    pub waiting: u32,
    /// Those of one source.
    pub waiting_per_source: u32,
    /// Processors of all open orders; `None` for no limit.
    pub processors: Option<u32>,
    /// Machines asked for in an hour.
    pub starts_per_hour: u32,
    /// The cost of a day, from midnight UTC; `None` if no class costs anything.
    pub cost_per_day: Option<Cost>,
    /// So many machines of a class in a row without a job pause it.
    pub breaker: u32,
    /// For so many seconds.
    pub pause: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: 8,
            per_repository: 8,
            per_run: 4,
            per_run_ever: 16,
            forks: 2,
            unproven: 2,
            waiting: 32,
            waiting_per_source: 8,
            processors: None,
            starts_per_hour: 60,
            cost_per_day: None,
            breaker: 3,
            pause: 15 * 60,
        }
    }
}

/// What is said of a class.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClassLimits {
    /// Open orders of it.
    pub max: u32,
    /// The life of an order in seconds, at most [`LONGEST_TTL`].
    pub ttl: u64,
    /// The processors of a machine.
    #[serde(default)]
    pub processors: u32,
    /// The cost of an hour, by the dearest of its machines.
    #[serde(default)]
    pub price_per_hour: Cost,
}

/// What is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Label and class.
    pub key: Key,
    /// Whose run it is.
    pub repository: Repository,
    /// The run.
    pub run: Option<Run>,
    /// How it shows that it wants it.
    pub proof: Proof,
    /// Whether it belongs to a pull request from a fork.
    pub fork: bool,
    /// Who asks.
    pub source: Source,
}

/// What an order takes up from its admission on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reservation {
    /// When it counts from.
    pub at: u64,
    /// When its machine ends.
    pub deadline: u64,
    /// The most that the machine can cost.
    pub cost: Cost,
}

/// What there is beside the order that is asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    open: u32,
    class: u32,
    repository: u32,
    run: u32,
    run_ever: u32,
    forks: u32,
    unproven: u32,
    waiting: u32,
    of_source: u32,
    processors: u32,
    /// When the starts of the last hour were, the oldest first.
    starts: Vec<u64>,
    today: Cost,
    /// Machines of the class that ended.
    last_ends: Vec<breaker::End>,
}

impl Counts {
    /// Counts all orders of the book but the one that is asked for. `processors` tells how many a machine of a class has.
    pub fn of<'a>(
        orders: impl IntoIterator<Item = &'a Order>,
        request: &Request,
        processors: impl Fn(&Order) -> u32,
        now: u64,
    ) -> Self {
        let mut counts = Self::default();
        for order in orders.into_iter().filter(|order| order.key() != request.key) {
            if order.state == State::Accepted {
                counts.waiting += 1;
                counts.of_source += u32::from(order.source == request.source);
                continue;
            }
            let is_open = u32::from(order.is_open());
            let is_same_run =
                order.run == request.run && order.run.is_some() && order.repository.is(&request.repository);
            counts.open += is_open;
            counts.class += is_open * u32::from(order.class == request.key.class);
            counts.repository += is_open * u32::from(order.repository.is(&request.repository));
            counts.run += is_open * u32::from(is_same_run);
            counts.run_ever += u32::from(is_same_run);
            counts.forks += is_open * u32::from(order.fork);
            counts.unproven += is_open * u32::from(order.proof == Proof::None);
            counts.processors = counts.processors.saturating_add(is_open * processors(order));
            // One that has not come to it yet will.
            let start = order.launched_at.or_else(|| order.is_open().then_some(now));
            counts.starts.extend(start.filter(|start| now.saturating_sub(*start) < HOUR));
            counts.today = plus(counts.today, cost_of_day(order, now));
            if order.class == request.key.class {
                counts.last_ends.extend(breaker::end(order));
            }
        }
        counts.starts.sort_unstable();
        counts
    }

    /// The cost of today, reserved or real.
    #[must_use]
    pub fn today(&self) -> Cost {
        self.today
    }

    /// Until when the class is paused, because so many machines in a row were of no use to anybody.
    #[must_use]
    pub fn paused_until(&self, limits: &Limits, now: u64) -> Option<u64> {
        breaker::pause(&self.last_ends, limits.breaker, limits.pause, now)
    }
}

/// What all these orders cost on the day of `now`, reserved or real.
#[must_use]
pub fn cost_today<'a>(orders: impl IntoIterator<Item = &'a Order>, now: u64) -> Cost {
    orders.into_iter().fold(Cost(0), |cost, order| plus(cost, cost_of_day(order, now)))
}

/// What an order costs on the day of `now`.
fn cost_of_day(order: &Order, now: u64) -> Cost {
    let counts = order.state != State::Accepted && order.accepted_at / DAY == now / DAY;
    if counts { order.reserved } else { Cost(0) }
}

fn plus(Cost(one): Cost, Cost(other): Cost) -> Cost {
    Cost(one.saturating_add(other))
}

/// Decides whether an order may get a machine: for a request that has its proof, or needs none.
///
/// # Errors
///
/// The first limit that is reached, those that help nobody to wait for first.
pub fn admit(
    request: &Request,
    counts: &Counts,
    class: &ClassLimits,
    limits: &Limits,
    now: u64,
) -> Result<Reservation, Refusal> {
    if let Some(until) = counts.paused_until(limits, now) {
        return Err(Refusal::Paused(until - now));
    }
    let cost = reserve(class);
    let today = counts.today.0.saturating_add(cost.0);
    let is_full = |count: u32, most: u32| count >= most;
    let is_unproven = request.proof == Proof::None;
    let next_start = counts.starts.first().map_or(SOON, |first| (first + HOUR).saturating_sub(now));
    for (is_reached, limit, seconds) in [
        (limits.cost_per_day.is_some_and(|most| today > most.0), Limit::Cost, until_midnight(now)),
        (is_full(counts.run_ever, limits.per_run_ever), Limit::RunEver, DAY),
        (is_full(counts.run, limits.per_run), Limit::Run, SOON),
        (request.fork && is_full(counts.forks, limits.forks), Limit::Forks, SOON),
        (is_unproven && is_full(counts.unproven, limits.unproven), Limit::Unproven, SOON),
        (is_full(counts.repository, limits.per_repository), Limit::Repository, SOON),
        (is_full(counts.class, class.max), Limit::Class, SOON),
        (is_full(counts.open, limits.open), Limit::Open, SOON),
        (
            limits.processors.is_some_and(|most| counts.processors.saturating_add(class.processors) > most),
            Limit::Processors,
            SOON,
        ),
        (counts.starts.len() >= limits.starts_per_hour as usize, Limit::Starts, next_start),
    ] {
        if is_reached {
            return Err(Refusal::Limit(limit, seconds));
        }
    }
    Ok(Reservation { at: now, deadline: now + class.ttl.min(LONGEST_TTL), cost })
}

/// Decides whether a request may wait for its proof. Those that can never get a machine need not.
///
/// # Errors
///
/// As [`admit`], and [`Limit::Waiting`].
pub fn admit_to_wait(
    request: &Request,
    counts: &Counts,
    class: &ClassLimits,
    limits: &Limits,
    now: u64,
) -> Result<Reservation, Refusal> {
    let reservation = admit(request, counts, class, limits, now)?;
    if counts.waiting >= limits.waiting || counts.of_source >= limits.waiting_per_source {
        return Err(Refusal::Limit(Limit::Waiting, SOON));
    }
    Ok(reservation)
}

/// The most that a machine of the class can cost: for its whole life and for what it takes to end it.
fn reserve(class: &ClassLimits) -> Cost {
    share(class.price_per_hour, class.ttl.min(LONGEST_TTL) + GRACE, HOUR)
}

/// What an order's machine has cost when it is gone at `end`, by its share of what was reserved; never more than that.
#[must_use]
pub fn spent(order: &Order, end: u64) -> Cost {
    let Some(began) = order.launched_at else { return Cost(0) };
    let whole = order.deadline.saturating_sub(order.accepted_at) + GRACE;
    share(order.reserved, end.saturating_sub(began).min(whole), whole)
}

/// `cost * part / whole`, rounded up.
fn share(Cost(cost): Cost, part: u64, whole: u64) -> Cost {
    let exact = (u128::from(cost) * u128::from(part)).div_ceil(u128::from(whole.max(1)));
    Cost(u64::try_from(exact).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
