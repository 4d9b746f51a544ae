//! The GitHub stand-in as a program, for demonstrations and machine tests.
//!
//! It must not be reachable from outside: listen on loopback or inside a test machine.

use std::{fs, io::Write as _, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;

#[path = "mod.rs"]
mod github;

/// Answers like GitHub, as far as registering runners needs.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Gets the address, complete or not at all, once requests are answered
    #[arg(long)]
    address_file: Option<PathBuf>,
    /// What GitHub knows: read at the start if it exists, rewritten after each change
    #[arg(long)]
    state_file: Option<PathBuf>,
    /// Gets one line of JSON for each request
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let server = github::start(github::Config {
        listen: Some(arguments.listen),
        state: arguments.state_file.as_ref().map_or_else(|| Ok(github::State::default()), read)?,
        state_file: arguments.state_file,
        record_file: arguments.record,
    })?;
    let address = format!("{}\n", server.address());
    if let Some(path) = arguments.address_file {
        github::replace(&path, address.as_bytes())?;
    }
    let mut stdout = std::io::stdout();
    stdout.write_all(address.as_bytes())?;
    stdout.flush()?;
    server.wait();
    Ok(())
}

fn read(path: &PathBuf) -> Result<github::State> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("Failed to understand {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(github::State::default()),
        Err(error) => Err(error).with_context(|| format!("Failed to read {}", path.display())),
    }
}
