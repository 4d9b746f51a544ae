//! Why a command fails in a runner's sandbox: it is run in a copy of the unit's sandbox, and then with one line after the other
//! lifted, until the smallest set is known without which it works.
//!
//! For operators. The copy has the lines of the unit and nothing of the runner: no state, no credential, no work directory, and a home
//! of its own that is gone afterwards. The runner goes on meanwhile. Nothing here changes its unit.

mod copy;
mod lines;
mod search;
mod tell;
mod trial;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::unistd::Uid;

use crate::contract::fleet::Declaration;
use crate::model::InstanceName;
use crate::survey::read_fleet;
use copy::Sandbox;
use lines::{Line, present};
use search::{Found, search};
use trial::Copies;

/// Runs `command` as a job of the runner would, each time at most `limit` long, and says what is in its way.
///
/// # Errors
///
/// There is no such runner, it has no unit, or systemd does not run copies of it.
pub fn run(fleet: &Path, instance: &str, command: &[OsString], limit: Duration) -> Result<ExitCode> {
    if !Uid::effective().is_root() {
        bail!("Only root can run commands as a job: run it with `sudo`");
    }
    let fleet = read_fleet(fleet)?;
    let name = InstanceName::try_from(instance.to_owned()).ok();
    let Some(declared) = name.and_then(|name| fleet.get(&name)) else {
        let names: Vec<&str> = fleet.instances.iter().map(|declared| declared.instance.as_str()).collect();
        bail!("There is no runner {instance}; there is: {}", names.join(", "));
    };
    let sandbox = of(declared)?;
    let lines = present(&sandbox);
    let mut copies = Copies::open(&sandbox, &lines, command, limit)?;
    let found = search(lines.len(), &mut copies)?;
    let lifted: Vec<&Line> = match &found {
        Found::Lines(which) => which.iter().map(|at| lines[*at]).collect(),
        Found::Works | Found::Elsewhere => vec![],
    };
    let (output, runs) = (Copies::output()?, copies.runs());
    drop(copies);
    tell::output(&output)?;
    tell::verdict(instance, &found, &lifted, &sandbox, runs)
}

fn of(declared: &Declaration) -> Result<Sandbox> {
    let text = trial::definition(&declared.unit)?;
    let sandbox = Sandbox::parse(&text, &declared.work_directory);
    if sandbox.is_empty() {
        bail!("{} has no definition: switch to a configuration that has the runner", declared.unit);
    }
    Ok(sandbox)
}

/// The most that one run may take, from its text: seconds.
///
/// # Errors
///
/// It is no number, or none at all.
pub fn limit(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .context("it is no number of seconds from 1 to 86400")
        .map_err(|error| error.to_string())
}
