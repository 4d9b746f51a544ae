//! `github-runnerctl machines`: which machines jobs have, and the end of one.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::machines::nspawn::{Client, SETTINGS, Settings};
use crate::machines::{Instance, Machines as _, State, Token};

/// What is to be done.
#[derive(Subcommand)]
pub enum What {
    /// Show every machine: its job, image, state and age in seconds
    List {
        /// The settings of the machines
        #[arg(long, default_value = SETTINGS)]
        settings: PathBuf,
    },
    /// End a machine and its job, and wait until nothing of it is left
    Kill {
        /// The number of the job
        job: u64,
        /// The settings of the machines
        #[arg(long, default_value = SETTINGS)]
        settings: PathBuf,
    },
}

/// Does it.
pub fn run(what: &What) -> Result<()> {
    let (What::List { settings } | What::Kill { settings, .. }) = what;
    let settings = Settings::read(settings)?;
    let client = Client::new(&settings.run_directory);
    match what {
        What::List { .. } => {
            let text = table(&client.list()?);
            std::io::stdout().write_all(text.as_bytes()).context("Failed to write")
        }
        What::Kill { job, .. } => {
            client.get(Token(*job))?;
            Ok(client.delete(Token(*job))?)
        }
    }
}

fn table(machines: &[Instance]) -> String {
    let mut text = format!("{:<12}  {:<9}  {:>7}  IMAGE\n", "JOB", "STATE", "AGE");
    for machine in machines {
        let state = match machine.state {
            State::Starting => "starting",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Ending => "ending",
        };
        // Writing to a string cannot fail.
        _ = writeln!(text, "{:<12}  {state:<9}  {:>7}  {}", machine.token, machine.age, machine.image);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_has_a_line() {
        let machine = |token, state| Instance { token: Token(token), image: "debian".into(), state, age: 75 };
        insta::assert_snapshot!(table(&[machine(4711, State::Running), machine(4712, State::Ending)]), @r"
        JOB           STATE          AGE  IMAGE
        4711          running         75  debian
        4712          ending          75  debian
        ");
    }
}
