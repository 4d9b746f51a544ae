//! The life of a job: section 1 of the contract, and the order of sub-stages from section 4.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::config::Runner;
use super::control::{Abort, Control, MOMENT};
use super::environment::{self, Directories, value};
use super::network::Network;
use super::script;
use super::script_stages::Given;
use super::stage::{Call, Outcome, Sink, run};
use super::trace::{Stream, Trace};

/// `PreparationRetries`.
const ATTEMPTS: u32 = 3;

/// Between two of them.
const PAUSE: Duration = Duration::from_secs(3);

/// `RUNNER_AFTER_SCRIPT_TIMEOUT`.
const AFTER_SCRIPT: Duration = Duration::from_secs(300);

/// Why a job, or a part of it, failed.
#[derive(Clone, Debug)]
enum Failure {
    /// The job's own fault, with the exit code.
    Build(i64),
    System(String),
    /// The script alone was told to end.
    Canceled,
    Aborted(Abort),
    Timeout,
}

/// One job with everything that it needs.
pub struct Build<'a> {
    runner: &'a Runner,
    network: &'a Network,
    control: &'a Control,
    job: Value,
    trace: Trace,
    deadline: Instant,
}

/// The state of one attempt, removed with it.
struct Attempt {
    directory: TempDir,
    /// The last answer of `config`.
    job_env: Vec<(String, String)>,
    directories: Option<Directories>,
    status: &'static str,
}

impl<'a> Build<'a> {
    pub fn new(runner: &'a Runner, network: &'a Network, control: &'a Control, job: Value) -> Result<Self> {
        control.next_job();
        let seconds = job["runner_info"]["timeout"].as_u64().context("A job has a timeout")?;
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let trace = Trace::new(runner.output_limit << 10);
        Ok(Self { runner, network, control, job, trace, deadline })
    }

    /// Runs the job and says what became of it. An error is one of the coordinator; the job's are in its result.
    pub fn run(&self) -> Result<()> {
        self.network.update(&self.job, json!({"state": "running"}), self.control)?;
        if self.control.is_aborted() {
            return Ok(());
        }
        let sender = self.trace.send(self.network, &self.job, self.control);
        self.trace.line("Running with the stand-in for gitlab-runner");
        let result = self.attempts();
        let (state, reason, code) = match &result {
            Ok(()) => ("success", "", 0),
            Err(Failure::Build(code)) => ("failed", "script_failure", *code),
            Err(Failure::System(_)) => ("failed", "runner_system_failure", 0),
            Err(Failure::Canceled | Failure::Aborted(Abort::Canceling | Abort::Canceled)) => {
                ("failed", "job_canceled", 0)
            }
            Err(Failure::Aborted(Abort::Interrupted)) => ("failed", "runner_interrupted", 0),
            Err(Failure::Timeout) => ("failed", "job_execution_timeout", 0),
        };
        match &result {
            Ok(()) => self.trace.line("Job succeeded"),
            Err(Failure::Build(code)) => self.trace.line(&format!("ERROR: Job failed: exit status {code}")),
            Err(Failure::System(why)) => self.trace.line(&format!("ERROR: Job failed (system failure): {why}")),
            Err(other) => self.trace.line(&format!("ERROR: Job failed: {other:?}")),
        }
        self.trace.finish();
        let sent = sender.join().unwrap_or_else(|_| anyhow::bail!("The thread that sends the log panicked"));
        let body = json!({"state": state, "failure_reason": reason, "exit_code": code});
        self.network.update(&self.job, body, self.control)?;
        sent
    }

