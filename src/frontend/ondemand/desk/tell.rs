//! Figures: counted by the desk, kept beside the book, and written for whoever collects them.
//!
//! They are no reason to fail: what cannot be written is told and counted on.

use nix::sys::stat::Mode;
use tracing::warn;

use super::hands::COUNTERS;
use super::state::Desk;
use crate::frontend::ondemand::figures::{FILE, render};
use crate::frontend::ondemand::order::{Order, State};
use crate::frontend::ondemand::wire::Outcome;
use crate::sys::Place;

/// Between two times of writing, in seconds.
const INTERVAL: u64 = 15;

impl Desk {
    /// Counts a change of an order that was just written.
    pub(super) fn count_change(&mut self, before: Option<State>, order: &Order) {
        if before == Some(order.state) {
            return;
        }
        let was_online = before.is_some_and(|state| state >= State::Online);
        if order.online_at.is_some() && !was_online && order.state < State::Ending {
            self.counters.came_online(order);
        }
        if order.state == State::Ended {
            self.counters.ended(order);
        }
        self.is_counted = false;
    }

    /// Counts an answer to whoever wanted runners.
    pub(super) fn count_answer(&mut self, outcome: &Outcome) {
        self.counters.answered(outcome);
        self.is_counted = false;
    }

    /// Writes figures, if there is something new and it is time.
    pub(super) fn tell(&mut self, now: u64) {
        if self.is_counted || now.abs_diff(self.told_at) < INTERVAL {
            return;
        }
        (self.is_counted, self.told_at) = (true, now);
        if let Err(error) = self.write_figures(now) {
            warn!("Failed to write figures: {error:#}");
        }
    }

    fn write_figures(&self, now: u64) -> anyhow::Result<()> {
        let text = self.counters.to_text().map_err(anyhow::Error::msg)?;
        self.hands.book.home().replace_file(COUNTERS, &text, Mode::S_IRUSR | Mode::S_IWUSR, None)?;
        let settings = &self.hands.settings;
        let Some(directory) = &settings.textfile_directory else { return Ok(()) };
        // Whoever collects makes it; nobody collects before.
        let Some(directory) = Place::walk(directory)?.open()? else { return Ok(()) };
        let orders = self.orders.values().map(|tracked| &tracked.order);
        let page = render(orders, &self.counters, settings, now);
        let readable = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH;
        directory.replace_file(FILE, page.as_bytes(), readable, None)
    }
}
