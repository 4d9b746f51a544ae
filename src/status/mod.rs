//! `github-runnerctl status`: what every runner of this host is doing, and what is wrong.
//!
//! As root, because the ledger, the credentials and the sockets of brokers are root's. It looks as a reconcile pass does and
//! must change nothing: what it remembers for the look is dropped.

mod job;
mod judge;
mod ondemand;
mod report;
mod text;

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::unistd::Uid;

use crate::contract::fleet::Fleet;
use crate::contract::names::{PASS, PASS_TIMER};
use crate::frontend::ondemand::operate;
use crate::state::start::now;
use crate::survey::{Memory, Places, gather, open_ledger, read_fleet, read_memory};
use crate::units::{Systemd, Units};

pub use judge::judge;
pub use report::{
    ClassNow, ConfigurationNow, ConfigurationState, CredentialKind, CredentialNow, LastExit, OnDemandNow, OwnerNow,
    Registration, RegistrationState, Report, Row, UnitNow, UnitState, VERSION,
};
pub use text::{Screen, text};

/// A table that is folded to less than this is harder to read than one whose lines the terminal breaks.
const NARROWEST: u16 = 40;

/// After this time the journal is asked for no more names of jobs.
const JOBS: Duration = Duration::from_secs(5);

/// Something is wrong with a runner.
const UNWELL: u8 = 1;
/// The host could not be looked at; also what a wrong command line ends with.
const BLIND: u8 = 2;

/// Looks, prints, and says by the exit code whether all is well.
#[must_use]
pub fn run(fleet: &Path, json: bool) -> ExitCode {
    match try_run(fleet, json) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(UNWELL),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(BLIND)
        }
    }
}

fn try_run(fleet: &Path, json: bool) -> Result<bool> {
    if !Uid::effective().is_root() {
        bail!("Only root can read the ledger and ask brokers: run it with sudo");
    }
    let (places, on_demand) = (Places::default(), operate::Places::default());
    let report = look(&read_fleet(fleet)?, &Systemd::default(), &places, &on_demand, now()?)?;
    let text = if json { json_text(&report)? } else { text(&report, screen()) };
    print(&text)?;
    Ok(report.well)
}

/// Looks at the host.
///
/// # Errors
///
/// If systemd cannot be asked or the ledger not be read. What cannot be read about one runner is a fault of it.
pub fn look(
    fleet: &Fleet,
    units: &dyn Units,
    places: &Places,
    on_demand: &operate::Places,
    now: u64,
) -> Result<Report> {
    let ledger = open_ledger(places)?;
    let mut memory: Memory = read_memory(places)?;
    let host = gather(fleet, ledger.as_ref(), units, &places.sockets, &mut memory, now)?;
    let mut report = judge(fleet, &host, &memory, now);
    if fleet.passes {
        let shown = units.show(&[PASS_TIMER, PASS])?;
        let unit = |name: &str| shown.get(name).cloned().unwrap_or_default();
        report.faults = judge::passes(&unit(PASS_TIMER), &unit(PASS));
    }
    report.on_demand = ondemand::on_demand(on_demand, units, now);
    let is_well = |on_demand: &OnDemandNow| on_demand.faults.is_empty();
    report.well &= report.faults.is_empty() && report.on_demand.as_ref().is_none_or(is_well);
    let end = Instant::now() + JOBS;
    for row in report.runners.iter_mut().filter(|row| row.registration.state == RegistrationState::Busy) {
        let Some(unit) = row.unit.as_ref().filter(|_| Instant::now() < end) else { continue };
        // A journal that cannot be read is no reason to say nothing.
        row.registration.job = units.printed(&unit.name).ok().and_then(|printed| job::running(&printed));
    }
    Ok(report)
}

/// The report as programs read it.
///
/// # Errors
///
/// Never, as long as all keys are texts.
pub fn json_text(report: &Report) -> Result<String> {
    Ok(serde_json::to_string_pretty(report).context("Failed to write the report as JSON")? + "\n")
}

/// What standard output is: colours and folded lines are for people only.
fn screen() -> Screen {
    if !std::io::stdout().is_terminal() {
        return Screen::default();
    }
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let width = comfy_table::Table::new().width().filter(|width| *width >= NARROWEST);
    Screen { width, colours: !plain }
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("Failed to print"),
    }
}
