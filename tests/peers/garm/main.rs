//! Scenarios of the real GARM with this project's provider, the stand-in GitHub and a real Incus.
//!
//! Runs as root inside a machine of `tests/peers/run garm` that has Incus and nothing to lose. GARM and its command line are
//! called as an operator calls them; what becomes of its wishes is looked at in Incus and at the stand-in. Each scenario begins
//! with what the one before left.

#![allow(clippy::print_stdout, reason = "the report goes to standard output")]

mod figures;
mod fleet;
mod garm;
#[path = "../../stand-ins/github/mod.rs"]
mod github;
mod incus;
mod scenarios;
#[path = "../../support/times.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod times;
#[path = "../../machine/tools.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod tools;
mod webhook;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;

use scenarios::{SCENARIOS, Site};

/// The program of this project.
const PROVIDER: &str = "garm-provider-incus-lxd";

/// Runs all scenarios on this machine, which may not be used for anything else.
#[derive(Parser)]
struct Arguments {
    /// Directory of the programs `garm`, `garm-cli`, `garm-provider-incus-lxd` and `github-runnerctl`
    #[arg(long, value_name = "DIR")]
    programs: PathBuf,
    /// Measure calls, in turns with those of this provider, instead
    #[arg(long, value_name = "PROGRAM")]
    figures: Option<PathBuf>,
    /// End after the scenario whose name contains this
    #[arg(long, value_name = "TEXT")]
    until: Option<String>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    ensure!(nix::unistd::Uid::effective().is_root(), "scenarios make instances: run them as root");
    if let Some(theirs) = arguments.figures {
        figures::run(arguments.programs.join(PROVIDER), theirs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let site = Site::start(&arguments.programs)?;
    let mut passed = 0;
    for (name, scenario) in SCENARIOS {
        let start = Instant::now();
        let result = scenario(&site);
        let seconds = start.elapsed().as_secs_f64();
        if let Err(error) = result {
            // The others begin where this one should have ended.
            println!("FAILED {name} ({seconds:.1} s)\n       {error:#}\n{}", site.garm.log());
            println!("{passed} passed, 1 failed");
            return Ok(ExitCode::FAILURE);
        }
        passed += 1;
        println!("ok     {name} ({seconds:.1} s)");
        if arguments.until.as_ref().is_some_and(|until| name.contains(until)) {
            break;
        }
    }
    println!("{passed} passed, 0 failed");
    Ok(ExitCode::SUCCESS)
}
