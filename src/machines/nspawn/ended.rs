//! The end of a unit: takes away what its job left, as `ExecStopPost=` of the unit, after all its processes are gone.
//!
//! Which job that was is found by the control group that this process shares with the unit, so the unit's text needs no
//! name of a job. What is done here can be killed at any step; the job's number stays taken until everything is gone, and the next
//! supervisor goes on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use super::claim::Places;
use super::settings::Settings;
use super::{cache, group};
use crate::machines::Token;

/// How long removing may take: a job may have written millions of files. The unit's text allows a little more.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Takes away what the job of this process's unit left.
///
/// # Errors
///
/// If something is left; everything that could be removed is gone.
pub fn run(settings: &Settings) -> Result<()> {
    let own = group::own()?;
    let places = Places::open(settings)?;
    let mut fault = None;
    for (token, record) in places.standing()? {
        if record.is_some_and(|record| record.group == own)
            && let Err(error) = clear(&places, settings, token)
        {
            tracing::error!("{error:#}");
            fault.get_or_insert_with(|| anyhow!("The rest of job {token} stays until the next supervisor starts"));
        }
    }
    places.forget_unborn()?;
    fault.map_or(Ok(()), Err)
}

/// Takes away what is left of a job that no unit has any more.
///
/// # Errors
///
/// As [`Places::clear`].
pub fn clear(places: &Places, settings: &Settings, token: Token) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    let cache = places.standing()?.into_iter().find(|(other, _)| *other == token).and_then(|(_, record)| record?.cache);
    if let (Some(name), Some(store)) = (cache, &settings.cache) {
        cache::check(store, &name, end)?;
    }
    places.clear(token, settings, end).with_context(|| format!("Failed to end job {token}"))
}

/// Takes away what is left of all jobs whose units are gone without it. What fails is a line in the journal.
///
/// # Errors
///
/// If the jobs cannot be listed.
pub fn sweep(places: &Places, settings: &Settings) -> Result<()> {
    for (token, record) in places.standing()? {
        if record.as_ref().is_none_or(|record| !group::is_populated(&record.group))
            && let Err(error) = clear(places, settings, token)
        {
            tracing::warn!("{error:#}");
        }
    }
    places.forget_unborn()
}
