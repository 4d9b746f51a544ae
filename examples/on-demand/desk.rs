//! The desk as a process: the real one, with brokers and machines of the demonstration.

use std::env;
use std::fs;
use std::io::stdin;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use github_runners::cli::journal;
use github_runners::frontend::ondemand::desk::{self, Kinds, Paths};
use github_runners::frontend::ondemand::label::Class;
use github_runners::frontend::ondemand::settings::Settings;

use crate::broker::Brokers;
use crate::machine::Machines;
use crate::settings::CLASS;

/// The name under which this program is the desk.
pub const NAME: &str = "desk";

/// While this file is there, no broker of an order is asked.
pub const BROKER_GATE: &str = "hold-broker";
/// While this file is there, no machine is made.
pub const MACHINE_GATE: &str = "hold-machine";

/// What a process needs to know of the host.
#[derive(Clone, Debug)]
pub struct Way {
    /// The directory of everything.
    pub root: PathBuf,
    /// The program of the broker.
    pub runnerctl: PathBuf,
    /// The way to GitHub.
    pub proxy: String,
    /// Who vouches for GitHub.
    pub authority: PathBuf,
}

impl Way {
    /// As arguments of the desk.
    pub fn arguments(&self) -> [PathBuf; 4] {
        [self.root.clone(), self.runnerctl.clone(), PathBuf::from(&self.proxy), self.authority.clone()]
    }

    fn of_arguments() -> Option<Self> {
        let mut arguments = env::args_os().skip(1);
        Some(Self {
            root: arguments.next()?.into(),
            runnerctl: arguments.next()?.into(),
            proxy: arguments.next()?.into_string().ok()?,
            authority: arguments.next()?.into(),
        })
    }
}

/// Serves the socket that is the standard input, until nothing is left to do.
pub fn main() -> Result<()> {
    journal::start();
    let way = Way::of_arguments().context("The desk lacks its arguments: only the demonstration starts it")?;
    let settings = Settings::parse(&fs::read(way.root.join("settings.json"))?)?;
    let paths =
        Paths { state: way.root.join("state"), runtime: way.root.join("run"), machine_id: way.root.join("machine-id") };
    let mut kinds = Kinds::default();
    let class = Class::try_from(CLASS.to_owned()).map_err(Error::msg)?;
    kinds.add(Arc::new(Machines(way.root.clone())), [class]);
    let socket = stdin().as_fd().try_clone_to_owned().context("Failed to take the socket")?;
    desk::run(settings, paths, |_, _| Ok(kinds), Box::new(Brokers(way)), socket)
}

/// Waits for as long as a gate is there, so that the story can look at what is the case before a step.
pub fn gate(root: &Path, name: &str) {
    while root.join(name).exists() {
        thread::sleep(Duration::from_millis(10));
    }
}
