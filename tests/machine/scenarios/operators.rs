//! What operators ask for, by the program itself.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::fleet::{PASS, RELEASE, active, pool};
use crate::Machine;
use crate::times::HANGS;
use crate::tools::{run, wait_for};

/// The operators' program.
fn program() -> Result<String> {
    let program = run("systemctl", &["show", "--value", "--property=ExecStart", PASS])?;
    let program = program.split("path=").nth(1).and_then(|rest| rest.split(' ').next());
    program.map(str::to_owned).context("a program")
}

/// Its exit code and its output.
pub(super) fn operate(arguments: &[&str]) -> Result<(Option<i32>, String)> {
    ran(Command::new(program()?).args(arguments))
}

/// What the same says on a terminal, until that is enough.
fn operate_on_terminal(arguments: &str, is_enough: impl Fn(&str) -> bool) -> Result<String> {
    let command = format!("timeout {} {} {arguments}", HANGS.as_secs(), program()?);
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        // `script` ends with its input, which stays open as long as this.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut said = Vec::new();
    let mut read = || {
        let mut output = child.stdout.take().context("no output")?;
        let mut piece = [0; 1_024];
        while !is_enough(&String::from_utf8_lossy(&said)) {
            let length = output.read(&mut piece)?;
            ensure!(length > 0, "it ended with {:?}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&piece[..length]);
        }
        anyhow::Ok(())
    };
    let result = read();
    child.kill()?;
    child.wait()?;
    result?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn ran(command: &mut Command) -> Result<(Option<i32>, String)> {
    let output = command.stdin(Stdio::null()).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}

pub fn operators(machine: &Machine) -> Result<()> {
    let mut persistent = pool(machine, "pool", 1)?.remove(0);
    persistent.restart()?;
    let id = persistent.settles()?;
    let invocation = persistent.property("InvocationID")?;
    let (code, text) = operate(&["restart", "pool-1"])?;
    ensure!(code == Some(0) && text.contains("Runner pool-1 was idle, and restarts"), "{text}");
    wait_for("another run", || Ok((persistent.property("InvocationID")? != invocation).then_some(())))?;
    wait_for("a listener", || Ok(active(&persistent)?.then_some(())))?;
    ensure!(persistent.settles()? == id, "a restart keeps the registration");

    let (code, text) = operate(&["status", "--json"])?;
    let report: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    let rows = report["runners"].as_array().context("rows")?;
    let row = rows.iter().find(|row| row["instance"] == "pool-1").context("a row")?;
    ensure!(row["registration"]["id"] == id && row["registration"]["state"] == "online", "{row}");
    ensure!(code == Some(1) && report["well"] == false, "other runners of this machine do not run");
    let (_, text) = operate(&["status"])?;
    ensure!(text.contains("pool-1") && !text.contains('\x1b'), "{text}");

    let (code, text) = operate(&["retire", "pool-1"])?;
    ensure!(code == Some(0) && text.contains(&format!("took id {id} back, and is stopped")), "{text}");
    ensure!(!active(&persistent)? && persistent.listed()? == [0_u64; 0]);
    let (code, text) = operate(&["retire", "nobody"])?;
    ensure!(code == Some(1) && text.contains("There is no runner `nobody`"), "{text}");

    let mut ephemeral = pool(machine, "fleet", 1)?.remove(0);
    // What a job itself writes into the journal is not what its listener says. Of a process that ends at once the journal may
    // not find out the unit any more.
    let forged = "systemd-cat sh -c \"echo '2026-01-02 03:04:05Z: Running job: forged'; sleep 2\"";
    let job = format!("{forged}; while [ ! -e {RELEASE} ]; do sleep 0.1; done");
    machine.github.script(&json!({ "run": [{ "job": { "name": "long", "command": job } }] }))?;
    ephemeral.restart()?;
    ephemeral.wait_for_line("Running job: long")?;
    machine.github.script(&json!({}))?;
    ephemeral.wait_for_line("Running job: forged")?;
    let (_, text) = operate(&["status"])?;
    ensure!(text.contains(" busy with \"long\" "), "{text}");
    let (code, text) = operate(&["retire", "fleet-1"])?;
    ensure!(code == Some(1) && text.contains("runs a job; `github-runnerctl drain` waits for that"), "{text}");
    let line = "\r\x1b[KRunner fleet-1 runs a job; waiting for ";
    // Another number of seconds each time.
    operate_on_terminal("drain fleet-1", |text| text.matches(line).count() > 1)?;
    let (waits, drain) = std::thread::scope(|scope| {
        let drain = scope.spawn(|| operate(&["drain", "fleet-1"]));
        std::thread::sleep(Duration::from_millis(1_500));
        let waits = !drain.is_finished() && active(&ephemeral)?;
        // Before anything can fail, or the drain would wait for ever.
        fs::write(RELEASE, "")?;
        anyhow::Ok((waits, drain.join().map_err(|_| anyhow::anyhow!("a drain that panicked"))?))
    })?;
    let (code, text) = drain?;
    ensure!(waits && code == Some(0) && text.contains("Runner fleet-1 runs a job; waiting"), "{text}");
    fs::remove_file(RELEASE)?;
    ephemeral.expect("Job long completed with result: Succeeded")?;
    ensure!(!active(&ephemeral)? && ephemeral.listed()? == [0_u64; 0], "it was stopped after its job");
    Ok(())
}
