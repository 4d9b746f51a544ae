//! What systemd is to the broker: the socket, and for every connection a process of its own with its credentials.
//!
//! The process is the real one. It knows no other GitHub than `https://api.github.com`; its environment leads it to the
//! stand-in, as a proxy and a certificate do in a company's network.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Error, Result, ensure};

use crate::process::Running;

/// What a process of the broker gets.
pub struct Unit {
    pub program: PathBuf,
    pub manifest: PathBuf,
    /// Where its `CREDENTIALS_DIRECTORY` is made.
    pub directory: PathBuf,
    /// The credential, as the administrator keeps it.
    pub token: PathBuf,
    /// The entry of the runner, if there is one.
    pub ledger: PathBuf,
    /// The way to GitHub.
    pub proxy: String,
    /// Who vouches for GitHub.
    pub authority: PathBuf,
}

/// A socket that answers until this program ends.
pub struct Broker {
    journal: Arc<Mutex<Journal>>,
}

/// What became of the connections.
#[derive(Default)]
struct Journal {
    lines: Vec<String>,
    asked: usize,
    fault: Option<Error>,
}

impl Broker {
    /// Listens at `socket`.
    pub fn listen(socket: &Path, unit: Unit) -> Result<Self> {
        let listener = UnixListener::bind(socket)
            .with_context(|| format!("Failed to listen at {}: set TMPDIR to a shorter path", socket.display()))?;
        let journal = Arc::new(Mutex::new(Journal::default()));
        let shared = Arc::clone(&journal);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Taken before anything is answered and kept until the process is gone: whoever got an answer finds the
                // line about it.
                let mut journal = shared.lock().unwrap_or_else(PoisonError::into_inner);
                journal.asked += 1;
                match stream.map_err(Error::from).and_then(|stream| unit.answer(stream)) {
                    Ok(lines) => journal.lines.extend(lines),
                    Err(error) => journal.fault = Some(error.context("The broker failed")),
                }
            }
        });
        Ok(Self { journal })
    }

    /// The lines of the journal since the last time.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        match journal.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(std::mem::take(&mut journal.lines)),
        }
    }

    /// How many connections there were.
    pub fn asked(&self) -> usize {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).asked
    }
}

impl Unit {
    fn answer(&self, stream: UnixStream) -> Result<Vec<String>> {
        // As with LoadCredential=: copied for this process, and gone with it.
        let credentials = tempfile::tempdir_in(&self.directory).context("Failed to make a credentials directory")?;
        fs::copy(&self.token, credentials.path().join("credential")).context("Failed to copy the credential")?;
        if self.ledger.exists() {
            fs::copy(&self.ledger, credentials.path().join("ledger")).context("Failed to copy the ledger entry")?;
        }
        let running = Running::speaking(
            Command::new(&self.program)
                .args(["broker", "--manifest"])
                .arg(&self.manifest)
                .env_clear()
                .env("CREDENTIALS_DIRECTORY", credentials.path())
                .env("https_proxy", &self.proxy)
                .env("SSL_CERT_FILE", &self.authority),
            stream,
        )?;
        let (lines, status) = running.wait()?;
        ensure!(status.success() && !lines.is_empty(), "It ended with {status}: {}", lines.join("\n"));
        credentials.close().context("Failed to remove a credentials directory")?;
        Ok(lines)
    }
}
