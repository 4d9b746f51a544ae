//! The step `run`: runs the script of one sub-stage in the machine of the job.
//!
//! SIGTERM ends the stage, all of it, and not the machine: `after_script`, caches and artifacts follow in it. If gitlab-runner
//! dies, no step follows, so this one ends the machine.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::call::{Call, runner};
use super::relay::{Closed, Relay};
use super::script;
use super::settings::Settings;
use super::signals::{self, has_come};
use super::verdict::Verdict;
use crate::machines::nspawn::{Client, LONGEST_STAGE, Stage, Streams};
use crate::machines::{Fault, Machines as _, Token};

/// Runs the script at `script` as the sub-stage `name`.
#[must_use]
pub fn run(settings: &Path, call: &Call, script: &Path, name: &str) -> Verdict {
    let system = |error: anyhow::Error| Verdict::System(format!("{error:#}"));
    // First, so that a signal is never lost.
    let signals = match signals::listen() {
        Ok(signals) => signals,
        Err(error) => return system(error),
    };
    let read =
        || -> Result<_> { Ok((Settings::read(settings)?, call.response()?.job, runner()?, script::copy(script)?)) };
    let (settings, job, runner, script) = match read() {
        Ok(read) => read,
        Err(error) => return system(error),
    };
    let client = Client::new(&settings.machines.run_directory);
    let (stage, output) = match start(&client, job, name, &script) {
        Ok(Ok(started)) => started,
        Ok(Err(fault)) => return Verdict::fault(&fault),
        Err(error) => return system(error),
    };
    let watch = StageWatch { stage, signals, runner, grace: settings.grace };
    match watch.follow(output) {
        Ok(FirstEnd::Stage(verdict)) => verdict,
        Ok(FirstEnd::Runner) => end(&client, job),
        Err(error) => system(error),
    }
}

/// gitlab-runner called nobody else, and will call nobody any more.
fn end(client: &Client<'_>, job: Token) -> Verdict {
    match client.delete(job) {
        Ok(()) => Verdict::System("gitlab-runner is gone, so the machine of this job was ended".into()),
        Err(fault) => Verdict::fault(&fault),
    }
}

/// The stage, and the reading ends of its output.
fn start(
    client: &Client<'_>,
    job: Token,
    name: &str,
    script: &OwnedFd,
) -> Result<Result<(Stage, [PipeReader; 2]), Fault>> {
    let (output, stdout) = io::pipe().context("Failed to make a pipe")?;
    let (errors, stderr) = io::pipe().context("Failed to make a pipe")?;
    let streams = Streams { script: script.as_fd(), stdout: stdout.as_fd(), stderr: stderr.as_fd() };
    // Only the journal knows it; a job may have given it any length.
    let end = (0..=LONGEST_STAGE.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    let name = &name[..end.unwrap_or_default()];
    // The writing ends are closed on return.
    Ok(client.stage(job, name, streams).map(|stage| (stage, [output, errors])))
}

/// Everything that may happen while a stage runs.
struct StageWatch {
    stage: Stage,
    signals: SignalFd,
    runner: OwnedFd,
    grace: std::time::Duration,
}

/// What ended first.
enum FirstEnd {
    Stage(Verdict),
    Runner,
}

impl StageWatch {
    fn follow(&self, [output, errors]: [PipeReader; 2]) -> Result<FirstEnd> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let mut relays = [Relay::new(output, stdout.as_fd()), Relay::new(errors, stderr.as_fd())];
        let (mut answer, mut stopped) = (None, false);
        loop {
            if let Some(answer) = answer.take_if(|_| relays.iter().all(Relay::is_done)) {
                return Ok(FirstEnd::Stage(Verdict::of_stage(answer, stopped || has_come(&self.signals))));
            }
            let found = self.wait(&relays, answer.is_some())?;
            // Whoever is gone has closed its ends of the pipes, too.
            if found.runner
                || found.relayed.iter().zip(&mut relays).any(|(found, relay)| relay.go_on(*found) == Err(Closed))
            {
                return Ok(FirstEnd::Runner);
            }
            if found.signal && has_come(&self.signals) && !stopped {
                stopped = true;
                // Where the supervisor is gone, its connection says so.
                _ = self.stage.cancel(self.grace);
            }
            if found.answer {
                answer = Some(self.stage.answer());
                relays.iter_mut().for_each(Relay::end);
            }
        }
    }

    /// Waits until something happens.
    fn wait(&self, relays: &[Relay<'_>; 2], is_answered: bool) -> Result<Events> {
        let mut polled = vec![PollFd::new(&self.runner, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        polled.extend(relays.iter().flat_map(Relay::polled));
        if !is_answered {
            polled.push(PollFd::new(&self.stage, PollFlags::IN));
        }
        match poll(&mut polled, None) {
            Ok(_) => {}
            // As if nothing had happened.
            Err(Errno::INTR) => return Ok(Events::default()),
            Err(error) => return Err(error).context("Failed to wait for a stage"),
        }
        let found: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
        let is = |at: usize| found.get(at).is_some_and(|found| !found.is_empty());
        Ok(Events {
            runner: is(0),
            signal: is(1),
            relayed: [[found[2], found[3]], [found[4], found[5]]],
            answer: is(6),
        })
    }
}

/// What happened.
struct Events {
    runner: bool,
    signal: bool,
    relayed: [[PollFlags; 2]; 2],
    answer: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { runner: false, signal: false, relayed: [[PollFlags::empty(); 2]; 2], answer: false }
    }
}
