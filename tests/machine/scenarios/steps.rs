//! Own commands around the steps of a unit: with the rights of their step, and a start that stops where one fails.

use std::fs;

use anyhow::{Result, ensure};

use crate::Machine;
use crate::runner::Runner;
use crate::tools::set_mode;

/// Says who runs it and with what, and runs the rest of its arguments, if there are any.
const OWN: &str = r#"#!/bin/sh
echo "$1 by $(id -u), sandboxed $(grep -c '^NoNewPrivs:.*1$' /proc/self/status), gets $#: $*"
test "$1" != "$(cat /run/stand-in/own-refuses)" || exit 9
test "$1" != fails || exit 1
shift
test $# = 0 || exec "$@"
"#;
const REFUSES: &str = "/run/stand-in/own-refuses";

pub fn around(machine: &Machine) -> Result<()> {
    fs::write("/run/stand-in/own", OWN)?;
    set_mode("/run/stand-in/own", 0o755)?;
    fs::write(REFUSES, "none")?;
    let mut runner = Runner::new(machine, "own-steps")?;
    runner.restart()?;
    let journal = runner.journal()?;
    let lines: Vec<&str> = journal.lines().filter(|line| line.contains(" sandboxed ")).collect();
    for (line, parts) in lines.iter().zip([
        ["fails by 0, sandboxed 0", "gets 1: fails"],
        ["before-prepare by 0, sandboxed 0", "gets 1: before-prepare"],
        ["around-prepare by 0, sandboxed 0", "/bin/github-runner-helper prepare --manifest "],
        [", sandboxed 1, gets 11: around-configure ", "/bin/github-runner-helper configure --manifest "],
        ["after-record by 0, sandboxed 0", "gets 1: after-record"],
    ]) {
        ensure!(parts.iter().all(|part| line.contains(part)), "{line}: {parts:?} is missing\n{journal}");
    }
    ensure!(lines.len() == 5 && !journal.contains("around-configure by 0,"), "{journal}");
    ensure!(lines[2].ends_with("--broker /run/github-runner-broker/own-steps"), "{}", lines[2]);
    let id = runner.registered_id()?;

    for (refuses, last, never) in [
        ("before-prepare", "before-prepare by 0", "around-prepare by"),
        ("around-prepare", "around-prepare by 0", "Keeping the registration"),
        ("after-record", "after-record by 0", "Listening for Jobs"),
    ] {
        fs::write(REFUSES, refuses)?;
        let journal = runner.fail_to_start()?;
        ensure!(journal.contains(last) && !journal.contains(never), "{refuses}: {journal}");
        ensure!(journal.contains("around-settle by 0") && journal.contains("failed to start (exit-code)"), "{journal}");
    }
    fs::write(REFUSES, "none")?;
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    ensure!(runner.registered_id()? == id);
    runner.stop()
}
