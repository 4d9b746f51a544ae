//! Actions that ask for a Node.js which the runner's package has not.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;

pub fn other_node(machine: &Machine) -> Result<()> {
    for (name, expected) in [("hostile", "none"), ("other-node", "the one of 24")] {
        let mut runner = Runner::new(machine, name)?;
        // Where an action's `runs.using` is looked for.
        let job = "report=$RUNNER_ROOT/_diag/node.log; \
            /opt/listener/lib/externals/node20/bin/node > $report || echo none > $report; \
            /opt/listener/lib/externals/node24/bin/node >> $report";
        machine.github.script(&json!({ "run": [{ "job": { "name": "node", "command": job } }] }))?;
        runner.restart()?;
        runner.wait_for_line("completed with result: Succeeded")?;
        machine.github.script(&json!({}))?;
        runner.stop()?;
        let report = fs::read_to_string(runner.logs("node.log"))?;
        ensure!(report == format!("{expected}\nthe one of 24\n"), "{name}: {report}");
    }
    ensure!(!Path::new("/opt/listener/lib/externals/node20").exists(), "the host has it, too");
    Ok(())
}
