//! The command line of `github-runnerctl`: what operators and the broker's unit run.

mod desk;
mod fleet;
#[cfg(feature = "gitlab")]
mod machines;
mod ondemand;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::doctor::{self, explain};
use crate::reconcile::Wish;
use crate::survey::Places;
use crate::units::Systemd;
use crate::{broker, cli::journal, reconcile, status, survey};

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
    /// Answer questions of a root step, from standard input to standard output, with the API credential
    Broker {
        /// The runner's configuration, as JSON
        #[arg(long)]
        manifest: PathBuf,
    },
    /// Answer a question of the desk, from standard input to standard output, with the credential of a cloud
    CloudBroker {
        /// What machines of the class may be, as JSON
        #[arg(long)]
        manifest: PathBuf,
        /// The file with the id of this host
        #[arg(long, default_value = "/etc/machine-id")]
        machine_id: PathBuf,
    },
    /// Answer the door's questions from the socket that is standard input, and do what orders of runners need
    Desk {
        /// What is configured, as JSON
        #[arg(long)]
        settings: PathBuf,
    },
    /// Bring what runs in line with what is configured, once
    Reconcile {
        /// Which runners this host should have, as JSON
        #[arg(long, default_value = FLEET)]
        fleet: PathBuf,
    },
    /// Wait until a runner is idle, take its registration back, and stop it
    Drain {
        #[command(flatten)]
        whom: Whom,
    },
    /// Wait until a runner is idle, and restart it
    Restart {
        #[command(flatten)]
        whom: Whom,
    },
    /// Take the registration of an idle runner back and stop it; of a runner that is not configured any more, everything
    Retire {
        #[command(flatten)]
        whom: Whom,
    },
    /// Wait until none of these runners has a job, but not for ever; ends well also when the time is over
    WaitForJobs {
        /// The runners, each by the name of its unit without `github-runner-`
        #[arg(required = true)]
        instances: Vec<String>,
        /// The most that is waited, in seconds
        #[arg(long, default_value = "86400", value_parser = explain::limit)]
        at_most: Duration,
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
    /// Look at the machines of jobs on this host, and end them
    #[cfg(feature = "gitlab")]
    Machines {
        #[command(subcommand)]
        what: machines::What,
    },
    /// Look at the runners that workflows order, and stop, start or end them
    OnDemand {
        #[command(subcommand)]
        what: ondemand::What,
    },
    /// Bring GARM's pools and what they need in line with a declaration, and tell how they stand
    Fleet {
        #[command(subcommand)]
        what: fleet::What,
    },
    /// Run a command as a job of a runner would, and say which lines of the sandbox are in its way
    Explain {
        /// The runner, by the name of its unit without `github-runner-`
        instance: String,
        /// The most that one run may take, in seconds; there are six to fifty
        #[arg(long, default_value = "600", value_parser = explain::limit)]
        limit: Duration,
        /// Which runners this host should have, as JSON
        #[arg(long, default_value = FLEET)]
        fleet: PathBuf,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
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

/// One runner of this host.
#[derive(Args)]
struct Whom {
    /// The runner, by the name of its unit without `github-runner-`
    instance: String,
    /// Which runners this host should have, as JSON
    #[arg(long, default_value = FLEET)]
    fleet: PathBuf,
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
        Command::CloudBroker { manifest, machine_id } => broker::cloud::run(&manifest, &machine_id),
        Command::Desk { settings } => desk::run(&settings),
        Command::Reconcile { fleet } => {
            survey::read_fleet(&fleet).and_then(|fleet| reconcile::run(&fleet, &Systemd::default(), &Places::default()))
        }
        Command::Drain { whom } => operate(Wish::Drain, &whom),
        Command::Restart { whom } => operate(Wish::Restart, &whom),
        Command::Retire { whom } => operate(Wish::Retire, &whom),
        Command::WaitForJobs { instances, at_most } => {
            reconcile::wait_for_jobs(&instances, at_most, &Systemd::default())
        }
        Command::Status { json, fleet } => return status::run(&fleet, json),
        #[cfg(feature = "gitlab")]
        Command::Machines { what } => machines::run(&what),
        Command::OnDemand { what } => ondemand::run(&what),
        Command::Fleet { what } => return fleet::run(&what),
        Command::Explain { instance, limit, fleet, command } => {
            return explain::run(&fleet, &instance, &command, limit).unwrap_or_else(|error| {
                tracing::error!("{error:#}");
                ExitCode::from(explain::FAILED)
            });
        }
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

fn operate(wish: Wish, whom: &Whom) -> anyhow::Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        anyhow::bail!("Only root can do this: run it with `sudo`");
    }
    // Apart from the directory of passes, which systemd removes when one ends.
    let places = Places { runtime: "/run/github-runner-operate".into(), ..Places::default() };
    reconcile::operate(wish, &whom.instance, || survey::read_fleet(&whom.fleet), &Systemd::default(), &places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
