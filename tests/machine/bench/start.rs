//! One measured start, of one unit or of many.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Machine;
use crate::tools::{run, wait_for};

use super::listener::{Listeners, is_listener};

/// What one start took.
pub struct Start {
    /// From before `systemctl start` to the exec of the listener.
    pub time: Duration,
    /// Processes of brokers.
    pub brokers: usize,
}

/// Starts units that are inactive, and takes the time to the exec of the last listener. Fails unless each unit has one.
pub fn measured(listeners: &Listeners, units: &[&str]) -> Result<Duration> {
    listeners.last()?;
    let mut arguments = vec!["start"];
    arguments.extend(units);
    let begin = Instant::now();
    if let Err(error) = run("systemctl", &arguments) {
        bail!("{error:#}\n{}", journal(units)?);
    }
    // Nothing is asked before, which would slow down what is measured.
    let first = listeners.first()?;
    for unit in units {
        let pid = property(unit, "MainPID")?;
        wait_for(&format!("the listener of {unit}"), || {
            ensure!(property(unit, "MainPID")? == pid, "the listener of {unit} ended: {}", journal(&[unit])?);
            Ok(is_listener(&pid)?.then_some(()))
        })?;
    }
    Ok(listeners.last()?.unwrap_or(first) - begin)
}

/// Waits until the server sees the runner, and fails if its unit ended before.
pub fn is_online(machine: &Machine, name: &str, unit: &str) -> Result<()> {
    wait_for(&format!("{name} to be online"), || {
        let state = (property(unit, "ActiveState")?, property(unit, "NRestarts")?);
        ensure!(state == ("active".into(), "0".into()), "{unit} is {}: {}", state.0, journal(&[unit])?);
        let listed = machine.github.runners(name)?;
        Ok(listed.iter().any(|runner| runner["status"] == "online").then_some(()))
    })
}

/// How many connections these sockets took so far: each is a process of a broker.
pub fn connections(sockets: &[String]) -> Result<usize> {
    sockets.iter().map(|socket| property(socket, "NAccepted")?.parse::<usize>().context("no number")).sum()
}

/// A property of a unit.
pub fn property(unit: &str, name: &str) -> Result<String> {
    Ok(run("systemctl", &["show", "--value", "--property", name, unit])?.trim().into())
}

/// The last words of units.
pub fn journal(units: &[&str]) -> Result<String> {
    run("journalctl", &["--sync"])?;
    let mut arguments = vec!["--no-pager", "--output=cat", "--lines=40"];
    arguments.extend(units.iter().flat_map(|unit| ["--unit", unit]));
    run("journalctl", &arguments)
}
