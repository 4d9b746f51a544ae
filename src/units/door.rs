//! A door to a broker that has no unit: for a runner that is not configured any more.
//!
//! A socket in a directory of root, and for each connection one transient service of systemd that has it as its standard
//! input and output, as the broker's own units would. So whoever asks notices no difference. Its name begins as theirs do:
//! operators find its journal beside theirs, and who looks at what brokers hold knows it for one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use tracing::warn;

use crate::contract::names;

/// How many brokers this process began: part of their units' names.
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// An open door; closed when it is dropped.
#[derive(Debug)]
pub struct Door {
    socket: PathBuf,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens a door at `socket`, behind which `program` answers in a sandbox of these properties of systemd, with these
    /// variables.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made.
    pub fn open(
        socket: PathBuf,
        properties: &[String],
        environment: &BTreeMap<String, String>,
        program: &[OsString],
    ) -> Result<Self> {
        let fault = || format!("Failed to open {}", socket.display());
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(fault),
            _ => {}
        }
        let listener = UnixListener::bind(&socket).with_context(fault)?;
        let closing = Arc::new(AtomicBool::new(false));
        let arguments: Vec<OsString> = ["--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"]
            .into_iter()
            .map(OsString::from)
            .chain(properties.iter().map(|property| format!("--property={property}").into()))
            .chain(environment.iter().map(|(name, value)| format!("--setenv={name}={value}").into()))
            .chain(["--".into()])
            .chain(program.iter().cloned())
            .collect();
        let closes = Arc::clone(&closing);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if closes.load(Ordering::Acquire) {
                    return;
                }
                if let Err(error) = stream.context("Failed to accept").and_then(|stream| answer(stream, &arguments)) {
                    warn!("{error:#}");
                }
            }
        });
        Ok(Self { socket, closing, thread: Some(thread) })
    }

    /// Where to ask.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

fn answer(stream: UnixStream, arguments: &[OsString]) -> Result<()> {
    let output = stream.try_clone().context("Failed to answer")?;
    let status = Command::new("systemd-run")
        .arg(format!("--unit={}", names::broker_without_unit(process::id(), ANSWERED.fetch_add(1, Ordering::Relaxed))))
        .args(arguments)
        .stdin(Stdio::from(OwnedFd::from(stream)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .status()
        .context("Failed to run systemd-run")?;
    anyhow::ensure!(status.success(), "A broker for a runner without a unit ended with {status}");
    Ok(())
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        // Wakes the thread; a socket that is gone already had none.
        drop(UnixStream::connect(&self.socket));
        if let Some(thread) = self.thread.take() {
            // Its panic was told on standard error.
            drop(thread.join());
        }
        drop(std::fs::remove_file(&self.socket));
    }
}
