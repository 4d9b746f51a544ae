//! `serviceOverrides` and users as they are found in people's configurations.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;

const RUNNERS: &[&str] = &[
    "override-static-user",
    "override-directories",
    "override-sandbox",
    "override-limits",
    "override-paths",
    "override-network",
];

pub fn all(machine: &Machine) -> Result<()> {
    for name in RUNNERS {
        one(machine, name).with_context(|| format!("with the overrides of {name}"))?;
    }
    Ok(())
}

fn one(machine: &Machine, name: &'static str) -> Result<()> {
    let mut runner = Runner::new(machine, name)?;
    let job = r#"touch "$HOME/mine" && test -r .runner"#;
    machine.github.script(&json!({ "run": [{ "job": { "name": "build", "command": job } }] }))?;
    runner.restart()?;
    runner.wait_for_line("completed with result: Succeeded")?;
    let id = runner.registered_id()?;
    machine.github.script(&json!({}))?;
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    ensure!(runner.registered_id()? == id);
    runner.stop()
}
