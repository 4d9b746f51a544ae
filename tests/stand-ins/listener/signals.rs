//! Signals, as the runner takes them (Runner.cs:348-387).

use std::{
    io,
    process::{self, ExitCode, ExitStatus},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use anyhow::Result;
use nix::sys::signal::{Signal, raise};
use signal_hook::{
    consts::{SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};

use super::{TERMINATED, terminal};

/// What a running listener waits for.
pub enum Event {
    /// SIGINT or SIGQUIT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The job's process ended.
    Job(io::Result<ExitStatus>),
}

/// From now on signals arrive as events; they kill no longer.
///
/// # Errors
///
/// The system refuses the handlers.
pub fn events() -> Result<(Sender<Event>, Receiver<Event>)> {
    let (sender, receiver) = channel();
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM])?;
    let forward = sender.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            let event = if signal == SIGTERM { Event::Terminate } else { Event::Interrupt };
            if forward.send(event).is_err() {
                return;
            }
        }
    });
    Ok((sender, receiver))
}

/// For `configure` and `remove`: an interrupt ends the process with code 1 wherever it
/// is. A deaf one, a fault, does not even die of SIGTERM.
///
/// # Errors
///
/// The system refuses the handlers.
pub fn exit_on_interrupt(deaf: bool) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGQUIT])?;
    if deaf {
        signals.add_signal(SIGTERM)?;
    }
    thread::spawn(move || {
        for _ in signals.forever() {
            if deaf {
                terminal::line("stand-in: deaf to a signal");
            } else {
                terminal::line("Exiting...");
                process::exit(i32::from(TERMINATED));
            }
        }
    });
    Ok(())
}

/// Leaves with `code`; above 128 by the signal that a shell reports so.
pub fn leave(code: u8) -> ExitCode {
    match code {
        134 => process::abort(),
        137 => _ = raise(Signal::SIGKILL),
        129..=192 => _ = emulate_default_handler(i32::from(code) - 128),
        _ => {}
    }
    ExitCode::from(code)
}
