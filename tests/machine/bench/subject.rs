//! A unit whose starts are measured.

use anyhow::{Result, bail, ensure};

use crate::Machine;
use crate::runner::Runner;
use crate::tools::run;

use super::listener::Listeners;
use super::start::{Start, connections, is_online, journal, measured, property};

/// See the description of the file.
pub struct Subject<'a> {
    /// The kind of its starts.
    pub what: &'static str,
    /// At most this many times the time of nixpkgs' steps.
    pub target: Option<f64>,
    unit: String,
    /// The name under which the server lists it.
    name: String,
    ours: Option<Runner<'a>>,
    /// How many registrations a start makes.
    registers: usize,
}

impl<'a> Subject<'a> {
    /// A runner that keeps its registration.
    pub fn kept(what: &'static str, runner: Runner<'a>, target: f64) -> Self {
        let (unit, name) = (runner.unit.clone(), runner.name.clone());
        Self { what, target: Some(target), unit, name, ours: Some(runner), registers: 0 }
    }

    /// A runner that registers at each start.
    pub fn registering(what: &'static str, runner: Runner<'a>, target: f64) -> Self {
        Self { registers: 1, ..Self::kept(what, runner, target) }
    }

    /// A unit with other steps before its listener, whose registration has that name.
    pub fn foreign(what: &'static str, unit: String, name: String) -> Self {
        Self { what, target: None, unit, name, ours: None, registers: 0 }
    }

    /// Whether it is a runner of the module.
    pub fn is_ours(&self) -> bool {
        self.ours.is_some()
    }

    /// Starts it and waits until it is online.
    pub fn start(&self, machine: &Machine) -> Result<()> {
        self.let_time_pass()?;
        if let Err(error) = run("systemctl", &["start", &self.unit]) {
            bail!("{error:#}\n{}", journal(&[&self.unit])?);
        }
        is_online(machine, &self.name, &self.unit)
    }

    /// The same, and what it took. Fails if it was not the kind of start that it was meant to be.
    pub fn measured_start(&self, machine: &Machine, listeners: &Listeners) -> Result<Start> {
        self.let_time_pass()?;
        let sockets: Vec<String> = self.ours.iter().map(socket).collect();
        let (registrations, before) = (machine.github.registrations()?, connections(&sockets)?);
        let time = measured(listeners, &[&self.unit])?;
        is_online(machine, &self.name, &self.unit)?;
        let registered = machine.github.registrations()? - registrations;
        ensure!(registered == self.registers, "{registered} registrations: {}", journal(&[&self.unit])?);
        Ok(Start { time, brokers: connections(&sockets)? - before })
    }

    /// Stops it.
    pub fn stop(&self) -> Result<()> {
        run("systemctl", &["stop", &self.unit]).map(drop)
    }

    /// How many steps a start has before its listener, and how many of them run in the sandbox, which the listener does
    /// besides.
    pub fn steps(&self) -> Result<(usize, usize)> {
        let mut steps = (0, 0);
        for command in property(&self.unit, "ExecStartPreEx")?.split("{ path=").skip(1) {
            steps.0 += 1;
            steps.1 += usize::from(!command.contains("flags=privileged"));
        }
        Ok(steps)
    }

    fn let_time_pass(&self) -> Result<()> {
        self.ours.as_ref().map_or(Ok(()), Runner::let_time_pass)
    }
}

/// The socket of a runner's broker.
pub fn socket(runner: &Runner<'_>) -> String {
    format!("github-runner-broker-{}.socket", runner.name)
}
