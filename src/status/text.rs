//! A report as people read it: a table, and below it what is wrong.
//!
//! Pure. Everything in a report is free of control characters already; nothing else may be printed here.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};

use super::judge::WARNED;
use super::report::{
    ClassNow, ConfigurationNow, ConfigurationState, CredentialKind, CredentialNow, OnDemandNow, RegistrationState,
    Report, Row, UnitState,
};
use crate::contract::fleet::RestartPolicy;
use crate::frontend::ondemand::order::Cost;
use crate::ledger::ExitKind;
use crate::model::{date, span};

const HEADER: [&str; 7] = ["RUNNER", "UNIT", "REGISTRATION", "CONFIGURATION", "LAST EXIT", "CREDENTIAL", "VERSION"];

/// Where the text is printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// How many columns it has; `None` lets every row be one line, which programs can read.
    pub width: Option<u16>,
    /// Whether it shows colours.
    pub colours: bool,
}

/// How something stands.
#[derive(Clone, Copy)]
enum Mark {
    Plain,
    Good,
    Waits,
    Bad,
}

type Marked = (String, Mark);

/// Writes the table, and a line for each fault.
#[must_use]
pub fn text(report: &Report, screen: Screen) -> String {
    let mut text = String::new();
    if report.runners.is_empty() {
        text.push_str("This host has no runners.\n");
    } else {
        text.push_str(&table(report, screen));
        // Programs read one line for each runner.
        let for_people = report.runners.iter().filter(|row| screen.width.is_some() && !row.may.is_empty());
        for row in for_people {
            // Writing to a string cannot fail.
            _ = writeln!(text, "{} may: {}", row.instance, row.may.join(", "));
        }
    }
    if let Some(on_demand) = &report.on_demand {
        text.push('\n');
        text.push_str(&of_orders(on_demand, report.at, screen));
    }
    let mut faults = report.runners.iter().flat_map(|row| row.faults.iter().map(move |fault| (row, fault))).peekable();
    let of_host: Vec<&String> =
        report.faults.iter().chain(report.on_demand.iter().flat_map(|on_demand| &on_demand.faults)).collect();
    if faults.peek().is_some() || !of_host.is_empty() {
        text.push('\n');
    }
    for fault in of_host {
        // Writing to a string cannot fail.
        _ = writeln!(text, "{fault}");
    }
    for (row, fault) in faults {
        // Writing to a string cannot fail.
        _ = writeln!(text, "{}: {fault}", row.instance);
    }
    text
}

fn table(report: &Report, screen: Screen) -> String {
    aligned(HEADER, report.runners.iter().map(|row| cells(row, report.at)), screen)
}

/// Runners on demand: a line for each class, and one for all together.
fn of_orders(on_demand: &OnDemandNow, now: u64, screen: Screen) -> String {
    let class = |class: &ClassNow| {
        let state = match class.paused_until {
            Some(until) => (format!("paused for {}", span(until.saturating_sub(now))), Mark::Bad),
            None if class.open >= class.max as usize => ("full".into(), Mark::Waits),
            None => ("ready".into(), Mark::Good),
        };
        [(class.class.clone(), Mark::Plain), (format!("{} of {}", class.open, class.max), Mark::Plain), state]
    };
    let mut text = aligned(["ON DEMAND", "OPEN", "STATE"], on_demand.classes.iter().map(class), screen);
    let oldest = on_demand.oldest.map(|since| format!(", the oldest for {}", span(now.saturating_sub(since))));
    let cost =
        on_demand.cost_per_day.map(|most| format!("; today cost {} of {}", Cost(on_demand.cost_today), Cost(most)));
    // Writing to a string cannot fail.
    _ = writeln!(
        text,
        "{} of {} open{}, {} waiting for a proof{}",
        on_demand.open,
        on_demand.max,
        oldest.unwrap_or_default(),
        on_demand.waiting,
        cost.unwrap_or_default()
    );
    text
}