    fn attempts(&self) -> Result<(), Failure> {
        for number in 1..=ATTEMPTS {
            let mut attempt = self.attempt()?;
            match self.prepare(&mut attempt) {
                Ok(()) => {
                    let result = self.stages(&mut attempt);
                    self.cleanup(&attempt);
                    return result;
                }
                Err(failure) => {
                    self.cleanup(&attempt);
                    let Failure::System(why) = &failure else { return Err(failure) };
                    if number == ATTEMPTS {
                        return Err(failure);
                    }
                    self.trace.line(&format!("ERROR: Preparation failed: {why}"));
                    self.trace.line("Will be retried in 3s ...");
                    let since = Instant::now();
                    while since.elapsed() < PAUSE {
                        if self.control.is_aborted() {
                            return Err(self.aborted());
                        }
                        thread::sleep(MOMENT);
                    }
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    fn attempt(&self) -> Result<Attempt, Failure> {
        let system = |error: std::io::Error| Failure::System(error.to_string());
        let directory = tempfile::Builder::new().prefix("custom-executor").tempdir().map_err(system)?;
        let response = directory.path().join("response.json");
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(response).map_err(system)?;
        serde_json::to_writer(&mut file, &self.job).map_err(|error| Failure::System(error.to_string()))?;
        Ok(Attempt { directory, job_env: Vec::new(), directories: None, status: "running" })
    }

    fn prepare(&self, attempt: &mut Attempt) -> Result<(), Failure> {
        let custom = &self.runner.custom;
        if custom.run_exec.is_empty() {
            return Err(Failure::System("custom executor is missing RunExec".into()));
        }
        let mut answer = Answer::default();
        if !custom.config_exec.is_empty() {
            let said = Arc::new(Mutex::new(Vec::new()));
            let into = Arc::clone(&said);
            let output: Sink = Box::new(move |bytes| lock(&into).extend(bytes));
            let call = self.call(
                attempt,
                "config",
                (&custom.config_exec, &custom.config_args, &[]),
                custom.config_exec_timeout,
            );
            self.judge(run(call, output, self.sink(Stream::Errors), || self.control.is_aborted()), attempt, false)?;
            let said = lock(&said);
            if !said.is_empty() {
                answer = serde_json::from_slice(&said)
                    .map_err(|error| Failure::System(format!("error while parsing JSON output: {error}")))?;
            }
        }
        attempt.job_env = answer.job_env.into_iter().collect();
        let or = |answered: Option<String>, configured: &str| answered.unwrap_or_else(|| configured.to_owned());
        let builds = or(answer.builds_dir, &self.runner.builds_dir);
        let cache = or(answer.cache_dir, &self.runner.cache_dir);
        if builds.is_empty() || cache.is_empty() {
            self.trace.line("ERROR: the builds_dir/cache_dir is not configured");
            return Err(Failure::Build(1));
        }
        let path = self.job["job_info"]["project_full_path"].as_str().unwrap_or("project");
        let project = if answer.builds_dir_is_shared {
            format!("{builds}/{}/0/{path}", environment::short_token(self.runner))
        } else {
            format!("{builds}/{path}")
        };
        attempt.directories = Some(Directories { builds, cache, project });
        if let Some(Driver { name, version }) = answer.driver {
            self.trace.line(&format!("Using Custom executor with driver {name} {version}..."));
        }
        if custom.prepare_exec.is_empty() {
            return Ok(());
        }
        let call = self.call(
            attempt,
            "prepare",
            (&custom.prepare_exec, &custom.prepare_args, &[]),
            custom.prepare_exec_timeout,
        );
        let outcome = run(call, self.sink(Stream::Output), self.sink(Stream::Errors), || self.control.is_aborted());
        self.judge(outcome, attempt, false)
    }

    /// All sub-stages: the result of the job.
    fn stages(&self, attempt: &mut Attempt) -> Result<(), Failure> {
        self.stage(attempt, "prepare_script")?;
        let mut result = self.tries(attempt, "get_sources", "GET_SOURCES_ATTEMPTS");
        if result.is_ok() {
            result = self.tries(attempt, "restore_cache", "RESTORE_CACHE_ATTEMPTS");
        }
        if result.is_ok() {
            result = self.tries(attempt, "download_artifacts", "ARTIFACT_DOWNLOAD_ATTEMPTS");
        }
        let is_over = |result: &Result<(), Failure>| matches!(result, Err(Failure::Aborted(_) | Failure::Timeout));
        if result.is_ok() {
            result = self.user_steps(attempt);
            attempt.status = match &result {
                Ok(()) => "success",
                Err(Failure::Canceled) => "canceled",
                Err(_) => "failed",
            };
            if !is_over(&result) {
                // Its failure is none of the job.
                _ = self.stage(attempt, "after_script");
            }
        }
        let names = if result.is_ok() {
            ["archive_cache", "upload_artifacts_on_success"]
        } else {
            ["archive_cache_on_failure", "upload_artifacts_on_failure"]
        };
        for name in names {
            if !is_over(&result) && !self.control.is_aborted() {
                let done = self.stage(attempt, name);
                result = result.and(done);
            }
        }
        if self.control.is_aborted() && !is_over(&result) {
            result = Err(self.aborted());
        }
        if !is_over(&result) {
            let done = self.stage(attempt, "cleanup_file_variables");
            result = result.and(done);
        }
        result
    }

    fn user_steps(&self, attempt: &mut Attempt) -> Result<(), Failure> {
        for step in self.job["steps"].as_array().into_iter().flatten() {
            match step["name"].as_str().unwrap_or_default() {
                "after_script" => {}
                "script" => self.stage(attempt, "build_script")?,
                name => self.stage(attempt, &format!("step_{name}"))?,
            }
        }
        Ok(())
    }

    /// A sub-stage that is tried as often as a variable of the job says.
    fn tries(&self, attempt: &mut Attempt, stage: &str, variable: &str) -> Result<(), Failure> {
        let variables = environment::variables(self.runner, &self.job, attempt.directories.as_ref(), attempt.status);
        let tries = value(&variables, variable).and_then(|text| text.parse::<u32>().ok());
        let tries = tries.filter(|tries| (1..=10).contains(tries)).unwrap_or(1);
        let mut result = Ok(());
        for again in 0..tries {
            if again == 1 && stage == "get_sources" {
                _ = self.stage(attempt, "clear_worktree");
            }
            result = self.stage(attempt, stage);
            if !matches!(result, Err(Failure::Build(_) | Failure::System(_))) {
                break;
            }
        }
        result
    }

    /// Calls the driver with the script of a sub-stage, if that has anything to do.
    fn stage(&self, attempt: &Attempt, name: &str) -> Result<(), Failure> {
        let variables = environment::variables(self.runner, &self.job, attempt.directories.as_ref(), attempt.status);
        let is_old = value(&variables, "FF_USE_LEGACY_BASH_EVAL") == Some("true");
        let directories = attempt.directories.as_ref().ok_or_else(|| Failure::System("no directories".into()))?;
        let given = Given { runner: self.runner, job: &self.job, variables, directories };
        let Some(commands) = given.commands(name) else { return Ok(()) };
        if self.control.is_aborted() {
            return Err(self.aborted());
        }
        let script = write_script(attempt.directory.path(), &script::frame(&commands, is_old))
            .map_err(|error| Failure::System(error.to_string()))?;
        let custom = &self.runner.custom;
        let more = [script.into_os_string(), OsString::from(name)];
        let mut call = self.call(attempt, name, (&custom.run_exec, &custom.run_args, &more), u64::MAX);
        if name == "after_script" {
            call.deadline = call.deadline.min(Instant::now() + AFTER_SCRIPT);
        }
        let is_script = name == "build_script" || name.starts_with("step_");
        let is_over = || self.control.is_aborted() || (is_script && self.control.abort().is_some());
        let outcome = run(call, self.sink(Stream::Output), self.sink(Stream::Errors), is_over);
        self.judge(outcome, attempt, is_script)
    }

    /// `config`, `prepare` and `cleanup` get their own timeout, and the cleanup nothing else.
    fn call<'b>(
        &self,
        attempt: &'b Attempt,
        stage: &str,
        (program, arguments, more): (&'b str, &[String], &[OsString]),
        timeout: u64,
    ) -> Call<'b> {
        let own = Instant::now().checked_add(Duration::from_secs(if timeout == 0 { 3_600 } else { timeout }));
        let deadline = match own {
            Some(own) if stage == "cleanup" => own,
            own => own.map_or(self.deadline, |own| own.min(self.deadline)),
        };
        let directory = attempt.directory.path();
        let path = |name: &str| directory.join(name).to_string_lossy().into_owned();
        let mut environment: Vec<(String, String)> = vec![
            ("TMPDIR".into(), directory.to_string_lossy().into_owned()),
            ("BUILD_FAILURE_EXIT_CODE".into(), "1".into()),
            ("SYSTEM_FAILURE_EXIT_CODE".into(), "2".into()),
            ("BUILD_EXIT_CODE_FILE".into(), path("build_exit_code")),
            ("JOB_RESPONSE_FILE".into(), path("response.json")),
        ];
        environment.extend(attempt.job_env.iter().cloned());
        let variables = environment::variables(self.runner, &self.job, attempt.directories.as_ref(), attempt.status);
        let prefixed = variables.into_iter().map(|variable| (format!("CUSTOM_ENV_{}", variable.key), variable.value));
        environment.extend(prefixed);
        environment.push(("CUSTOM_ENV_CI_JOB_SERVICES".into(), environment::services(&self.job)));
        let arguments = arguments.iter().map(OsString::from).chain(more.iter().cloned()).collect();
        Call { program, arguments, environment, directory, graces: self.runner.custom.graces(), deadline }
    }

    fn cleanup(&self, attempt: &Attempt) {
        let custom = &self.runner.custom;
        if custom.cleanup_exec.is_empty() || custom.run_exec.is_empty() {
            return;
        }
        let arguments = (custom.cleanup_exec.as_str(), custom.cleanup_args.as_slice(), [].as_slice());
        let call = self.call(attempt, "cleanup", arguments, custom.cleanup_exec_timeout);
        // The runner's own log, not the job's.
        let own = || -> Sink { Box::new(|bytes| eprint!("cleanup: {}", String::from_utf8_lossy(bytes))) };
        let outcome = run(call, own(), own(), || false);
        if outcome != Outcome::Exit(0) {
            eprintln!("WARNING: Cleanup script failed: {outcome:?}");
        }
    }

    /// The meaning of an exit code.
    fn judge(&self, outcome: Outcome, attempt: &Attempt, is_script: bool) -> Result<(), Failure> {
        if self.control.is_aborted() {
            return Err(self.aborted());
        }
        if is_script && self.control.abort().is_some() {
            return Err(Failure::Canceled);
        }
        if Instant::now() > self.deadline {
            return Err(Failure::Timeout);
        }
        match outcome {
            Outcome::Exit(0) => Ok(()),
            Outcome::Exit(1) => Err(Self::build_failure(attempt)),
            Outcome::Exit(2) => Err(Failure::System("exit status 2".into())),
            Outcome::Exit(code) => Err(Failure::System(format!("unknown Custom executor executable exit code {code}"))),
            Outcome::Signal(signal) => {
                Err(Failure::System(format!("unknown Custom executor executable exit code -1; signal: {signal}")))
            }
            Outcome::NotStarted(why) => Err(Failure::System(format!("failed to start command: {why}"))),
            Outcome::Dormant => Err(Failure::System("failed to kill process, likely process is dormant".into())),
        }
    }

    /// The first line of the file for the exit code, a number without any trimming.
    fn build_failure(attempt: &Attempt) -> Failure {
        match fs::read_to_string(attempt.directory.path().join("build_exit_code")) {
            Err(_) => Failure::Build(1),
            Ok(text) => match text.split('\n').next().unwrap_or_default().parse() {
                Ok(code) => Failure::Build(code),
                Err(_) => Failure::System("unknown Custom executor executable exit code 2".into()),
            },
        }
    }

    fn aborted(&self) -> Failure {
        Failure::Aborted(self.control.abort().unwrap_or(Abort::Canceled))
    }

    fn sink(&self, stream: Stream) -> Sink {
        let trace = self.trace.clone();
        Box::new(move |bytes| trace.write(stream, bytes))
    }
}

/// What `config` may answer: section 5.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Answer {
    builds_dir: Option<String>,
    cache_dir: Option<String>,
    builds_dir_is_shared: bool,
    driver: Option<Driver>,
    job_env: std::collections::BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Driver {
    name: String,
    version: String,
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// `script<random>/script`, which only the runner's user may touch.
fn write_script(directory: &Path, text: &str) -> std::io::Result<std::path::PathBuf> {
    let own = tempfile::Builder::new().prefix("script").tempdir_in(directory)?.keep();
    let path = own.join("script");
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(path)
}
