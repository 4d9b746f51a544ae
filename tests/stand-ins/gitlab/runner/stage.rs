//! One call of a driver: sections 2 and 3 of the contract.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::control::MOMENT;

/// What to call.
pub struct Call<'a> {
    pub program: &'a str,
    pub arguments: Vec<OsString>,
    /// Added to the runner's own; the last of a name wins.
    pub environment: Vec<(String, String)>,
    /// The temporary directory of the attempt.
    pub directory: &'a Path,
    /// From SIGTERM to SIGKILL, and from there to giving up.
    pub graces: (Duration, Duration),
    /// When it has to be over.
    pub deadline: Instant,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Exit(i32),
    Signal(i32),
    NotStarted(String),
    /// Neither signal ended it.
    Dormant,
}

/// What the threads of a call tell.
enum Event {
    Exited(io::Result<ExitStatus>),
    Closed,
}

/// Where the output of a stream goes.
pub type Sink = Box<dyn FnMut(&[u8]) + Send>;

/// Calls a driver, and waits until it ended **and** nobody holds one of its pipes any more. `is_over` says that its context
/// is over.
pub fn run(call: Call<'_>, output: Sink, errors: Sink, is_over: impl Fn() -> bool) -> Outcome {
    let spawned = Command::new(call.program)
        .args(&call.arguments)
        .envs(call.environment)
        .current_dir(call.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Outcome::NotStarted(error.to_string()),
    };
    let group = Pid::from_raw(-child.id().cast_signed());
    let (sender, events) = channel();
    copy(child.stdout.take(), output, sender.clone());
    copy(child.stderr.take(), errors, sender.clone());
    thread::spawn(move || _ = sender.send(Event::Exited(child.wait())));

    let (mut left, mut status) = (3, None);
    let mut asked: Option<Instant> = None;
    let mut killed: Option<Instant> = None;
    while left > 0 {
        match events.recv_timeout(MOMENT) {
            Ok(event) => {
                left -= 1;
                if let Event::Exited(ended) = event {
                    status = Some(ended);
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        match (asked, killed) {
            (None, _) if is_over() || Instant::now() > call.deadline => {
                asked = Some(Instant::now());
                if kill(group, Signal::SIGTERM).is_err() {
                    _ = kill(group, Signal::SIGKILL);
                    killed = Some(Instant::now());
                }
            }
            (Some(since), None) if since.elapsed() > call.graces.0 => {
                // Nobody may be left in the group.
                _ = kill(group, Signal::SIGKILL);
                killed = Some(Instant::now());
            }
            (_, Some(since)) if since.elapsed() > call.graces.1 => return Outcome::Dormant,
            _ => {}
        }
    }
    match status {
        Some(Ok(status)) => match status.code() {
            Some(code) => Outcome::Exit(code),
            None => Outcome::Signal(status.signal().unwrap_or_default()),
        },
        _ => Outcome::NotStarted("nobody waited for it".into()),
    }
}

fn copy(from: Option<impl Read + Send + 'static>, mut to: Sink, done: Sender<Event>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 32 << 10];
        if let Some(mut from) = from {
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                to(&buffer[..length]);
            }
        }
        // Nobody listens any more after giving up.
        _ = done.send(Event::Closed);
    });
}
