//! A stop that is ordered while a start prepares: it ends the start at once and well.
//!
//! systemd signals the step that runs, and takes a step that dies of it for a failure, which the unit then counts and waits
//! for. A preparing start may end anywhere, as every crash shows, so it ends with exit code 0. systemd then runs the steps
//! that are left, also while it stops the unit (seen with 257), so nothing may be left for them to do.

use std::path::{Path, PathBuf};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tracing::{error, info};

use crate::ledger::Ledger;
use crate::model::InstanceName;
use crate::state::STAGED_TOKEN;
use crate::state::start::existing;

/// Longer than systemd takes from one signal to the next.
const BETWEEN_SIGNALS: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// This run of the unit, as systemd names it; none outside of a unit.
#[must_use]
pub fn invocation() -> Option<String> {
    std::env::var("INVOCATION_ID").ok().filter(|id| !id.is_empty())
}

/// From now on ends the process when its unit is stopped. Must come before any other thread, and does nothing outside of a
/// unit.
///
/// # Errors
///
/// If the system gives no thread.
pub fn watch(ledger: Ledger, instance: &InstanceName, state: &Path) -> Result<()> {
    let Some(invocation) = invocation() else { return Ok(()) };
    let (instance, state): (_, PathBuf) = (instance.clone(), state.into());
    let ends = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect::<SigSet>();
    let goes_on = SigSet::from(Signal::SIGCONT);
    let ended = move || {
        let Ok(signal) = ends.wait() else { return };
        let settled = || {
            ledger.mark_stopped(&instance, &invocation)?;
            // Last, because the start goes on meanwhile.
            existing("state", &state)?.1.unlink(STAGED_TOKEN).map(drop)
        };
        match is_stop(&goes_on).and_then(|is_stop| if is_stop { settled().map(|()| true) } else { Ok(false) }) {
            Ok(true) => {
                info!("Stopped before runner {} was prepared", instance.as_str());
                exit(0)
            }
            // Somebody sent it without stopping the unit, which must not go on as if this step had come to its end.
            Ok(false) => {}
            Err(fault) => error!("{fault:#}"),
        }
        exit(128 + signal as i32)
    };
    let blocked = || ends.thread_block().and_then(|()| goes_on.thread_block());
    blocked().context("Failed to wait for signals")?;
    thread::Builder::new().spawn(ended).context("Failed to wait for signals")?;
    Ok(())
}

/// Whether a signal was that of a stop: systemd lets a process go on then, so that it can obey, and does not with
/// `systemctl kill`.
fn is_stop(goes_on: &SigSet) -> Result<bool> {
    let signals = SignalFd::with_flags(goes_on, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .context("Failed to wait for signals")?;
    let end = Instant::now() + BETWEEN_SIGNALS;
    while signals.read_signal().context("Failed to wait for signals")?.is_none() {
        if Instant::now() > end {
            return Ok(false);
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(true)
}
