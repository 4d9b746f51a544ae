//! Questions and answers as sentences of the journal, which never hold a secret.

use crate::contract::audience::{Audience, Reach, Sight};
use crate::contract::protocol::{Issue, Outcome, RemoteRunner, Verb, Whom};
use crate::contract::workflow::RunState;
use crate::model::{date_and_time, shown};

use super::session::called;

/// What was asked for.
pub fn verb(verb: Option<&Verb>) -> String {
    match verb {
        None => "A question".into(),
        Some(Verb::Issue(Issue::Token)) => "Getting a registration token".into(),
        Some(Verb::Issue(Issue::Jit { .. })) => "Having GitHub make a runner".into(),
        Some(Verb::Retire { id, .. }) => format!("Deleting the runner of id {id}"),
        Some(Verb::Observe(Whom::Id { id, .. })) => format!("Looking up the runner of id {id}"),
        Some(Verb::Observe(Whom::Name)) => "Looking up the runner by its name".into(),
        Some(Verb::Observe(Whom::Attempt)) => "Looking up the runner that an attempt asked for".into(),
        Some(Verb::List) => "Listing the runners".into(),
        Some(Verb::Preflight) => "Checking the credential".into(),
        Some(Verb::Audience) => "Looking up who can have code run".into(),
        Some(Verb::Run { repository, run }) => format!("Looking up run {run} of {}", repository.as_str()),
        Some(Verb::Jobs { repository, run }) => {
            format!("Looking up the jobs of run {run} of {} that wait", repository.as_str())
        }
        Some(Verb::Artifact { repository, run, name }) => {
            format!("Looking up artifact {} of run {run} of {}", shown(name), repository.as_str())
        }
        Some(Verb::Keys) => "Getting the keys of ID tokens".into(),
    }
}

/// Whether an outcome is one that was hoped for, and what it is.
pub fn outcome(outcome: &Outcome) -> (bool, String) {
    match outcome {
        Outcome::Token(_) => (true, "got one".into()),
        Outcome::Jit { id, name, .. } => (true, format!("made {}", called(name, *id))),
        Outcome::NameTaken(seen) => (false, format!("the name is taken by {}", state(seen))),
        Outcome::Uncertain(seen) => {
            (false, format!("the answer was lost, and {} has the name now; it may be the one", state(seen)))
        }
        Outcome::Retired => (true, "deleted".into()),
        Outcome::Gone => (true, "GitHub does not know it".into()),
        Outcome::Busy => (true, "it runs a job, so GitHub keeps it".into()),
        Outcome::NotOurs(text) | Outcome::Refused(text) => (false, text.clone()),
        Outcome::Seen(None) | Outcome::Run(None) | Outcome::Artifact(None) => (true, "there is none".into()),
        Outcome::Seen(Some(seen)) => (true, format!("found {}", state(seen))),
        Outcome::Listed(runners) => (true, format!("there are {}", runners.len())),
        Outcome::Ready { newest_runner: None, .. } => (true, "it is good".into()),
        Outcome::Ready { newest_runner: Some(version), .. } => {
            (true, format!("it is good; the newest runner has version {}", shown(version)))
        }
        Outcome::Audience(Audience { reach, .. }) => match reach {
            Sight::Is(Reach::Public | Reach::PublicInGroup { .. }) => (true, "strangers, by pull requests".into()),
            Sight::Is(_) => (true, "people with access".into()),
            Sight::Unseen(why) => (true, format!("that cannot be seen, because {why}")),
        },
        Outcome::Run(Some(run)) => (true, format!("it is {}", state_of(run.state))),
        Outcome::Jobs(jobs) => (true, format!("there are {}", jobs.len())),
        Outcome::Artifact(Some(artifact)) => (true, format!("made at {}", date_and_time(artifact.created_at))),
        Outcome::Keys(keys) => (true, format!("got {}", keys.len())),
        Outcome::Unreachable(why) => (false, format!("no useful answer, because {why}")),
        Outcome::RateLimited(until) => {
            (false, format!("GitHub takes no more requests before {}", date_and_time(*until)))
        }
    }
}

fn state_of(run: RunState) -> &'static str {
    match run {
        RunState::Queued => "queued",
        RunState::InProgress => "in progress",
        RunState::Completed => "over",
        RunState::Held => "held",
    }
}

fn state(seen: &RemoteRunner) -> String {
    let online = if seen.online { "online" } else { "offline" };
    let busy = if seen.busy { ", running a job" } else { "" };
    format!("{}, {online}{busy}", called(&seen.name, seen.id))
}
