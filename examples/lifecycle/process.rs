//! A program that runs, read line by line. Every wait has a limit.

use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::times::HANGS;

/// A started program. Killed when dropped, so that a failure leaves nothing running.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
}

impl Running {
    /// Starts a command without input.
    pub fn start(command: &mut Command) -> Result<Self> {
        Self::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))
    }

    /// Starts a command that speaks through `stream`, so that only its errors are lines.
    pub fn speaking(command: &mut Command, stream: UnixStream) -> Result<Self> {
        let input = OwnedFd::from(stream.try_clone().context("Failed to use a connection")?);
        Self::spawn(command.stdin(input).stdout(OwnedFd::from(stream)))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("Failed to start {}", command.get_program().display()))?;
        let (sender, lines) = channel();
        let streams = (child.stdout.take(), child.stderr.take());
        let running = Self { child, lines, deadline: Instant::now() + HANGS };
        if let Some(out) = streams.0 {
            forward(out, sender.clone());
        }
        if let Some(err) = streams.1 {
            forward(err, sender);
        }
        Ok(running)
    }

    /// The next line; `None` after the last one.
    pub fn line(&self) -> Result<Option<String>> {
        match self.lines.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(anyhow!("A program did not end within {} s", HANGS.as_secs())),
        }
    }

    /// All lines until the program ends, and how it ended.
    pub fn wait(self) -> Result<(Vec<String>, ExitStatus)> {
        let mut lines = Vec::new();
        while let Some(line) = self.line()? {
            lines.push(line);
        }
        Ok((lines, self.status()?))
    }

    /// Asks the program to stop, as systemd does with a runner.
    pub fn interrupt(&self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGINT).context("Failed to stop the listener")
    }

    /// How the program ended; to be called after the last line, when it is about to.
    pub fn status(mut self) -> Result<ExitStatus> {
        self.child.wait().context("Failed to wait for a program")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it is gone already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn forward(stream: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}
