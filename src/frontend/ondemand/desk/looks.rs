//! Looks at the server for all orders: the list of runners, runs and their jobs, artifacts, and the keys of ID tokens.
//!
//! Each is an errand for the one broker that looks things up. It changes nothing, on the server or here.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::event::{Found, RunName, Silence};
use super::hands::Hands;
use crate::contract::protocol::{Answer, Outcome, RemoteRunner, Verb};
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::proof::artifact;
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::retire::reason;

/// How long a limit is respected at least, in seconds.
const SHORTEST: u64 = 30;
/// Over which the server counts requests, in seconds.
const LIMIT_PERIOD: u64 = 60 * 60;
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(20);
/// The same for a list, which can have many pages.
const LIST: Duration = Duration::from_secs(60);

fn ask(hands: &Hands, verb: Verb, limit: Duration) -> Answer {
    Broker::once(&hands.settings.broker, &hands.base.instance).ask(verb, limit)
}

fn silence(outcome: &Outcome) -> Silence {
    let wait = if let Outcome::RateLimited(until) = outcome { Some(left(*until)) } else { None };
    Silence { why: reason(outcome), wait }
}

/// What is left of a limit that ends then, in seconds since 1970. Servers can be wrong: it is some time, and never more than the
/// hour over which they count.
#[must_use]
pub fn left(until: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    until.saturating_sub(now).clamp(SHORTEST, LIMIT_PERIOD)
}

/// All runners of the address, by id.
///
/// # Errors
///
/// There is no list.
pub fn runners(hands: &Hands) -> Result<BTreeMap<u64, RemoteRunner>, Silence> {
    match ask(hands, Verb::List, LIST).outcome {
        Outcome::Listed(runners) => Ok(runners.into_iter().map(|runner| (runner.id, runner)).collect()),
        other => Err(silence(&other)),
    }
}

/// What of a run is to be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wish {
    /// The run itself.
    pub run: bool,
    /// Those of its jobs that wait.
    pub jobs: bool,
}

/// A run.
#[must_use]
pub fn run(hands: &Hands, name: RunName, wish: Wish) -> Found {
    let (repository, number) = &name;
    let run = wish.run.then(|| {
        let verb = Verb::Run { repository: repository.clone(), run: *number };
        match ask(hands, verb, LOOK).outcome {
            Outcome::Run(run) => Ok(run),
            other => Err(silence(&other)),
        }
    });
    // Of one that is not there nobody needs the jobs.
    let is_there = !matches!(run, Some(Ok(None) | Err(_)));
    let jobs = (wish.jobs && is_there).then(|| {
        let verb = Verb::Jobs { repository: repository.clone(), run: *number };
        match ask(hands, verb, LOOK).outcome {
            Outcome::Jobs(jobs) => Ok(jobs),
            other => Err(silence(&other)),
        }
    });
    Found::Run { name, run, jobs }
}

/// The artifact of an order.
#[must_use]
pub fn artifact(hands: &Hands, key: Key, (repository, run): RunName) -> Found {
    let verb = Verb::Artifact { repository, run, name: artifact::name(&key) };
    let answer = ask(hands, verb, LOOK);
    let ahead = answer.clock_ahead.unwrap_or(0);
    let artifact = match answer.outcome {
        Outcome::Artifact(artifact) => Ok((artifact, ahead)),
        other => Err(silence(&other)),
    };
    Found::Artifact { key, artifact }
}

/// The keys of ID tokens.
#[must_use]
pub fn keys(hands: &Hands) -> Found {
    Found::Keys(match ask(hands, Verb::Keys, LOOK).outcome {
        Outcome::Keys(keys) => Ok(keys),
        other => Err(silence(&other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::start::now;

    #[test]
    fn a_limit_is_neither_over_at_once_nor_without_end() {
        let now = now().unwrap();
        for (until, least, most) in [
            (0, SHORTEST, SHORTEST),
            (now, SHORTEST, SHORTEST),
            (now + 600, 300, 600),
            (u64::MAX, LIMIT_PERIOD, LIMIT_PERIOD),
        ] {
            assert!((least..=most).contains(&left(until)), "{until}");
        }
    }
}
