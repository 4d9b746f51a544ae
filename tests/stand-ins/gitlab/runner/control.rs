//! Why a job has to end early, as all threads know it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Between two looks at what has no event of its own.
pub const MOMENT: Duration = Duration::from_millis(10);

/// The reasons, the gentlest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abort {
    /// `canceling`: only the script ends.
    Canceling,
    /// `canceled`: everything is given up.
    Canceled,
    /// SIGTERM or SIGINT to the runner.
    Interrupted,
}

/// What is known; clones share it.
#[derive(Clone, Default)]
pub struct Control(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    abort: Option<Abort>,
    quit: bool,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SIGTERM and SIGINT abort the job, SIGQUIT lets it go on to its end.
    pub fn listen_to_signals(&self) -> Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT]).context("Failed to listen to signals")?;
        let control = self.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGQUIT => control.lock().quit = true,
                    _ => control.tell(Abort::Interrupted),
                }
            }
        });
        Ok(())
    }

    /// Ends the job for this reason, unless it ends for a harder one.
    pub fn tell(&self, abort: Abort) {
        let mut state = self.lock();
        state.abort = state.abort.max(Some(abort));
    }

    pub fn abort(&self) -> Option<Abort> {
        self.lock().abort
    }

    /// Whether everything is given up.
    pub fn is_aborted(&self) -> bool {
        self.abort() > Some(Abort::Canceling)
    }

    /// Whether no further job is taken.
    pub fn is_over(&self) -> bool {
        let state = self.lock();
        state.quit || state.abort == Some(Abort::Interrupted)
    }

    /// Forgets why the last job was cancelled.
    pub fn next_job(&self) {
        let mut state = self.lock();
        state.abort = state.abort.filter(|abort| *abort == Abort::Interrupted);
    }
}
