//! `run`: plays the script's steps and ends as the runner would (contract section 3).

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    time::Duration,
};

use anyhow::Result;

use super::{
    TERMINATED, USAGE,
    files::{self, Settings},
    job::{self, Finished},
    presence::Presence,
    script::{Ending, Step},
    shared::Utc,
    signals::{self, Event},
    start::Start,
    terminal,
};

const OLD_VERSION_TEXT: &str = "Runner version v2.300.0 is deprecated and cannot receive messages.";

/// How often a file is looked for that a step waits for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// SIGKILL, as a shell reports it.
const KILLED: u8 = 137;

/// Runs, or without a command prints the usage; both need a configured runner.
pub fn run(start: &mut Start) -> ExitCode {
    let Ok(Some(settings)) = files::read_settings(&start.root) else {
        terminal::error("An error occurred: Not configured. Run config.(sh/cmd) to configure the runner.");
        return ExitCode::from(TERMINATED);
    };
    if !start.arguments.is("run") {
        terminal::line(USAGE);
        return ExitCode::SUCCESS;
    }
    match listen(start, &settings) {
        Ok(code) => signals::leave(code),
        Err(error) => {
            terminal::error(&format!("An error occurred: {error}"));
            ExitCode::from(2)
        }
    }
}

fn listen(start: &mut Start, settings: &Settings) -> Result<u8> {
    let (sender, events) = signals::events()?;
    let work = work_directory(&start.root, settings);
    if fs::create_dir_all(work.join("_temp")).is_err() {
        terminal::error(&format!("Fail to create and validate runner's work directory '{}'.", work.display()));
        return Ok(TERMINATED);
    }
    let presence = Presence::new(start, settings);
    let steps = std::mem::take(&mut start.script.run);
    if let Some(Step::End(ending)) = steps.first()
        && let Some(code) = refused_session(*ending)
    {
        return Ok(code);
    }
    if !presence.online() {
        return Ok(refused_session(Ending::RegistrationDeleted).unwrap_or(TERMINATED));
    }
    terminal::line("");
    terminal::success("Connected to GitHub");
    terminal::line("");
    terminal::line(&format!("Current runner version: '{}'", start.script.version));
    terminal::line(&format!("{}: Listening for Jobs", Utc::now().sortable()));
    let stage = Stage { start, settings, work: &work, presence: &presence };
    let code = stage.play(&steps, &sender, &events)?;
    // Whoever is killed tells nobody.
    if code != KILLED {
        presence.offline();
    }
    Ok(code)
}

/// What the steps have in common.
struct Stage<'a> {
    start: &'a Start,
    settings: &'a Settings,
    work: &'a Path,
    presence: &'a Presence,
}

impl Stage<'_> {
    fn play(&self, steps: &[Step], sender: &Sender<Event>, events: &Receiver<Event>) -> Result<u8> {
        let start = self.start;
        for step in steps {
            match step {
                Step::TextStdout(text) => terminal::line(text),
                Step::TextStderr(text) => terminal::error(text),
                Step::Exit(code) => return Ok(*code),
                Step::Wait(true) => return stopped(start, &events.recv()?),
                Step::Wait(false) => {}
                Step::Await(file) => {
                    if let Some(event) = wait_for(file, events)? {
                        return stopped(start, &event);
                    }
                }
                Step::End(ending) => return end(start, self.settings, *ending),
                Step::Job(job) => {
                    self.presence.busy(true);
                    let finished = job::run(start, job, self.work, sender, events)?;
                    self.presence.busy(false);
                    match finished {
                        // Files stay, also those of an ephemeral runner.
                        Finished::Stopped(event) => return stopped_quietly(start, &event),
                        Finished::Result(result) => {
                            if let Some(code) = self.after_job(&result)? {
                                return Ok(code);
                            }
                        }
                    }
                }
            }
        }
        stopped(start, &events.recv()?)
    }

    /// The exit code, if the runner ends after its job.
    fn after_job(&self, result: &str) -> Result<Option<u8>> {
        let hosted = "ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED";
        let hosted = self.start.environment.get(hosted);
        if self.settings.ephemeral {
            self.presence.done();
            files::delete_registration(&self.start.root)?;
        }
        if hosted.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Some(hosted_code(result)));
        }
        let once = self.settings.ephemeral || self.start.arguments.flag("once");
        Ok(once.then_some(0))
    }
}

