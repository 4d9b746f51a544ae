//! Jobs that take more than their share: what they fill, leave behind or nest is their own.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{names, wait_for};

/// Fills what this runner may have in its work directory, first with bytes, then with empty files. It ends with the
/// number of the step that was not stopped.
const FILL: &str = "
    ! head -c 100M /dev/zero > large 2> /dev/null || exit 1
    rm large
    mkdir many && cd many
    ! seq 20000 | xargs touch 2> /dev/null || exit 2
    cd .. && rm many/1
    touch full
    sleep 600";

/// Takes as much shared memory as browsers do, half a GiB, or half of the limit where that is less.
const SHARE: &str = "
    half=$(($(stat -f -c '%b * %S / 2' /dev/shm)))
    [ $half -lt 536870912 ] || half=536870912
    mkdir -p /dev/shm/mine/a/b/c && head -c $half /dev/zero > /dev/shm/segment || exit 1
    test $(stat -f -c %c /dev/shm) -lt 200000 || exit 2
    touch shared
    sleep 600";

/// A process that no request ends.
const LEAVE_BEHIND: &str = "(trap '' INT TERM; exec setsid sleep 1000 < /dev/null > /dev/null 2>&1) & true";

pub fn fills_work(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "small")?;
    machine.github.script(&json!({ "run": [{ "job": { "name": "fill", "command": FILL } }] }))?;
    runner.restart()?;
    wait_for("a full work directory", || Ok(fs::metadata(runner.work("full")).is_ok().then_some(())))
        .with_context(|| format!("{:?}, {}", names(runner.work(".")), runner.journal().unwrap_or_default()))?;
    ensure!(names(runner.work("many"))?.len() > 10_000, "the limit is one file for each page of 64 MiB");
    // Full to the last file, and everybody else goes on.
    ensure!(fs::write(runner.work("more"), "").is_err(), "the work directory has room, even for root");
    machine.github.script(&json!({}))?;
    let mut other = Runner::new(machine, "basic")?;
    other.restart()?;
    other.stop()?;
    fs::write("/run/machine-tests-probe", "room")?;
    fs::remove_file("/run/machine-tests-probe")?;

    runner.restart()?;
    ensure!(fs::metadata(runner.work("full")).is_err(), "the next start has an empty one");
    runner.stop()?;
    ensure!(!Path::new(&runner.work("")).exists(), "systemd removes what is empty by then");
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    ensure!(!mounts.contains("github-runner-work"), "no file system is left:\n{mounts}");
    Ok(())
}

pub fn shares_no_memory(machine: &Machine) -> Result<()> {
    // One with a private /dev, and one that has the host's.
    for name in ["small", "override-sandbox"] {
        let mut runner = Runner::new(machine, name)?;
        machine.github.script(&json!({ "run": [{ "job": { "name": "share", "command": SHARE } }] }))?;
        runner.restart()?;
        wait_for("a large segment", || Ok(fs::metadata(runner.work("shared")).is_ok().then_some(())))?;
        let seen = names("/dev/shm")?;
        ensure!(!seen.iter().any(|name| name == "mine" || name == "segment"), "{name}: the host sees {seen:?}");
        machine.github.script(&json!({}))?;
        runner.stop()?;
    }
    Ok(())
}

pub fn leaves_something_behind(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "ephemeral")?;
    // Whoever waited for the process would wait for ever.
    runner.drop_in("patience", "[Service]\nTimeoutStopSec=infinity\n")?;
    machine.github.script(&json!({ "run": [{ "job": { "name": "stay", "command": LEAVE_BEHIND } }] }))?;
    runner.restart()?;
    wait_for("three cycles", || {
        let done = runner.journal()?.matches("completed with result: Succeeded").count();
        Ok((done >= 3).then_some(()))
    })?;
    machine.github.script(&json!({}))?;
    runner.remove_drop_ins()?;
    runner.stop()?;
    let processes = fs::read_dir("/proc")?.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    ensure!(!processes.into_iter().any(|line| line == b"sleep\x001000\x00"), "a process outlived its unit");
    Ok(())
}
