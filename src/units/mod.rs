//! What runs the runners of this host: looking at their units, and restarting or stopping them.
//!
//! A trait, so that policy can be tried without a systemd, and other kinds can follow. Knows nothing of GitHub, of ledgers
//! or of configurations.

pub mod copy;
mod door;
pub mod drop_ins;
mod systemd;

use std::collections::BTreeMap;

use anyhow::Result;

pub use door::Door;
pub use systemd::Systemd;

/// What a unit is doing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Activity {
    /// Its main program runs.
    Active,
    /// It is being started, which may take a while, or waits to be started again.
    Starting,
    /// It is being stopped.
    Stopping,
    /// It does not run.
    #[default]
    Inactive,
    /// It does not run, and its end was a failure.
    Failed,
}

/// One unit, as it is now.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unit {
    /// What it is doing.
    pub activity: Activity,
    /// Since when, in seconds since 1970; `None` if it never did anything since boot.
    pub since: Option<u64>,
    /// How it ended last, as systemd calls it: `success`, `exit-code`, …
    pub result: String,
    /// Whether a runner's worker is among its processes, so that it runs a job.
    pub has_job: bool,
    /// Whether systemd has its definition.
    pub is_defined: bool,
}

/// Units by their names.
pub trait Units {
    /// Looks at units. Every name gets an answer.
    ///
    /// # Errors
    ///
    /// Nobody could be asked.
    fn show(&self, units: &[&str]) -> Result<BTreeMap<String, Unit>>;

    /// Looks at the units of these patterns that are in memory: all that run, wait to run or failed, and perhaps some that
    /// ended well.
    ///
    /// # Errors
    ///
    /// Nobody could be asked.
    fn list(&self, patterns: &[&str]) -> Result<BTreeMap<String, Unit>>;

    /// Has a unit started, without waiting for it.
    ///
    /// # Errors
    ///
    /// It was refused.
    fn start(&self, unit: &str) -> Result<()>;

    /// Forgets that a unit failed.
    ///
    /// # Errors
    ///
    /// It was refused, as for a unit that nothing is known of.
    fn reset_failed(&self, unit: &str) -> Result<()>;

    /// Has a unit restarted, without waiting for it.
    ///
    /// # Errors
    ///
    /// It was refused.
    fn restart(&self, unit: &str) -> Result<()>;

    /// Has systemd read all definitions again.
    ///
    /// # Errors
    ///
    /// It was refused.
    fn reload(&self) -> Result<()> {
        Ok(())
    }

    /// Stops a unit and waits for its end.
    ///
    /// # Errors
    ///
    /// It was refused, or the end was none.
    fn stop(&self, unit: &str) -> Result<()>;

    /// A property of a unit, as systemd writes it; empty if it has none, or if these units have no such properties.
    ///
    /// # Errors
    ///
    /// Nobody could be asked.
    fn property(&self, unit: &str, name: &str) -> Result<String> {
        let (_, _) = (unit, name);
        Ok(String::new())
    }

    /// What the main program of a unit printed, the last line first, as far back as may be of interest; nothing if it does
    /// not run or if nobody kept it.
    ///
    /// # Errors
    ///
    /// Nobody could be asked.
    fn printed(&self, unit: &str) -> Result<Vec<String>> {
        let _ = unit;
        Ok(Vec::new())
    }

    /// The last lines of a unit's journal since this host booted, the last one first: what all of its processes printed, and
    /// what was said of it.
    ///
    /// # Errors
    ///
    /// Nobody could be asked.
    fn journal(&self, unit: &str) -> Result<Vec<String>> {
        let _ = unit;
        Ok(Vec::new())
    }

    /// The version of the systemd that runs the units, if it is one.
    ///
    /// # Errors
    ///
    /// Nobody could be asked.
    fn version(&self) -> Result<Option<u32>> {
        Ok(None)
    }
}
