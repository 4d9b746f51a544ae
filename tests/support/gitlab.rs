//! A site with a coordinator and a runner: jobs are queued, a runner takes them, and its end is waited for.
//!
//! The runner is the stand-in, or the program that `GITLAB_RUNNER` names: `tests/peers/run gitlab` sets it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::gitlab::{Coordinator, Ended, RUNNER_TOKEN};
use crate::wait::wait_for;

/// One coordinator with the configuration of one runner.
pub struct Site {
    directory: TempDir,
    pub coordinator: Coordinator,
}

/// A runner that works on one job.
pub struct Working {
    child: Child,
    errors: PathBuf,
}

impl Site {
    /// A site whose `config.toml` is this text; `URL` and `TOKEN` in it are put in.
    pub fn new(config: &str, repositories: Option<PathBuf>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let coordinator = Coordinator::start(repositories).expect("a coordinator");
        let text = config.replace("URL", &coordinator.url()).replace("TOKEN", RUNNER_TOKEN);
        fs::write(directory.path().join("config.toml"), text).expect("a configuration");
        fs::create_dir(directory.path().join("tmp")).expect("a directory");
        Self { directory, coordinator }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The runner, told to work on one job.
    pub fn command(&self) -> Command {
        let mut command = Command::new(runner());
        command.args(["run-single", "--max-builds", "1", "--runner", "nspawn", "--config"]);
        command.arg(self.path("config.toml")).env("TMPDIR", self.path("tmp")).stdin(Stdio::null());
        command
    }

    /// Queues a job and starts a runner for it.
    pub fn start(&self, job: Value) -> Working {
        let errors = self.path(&format!("runner-{}.log", job["id"]));
        self.coordinator.queue(job);
        let log = fs::File::create(&errors).expect("a log");
        let mut command = self.command();
        let output = log.try_clone().expect("a log");
        let child = command.stdout(output).stderr(log).spawn().expect("a runner");
        Working { child, errors }
    }

    /// Runs one job to its end.
    pub fn run(&self, job: Value) -> Ended {
        let id = job["id"].as_u64().expect("a number");
        let mut working = self.start(job);
        working.wait();
        self.coordinator.ended(id).unwrap_or_else(|| panic!("job {id} has no end: {}", working.said()))
    }

    /// Waits until the log of a job has this text.
    pub fn wait_for_log(&self, id: u64, text: &str) {
        wait_for(&format!("{text:?} in the log of job {id}"), || self.coordinator.log(id).contains(text).then_some(()));
    }
}

impl Working {
    /// The runner's own number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is done with its job.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the end of a runner", || self.child.try_wait().expect("a child"))
    }

    /// Its own log.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // After a failed claim; otherwise it has ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The program that works on jobs.
pub fn runner() -> PathBuf {
    env::var_os("GITLAB_RUNNER").map_or_else(stand_in, PathBuf::from)
}

/// Whether it is the real one, which is slower on purpose in places.
pub fn is_real() -> bool {
    env::var_os("GITLAB_RUNNER").is_some()
}

/// The stand-in, as Cargo built it last.
pub fn stand_in() -> PathBuf {
    let test = env::current_exe().expect("this program");
    let program = test.ancestors().nth(2).expect("a profile").join("examples/stand-in-gitlab-runner");
    let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand-ins/gitlab/runner");
    // Where the tests run without their sources there is nothing to compare with.
    let changed = fs::read_dir(sources).into_iter().flatten();
    let changed = changed.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok()).max();
    assert!(
        built.is_ok_and(|built| changed <= Some(built)),
        "{} is missing or older than its source; run `cargo build --example stand-in-gitlab-runner`",
        program.display()
    );
    program
}