/// Waits for a file; returns the signal if one comes first.
fn wait_for(file: &Path, events: &Receiver<Event>) -> Result<Option<Event>> {
    while !file.exists() {
        match events.recv_timeout(BETWEEN_LOOKS) {
            Ok(event) => return Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// `GetFullPath(Combine(root, workFolder))`: an absolute work folder wins.
fn work_directory(root: &Path, settings: &Settings) -> PathBuf {
    root.join(settings.work_folder.as_deref().unwrap_or("_work"))
}

fn stopped(start: &Start, event: &Event) -> Result<u8> {
    if matches!(event, Event::Interrupt) {
        terminal::line("Exiting...");
    }
    stopped_quietly(start, event)
}

fn stopped_quietly(start: &Start, event: &Event) -> Result<u8> {
    if start.script.stop_fails {
        anyhow::bail!("The session could not be deleted. (broker.actions.example:443)");
    }
    Ok(match event {
        Event::Terminate => start.script.sigterm_exit,
        _ => 0,
    })
}

fn hosted_code(result: &str) -> u8 {
    let results = ["Succeeded", "SucceededWithIssues", "Failed", "Canceled", "Skipped", "Abandoned"];
    let place = results.iter().position(|known| *known == result);
    place.and_then(|place| u8::try_from(100 + place).ok()).unwrap_or(102)
}

/// Endings before the session exists, so before `Listening for Jobs`.
fn refused_session(ending: Ending) -> Option<u8> {
    let failed = "Failed to create a session.";
    let (text, code) = match ending {
        Ending::RegistrationDeleted => (
            format!("{failed} The runner registration has been deleted from the server, please re-configure. Runner registrations are automatically deleted for runners that have not connected to the service recently."),
            TERMINATED,
        ),
        Ending::RunnerGone => (
            format!("The runner no longer exists on the server. Please reconfigure the runner.\n{failed} The runner no longer exists on the server."),
            TERMINATED,
        ),
        Ending::SessionConflict => (
            format!("A session for this runner already exists.\nStop retry on SessionConflictException after retried for 240 seconds.\n{failed} A session for this runner already exists."),
            5,
        ),
        Ending::ClockSkew => (
            "The local machine's clock may be out of sync with the server time by more than five minutes. Please sync your clock with your domain or internet time and try again.\nStopped retrying OAuth token request exception after 1800 seconds.".to_owned(),
            TERMINATED,
        ),
        Ending::Forbidden => (format!("{failed} Forbidden."), TERMINATED),
        _ => return None,
    };
    terminal::error(&text);
    Some(code)
}

/// Endings of a listener that had a session (contract 3.3).
fn end(start: &Start, settings: &Settings, ending: Ending) -> Result<u8> {
    let error = |text: &str| terminal::error(&format!("An error occurred: {text}"));
    match ending {
        Ending::DeletedWhilePolling | Ending::DeletedWhilePollingAndStopFails if start.script.cleans_up() => {
            terminal::error("The runner no longer exists on the server. Cleaning up local configuration.");
            files::delete_registration(&start.root)?;
            Ok(0)
        }
        Ending::DeletedWhilePolling => {
            error("Runner not found");
            Ok(TERMINATED)
        }
        Ending::DeletedWhilePollingAndStopFails => {
            error("The session could not be deleted. (broker.actions.example:443)");
            Ok(2)
        }
        Ending::JobNotFound if start.script.cleans_up() && settings.ephemeral => {
            files::delete_registration(&start.root)?;
            Ok(0)
        }
        Ending::VersionTooOld => {
            error(OLD_VERSION_TEXT);
            let asked = start.environment.get("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE");
            let asked = asked.is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
            Ok(if asked { 7 } else { TERMINATED })
        }
        Ending::PollingFailed => {
            error("The broker could not be reached. (broker.actions.example:443)");
            Ok(2)
        }
        Ending::TokenRevoked | Ending::JobNotFound => Ok(0),
        // Those of refused sessions, asked for in the middle.
        other => Ok(refused_session(other).unwrap_or(TERMINATED)),
    }
}
