//! What systemd is to brokers: for every connection a process of its own, with its credentials.
//!
//! The process is the real one. It knows no other GitHub than `https://api.github.com`; its environment leads it to the
//! stand-in, as a proxy and a certificate do in a company's network.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use github_runners::contract::manifest::Manifest;
use github_runners::frontend::ondemand::book::LEDGER;
use github_runners::frontend::ondemand::desk::Doors;

use crate::desk::{BROKER_GATE, Way, gate};

/// How a broker is started.
pub struct Broker {
    /// The host.
    pub way: Way,
    pub manifest: PathBuf,
    /// The entry of its runner in the ledger, which may not be there yet.
    pub ledger: Option<PathBuf>,
}

impl Broker {
    /// Answers one connection to its end. Every line that the process says goes to `say`.
    pub fn answer(&self, stream: UnixStream, say: impl Fn(&str)) -> Result<()> {
        // As with LoadCredential=: copied for this process, and gone with it.
        let credentials = tempfile::tempdir_in(self.way.root.join("credentials"))
            .context("Failed to make a credentials directory")?;
        let token = credentials.path().join("credential");
        fs::copy(self.way.root.join("token"), token).context("Failed to copy the credential")?;
        let entry = self.ledger.as_ref().map(fs::read).and_then(Result::ok);
        // What SetCredential= has for an entry that is not there.
        let entry = entry.unwrap_or_else(|| b"no file\n".to_vec());
        fs::write(credentials.path().join("ledger"), entry).context("Failed to copy the ledger entry")?;
        let input = OwnedFd::from(stream.try_clone().context("Failed to use a connection")?);
        let mut child = Command::new(&self.way.runnerctl)
            .args(["broker", "--manifest"])
            .arg(&self.manifest)
            .env_clear()
            .env("CREDENTIALS_DIRECTORY", credentials.path())
            .env("https_proxy", &self.way.proxy)
            .env("SSL_CERT_FILE", &self.way.authority)
            .stdin(input)
            .stdout(OwnedFd::from(stream))
            .stderr(Stdio::piped())
            .spawn()
            .context("Failed to start the broker")?;
        for line in child.stderr.take().into_iter().flat_map(|stream| BufReader::new(stream).lines()) {
            say(&line.context("Failed to read what the broker says")?);
        }
        // It has said why, if it failed; so it does if the desk is killed while it asks.
        child.wait().map(drop).context("Failed to wait for the broker")
    }
}

/// Brokers of orders, in the desk's process.
pub struct Brokers(pub Way);

impl Doors for Brokers {
    fn with(&self, manifest: &Manifest, ask: &mut dyn FnMut(&Path)) -> Result<()> {
        gate(&self.0.root, BROKER_GATE);
        let name = format!("{}.json", manifest.instance.as_str());
        let broker = Broker {
            way: self.0.clone(),
            manifest: self.0.root.join("run/manifests").join(&name),
            ledger: Some(self.0.root.join("state").join(LEDGER).join(&name)),
        };
        fs::create_dir_all(self.0.root.join("run/manifests"))?;
        fs::write(&broker.manifest, manifest.to_text()?).context("Failed to write the manifest of an order")?;
        let directory = tempfile::tempdir_in(&self.0.root).context("Failed to make a place for a broker")?;
        let socket = directory.path().join("socket");
        let listener =
            UnixListener::bind(&socket).context("Failed to listen for a broker: set TMPDIR to a shorter path")?;
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (broker, is_over) = (&broker, &is_over);
            scope.spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    // Until the desk hangs up.
                    scope.spawn(move || {
                        if let Err(error) = broker.answer(stream, |line| eprintln!("broker: {line}")) {
                            eprintln!("error: {error:#}");
                        }
                    });
                }
            });
            ask(&socket);
            is_over.store(true, Ordering::SeqCst);
            // Wakes whoever listens.
            UnixStream::connect(&socket).map(drop).context("Failed to close a broker's socket")
        })
    }

    fn forget(&self, instance: &str) -> Result<()> {
        match fs::remove_file(self.0.root.join("run/manifests").join(format!("{instance}.json"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
