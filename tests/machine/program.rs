//! The scenarios of a machine: what the module's units do under a real systemd.
//!
//! Runs as root inside of a machine that has the units of `runners.json` and nothing to lose: a container of
//! `tests/machine/run`, or a NixOS virtual machine of `nixos/tests/checks.nix`. Both call this one program, so it asks
//! systemd and never the distribution. It must not be run on a machine that somebody uses.

#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

mod bench;
mod ec2;
mod github;
#[path = "../support/nixpkgs_steps.rs"]
mod nixpkgs_steps;
mod runner;
#[path = "../support/samples.rs"]
mod samples;
mod scenarios;
mod secrets;
#[path = "../support/times.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod times;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use github::Github;
use secrets::Watch;

/// Runs every scenario on this machine, which may not be used for anything else.
#[derive(Parser)]
struct Arguments {
    /// Directory of the program `stand-in-github`
    #[arg(long, value_name = "DIR")]
    stand_ins: PathBuf,
    /// Run only scenarios whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Which part to run: `runners`, `faults`, `fleets`, `reboots` or `bench`
    #[arg(long, value_name = "PART")]
    part: String,
}

/// What scenarios work with.
pub struct Machine {
    /// Where the programs of stand-ins are.
    pub stand_ins: PathBuf,
    /// The server of this machine.
    pub github: Github,
    /// Knows all secrets and looks for them.
    pub secrets: Watch,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    ensure!(nix::unistd::Uid::effective().is_root(), "scenarios start and stop units: run them as root");
    std::fs::create_dir_all("/run/secrets")?;
    tools::set_mode("/run/secrets", 0o700)?;
    let part = scenarios::PARTS.iter().find(|part| part.name == arguments.part);
    let part = part.with_context(|| format!("there is no part {:?}", arguments.part))?;
    let start = if part.reboots { Github::start_lasting } else { Github::start };
    let secrets = if part.measures { Watch::of_files() } else { Watch::start() };
    let machine = Machine { github: start(&arguments.stand_ins)?, secrets, stand_ins: arguments.stand_ins };
    let (mut passed, mut failed) = (0, 0);
    for (name, scenario) in part.scenarios.iter().filter(|(name, _)| name.contains(&arguments.only)) {
        let start = Instant::now();
        let result =
            scenario(&machine).and_then(|()| machine.secrets.check()).and_then(|()| machine.github.check_addresses());
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                passed += 1;
                println!("ok     {name} ({seconds:.1} s)");
            }
            Err(error) => {
                failed += 1;
                println!("FAILED {name} ({seconds:.1} s)\n       {error:#}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
