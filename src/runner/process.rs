//! Running the listener: clean environment, no terminal, a time limit, and its output in the journal without
//! the secret.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use tracing::{info, warn};

use super::output::{LineScrubber, is_banner};

/// How long the listener may take to end after being asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long its last words may take to arrive after its end.
const DRAIN: Duration = Duration::from_secs(2);
/// How often a listener that keeps silent is looked after.
const TICK: Duration = Duration::from_millis(20);
const LINES_KEPT: usize = 8;

/// One run of the listener.
pub(super) struct Listener<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: Vec<OsString>,
    /// Everything in its environment.
    pub(super) environment: Vec<(OsString, OsString)>,
    /// What must not be shown.
    pub(super) secret: &'a str,
    pub(super) directory: &'a Path,
    /// How long it may take.
    pub(super) limit: Duration,
}

/// How a run ended.
pub(super) struct Outcome {
    /// `None` if the time limit ended it.
    pub(super) status: Option<ExitStatus>,
    /// The end of its output, scrubbed.
    pub(super) last_lines: Vec<String>,
}

/// Runs the listener to its end, at most [`Listener::limit`].
///
/// # Errors
///
/// If it cannot be started or waited for.
pub(super) fn run_listener(listener: &Listener<'_>) -> Result<Outcome> {
    // What the listener writes must be readable by nobody else, whatever the unit's UMask= says.
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let mut child = Command::new(listener.program)
        .args(&listener.arguments)
        .env_clear()
        .envs(listener.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(listener.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("Failed to start {}", listener.program.display()))?;
    let result = supervise(&mut child, listener.secret, listener.limit);
    if result.is_err() {
        signal(&child, Signal::SIGKILL);
    }
    result
}

fn supervise(child: &mut Child, secret: &str, limit: Duration) -> Result<Outcome> {
    let out = child.stdout.take().ok_or_else(|| anyhow!("The listener has no standard output"))?;
    let err = child.stderr.take().ok_or_else(|| anyhow!("The listener has no standard error"))?;
    // Bounded, so that a flood waits in the pipe instead of filling the memory.
    let (sender, lines) = sync_channel(64);
    let mut last_lines = VecDeque::new();
    let secret: Arc<str> = secret.into();
    // Not joined: whoever holds the other end of the pipe could keep us for ever.
    let (other, same) = (sender.clone(), Arc::clone(&secret));
    std::thread::spawn(move || forward(out, &secret, &sender));
    std::thread::spawn(move || forward(err, &same, &other));
    let mut watch = Watch::new(limit);
    let status = loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => keep(&mut last_lines, line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
        }
        if let Some(status) = child.try_wait().context("Failed to wait for the listener")? {
            break status;
        }
        watch.enforce(child);
    };
    // What it started must neither outlive it nor hold its output open.
    signal(child, Signal::SIGKILL);
    let deadline = Instant::now() + DRAIN;
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        keep(&mut last_lines, line);
    }
    Ok(Outcome { status: (!watch.expired).then_some(status), last_lines: last_lines.into() })
}

fn keep(last_lines: &mut VecDeque<String>, line: String) {
    info!("{line}");
    if is_banner(&line) {
        return;
    }
    if last_lines.len() == LINES_KEPT {
        last_lines.pop_front();
    }
    last_lines.push_back(line);
}

/// Asks the listener to end when its time is over, and ends it when it does not.
struct Watch {
    deadline: Instant,
    expired: bool,
}

impl Watch {
    fn new(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, expired: false }
    }

    fn enforce(&mut self, child: &Child) {
        if Instant::now() < self.deadline {
            return;
        }
        signal(child, if self.expired { Signal::SIGKILL } else { Signal::SIGINT });
        self.expired = true;
        self.deadline = Instant::now() + GRACE;
    }
}

/// Signals the listener and everything that it started.
fn signal(child: &Child, signal: Signal) {
    let Ok(group) = i32::try_from(child.id()) else { return };
    match killpg(Pid::from_raw(group), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => warn!("Failed to send {signal} to the listener: {error}"),
    }
}

fn forward(mut source: impl Read, secret: &str, lines: &SyncSender<String>) {
    let mut scrubber = LineScrubber::new(secret);
    let mut buffer = [0; 4096];
    loop {
        match source.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(count) => {
                for line in scrubber.push(&buffer[..count]) {
                    if lines.send(line).is_err() {
                        return;
                    }
                }
            }
        }
    }
    if let Some(line) = scrubber.finish() {
        // The receiver may have left when the time was over.
        let _ = lines.send(line);
    }
}
