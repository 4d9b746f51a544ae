//! The desk: takes questions from the door, decides by the rules of this house, and has everything done that an order needs.
//!
//! Runs as root without a network: brokers ask GitHub, and each kind of machine has its own way. One thread decides and
//! writes; whatever may take a while is an *errand* in a thread of its own, and says what came of it by an event. So a slow
//! server keeps nobody waiting but its own order, and nothing needs a lock.
//!
//! It can be killed at any moment: what is about to be done stands in the book before, and the next desk looks what came of it.
//! It ends by itself when nothing is left to do.

mod answer;
mod clock;
mod create;
mod engine;
mod event;
mod facts;
mod hands;
mod keys;
mod listen;
mod looks;
mod machines;
mod makers;
mod prove;
mod registrar;
mod schedule;
mod sights;
mod slots;
mod state;
mod steps;
mod tell;
#[cfg(test)]
mod tests;
mod tokens;
mod tracked;
mod waiting;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tracing::info;

use super::book::Book;
use super::settings::Settings;
use crate::state::start::existing;
use hands::Hands;
use state::Desk;

pub use hands::{ByUnits, Doors, Kinds, Paths};
pub use makers::{Server, servers};

/// How long a desk waits for another one that is about to end.
const HANDOVER: Duration = Duration::from_secs(10);

/// Serves the listening Unix socket until nothing is left to do, or somebody asks for the end. `kinds` says what makes machines; it
/// is asked when no other desk has the book.
///
/// # Errors
///
/// If another desk has the book, the book cannot be opened, or the socket is none.
pub fn run(
    settings: Settings,
    paths: Paths,
    kinds: impl FnOnce(&Settings, &Paths) -> Result<Kinds>,
    doors: Box<dyn Doors>,
    socket: OwnedFd,
) -> Result<()> {
    // Before there is a thread, so that no thread is ended by one.
    let signals = listen::signals()?;
    let book = Book::open(existing("state", &paths.state)?.1)?;
    let Some(_lock) = book.lock(HANDOVER)? else {
        bail!("Another desk has the book of orders: stop github-runner-on-demand.service first");
    };
    let kinds = kinds(&settings, &paths)?;
    let hands = Arc::new(Hands::open(settings, paths, kinds, doors)?);
    let (events, inbox) = channel();
    listen::start(socket, signals, &events)?;
    let mut desk = Desk::open(hands, events).context("Failed to open the desk")?;
    desk.serve(&inbox);
    info!("Nothing is left to do");
    Ok(())
}
