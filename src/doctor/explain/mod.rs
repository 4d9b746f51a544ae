//! Why a command fails in a runner's sandbox: it is run in a copy of the unit's sandbox, and then with ever fewer lines
//! lifted, until the smallest set is known without which it works.
//!
//! For operators. The copy has the lines of the unit and nothing of the runner: no state, no credential, no work directory, and a home
//! of its own that is gone afterwards. The runner goes on meanwhile. Nothing here changes its unit.

mod copy;
mod filter;
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
use filter::Filter;
use lines::present;
use search::{Found, search};
use tell::Verdict;
use trial::Copies;

/// The exit code if nothing was found out.
pub const FAILED: u8 = 3;

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
    let mut copies = Copies::open(&sandbox, command, limit)?;
    let verdict = judge(&sandbox, &mut copies)?;
    let (first, runs) = (Copies::output(0)?, copies.runs());
    // The second run has every line lifted.
    let last = if verdict == Verdict::Elsewhere { Copies::output(1)? } else { first.clone() };
    drop(copies);
    tell::output(&first)?;
    if last != first {
        tell::output_of_last(&last)?;
    }
    tell::verdict(instance, &verdict, &sandbox, runs)
}

/// Which lines are in the way; of a filter of system calls which entries.
fn judge(sandbox: &Sandbox, copies: &mut Copies) -> Result<Verdict> {
    let lines = present(sandbox);
    let lift = |set: &[usize]| set.iter().flat_map(|at| lines[*at].lifted).map(|text| (*text).to_owned()).collect();
    let set = match search(lines.len(), &mut copies.lifting(lift))? {
        Found::Works => return Ok(Verdict::Works),
        Found::Elsewhere => return Ok(Verdict::Elsewhere),
        Found::Lines(set) => set,
    };
    let (filters, others): (Vec<usize>, Vec<usize>) = set.iter().partition(|at| lines[**at].name == filter::NAME);
    let mut entries = vec![];
    if let Some(filter) = Filter::of(sandbox).filter(|_| !filters.is_empty()) {
        let all = filter.entries();
        let lift_more = |some: &[usize]| -> Vec<String> {
            let lifted: Vec<String> = lift(&others);
            [lifted, filter.without(some)].concat()
        };
        // Any filter at all takes rights away, so all of them can be in the way together.
        if let Found::Lines(some) = search(all.len(), &mut copies.lifting(lift_more))?
            && some.len() < all.len()
        {
            entries = some.into_iter().map(|at| all[at].to_owned()).collect();
        }
    }
    let whole = if entries.is_empty() { &set } else { &others };
    Ok(Verdict::Lines { lines: whole.iter().map(|at| lines[*at]).collect(), entries })
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
