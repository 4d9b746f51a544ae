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
    pub(super) patience: Patience,
}

/// How long a listener is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// From its start until it is asked to end.
    pub(super) limit: Duration,
    /// From then until it is ended.
    pub(super) grace: Duration,
}

/// How a run ended.
pub(super) struct Outcome {
    /// `None` if the time limit ended it.
    pub(super) status: Option<ExitStatus>,
    /// The end of its output, scrubbed.
    pub(super) last_lines: Vec<String>,
}

/// Runs the listener to its end, at most as long as its [`Patience`] lasts.
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
    let result = supervise(&mut child, listener.secret, listener.patience);
    if result.is_err() {
        signal(&child, Signal::SIGKILL);
    }
    result
}

fn supervise(child: &mut Child, secret: &str, patience: Patience) -> Result<Outcome> {
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
    let mut watch = Watch::new(patience);
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
    while let Some(left) = deadline.checked_duration_since(Instant::now())
        && let Ok(line) = lines.recv_timeout(left)
    {
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
    grace: Duration,
    expired: bool,
}

impl Watch {
    fn new(Patience { limit, grace }: Patience) -> Self {
        Self { deadline: Instant::now() + limit, grace, expired: false }
    }

    fn enforce(&mut self, child: &Child) {
        if Instant::now() < self.deadline {
            return;
        }
        signal(child, if self.expired { Signal::SIGKILL } else { Signal::SIGINT });
        self.expired = true;
        self.deadline = Instant::now() + self.grace;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody waits for so long unless something hangs.
    const LONG: Duration = Duration::from_secs(300);
    /// Long enough for a shell to come to the end of its first lines.
    const SHORT: Duration = Duration::from_secs(4);

    /// Runs a shell script with so much time, and so much more after it was asked to end.
    ///
    /// A shell cannot trap a signal that was ignored when it began, as SIGINT is where these tests run in the
    /// background of a script. systemd ignores none when it starts a unit.
    fn run(script: &str, limit: Duration, grace: Duration) -> Outcome {
        let patience = Patience { limit, grace };
        run_listener(&Listener {
            program: Path::new("env"),
            arguments: ["--default-signal=INT", "sh", "-c", script].map(OsString::from).into(),
            environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
            secret: "FAKESECRET",
            directory: Path::new("/"),
            patience,
        })
        .unwrap()
    }

    #[test]
    fn a_listener_that_hangs_is_asked_to_end() {
        let outcome = run("trap 'echo asked; exit 0' INT; echo ready; sleep 600 & wait", SHORT, LONG);
        assert!(outcome.status.is_none(), "its time was over, whatever it ended with");
        assert_eq!(outcome.last_lines, ["ready", "asked"]);
    }

    #[test]
    fn a_listener_that_does_not_listen_is_killed_with_all_it_started() {
        let outcome = run("trap '' INT; echo $$; sleep 600 & wait; wait", SHORT, SHORT);
        assert!(outcome.status.is_none());
        let group = Pid::from_raw(outcome.last_lines[0].parse().unwrap());
        let deadline = Instant::now() + LONG;
        // A process that was killed stays in its group until whoever adopted it has collected it.
        while killpg(group, None).is_ok() && !only_dead(group) {
            assert!(Instant::now() < deadline, "something outlived the listener");
            std::thread::yield_now();
        }
    }

    fn only_dead(group: Pid) -> bool {
        let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            Some(stat.rsplit_once(") ")?.1.to_owned())
        });
        stats.filter(|stat| stat.split(' ').nth(2) == Some(&group.to_string())).all(|stat| stat.starts_with(['Z', 'X']))
    }

    #[test]
    fn a_listener_in_time_is_left_alone() {
        let outcome = run("echo FAKESECRET; exit 3", LONG, LONG);
        assert_eq!(outcome.status.and_then(|status| status.code()), Some(3));
        assert_eq!(outcome.last_lines, ["***"]);
    }
}
