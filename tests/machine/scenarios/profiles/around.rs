//! What surrounds jobs: hooks, homes, caches, and what one job leaves to the next one.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use super::results;
use crate::Machine;
use crate::runner::Runner;
use crate::tools::{mode_and_owner, run};

pub fn hooks(machine: &Machine) -> Result<()> {
    let jobs = [
        // The file that the hook in front of it wrote, which a job cannot change.
        "grep -x started report && ! echo > $ACTIONS_RUNNER_HOOK_JOB_STARTED && echo one >> report",
        "echo two >> report; exit 3",
        // The hook in front of the third one fails by this, and the one behind it takes it away.
        "touch refuse",
        "echo three >> report",
        "echo four >> report",
    ];
    let mut without = Runner::new(machine, "hostile")?;
    ensure!(results(machine, &mut without, &jobs[..1])? == ["Failed"], "nothing runs in front of it");
    without.stop()?;

    let mut runner = Runner::new(machine, "may-hooks")?;
    let ended = results(machine, &mut runner, &jobs)?;
    ensure!(ended == ["Succeeded", "Failed", "Succeeded", "Failed", "Succeeded"], "{ended:?}");
    runner.stop()?;
    let report = fs::read_to_string(runner.logs("report.log"))?;
    let words: Vec<&str> = report.split_whitespace().collect();
    let expected =
        "started one completed started two completed started completed started completed started four completed";
    ensure!(words.join(" ") == expected, "{words:?}");
    Ok(())
}

pub fn home_and_cache(machine: &Machine) -> Result<()> {
    const HOME: &str = "/var/lib/github-runner-home/may-user";
    const CACHE: &str = "/var/cache/gh-ci";
    let mut runner = Runner::new(machine, "may-user")?;
    let leave = "test $HOME = /var/lib/github-runner-home/may-user && touch $HOME/marker marker && \
                 mkdir -p $RUNNER_TOOL_CACHE $XDG_CACHE_HOME && touch $RUNNER_TOOL_CACHE/marker $XDG_CACHE_HOME/marker";
    ensure!(results(machine, &mut runner, &[leave])? == ["Succeeded"], "{}", runner.journal()?);
    // What makes them makes them once: a switch and a boot do this.
    run("systemd-tmpfiles", &["--create", "/etc/tmpfiles.d/github-runner.conf"])?;
    let find = "test -e $HOME/marker && test -e $RUNNER_TOOL_CACHE/marker && test -e $XDG_CACHE_HOME/marker && test ! -e marker";
    ensure!(results(machine, &mut runner, &[find])? == ["Succeeded"], "{}", runner.journal()?);
    runner.stop()?;

    let known = run("getent", &["passwd", "github-runner-may-user"])?;
    let fields: Vec<&str> = known.trim().split(':').collect();
    ensure!(fields.get(5) == Some(&HOME), "{known}");
    let owner = fields.get(2).and_then(|id| id.parse::<u32>().ok());
    for path in [HOME, CACHE] {
        let (mode, user) = mode_and_owner(path)?;
        ensure!(mode == 0o700 && Some(user) == owner, "{path} has mode {mode:o} and belongs to {user}");
    }
    // Root makes nothing below what belongs to jobs.
    ensure!(mode_and_owner(Path::new(HOME).join("marker"))?.1 != 0);
    Ok(())
}

/// What a job can leave for the next one, and how that one looks for it.
const TRACES: &[(&str, &str)] = &[
    ("touch trace", "test -e trace"),
    ("touch $HOME/.trace", "test -e $HOME/.trace"),
    ("touch $RUNNER_TEMP/trace", "test -e $RUNNER_TEMP/trace"),
    ("touch /tmp/trace", "test -e /tmp/trace"),
    ("touch /var/tmp/trace", "test -e /var/tmp/trace"),
    ("touch /dev/shm/trace", "test -e /dev/shm/trace"),
    ("setsid sleep 54321 > /dev/null 2>&1 &", "grep -qx sleep /proc/[0-9]*/comm 2> /dev/null"),
];

pub fn strangers(machine: &Machine) -> Result<()> {
    // A persistent runner shows that each trace can be found.
    let leave = TRACES.iter().map(|(leave, _)| *leave).collect::<Vec<_>>().join("\n");
    let mut jobs = vec![leave.as_str()];
    jobs.extend(TRACES.iter().map(|(_, find)| *find));
    let mut runner = Runner::new(machine, "hostile")?;
    let found = results(machine, &mut runner, &jobs)?;
    ensure!(found.iter().all(|result| result == "Succeeded"), "{found:?}");
    runner.stop()?;

    // Every start plays the same job.
    let find: Vec<String> = TRACES.iter().map(|(_, find)| format!("! ( {find} ) || exit 1\n")).collect();
    let job = json!({ "job": { "name": "stranger", "command": find.concat() + &leave } });
    let mut runner = Runner::new(machine, "strangers")?;
    machine.github.script(&json!({ "run": [job] }))?;
    runner.restart()?;
    for _ in 0..3 {
        runner.wait_for_line("Job stranger completed with result: Succeeded")?;
        runner.mark()?;
    }
    machine.github.script(&json!({}))?;
    ensure!(!runner.journal()?.contains("result: Failed"), "{}", runner.journal()?);
    // Whether the kernel holds jobs to it is a matter of unified control groups, which a container may lack.
    let denied = runner.property("IPAddressDeny")?;
    let mut ranges: Vec<&str> = denied.split_whitespace().collect();
    ranges.sort_unstable();
    let expected = ["10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"];
    ensure!(ranges == expected, "{denied}");
    ensure!(runner.property("IPAddressAllow")? == "10.0.0.53/32");
    runner.stop()
}
