//! A stand-in for `gitlab-runner`: runs jobs of a coordinator with the custom executor, and serves as `gitlab-runner` in a guest.
//!
//! It exists because the real one is not in Debian, and so that a test can make it die at any moment. It keeps to sections
//! 1 to 4 of the executor's contract to the letter, takes the command line and `config.toml` of the real one, and knows the
//! one executor only. Where the two are not alike, the tests that `tests/peers/run gitlab` runs with the real one fail.
//!
//! It must never be part of a shipped package.

#![allow(clippy::print_stdout, reason = "in a guest it speaks to the job's log")]

mod build;
mod config;
mod control;
mod environment;
mod guest;
mod network;
mod script;
mod script_stages;
#[allow(clippy::duplicate_mod, reason = "each stand-in is complete by itself")]
#[path = "../../shared.rs"]
mod shared;
mod stage;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

/// What the guests' scripts and the coordinator are told.
pub const VERSION: &str = "19.4.0";

/// Runs jobs with the custom executor, as gitlab-runner does.
#[derive(Parser)]
#[command(version = VERSION)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one job after another, as often as said
    RunSingle {
        /// The runner's configuration
        #[arg(long)]
        config: PathBuf,
        /// Which of its entries
        #[arg(long)]
        runner: String,
        /// How many jobs
        #[arg(long, default_value_t = 1)]
        max_builds: u32,
    },
    #[command(flatten)]
    Guest(guest::Command),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::RunSingle { config, runner, max_builds } => run_single(&config, &runner, max_builds),
        Command::Guest(command) => guest::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("FATAL: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_single(config: &std::path::Path, name: &str, mut builds: u32) -> Result<()> {
    let text = std::fs::read_to_string(config).with_context(|| format!("Failed to read {}", config.display()))?;
    let config: config::Config = toml::from_str(&text).context("Failed to understand the configuration")?;
    let Some(runner) = config.runners.into_iter().find(|runner| runner.name == name) else {
        bail!("There is no runner named {name}");
    };
    if runner.executor != "custom" {
        bail!("This stand-in has the custom executor only");
    }
    let control = control::Control::default();
    control.listen_to_signals()?;
    let network = network::Network::new(&runner);
    while builds > 0 && !control.is_over() {
        let Some(job) = network.request()? else {
            // Asks again after a moment; the real one waits for 3 s.
            std::thread::sleep(control::MOMENT * 5);
            continue;
        };
        builds -= 1;
        build::Build::new(&runner, &network, &control, job)?.run()?;
    }
    Ok(())
}
