//! The stand-in for EC2 as a program, for machine tests and demonstrations; on demand its instances are real machines.
//!
//! It must not be reachable from outside: listen on loopback or inside of a test machine. Whoever reaches it controls it.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

mod boot;
#[path = "mod.rs"]
mod ec2;
mod machine;

/// Answers like EC2, as far as making runners needs.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Serve TLS with this certificate, PEM, and nothing plain
    #[arg(long, requires = "tls_key", value_name = "PEM")]
    tls_cert: Option<PathBuf>,
    /// Its key
    #[arg(long, requires = "tls_cert", value_name = "PEM")]
    tls_key: Option<PathBuf>,
    /// Gets the address, complete or not at all, once requests are answered
    #[arg(long, value_name = "FILE")]
    address_file: Option<PathBuf>,
    /// The region of all signatures
    #[arg(long, default_value = ec2::REGION)]
    region: String,
    /// The access key that is accepted
    #[arg(long, default_value = ec2::ACCESS_KEY)]
    access_key: String,
    /// Its secret
    #[arg(long, default_value = ec2::SECRET_KEY)]
    secret_key: String,
    /// Its session token, if it is a temporary one
    #[arg(long)]
    session_token: Option<String>,
    /// Where to serve the metadata of the host that uses this
    #[arg(long, requires = "role", value_name = "ADDRESS")]
    metadata: Option<SocketAddr>,
    /// The name of the host's role, whose credential is accepted as well
    #[arg(long, requires = "metadata", value_name = "NAME")]
    role: Option<String>,
    /// Boot each instance from a copy of this directory, as root, with systemd-nspawn
    #[arg(long, requires = "work", value_name = "ROOT")]
    boot: Option<PathBuf>,
    /// Where the copies and the consoles of instances are
    #[arg(long, requires = "boot", value_name = "DIRECTORY")]
    work: Option<PathBuf>,
    /// A port of this host's loopback that instances reach at their own; may be given again
    #[arg(long, requires = "boot", value_name = "PORT")]
    forward: Vec<u16>,
    /// A name that is the loopback of instances; may be given again
    #[arg(long, requires = "boot", value_name = "NAME", default_value = "api.github.com")]
    host: Vec<String>,
}

/// The temporary credential of a role.
fn role(name: String) -> ec2::HostRole {
    let key = ec2::Key {
        access_key: "ASIAIOSFODNN7EXAMPLE".into(),
        secret_key: ec2::SECRET_KEY.into(),
        session_token: Some("session-token-of-the-stand-in".into()),
    };
    ec2::HostRole { name, key, lasts: 21_600 }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let read = |file: &Path| fs::read_to_string(file).with_context(|| format!("Failed to read {}", file.display()));
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(ec2::Tls { certificate: read(certificate)?, key: read(key)? }),
        _ => None,
    };
    let Arguments { access_key, secret_key, session_token, .. } = arguments;
    // Before the first thread, so that no other one gets them.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let server = Arc::new(ec2::start(ec2::Config {
        listen: Some(arguments.listen),
        tls,
        region: arguments.region,
        keys: vec![ec2::Key { access_key, secret_key, session_token }],
        host: arguments.role.map(role),
    })?);
    let bind =
        |address: SocketAddr| TcpListener::bind(address).with_context(|| format!("Failed to listen on {address}"));
    let metadata = arguments.metadata.map(|address| server.serve_host_metadata(bind(address)?)).transpose()?;
    let machines = match (arguments.boot, arguments.work) {
        (Some(root), Some(work)) => {
            let options = boot::Options { root, work, forward: arguments.forward, hosts: arguments.host };
            Some(boot::Machines::start(Arc::clone(&server), options)?)
        }
        _ => None,
    };
    let line = format!("{}\n", server.address());
    if let Some(path) = arguments.address_file {
        replace(&path, &line)?;
    }
    let mut stdout = std::io::stdout();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()?;
    signals.forever().next();
    if let Some(machines) = machines {
        machines.end();
    }
    drop(metadata);
    Ok(())
}

/// Writes a file so that a reader finds it complete or not at all.
fn replace(path: &Path, content: &str) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("Failed to write {}", path.display()))
}
