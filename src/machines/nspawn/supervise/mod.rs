//! The supervisor of one machine: root, one process in a unit of its own, for as long as one job.
//!
//! It hears the group of the runner on two sockets and the machine's agent on a third, and opens nothing that any of them
//! names: an image is looked up in the settings, everything else is a number.
//!
//! A job cannot keep it from its work. All processes that it starts, it starts before anything of the image runs;
//! afterwards it makes no process, no thread and no file. What it keeps for a machine has a fixed size. If it dies, its
//! unit ends, and the unit's last step takes everything away, see [`super::ended`].

mod course;
mod given;
mod serve;
mod start;

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::claim::Places;
use super::notify::Watchdog;
use super::protocol::{Errand, Progress, VERSION};
use super::settings::Settings;
use super::wire::{Connection, Received};
use crate::machines::{Fault, Token};
use given::Given;

/// How long who connected may take to say what for.
const ERRAND: Duration = Duration::from_secs(30);

/// Serves the connection that is the standard input of this process, until its machine is gone.
///
/// # Errors
///
/// If there is no such connection, or it says nothing that is understood. That a machine cannot be made is an answer
/// and no error.
pub fn run(settings: &Settings, watchdog: Option<Watchdog>) -> Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("Failed to take the connection over")?;
    let orderer = Connection::adopt(socket)?;
    let Some(Received { message, descriptors }) = hear(&orderer)? else { return Ok(()) };
    let places = Places::open(settings)?;
    let made = match message {
        Errand::Clear { job } => start::make_way(&places, settings, Token(job)).map(|()| None),
        Errand::Make(order) if order.version != VERSION => Err(Fault::Unavailable(format!(
            "The driver speaks version {} and the supervisor {VERSION}: one of them was not restarted after an update",
            order.version
        ))),
        Errand::Make(order) => {
            let given = Given::take(&order, descriptors)?;
            start::make(&places, settings, &order, given, &orderer).map(Some)
        }
    };
    match made {
        Ok(Some(machine)) => serve::serve(machine, orderer, watchdog),
        Ok(None) => orderer.send(&Progress::Ready, &[]),
        Err(fault) => {
            tracing::error!("{fault}");
            orderer.send(&Progress::Failed(fault), &[])
        }
    }
}

/// What the caller wants; `None` if it went away.
fn hear(orderer: &Connection) -> Result<Option<Received<Errand>>> {
    let end = Instant::now() + ERRAND;
    let mut polled = [PollFd::new(orderer, PollFlags::IN)];
    while poll(&mut polled, Timespec::try_from(end.saturating_duration_since(Instant::now())).ok().as_ref())
        .or_else(|error| if error == rustix::io::Errno::INTR { Ok(0) } else { Err(error) })?
        == 0
    {
        if Instant::now() >= end {
            bail!("Whoever connected said nothing for {} s", ERRAND.as_secs());
        }
    }
    orderer.receive()
}
