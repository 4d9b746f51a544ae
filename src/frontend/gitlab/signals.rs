//! Signals that end a step, as something to be read: so that a step which is told to end says so, and leaves nothing.

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// From now on SIGTERM, SIGINT and SIGHUP end nothing and are read from here.
pub fn listen() -> Result<SignalFd> {
    let set: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    set.thread_block().context("Failed to block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).context("Failed to listen to signals")
}

/// Takes one, if one has come.
pub fn has_come(signals: &SignalFd) -> bool {
    matches!(signals.read_signal(), Ok(Some(_)))
}
