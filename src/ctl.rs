//! The command line of `github-runnerctl`: what operators and the broker's unit run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::backend::Systemd;
use crate::reconcile::Places;
use crate::{broker, doctor, journal, reconcile, status};

/// Where the module puts the fleet file.
const FLEET: &str = "/etc/github-runners/fleet.json";

/// Speaks to GitHub for the runners of this host.
#[derive(Parser)]
#[command(name = "github-runnerctl", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer one question of a root step, from standard input to standard output, with the API credential
    Broker {
        /// The runner's configuration, as JSON
        #[arg(long)]
        manifest: PathBuf,
    },
    /// Bring what runs in line with what is configured, once
    Reconcile {
        /// Which runners this host should have, as JSON
        #[arg(long, default_value = FLEET)]
        fleet: PathBuf,
    },
    /// Show what every runner of this host is doing; the exit code is 0 only if all is well
    Status {
        /// Print the same as JSON, for programs
        #[arg(long)]
        json: bool,
        /// Which runners this host should have, as JSON
        #[arg(long, default_value = FLEET)]
        fleet: PathBuf,
    },
    /// Check everything that a runner needs, and name each fault with its way out; changes nothing
    Doctor {
        /// The only runner to check
        instance: Option<String>,
        /// Say instead what the next start would do and why, without asking GitHub
        #[arg(long)]
        start_check: bool,
        /// Which runners this host should have, as JSON
        #[arg(long, default_value = FLEET)]
        fleet: PathBuf,
    },
}

/// The command line, for what documents it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    journal::start();
    let result = match arguments.command {
        Command::Broker { manifest } => broker::run(&manifest),
        Command::Reconcile { fleet } => reconcile::read_fleet(&fleet)
            .and_then(|fleet| reconcile::run(&fleet, &Systemd::default(), &Places::default())),
        Command::Status { json, fleet } => return status::run(&fleet, json),
        Command::Doctor { instance, start_check, fleet } => {
            return doctor::main(instance.as_deref(), start_check, &fleet);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
