//! What jobs may beyond the usual sandbox: each option opens what it says, and a job without it fails.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::names;

const CTL: &str = "/opt/runnerctl/bin/github-runnerctl";

/// What a job tries, and what it is called.
const PROBES: &[(&str, &str)] = &[
    ("namespaces", "unshare --user --map-root-user true"),
    ("mounts in them", "unshare --user --map-root-user --mount mount -t tmpfs none /tmp"),
    ("a node", "test -c /dev/net/tun"),
    ("readable files", "touch made && test $(stat -c %a made) = 644"),
    // These stay closed, whatever is open.
    ("other nodes", "test -e /dev/kmsg -o -e /dev/fuse"),
    ("mounts of the host", "mount -t tmpfs none /mnt"),
    ("the ledger", "ls /var/lib/github-runner-registrations"),
    ("secrets", "cat /run/secrets/*.token"),
    ("the system", "touch /etc/made"),
];

/// What of that works in a job of a runner.
fn works(machine: &Machine, name: &'static str) -> Result<Vec<String>> {
    let mut runner = Runner::new(machine, name)?;
    let probe = |(what, command): &(&str, &str)| {
        format!("if ( {command} ) > /dev/null 2>&1; then echo '{what}' >> report; fi; ")
    };
    let mut job: String = PROBES.iter().map(probe).collect();
    job += "echo tried >> report; cp report $RUNNER_ROOT/_diag/report.log";
    machine.github.script(&json!({ "run": [{ "job": { "name": "probe", "command": job } }] }))?;
    runner.restart()?;
    runner.wait_for_line("completed with result: Succeeded")?;
    machine.github.script(&json!({}))?;
    runner.stop()?;
    let report = fs::read_to_string(runner.logs("report.log"))?;
    let mut works: Vec<String> = report.lines().map(str::to_owned).collect();
    ensure!(works.pop().as_deref() == Some("tried"), "the job ended early: {report}");
    Ok(works)
}

pub fn opened(machine: &Machine) -> Result<()> {
    for (name, expected) in [
        ("hostile", &[][..]),
        ("may-namespaces", &["namespaces", "mounts in them", "readable files"]),
        ("may-devices", &["a node"]),
    ] {
        let works = works(machine, name)?;
        ensure!(works == expected, "{name}: {works:?}");
    }
    Ok(())
}

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

/// Exit code and text of `explain`.
fn explain(runner: &str, command: &[&str]) -> Result<(i32, String)> {
    let ran = Command::new(CTL)
        .args(["explain", runner, "--"])
        .args(command)
        .stdin(Stdio::null())
        .output()
        .context("Failed to run github-runnerctl")?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    Ok((ran.status.code().unwrap_or(-1), text))
}

pub fn explained(machine: &Machine) -> Result<()> {
    // Runners exist, so that there is something that the copies could show.
    let mut runner = Runner::new(machine, "hostile")?;
    runner.restart()?;
    // As one that was killed left it.
    fs::create_dir_all("/run/github-runner-explain/output")?;
    fs::write("/run/systemd/system/github-runner-explain-7.service", "[Service]\nExecStart=/bin/false\n")?;
    for (name, command, code, parts) in [
        ("hostile", &["true"][..], 0, &["It works in the sandbox of runner hostile"][..]),
        ("hostile", &["sh", "-c", "echo said; exit 3"], 2, &["| said", "no line is in the way"]),
        (
            "hostile",
            &["unshare", "--user", "--map-root-user", "true"],
            1,
            &["RestrictNamespaces=true", "`sandbox.namespaces`"],
        ),
        ("may-namespaces", &["unshare", "--user", "--map-root-user", "true"], 0, &["It works"]),
        ("hostile", &["test", "-c", "/dev/net/tun"], 1, &["PrivateDevices=true", "`devices`"]),
        ("may-devices", &["test", "-c", "/dev/net/tun"], 0, &["It works"]),
        // One of two lines would do: the second one is no longer in the way once the first is lifted.
        ("hostile", &["sh", "-c", "touch a; test $(stat -c %a a) = 644"], 1, &["UMask=0066", "`sandbox.umask`"]),
        // Nothing of the runner is in it, and no line keeps it out.
        ("hostile", &["ls", "/var/lib/github-runner/hostile"], 2, &["no line is in the way"]),
        ("hostile", &["ls", "/var/lib/github-runner-registrations"], 2, &["no line is in the way"]),
        ("nobody", &["true"], 1, &["There is no runner nobody"]),
    ] {
        let (ended, text) = explain(name, command)?;
        ensure!(ended == code && parts.iter().all(|part| text.contains(part)), "{name} {command:?}: {ended}\n{text}");
        ensure!(
            code != 1 || name == "nobody" || text.matches('→').count() == 1,
            "{command:?}: one line is enough\n{text}"
        );
    }
    let left: Vec<String> = names("/run/systemd/system")?.into_iter().filter(|name| name.contains("explain")).collect();
    ensure!(left.is_empty() && !Path::new("/run/github-runner-explain").exists(), "{left:?} are left");
    runner.expect("Listening for Jobs").or(Ok(()))
}
