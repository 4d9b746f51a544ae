//! The orders of a host as operators see them: a line each, or JSON for programs. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use super::label::{Class, Label, Run};
use super::operate::Look;
use super::order::{Order, Proof, State, Try};
use crate::model::{Repository, plain, span};

/// The version of the JSON.
const VERSION: u64 = 1;
/// How long an order that is over is shown, in seconds, if not all are.
const RECENT: u64 = 60 * 60;
const HEADER: [&str; 8] = ["LABEL", "CLASS", "STATE", "SINCE", "ENDS", "REPOSITORY", "RUN", "WHY"];

/// All that is shown. Times are in seconds since 1970.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    version: u64,
    at: u64,
    stopped: Option<String>,
    orders: Vec<Line>,
    unreadable: Vec<Unreadable>,
}

/// One order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    label: Label,
    class: Class,
    state: State,
    since: u64,
    deadline: u64,
    repository: Repository,
    run: Option<Run>,
    proof: Proof,
    fork: bool,
    reason: Option<String>,
    tries: Vec<Try>,
}

/// A file that cannot be read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unreadable {
    file: String,
    why: String,
}

impl Listing {
    /// Those that are open or wait, the oldest first, then those that are over: of the last hour, or `all` that are remembered.
    #[must_use]
    pub fn of(look: Look, all: bool) -> Self {
        let now = look.at;
        let is_shown = |order: &Order| all || order.ended_at.is_none_or(|ended| now < ended + RECENT);
        let mut orders: Vec<Order> = look.pages.orders.into_values().filter(is_shown).collect();
        orders.sort_by_key(|order| (order.state == State::Ended, order.accepted_at));
        let unreadable = look.pages.faults.into_iter();
        Self {
            version: VERSION,
            at: now,
            stopped: look.stopped,
            orders: orders.into_iter().map(line).collect(),
            unreadable: unreadable.map(|(file, why)| Unreadable { file: plain(&file), why: plain(&why) }).collect(),
        }
    }

    /// For programs.
    ///
    /// # Errors
    ///
    /// Never, as long as all keys are texts.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(why) = &self.stopped {
            // Writing to a string cannot fail.
            _ = writeln!(text, "Nothing new begins: {why}\n");
        }
        if self.orders.is_empty() {
            text.push_str("There are no orders.\n");
        } else {
            text.push_str(&table(self.orders.iter().map(|line| cells(line, self.at))));
        }
        for Unreadable { file, why } in &self.unreadable {
            _ = writeln!(text, "\n{file}: {why}");
        }
        text
    }
}

fn line(order: Order) -> Line {
    let tries = order.tries.into_iter().map(|tried| Try { code: plain(&tried.code), ..tried });
    Line {
        label: order.label,
        class: order.class,
        state: order.state,
        since: order.since,
        deadline: order.deadline,
        repository: order.repository,
        run: order.run,
        proof: order.proof,
        fork: order.fork,
        reason: order.reason.map(|reason| plain(&reason.to_string())),
        tries: tries.collect(),
    }
}

fn cells(line: &Line, now: u64) -> [String; 8] {
    let tried: Vec<&str> = line.tries.iter().map(|tried| tried.code.as_str()).collect();
    let why = match &line.reason {
        Some(reason) if tried.is_empty() => reason.clone(),
        Some(reason) => format!("{reason} Tried: {}", tried.join(", ")),
        None if tried.is_empty() => String::new(),
        None => format!("Tried: {}", tried.join(", ")),
    };
    let ends = match line.deadline.checked_sub(now) {
        _ if matches!(line.state, State::Accepted | State::Ended) => "-".into(),
        Some(left) => format!("in {}", span(left)),
        None => "now".into(),
    };
    [
        line.label.as_str().into(),
        line.class.as_str().into(),
        line.state.word().into(),
        span(now.saturating_sub(line.since)),
        ends,
        line.repository.as_str().into(),
        line.run.map_or_else(|| "-".into(), |run| run.to_string()),
        why,
    ]
}

/// Columns as wide as their widest cell; the last one has no end.
fn table(rows: impl Iterator<Item = [String; 8]>) -> String {
    let rows: Vec<[String; 8]> = std::iter::once(HEADER.map(String::from)).chain(rows).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADER.len() - 1).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        let line = padded.collect::<String>() + &row[HEADER.len() - 1];
        _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
