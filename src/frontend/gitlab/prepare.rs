//! The step `prepare`: refuses what this executor cannot do, and has a machine made for the job.
//!
//! The machine belongs to the connection of this process until it is ready, so a SIGKILL here ends it, and after a SIGTERM this
//! step returns when nothing of it stands. From then on it belongs to gitlab-runner: if that dies, no step is called any
//! more, and its supervisor sees it.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::call::{Call, runner};
use super::response::Response;
use super::settings::Settings;
use super::signals::{self, has_come};
use super::verdict::Verdict;
use crate::machines::nspawn::Client;
use crate::machines::{Fault, Machines, Specification, Token};

/// What may follow after the job's own timeout: two patiences of gitlab-runner, each of 5 or 10 minutes.
const MARGIN: Duration = Duration::from_secs(900);

/// Makes the machine of the job.
#[must_use]
pub fn run(settings: &Path, call: &Call) -> Verdict {
    let read = || -> Result<_> { Ok((signals::listen()?, Settings::read(settings)?, call.response()?, runner()?)) };
    let (signals, settings, response, runner) = match read() {
        Ok(read) => read,
        Err(error) => return Verdict::System(format!("{error:#}")),
    };
    let specification = match specify(&settings, &response) {
        Ok(specification) => specification,
        Err(why) => return Verdict::Refused(why),
    };
    progress(&format!("Preparing a machine of image {}", specification.image));
    let client = Client::new(&settings.machines.run_directory);
    let client = client.for_runner(runner.as_fd()).telling(progress).until(signals.as_fd());
    let made = make(&client, &specification);
    // The last moment at which it can come.
    let made =
        if made.is_ok() && has_come(&signals) { client.delete(specification.token).and(Err(late())) } else { made };
    made.map_or_else(|fault| Verdict::fault(&fault), |()| Verdict::Success)
}

fn late() -> Fault {
    Fault::Unavailable("The machine was given up when it was ready".into())
}

/// What the job gets, or why it can never get what it wants.
fn specify(settings: &Settings, response: &Response) -> Result<Specification, String> {
    if response.services > 0 {
        return Err(format!(
            "The job has {} under `services:`, which this executor does not run. Start them in the script, or use a runner \
             with the docker executor",
            response.services
        ));
    }
    if response.has_steps {
        return Err("The job has `run:`, which this executor does not run. Use `script:`".into());
    }
    let images = &settings.machines.images;
    let names = || images.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let Some(image) = response.image.as_ref().or(settings.default_image.as_ref()) else {
        return Err(format!("The job names no image, and this runner has no default. Its images are: {}", names()));
    };
    if !images.contains_key(image) {
        // As it was written: variables in it are chosen by jobs, so nobody puts them in.
        let shown: String = image.chars().take(100).collect();
        return Err(format!("This runner has no image {shown:?}. Its images are: {}", names()));
    }
    Ok(Specification {
        token: response.job,
        image: image.clone(),
        lifetime: response.timeout.saturating_add(MARGIN),
        cache: settings.machines.cache.as_ref().map(|_| response.cache),
        user_data: None,
    })
}

/// A former attempt of the same job may have left its machine: that one ends first.
fn make<M>(machines: &M, specification: &Specification) -> Result<(), Fault>
where
    M: for<'a> Machines<Id<'a> = Token, Specification = Specification>,
{
    match machines.create(specification) {
        Err(Fault::Duplicate(_)) => {
            machines.delete(specification.token)?;
            machines.create(specification).map(drop)
        }
        made => made.map(drop),
    }
}

/// A line for the job's log, at once.
fn progress(text: &str) {
    let mut output = std::io::stdout().lock();
    // Where nobody reads, nothing can be said about it.
    _ = output.write_all(format!("{text}\n").as_bytes()).and_then(|()| output.flush());
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
