//! What `status` says about runners on demand, and what of that is a fault.
//!
//! Reads settings, book and units, and changes none of them. What cannot be read is a fault, and hides nothing else.

use std::collections::BTreeMap;

use super::report::{ClassNow, OnDemandNow};
use crate::contract::names::{DESK, DESK_SOCKET, DESK_TIMER, DOOR_SOCKET};
use crate::frontend::ondemand::limits::GRACE;
use crate::frontend::ondemand::operate::{LATE, Look, Places, look, settings};
use crate::frontend::ondemand::order::{Order, State};
use crate::frontend::ondemand::overview::Overview;
use crate::frontend::ondemand::settings::Settings;
use crate::model::{date_and_time, plain, span};
use crate::units::{Activity, Unit, Units};

/// Everything about them; `None` on a host that makes none.
pub fn on_demand(places: &Places, units: &dyn Units, now: u64) -> Option<OnDemandNow> {
    let mut found = OnDemandNow::default();
    let mut fault = |error: anyhow::Error| found.faults.push(plain(&format!("{error:#}")));
    let settings = match settings(&places.settings) {
        Ok(None) => return None,
        Ok(settings) => settings,
        Err(error) => {
            fault(error);
            None
        }
    };
    let look = look(&places.home, now).map_err(&mut fault).unwrap_or_default();
    let shown = units.show(&[DOOR_SOCKET, DESK_SOCKET, DESK_TIMER, DESK]).map_err(&mut fault);
    if let Some(settings) = &settings {
        judge(&mut found, settings, &look, now);
    }
    if let Ok(shown) = shown {
        found.faults.extend(of_units(&shown));
    }
    Some(found)
}

/// Fills in what the book says. Pure.
fn judge(found: &mut OnDemandNow, settings: &Settings, look: &Look, now: u64) {
    let overview = Overview::of(look.pages.orders.values(), settings, now);
    found.stopped = look.stopped.as_deref().map(plain);
    (found.open, found.max) = (overview.open, settings.limits.open);
    (found.waiting, found.oldest) = (overview.waiting, overview.oldest);
    (found.cost_today, found.cost_per_day) = (overview.cost_today.0, settings.limits.cost_per_day.map(|cost| cost.0));
    found.debts = look.debts;
    found.unreadable = look.pages.faults.iter().map(|(file, _)| plain(file)).collect();
    found.classes = overview
        .classes
        .iter()
        .map(|(class, used)| ClassNow {
            class: class.as_str().into(),
            open: used.open,
            max: used.max,
            paused_until: used.paused_until,
        })
        .collect();
    let faults = &mut found.faults;
    if let Some(why) = &found.stopped {
        faults.push(format!("No runners are ordered ({why}): `github-runnerctl on-demand start` takes that back"));
    }
    for ClassNow { class, paused_until, .. } in &found.classes {
        faults.extend(paused_until.map(|until| {
            format!(
                "Class {class} is paused until {}, because its last machines had no job: see `github-runnerctl on-demand list`",
                date_and_time(until)
            )
        }));
    }
    for (file, why) in &look.pages.faults {
        faults.push(format!("Nothing new begins while {} cannot be read: {}", plain(file), plain(why)));
    }
    faults.extend(look.pages.orders.values().filter_map(|order| lingering(order, now)));
    if found.debts > 0 {
        faults.push(format!("Orders are over whose registrations GitHub may still list: {}", found.debts));
    }
}

/// What is wrong with an order that should be over.
fn lingering(order: &Order, now: u64) -> Option<String> {
    let since = match order.state {
        State::Ended => return None,
        State::Ending => order.since + LATE,
        _ => order.deadline + GRACE,
    };
    let journal = format!("see `journalctl --unit {DESK}`");
    (now >= since).then(|| match order.state {
        State::Ending => format!("Order {} has been ending for {}: {journal}", order.key(), span(now - order.since)),
        _ => format!("Order {} should have ended on {}: {journal}", order.key(), date_and_time(order.deadline)),
    })
}

fn of_units(shown: &BTreeMap<String, Unit>) -> Vec<String> {
    let activity = |name: &str| shown.get(name).map(|unit| unit.activity).unwrap_or_default();
    let runs = |name: &str| activity(name) == Activity::Active;
    let mut faults = Vec::new();
    for (name, what) in [
        (DOOR_SOCKET, "Requests for runners reach nobody"),
        (DESK_SOCKET, "Requests for runners are not decided"),
        (DESK_TIMER, "Nobody looks after orders while no request comes"),
    ] {
        if !runs(name) {
            faults.push(format!("{what}: start {name}"));
        }
    }
    if activity(DESK) == Activity::Failed {
        faults.push(format!("The desk failed, see `journalctl --unit {DESK}`"));
    }
    faults
}

#[cfg(test)]
#[path = "ondemand_tests.rs"]
mod tests;
