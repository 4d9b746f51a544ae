//! When listeners are executed, as the kernel tells it: systemd of both releases knows only when it forked.

use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

use crate::times::HANGS;

const LISTENER: &str = "/opt/listener/bin/Runner.Listener";
/// Opened by this program alone.
const MARK: &str = "/run/machine-tests/mark";

enum Opened {
    Listener(Instant),
    /// What comes before was reported before.
    Mark,
}

/// Reports each exec of the listener until it is dropped.
pub struct Listeners(Receiver<Opened>);

impl Listeners {
    /// Begins to watch.
    pub fn watch() -> Result<Self> {
        fs::create_dir_all("/run/machine-tests")?;
        fs::write(MARK, "")?;
        let inotify = init(CreateFlags::CLOEXEC)?;
        add_watch(&inotify, LISTENER, WatchFlags::OPEN).with_context(|| format!("Failed to watch {LISTENER}"))?;
        let mark = add_watch(&inotify, MARK, WatchFlags::OPEN)?;
        let (sender, opened) = channel();
        std::thread::spawn(move || {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut reader = Reader::new(inotify, &mut buffer);
            while let Ok(event) = reader.next() {
                let now = Instant::now();
                let report = if event.wd() == mark { Opened::Mark } else { Opened::Listener(now) };
                if sender.send(report).is_err() {
                    break;
                }
            }
        });
        Ok(Self(opened))
    }

    /// Waits for an exec.
    pub fn first(&self) -> Result<Instant> {
        loop {
            let opened = self.0.recv_timeout(HANGS).context("no listener was executed")?;
            if let Opened::Listener(at) = opened {
                return Ok(at);
            }
        }
    }

    /// The last exec so far that was not told.
    pub fn last(&self) -> Result<Option<Instant>> {
        File::open(MARK)?;
        let mut last = None;
        loop {
            match self.0.recv_timeout(HANGS).context("nobody watches the listener any more")? {
                Opened::Listener(at) => last = Some(at),
                Opened::Mark => return Ok(last),
            }
        }
    }
}

/// Whether this process is a listener by now.
pub fn is_listener(pid: &str) -> Result<bool> {
    let listener = fs::metadata(LISTENER)?;
    // A process that is gone is none.
    let program = fs::metadata(format!("/proc/{pid}/exe")).ok();
    Ok(program.is_some_and(|program| (program.dev(), program.ino()) == (listener.dev(), listener.ino())))
}
