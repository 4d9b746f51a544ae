//! A simulated job: a shell command in the work directory, or nothing at all.
//!
//! Stopping is the worker's: SIGINT, 7.5 s later SIGTERM, 2.5 s later the end of the
//! whole process group (ProcessInvoker.cs:32-33, 443-465).

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use anyhow::Result;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{script::Job, shared::Utc, signals::Event, start::Start, terminal};

/// What follows each signal if the job lives on.
const STOPPING: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_millis(7_500)),
    (Signal::SIGTERM, Duration::from_millis(2_500)),
    (Signal::SIGKILL, Duration::from_secs(60)),
];

/// Gives the shell the name of the program that runs jobs, by which others see that one runs.
const AS_WORKER: &str = "printf Runner.Worker > /proc/$$/comm";

/// What an operator has run around a job (runner contract, 3.7): what fails before it fails it, and nothing of it runs; what comes after
/// it runs whatever happened, but for the end by a signal. `ADR 0277` of actions/runner has the words of the shell. What needs another
/// interpreter is not here.
const HOOKS: &str = r#"hook() {
    case $1 in
    '') ;;
    /*.sh) bash --noprofile --norc -eo pipefail "$1" ;;
    *) echo "'$1' is not a valid path to a script. Make sure it ends in '.sh', '.ps1' or '.js'." >&2; return 1 ;;
    esac
}
trap 'status=$?; hook "${ACTIONS_RUNNER_HOOK_JOB_COMPLETED-}" || status=1; exit $status' EXIT
hook "${ACTIONS_RUNNER_HOOK_JOB_STARTED-}" || exit 1"#;

/// How a job ended.
pub enum Finished {
    /// By itself, with this result.
    Result(String),
    /// Because the listener was told to stop.
    Stopped(Event),
}

/// Runs `job` to its end or until a signal arrives.
///
/// # Errors
///
/// The job cannot be started or its log cannot be written.
pub fn run(
    start: &Start,
    job: &Job,
    work: &Path,
    sender: &Sender<Event>,
    events: &Receiver<Event>,
) -> Result<Finished> {
    let now = || Utc::now().sortable();
    terminal::line(&format!("{}: Running job: {}", now(), job.name));
    let (result, finished) = match &job.command {
        None => (None, None),
        Some(command) => execute(start, job, command, work, sender, events)?,
    };
    let result = match (&finished, &job.result, result) {
        (Some(_), ..) => "Canceled",
        (None, Some(result), _) => result,
        (None, None, Some(status)) if !status.success() => "Failed",
        (None, None, _) => "Succeeded",
    };
    terminal::line(&format!("{}: Job {} completed with result: {result}", now(), job.name));
    Ok(finished.map_or_else(|| Finished::Result(result.to_owned()), Finished::Stopped))
}

/// How the command ended, and the event that stopped it, if one did.
type Outcome = (Option<ExitStatus>, Option<Event>);

fn execute(
    start: &Start,
    job: &Job,
    command: &str,
    work: &Path,
    sender: &Sender<Event>,
    events: &Receiver<Event>,
) -> Result<Outcome> {
    let (group, waiter) = spawn(start, job, command, work, sender.clone())?;
    let outcome = match events.recv()? {
        Event::Job(status) => (Some(status?), None),
        stop => {
            if matches!(stop, Event::Interrupt) {
                terminal::line("Exiting...");
            }
            (kill(group, events)?, Some(stop))
        }
    };
    // The thread has sent its event and is about to end.
    _ = waiter.join();
    Ok(outcome)
}

fn spawn(
    start: &Start,
    job: &Job,
    command: &str,
    work: &Path,
    sender: Sender<Event>,
) -> Result<(Pid, thread::JoinHandle<()>)> {
    let log = start.root.join("_diag").join(format!("Worker_{}-utc.log", Utc::now().compact()));
    let log = File::options().append(true).create(true).open(log)?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!("{AS_WORKER}\n{HOOKS}\n{command}\nexit $?")])
        .current_dir(work)
        .env_clear()
        .envs(start.environment.iter())
        .envs([("GITHUB_ACTIONS", "true"), ("CI", "true")])
        .envs(job.repository.iter().map(|repository| ("GITHUB_REPOSITORY", repository)))
        .envs(job.run.iter().map(|run| ("GITHUB_RUN_ID", run.to_string())))
        .env("GITHUB_WORKSPACE", work)
        .env("RUNNER_TEMP", work.join("_temp"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let waiter = thread::spawn(move || {
        // The listener may have left by then.
        _ = sender.send(Event::Job(child.wait()));
    });
    Ok((group, waiter))
}

/// Stops the group step by step; further signals to the listener change nothing.
fn kill(group: Pid, events: &Receiver<Event>) -> Result<Option<ExitStatus>> {
    for (signal, patience) in STOPPING {
        // The group may have ended in this moment; its event tells.
        _ = killpg(group, signal);
        let deadline = std::time::Instant::now() + patience;
        loop {
            match events.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
                Ok(Event::Job(status)) => return Ok(Some(status?)),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(None)
}
