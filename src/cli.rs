//! The command line of `github-runner-helper`: what can be said to it, and which step that runs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::start::{Start, read_manifest};
use crate::{journal, prepare, record, runner};

/// Prepares, registers and records a self-hosted GitHub Actions runner before it starts.
#[derive(Debug, Parser)]
#[command(name = "github-runner-helper", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// As root: decide whether the registration stays, purge if not, and stage the token.
    Prepare {
        #[command(flatten)]
        start: Start,
        /// Where root keeps what it knows about registrations
        #[arg(long, value_name = "DIR")]
        ledger_directory: PathBuf,
    },
    /// As the service user: register with the staged token, if there is one.
    Configure {
        #[command(flatten)]
        start: Start,
    },
    /// As root: write into the ledger which runner this is.
    Record {
        #[command(flatten)]
        start: Start,
        /// Where root keeps what it knows about registrations
        #[arg(long, value_name = "DIR")]
        ledger_directory: PathBuf,
    },
    /// As the service user: link logs and credentials into the work directory.
    Link {
        #[command(flatten)]
        start: Start,
    },
    /// While the system is built: say whether a manifest is good.
    Check {
        /// The manifest
        manifest: PathBuf,
    },
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    journal::start();
    match run(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    match command {
        Command::Prepare { start, ledger_directory } => prepare::run(start, ledger_directory),
        Command::Configure { start } => runner::configure::run(start),
        Command::Record { start, ledger_directory } => record::run(start, ledger_directory),
        Command::Link { start } => runner::link::run(start),
        Command::Check { manifest } => read_manifest(manifest).map(drop),
    }
}
