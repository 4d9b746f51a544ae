//! The stand-in for GitLab's coordinator as a program, for machine tests: hands out one job for each script, and says how they
//! ended.
//!
//! It must not be reachable from outside: listen on loopback or inside a test machine.

#![allow(clippy::print_stdout, reason = "says how jobs ended")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

#[path = "mod.rs"]
mod gitlab;

use gitlab::{Coordinator, example_job};

/// How often the jobs are looked at.
const AGAIN: Duration = Duration::from_millis(50);

/// Answers like GitLab, as far as a runner needs, until all jobs have ended.
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Gets the URL once requests are answered
    #[arg(long)]
    url_file: PathBuf,
    /// Scripts of the jobs 1, 2, ...
    #[arg(required = true)]
    script: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let coordinator = Coordinator::start_at(arguments.listen, None)?;
    for (id, script) in (1..).zip(&arguments.script) {
        coordinator.queue(example_job(id, &[script]));
    }
    fs::write(&arguments.url_file, coordinator.url())
        .with_context(|| format!("Failed to write {}", arguments.url_file.display()))?;
    for (id, _) in (1..).zip(&arguments.script) {
        let ended = loop {
            match coordinator.ended(id) {
                Some(ended) => break ended,
                None => thread::sleep(AGAIN),
            }
        };
        println!("{}", coordinator.log(id));
        println!("Job {id} ended: {} {} {}", ended.state, ended.exit_code, ended.reason);
    }
    Ok(())
}
