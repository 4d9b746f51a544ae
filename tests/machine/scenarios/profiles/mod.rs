//! What jobs may beyond the usual sandbox: each option opens what it says, and a job without it fails.

mod around;
mod daemon;
mod explain;
mod node;
mod probes;

pub use around::{home_and_cache, hooks, strangers};
pub use daemon::nix;
pub use explain::explained;
pub use node::other_node;
pub use probes::opened;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::Machine;
use crate::runner::Runner;
use crate::tools::run;

/// Tries commands, each with its name, in a job of a runner: exactly those that are expected work.
pub fn tries(machine: &Machine, name: &str, probes: &[(&str, String)], expected: &[&str]) -> Result<()> {
    let mut runner = Runner::new(machine, name)?;
    let attempt = |(what, command): &(&str, String)| {
        format!("echo '# {what}' >> said; if ( {command} ) >> said 2>&1; then echo '{what}' >> report; fi; ")
    };
    let mut job: String = probes.iter().map(attempt).collect();
    job += "echo tried >> report; cp said $RUNNER_ROOT/_diag/said.log; cp report $RUNNER_ROOT/_diag/report.log";
    machine.github.script(&json!({ "run": [{ "job": { "name": "probe", "command": job } }] }))?;
    runner.restart()?;
    runner.wait_for_line("completed with result: Succeeded")?;
    machine.github.script(&json!({}))?;
    runner.stop()?;
    let [report, said] = ["report.log", "said.log"].map(|log| fs::read_to_string(runner.logs(log)));
    let (report, said) = (report?, said?);
    let mut works: Vec<String> = report.lines().map(str::to_owned).collect();
    ensure!(works.pop().as_deref() == Some("tried"), "the job ended early: {report}");
    for log in ["report.log", "said.log"] {
        fs::remove_file(runner.logs(log))?;
    }
    ensure!(works == expected, "{name}: {works:?} instead of {expected:?}\n{said}");
    Ok(())
}

/// Runs jobs of a persistent runner, one after the other in one start, and returns how each ended, by its number.
fn results(machine: &Machine, runner: &mut Runner, commands: &[&str]) -> Result<Vec<String>> {
    let job = |(at, command): (usize, &&str)| json!({ "job": { "name": format!("number-{at}"), "command": command } });
    let jobs: Vec<Value> = commands.iter().enumerate().map(job).collect();
    machine.github.script(&json!({ "run": jobs }))?;
    runner.restart()?;
    let ends: Vec<String> = (0..commands.len()).map(|at| format!("Job number-{at} completed with result: ")).collect();
    ends.iter().try_for_each(|end| runner.wait_for_line(end))?;
    machine.github.script(&json!({}))?;
    let journal = runner.journal()?;
    let result = |end: &String| {
        let rest = journal.split(end.as_str()).nth(1).context("a job without an end")?;
        rest.split_whitespace().next().map(str::to_owned).context("a job without a result")
    };
    ends.iter().map(result).collect()
}

/// The version of the systemd that runs here.
pub fn version() -> Result<u32> {
    let text = run("systemctl", &["--version"])?;
    text.split_whitespace().nth(1).and_then(|version| version.parse().ok()).context("systemd without a version")
}
