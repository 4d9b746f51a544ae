//! What the unprivileged side waits for: a machine or its asker's change of mind, and the end of a job's directory.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::machines::nspawn::wire::Connection;
use crate::machines::{Fault, Token};

/// How long an end may take, from the kill to the last file: a machine may have written millions.
const END: Duration = Duration::from_secs(300);

/// Waits until nothing in `directory`, that of all jobs, has this job's name.
///
/// # Errors
///
/// [`Fault::Busy`] if something still has it after minutes.
pub(super) fn await_end(directory: &Path, token: Token) -> Result<(), Fault> {
    let job = directory.join(token.to_string());
    let wait = || -> anyhow::Result<bool> {
        let deadline = Instant::now() + END;
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
        let events = inotify::WatchFlags::DELETE | inotify::WatchFlags::MOVED_FROM;
        match inotify::add_watch(&watch, directory, events) {
            // Not even the directory of all jobs.
            Err(Errno::NOENT) => return Ok(true),
            added => added.context("Failed to watch the jobs")?,
        };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watch.as_fd(), &mut buffer);
        loop {
            if !job.try_exists()? {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let timeout = Timespec::try_from(left).ok();
            let mut polled = [PollFd::new(&watch, PollFlags::IN)];
            if rustix::io::retry_on_intr(|| poll(&mut polled, timeout.as_ref()))? > 0 {
                while reader.next().is_ok() && !reader.is_buffer_empty() {}
            }
        }
    };
    match wait() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Fault::Busy(format!(
            "The machine of job {token} still stands after {} s; `systemctl list-units 'gitlab-nspawn@*'` shows its unit",
            END.as_secs()
        ))),
        Err(error) => Err(Fault::Other(format!("Failed to see whether job {token} still stands: {error:#}"))),
    }
}

/// Waits for two things, and whether the first one is there.
///
/// # Errors
///
/// As `poll(2)`.
pub(super) fn comes_first(stop: BorrowedFd<'_>, connection: &Connection) -> Result<bool, Fault> {
    let mut polled = [PollFd::from_borrowed_fd(stop, PollFlags::IN), PollFd::new(connection, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut polled, None))
        .map_err(|error| Fault::Other(format!("Failed to wait for a machine: {error}")))?;
    Ok(!polled[0].revents().is_empty())
}
