//! What is told about orders in figures: how many there are, and what was counted since figures are kept. Pure.
//!
//! Labels are classes of the configuration and words of ours. No label, repository or source of a caller is in a figure: each
//! would make series without end, and strangers choose them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::course;
use super::label::Class;
use super::limits::cost_today;
use super::order::{Order, Proof, Reason, State};
use super::proof::Verdict;
use super::refusal::Code;
use super::settings::Settings;
use super::wire;
use crate::contract::openmetrics::{Kind, Page};

/// The name of the file; the collector reads those that end so.
pub const FILE: &str = "github-runners-on-demand.prom";

/// The version of the format.
const VERSION: u64 = 1;

/// What was counted; begins anew where it is lost.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Counters {
    version: u64,
    ended: BTreeMap<Class, BTreeMap<Ending, u64>>,
    launches_refused: BTreeMap<Class, BTreeMap<LaunchRefusal, u64>>,
    requests_accepted: u64,
    requests_refused: BTreeMap<Code, u64>,
    proofs: BTreeMap<Proof, BTreeMap<Judgement, u64>>,
    to_online: BTreeMap<Class, Sum>,
}

/// Why an order ended, in fewer words than there are reasons.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    Done,
    NoJob,
    NotOnline,
    Deadline,
    GivenUp,
    Operator,
    NoCapacity,
    Failed,
}

/// Why no machine was made.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
enum LaunchRefusal {
    NoCapacity,
    Configuration,
    Unanswered,
}

/// What came of a look at a proof.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
enum Judgement {
    Proven,
    NotYet,
    Refused,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    sum: u64,
    count: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            version: VERSION,
            ended: BTreeMap::new(),
            launches_refused: BTreeMap::new(),
            requests_accepted: 0,
            requests_refused: BTreeMap::new(),
            proofs: BTreeMap::new(),
            to_online: BTreeMap::new(),
        }
    }
}

