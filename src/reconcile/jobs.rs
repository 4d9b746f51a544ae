//! Waiting for the end of jobs before something that they would notice, such as a collection of garbage; but not for ever.
//!
//! Looks at units as a pass does, and asks no server: a job whose worker is not there yet has built nothing. Remembers
//! nothing, so that nothing is left behind by one that dies: the time is that of this process, by a clock that only goes
//! on. A job can pretend to run for longer than it does; that gains it the time of the caller and no more.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, warn};

use crate::contract::names;
use crate::model::InstanceName;
use crate::units::{Activity, Unit, Units};

/// Between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// What follows from a look.
#[derive(Debug, Eq, PartialEq)]
enum Step {
    /// Nobody has a job.
    Go,
    /// The time is over, and this is still so.
    GoAnyway(String),
    /// This is so.
    Wait(String),
}

/// Waits until none of these runners has a job, but no longer than `most`. Then whoever called goes on, whatever was seen:
/// also if systemd cannot be asked all the time.
///
/// # Errors
///
/// A name can be none of a runner. Nobody was waited for then.
pub fn wait_for_jobs(instances: &[String], most: Duration, units: &dyn Units) -> Result<()> {
    let mut names = Vec::new();
    for instance in instances {
        let instance: InstanceName = instance.clone().try_into().map_err(anyhow::Error::msg)?;
        names.push(names::runner(&instance));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let start = Instant::now();
    let mut has_waited = false;
    loop {
        let waited = start.elapsed();
        match step(&units.show(&names), waited, most) {
            Step::Go => {
                if has_waited {
                    info!("No job runs any more, after {} s", waited.as_secs());
                }
                return Ok(());
            }
            Step::GoAnyway(why) => {
                warn!("{why}, but {} s were waited and that is enough: going on", most.as_secs());
                return Ok(());
            }
            // On a busy host these are others each time, and who reads that wants to know why nothing happens.
            Step::Wait(why) if !has_waited => info!("{why}: waiting for that, at most {} s", most.as_secs()),
            Step::Wait(_) => {}
        }
        has_waited = true;
        thread::sleep(BETWEEN_LOOKS.min(most.saturating_sub(waited)));
    }
}

fn step(shown: &Result<BTreeMap<String, Unit>>, waited: Duration, most: Duration) -> Step {
    let why = match shown {
        // Whoever cannot look does not know that nobody has one.
        Err(error) => format!("Jobs may run, because nobody can say: {error:#}"),
        Ok(units) => {
            let busy: Vec<&str> =
                units.iter().filter(|(_, unit)| may_have_job(unit)).map(|(name, _)| name.as_str()).collect();
            if busy.is_empty() {
                return Step::Go;
            }
            format!("A job runs in {}", busy.join(", "))
        }
    };
    if waited < most { Step::Wait(why) } else { Step::GoAnyway(why) }
}

/// Whether it runs a job, or ends one: what it has of last steps runs until the unit has stopped.
fn may_have_job(unit: &Unit) -> bool {
    unit.has_job || unit.activity == Activity::Stopping
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn seen(units: &[(&str, Activity, bool)]) -> BTreeMap<String, Unit> {
        let unit = |activity, has_job| Unit { activity, has_job, ..Unit::default() };
        units.iter().map(|(name, activity, has_job)| ((*name).to_owned(), unit(*activity, *has_job))).collect()
    }

    #[test]
    fn only_a_job_is_waited_for_and_only_so_long() {
        let idle = ("a.service", Activity::Active, false);
        let busy = ("b.service", Activity::Active, true);
        let ending = ("c.service", Activity::Stopping, false);
        let wait = |names: &str| Step::Wait(format!("A job runs in {names}"));
        let anyway = |names: &str| Step::GoAnyway(format!("A job runs in {names}"));
        let almost = Duration::from_secs(86_399);
        for (units, waited, expected) in [
            (&[][..], Duration::ZERO, Step::Go),
            (&[idle], Duration::ZERO, Step::Go),
            (&[("a.service", Activity::Starting, false)], Duration::ZERO, Step::Go),
            (&[("a.service", Activity::Inactive, false)], Duration::ZERO, Step::Go),
            (&[("a.service", Activity::Failed, false)], Duration::ZERO, Step::Go),
            (&[idle, busy], Duration::ZERO, wait("b.service")),
            (&[idle, ending], Duration::ZERO, wait("c.service")),
            (&[busy, ending], almost, wait("b.service, c.service")),
            (&[busy], DAY, anyway("b.service")),
            (&[busy], DAY * 2, anyway("b.service")),
            (&[idle], DAY, Step::Go),
        ] {
            assert_eq!(step(&Ok(seen(units)), waited, DAY), expected, "{units:?} {waited:?}");
        }
    }

    #[test]
    fn who_cannot_look_waits_as_for_a_job_and_goes_on_all_the_same() {
        let unseen = || Err(anyhow!("no systemd"));
        assert!(matches!(step(&unseen(), Duration::ZERO, DAY), Step::Wait(why) if why.contains("no systemd")));
        assert!(matches!(step(&unseen(), DAY, DAY), Step::GoAnyway(why) if why.contains("no systemd")));
    }
}
