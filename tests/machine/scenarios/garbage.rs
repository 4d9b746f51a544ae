//! Garbage collection of the host while jobs run: whose results are gone, and when it comes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{run, set_mode, wait_for};

const COLLECTOR: &str = "nix-gc.service";

/// What builds something that nothing links to, says where it is, and goes on until it is told to end. Then it says
/// whether its result is still there.
const JOB: &str = r#"
set -e
built=$(nix-build --no-out-link --expr 'derivation {
    name = "result";
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo built > $out" ];
    # Another one for each job.
    salt = "SALT";
}')
echo "$built" > built~
mv built~ built
until test -e end; do sleep 0.1; done
if test -e "$built"; then echo there; else echo gone; fi > outcome~
mv outcome~ outcome
until test -e seen; do sleep 0.1; done
"#;

/// A job that has built something.
struct Job<'a> {
    machine: &'a Machine,
    runner: Runner<'a>,
    built: PathBuf,
}

impl<'a> Job<'a> {
    fn new(machine: &'a Machine, name: &str) -> Result<Self> {
        let mut runner = Runner::new(machine, name)?;
        let command = JOB.replace("SALT", name);
        machine.github.script(&json!({ "run": [{ "job": { "name": "build", "command": command } }] }))?;
        runner.restart()?;
        let built = wait_for(&format!("the result of {name}"), || {
            // A job that cannot build is over at once.
            let journal = runner.journal()?;
            ensure!(!journal.contains("completed with result"), "the job of {name} ended early:\n{journal}");
            Ok(fs::read_to_string(runner.work("built")).ok())
        })?;
        let built = PathBuf::from(built.trim());
        ensure!(built.exists(), "{} was not built", built.display());
        Ok(Self { machine, runner, built })
    }

    /// Has the job look, and then end; what it saw.
    fn end(self) -> Result<String> {
        fs::write(self.runner.work("end"), "")?;
        let outcome = wait_for("what the job saw", || Ok(fs::read_to_string(self.runner.work("outcome")).ok()))?;
        self.machine.github.script(&json!({}))?;
        fs::write(self.runner.work("seen"), "")?;
        self.runner.wait_for_line("completed with result: Succeeded")?;
        Ok(outcome.trim().into())
    }
}

/// Debian lets a group of its own in; NixOS everybody, and the daemon decides.
fn daemon() -> Result<()> {
    set_mode("/nix/var/nix/daemon-socket", 0o755)?;
    run("systemctl", &["start", "nix-daemon.socket"]).map(drop)
}

fn collector(property: &str) -> Result<String> {
    Ok(run("systemctl", &["show", "--value", "--property", property, COLLECTOR])?.trim().into())
}

/// What the last collection said, from its beginning.
fn said() -> Result<String> {
    run("journalctl", &["--sync"])?;
    let all = run("journalctl", &["--no-pager", "--output=cat", "--unit", COLLECTOR])?;
    Ok(all.rsplit("Starting ").next().unwrap_or_default().into())
}

pub fn held(machine: &Machine) -> Result<()> {
    daemon()?;

    // Nobody asked for it to wait.
    let job = Job::new(machine, "may-nix")?;
    run("systemctl", &["start", COLLECTOR]).with_context(|| said().unwrap_or_default())?;
    ensure!(!job.built.exists(), "nothing was collected:\n{}", said()?);
    ensure!(job.end()? == "gone", "the job has a result that the host has not");

    let job = Job::new(machine, "holds-garbage")?;
    run("systemctl", &["start", "--no-block", COLLECTOR])?;
    let waits = "A job runs in github-runner-holds-garbage.service: waiting for that, at most 86400 s";
    wait_for("a collection that waits", || Ok(said()?.contains(waits).then_some(())))
        .with_context(|| said().unwrap_or_default())?;
    ensure!(collector("SubState")? == "start-pre", "it is in {}", collector("SubState")?);
    let built = job.built.clone();
    ensure!(job.end()? == "there", "what a job had was collected:\n{}", said()?);
    wait_for("the collection after the job", || Ok(said()?.contains("Finished ").then_some(())))
        .with_context(|| said().unwrap_or_default())?;
    ensure!(said()?.contains("No job runs any more"), "{}", said()?);
    ensure!(!Path::new(&built).exists(), "nothing was collected afterwards:\n{}", said()?);

    // Nobody waits for a runner without a job.
    run("systemctl", &["start", COLLECTOR])?;
    ensure!(!said()?.contains("waiting"), "{}", said()?);
    Ok(())
}
