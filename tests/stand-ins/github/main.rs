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
    /// Where to listen for TLS as well
    #[arg(long, requires_all = ["tls_certificate", "tls_key"])]
    tls_listen: Option<SocketAddr>,
    /// PEM of the certificate for TLS
    #[arg(long, requires = "tls_listen")]
    tls_certificate: Option<PathBuf>,
    /// PEM of the key for TLS
    #[arg(long, requires = "tls_listen")]
    tls_key: Option<PathBuf>,
    /// Gets the address, complete or not at all, once requests are answered; the one for TLS is on the second line
    #[arg(long)]
    address_file: Option<PathBuf>,
    /// What GitHub knows: read at the start if it exists, rewritten after each change
    #[arg(long)]
    state_file: Option<PathBuf>,
    /// Gets one line of JSON for each request
    #[arg(long)]
    record: Option<PathBuf>,
    /// Only write ca.pem, certificate.pem and key.pem for --host to this directory
    #[arg(long, requires = "host", value_name = "DIRECTORY")]
    make_ca: Option<PathBuf>,
    /// A host name of the certificate; may be given again
    #[arg(long, requires = "make_ca")]
    host: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(directory) = arguments.make_ca {
        return github::Identity::make(&arguments.host)?.write(&directory).map(drop);
    }
    let tls = match (arguments.tls_listen, arguments.tls_certificate, arguments.tls_key) {
        (Some(listen), Some(certificate), Some(key)) => {
            let identity = github::Identity::read(&certificate, &key)?;
            Some(github::Tls { listen: Some(listen), identity })
        }
        _ => None,
    };
    let server = github::start(github::Config {
        listen: Some(arguments.listen),
        tls,
        state: arguments.state_file.as_ref().map_or_else(|| Ok(github::State::default()), read)?,
        state_file: arguments.state_file,
        record_file: arguments.record,
    })?;
    let plain = server.address();
    let lines = match server.tls_address() {
        None => format!("{plain}\n"),
        Some(secure) => format!("{plain}\n{secure}\n"),
    };
    if let Some(path) = arguments.address_file {
        github::replace(&path, lines.as_bytes())?;
    }
    let mut stdout = std::io::stdout();
    stdout.write_all(lines.as_bytes())?;
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