fn aligned<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [Marked; N]>, screen: Screen) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).force_no_tty();
    if let Some(width) = screen.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    if screen.colours {
        table.enforce_styling();
    }
    table.set_header(header.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.map(|(text, mark)| {
            let cell = Cell::new(text);
            match mark {
                Mark::Plain => cell,
                Mark::Good => cell.fg(Color::Green),
                Mark::Waits => cell.fg(Color::Yellow),
                Mark::Bad => cell.fg(Color::Red),
            }
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn cells(row: &Row, now: u64) -> [Marked; 7] {
    let name = if row.faults.is_empty() { Mark::Plain } else { Mark::Bad };
    [
        (row.instance.clone(), name),
        unit(row, now),
        registration(row),
        configuration(row, now),
        last_exit(row, now),
        credential(&row.credential, now),
        version(row, now),
    ]
}

fn unit(row: &Row, now: u64) -> Marked {
    let Some(unit) = &row.unit else { return ("unknown".into(), Mark::Bad) };
    let (word, mark) = match unit.state {
        UnitState::Active => ("active", Mark::Good),
        UnitState::Starting => ("starting", Mark::Waits),
        UnitState::Stopping => ("stopping", Mark::Waits),
        UnitState::Inactive => ("inactive", Mark::Bad),
        UnitState::Failed => ("failed", Mark::Bad),
    };
    let since = unit.since.map_or_else(String::new, |since| format!(" {}", span(now.saturating_sub(since))));
    (format!("{word}{since}"), mark)
}

fn registration(row: &Row) -> Marked {
    let registration = &row.registration;
    let (word, mark) = match registration.state {
        RegistrationState::Online => ("online", Mark::Good),
        RegistrationState::Busy => ("busy", Mark::Good),
        RegistrationState::Offline => ("offline", Mark::Bad),
        RegistrationState::Missing if !row.declared => ("gone", Mark::Plain),
        RegistrationState::Missing => ("not listed", Mark::Bad),
        RegistrationState::None => ("none", Mark::Plain),
        RegistrationState::Unknown => ("unknown", Mark::Waits),
    };
    let id = registration.id.map_or_else(String::new, |id| format!("{id} "));
    let job = registration.job.as_ref().map_or_else(String::new, |job| format!(" with {}", named(job)));
    let why = match &registration.why {
        None => String::new(),
        // Long, and told once.
        Some(why) if row.faults.iter().any(|fault| fault.ends_with(why)) => ", see below".into(),
        Some(why) => format!(": {why}"),
    };
    (format!("{id}{word}{job}{why}"), mark)
}

/// A name that others chose, as long as fits into a table, and so that it cannot pass for another column.
fn named(name: &str) -> String {
    let words = name.replace('"', "'").split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(60) {
        Some((end, _)) => format!("\"{}…\"", &words[..end]),
        None => format!("\"{words}\""),
    }
}

fn configuration(row: &Row, now: u64) -> Marked {
    let Some(ConfigurationNow { state, since, policy }) = row.configuration else {
        return match &row.owner {
            _ if row.declared => ("unknown".into(), Mark::Bad),
            Some(owner) if now < owner.until => {
                (format!("of {} for {}", named(&owner.name), span(owner.until - now)), Mark::Plain)
            }
            Some(owner) => (format!("was of {}", named(&owner.name)), Mark::Bad),
            None => ("not configured".into(), Mark::Bad),
        };
    };
    let since = since.map_or_else(String::new, |since| format!(" for {}", span(now.saturating_sub(since))));
    let policy = match policy {
        RestartPolicy::WhenIdle => "",
        RestartPolicy::Immediate => ", policy says immediate",
        RestartPolicy::Never => ", policy says never",
    };
    match state {
        ConfigurationState::Current => ("current".into(), Mark::Good),
        ConfigurationState::Pending => (format!("restart pending{since}{policy}"), Mark::Waits),
        ConfigurationState::NextStart => ("new at next start".into(), Mark::Plain),
    }
}

fn last_exit(row: &Row, now: u64) -> Marked {
    let Some(exit) = &row.last_exit else { return ("none".into(), Mark::Plain) };
    let mark = if matches!(exit.kind, ExitKind::JobDone | ExitKind::Clean) { Mark::Plain } else { Mark::Waits };
    (format!("{} ago: {}", span(now.saturating_sub(exit.at)), exit.said), mark)
}

fn credential(credential: &CredentialNow, now: u64) -> Marked {
    let kind = match credential.kind {
        CredentialKind::App => "App",
        CredentialKind::AccessToken => "access token",
        CredentialKind::RegistrationToken => "registration token",
        CredentialKind::Unknown => "unknown",
    };
    if credential.fault.is_some() {
        // Long, and told below.
        return ("unusable, see below".into(), Mark::Bad);
    }
    match credential.expires {
        None => (kind.into(), Mark::Plain),
        Some(end) if end <= now => (format!("{kind}, expired {}", date(end)), Mark::Bad),
        Some(end) if end - now < WARNED => (format!("{kind}, until {}!", date(end)), Mark::Waits),
        Some(end) => (format!("{kind}, until {}", date(end)), Mark::Plain),
    }
}

fn version(row: &Row, now: u64) -> Marked {
    let Some(version) = &row.runner_version else { return ("unknown".into(), Mark::Plain) };
    match (&row.newest_version, row.version_deadline) {
        (None, _) => (format!("{version}, newest unknown"), Mark::Plain),
        (Some(newest), None) if newest == version => (version.clone(), Mark::Plain),
        (Some(newest), None) => (format!("{version}, newest {newest}"), Mark::Plain),
        (Some(newest), Some(end)) => {
            let mark = if end <= now { Mark::Bad } else { Mark::Waits };
            (format!("{version}, newest {newest}, until {}", date(end)), mark)
        }
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
