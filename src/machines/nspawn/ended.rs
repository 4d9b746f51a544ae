//! The end of a unit: takes away what its job left, as `ExecStopPost=` of the unit, after all its processes are gone.
//!
//! Which job that was is found by the control group that this process shares with the unit, so the unit's text needs no
//! name of a job. What is done here can be killed at any step; the job's number stays taken until everything is gone, and the next
//! supervisor goes on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use super::claim::Places;
use super::clear::Turn;
use super::record::Record;
use super::settings::Settings;
use super::{cache, group};
use crate::machines::Token;

/// How long removing may take: a job may have written millions of files. The unit's text allows a little more.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// How long the cache of a job may be counted and emptied before that. The job's end never depends on it: other jobs of the
/// project may fill it meanwhile.
pub const CACHE: Duration = Duration::from_secs(30);

/// How long a new job may look after the rests of others, all together.
const SWEEP: Duration = Duration::from_secs(10);

/// Takes away what the job of this process's unit left.
///
/// # Errors
///
/// If something is left; everything that could be removed is gone.
pub fn run(settings: &Settings) -> Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let own = group::own()?;
    let places = Places::open(settings)?;
    let mut fault = None;
    for (token, record) in places.standing()? {
        if record.as_ref().is_some_and(|record| record.group == own)
            && let Err(error) = clear(&places, settings, token, record.as_ref())
        {
            tracing::error!("{error:#}");
            fault.get_or_insert_with(|| anyhow!("The rest of job {token} stays until the next supervisor starts"));
        }
    }
    places.forget_unborn()?;
    fault.map_or(Ok(()), Err)
}

/// Takes away what is left of a job that no unit has any more, and whose record was `seen`. A cache that cannot be held to its
/// limit is a line in the journal; the next job of its project tries again.
///
/// # Errors
///
/// As [`Places::clear`].
pub fn clear(places: &Places, settings: &Settings, token: Token, seen: Option<&Record>) -> Result<()> {
    let cache = seen.and_then(|record| record.cache.as_ref());
    if let (Some(name), Some(store)) = (cache, &settings.cache)
        && let Err(error) = cache::check(store, name, Instant::now() + CACHE)
    {
        tracing::warn!("{error:#}");
    }
    places
        .clear(token, seen, settings, Instant::now() + PATIENCE, Turn::Wait)
        .with_context(|| format!("Failed to end job {token}"))
}

/// Takes away what is left of all jobs whose units are gone without it. What fails is a line in the journal. It waits for
/// nobody and counts no cache: a new job must not pay for what others left.
///
/// # Errors
///
/// If the jobs cannot be listed.
pub fn sweep(places: &Places, settings: &Settings) -> Result<()> {
    let end = Instant::now() + SWEEP;
    for (token, record) in places.standing()? {
        if record.as_ref().is_none_or(|record| !group::is_populated(&record.group))
            && let Err(error) = places.clear(token, record.as_ref(), settings, end, Turn::Try)
        {
            tracing::warn!("{error:#}");
        }
    }
    places.forget_unborn()
}