impl Counters {
    /// Reads [`Counters::to_text`].
    ///
    /// # Errors
    ///
    /// The end of a sentence. Whoever reads begins anew then: figures are no reason to fail.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let counters: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if counters.version != VERSION {
            return Err(format!("it has version {}, but this program knows {VERSION} only", counters.version));
        }
        Ok(counters)
    }

    /// Its text as a file.
    ///
    /// # Errors
    ///
    /// Only if JSON cannot express it.
    pub fn to_text(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    /// Counts an order whose end was written, once.
    pub fn ended(&mut self, order: &Order) {
        if let Some(reason) = &order.reason {
            count(self.ended.entry(order.class.clone()).or_default(), ending(reason));
        }
    }

    /// Counts an order whose runner was seen online, once; the time is that since the order counts.
    pub fn came_online(&mut self, order: &Order) {
        if let Some(online) = order.online_at {
            let sum = self.to_online.entry(order.class.clone()).or_default();
            sum.sum = sum.sum.saturating_add(online.saturating_sub(order.accepted_at));
            sum.count = sum.count.saturating_add(1);
        }
    }

    /// Counts what came of asking for a machine, if that was none.
    pub fn launched(&mut self, class: &Class, outcome: &course::Outcome) {
        let refusal = match outcome {
            course::Outcome::NoRoom(_) | course::Outcome::NoRoomUpTo(..) => LaunchRefusal::NoCapacity,
            course::Outcome::Never(_) => LaunchRefusal::Configuration,
            course::Outcome::Nothing | course::Outcome::NotLaunched => LaunchRefusal::Unanswered,
            _ => return,
        };
        count(self.launches_refused.entry(class.clone()).or_default(), refusal);
    }

    /// Counts what a request for runners was answered.
    pub fn answered(&mut self, outcome: &wire::Outcome) {
        match outcome {
            wire::Outcome::Refused(why) => count(&mut self.requests_refused, why.error),
            wire::Outcome::Runners(_) | wire::Outcome::Status(_) => {
                self.requests_accepted = self.requests_accepted.saturating_add(1);
            }
        }
    }

    /// Counts what came of a look at a proof.
    pub fn judged(&mut self, proof: Proof, verdict: &Verdict) {
        let judgement = match verdict {
            Verdict::Proven { .. } => Judgement::Proven,
            Verdict::NotYet => Judgement::NotYet,
            Verdict::Refused(_) => Judgement::Refused,
        };
        count(self.proofs.entry(proof).or_default(), judgement);
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn ending(reason: &Reason) -> Ending {
    match reason {
        Reason::Done => Ending::Done,
        Reason::NoJob => Ending::NoJob,
        Reason::NotOnline => Ending::NotOnline,
        Reason::Deadline => Ending::Deadline,
        Reason::RunOver | Reason::NotQueued | Reason::GivenUp => Ending::GivenUp,
        Reason::Operator => Ending::Operator,
        Reason::NoCapacity => Ending::NoCapacity,
        Reason::MachineLost
        | Reason::Unavailable(_)
        | Reason::Configuration(_)
        | Reason::Registration(_)
        | Reason::NameTaken => Ending::Failed,
    }
}

/// The text of the file for all orders of the book.
pub fn render<'a>(
    orders: impl IntoIterator<Item = &'a Order, IntoIter: Clone>,
    counters: &Counters,
    settings: &Settings,
    now: u64,
) -> String {
    let orders = orders.into_iter();
    let mut page = Page::default();
    let all = State::ALL.into_iter().filter(|state| *state != State::Ended);
    let cells = settings.classes.keys().flat_map(|class| all.clone().map(move |state| (class, state)));
    page.add(
        "github_runner_orders",
        Kind::Gauge,
        "Orders of runners that are not over.",
        cells.map(|(class, state)| {
            let number = orders.clone().filter(|order| order.class == *class && order.state == state).count();
            (vec![("class", class.as_str()), ("state", state.word())], number)
        }),
    );
    page.add(
        "github_runner_orders_cost_today",
        Kind::Gauge,
        "What the orders of today cost, or may cost, since midnight UTC.",
        [(vec![], cost_today(orders, now))],
    );
    counted(&mut page, counters);
    page.text()
}

fn counted(page: &mut Page, counters: &Counters) {
    pairs(
        page,
        // Without `ended` it would be of one family with the orders that there are.
        ("github_runner_orders_ended_total", "Orders that ended, by why they did."),
        ["class", "result"],
        &counters.ended,
    );
    pairs(
        page,
        ("github_runner_launch_refusals_total", "Machines that were asked for and not made."),
        ["class", "code"],
        &counters.launches_refused,
    );
    let times = counters.to_online.iter().map(|(class, Sum { sum, count })| (class.as_str(), *sum, *count));
    page.add_sums(
        "github_runner_order_seconds_to_online",
        "The time from an order to its runner, in seconds.",
        times.map(|(class, sum, count)| (vec![("class", class)], sum, count)),
    );
    let refused = counters.requests_refused.iter().map(|(code, number)| (word(code), *number));
    let requests: Vec<(String, u64)> =
        std::iter::once(("accepted".to_owned(), counters.requests_accepted)).chain(refused).collect();
    page.add(
        "github_runner_order_requests_total",
        Kind::Counter,
        "Requests for runners, by the answer: accepted, or the code of the refusal.",
        requests.iter().map(|(result, number)| (vec![("result", result.as_str())], number)),
    );
    pairs(
        page,
        ("github_runner_order_proofs_total", "Looks at proofs, by what they showed."),
        ["kind", "result"],
        &counters.proofs,
    );
}

/// Adds a counter with two labels.
fn pairs<A: Serialize, B: Serialize>(
    page: &mut Page,
    (name, help): (&str, &str),
    [first, second]: [&str; 2],
    counts: &BTreeMap<A, BTreeMap<B, u64>>,
) {
    let rows =
        counts.iter().flat_map(|(one, of)| of.iter().map(move |(other, number)| (word(one), word(other), number)));
    let rows: Vec<(String, String, &u64)> = rows.collect();
    let values =
        rows.iter().map(|(one, other, number)| (vec![(first, one.as_str()), (second, other.as_str())], number));
    page.add(name, Kind::Counter, help, values);
}

/// The word that a value is in files and answers.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
