//! Calls of the driver as gitlab-runner makes them, without a runner: for claims about one step.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::gitlab::example_job;
use crate::supervisor::Supervisors;

/// The driver.
pub const DRIVER: &str = env!("CARGO_BIN_EXE_gitlab-nspawn-executor");

/// A host with supervisors, settings, and the temporary directory of one job.
pub struct Calls {
    directory: TempDir,
    pub supervisors: Supervisors,
}

/// A call that ended.
pub struct Said {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (code, signal) = (output.status.code(), output.status.signal());
        Self { code, signal, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Said {
    /// Fails with all that was said unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "signal {:?}\nstdout: {}\nstderr: {}", self.signal, self.stdout, self.stderr);
        self
    }
}

impl Calls {
    /// Job 4711 of a host with the images `debian` and `other`.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        let supervisors = Supervisors::start(&run);
        let settings = serde_json::json!({
            "machines": {
                "images": {"debian": {"root": "/var/lib/images/debian"}, "other": {"root": "/var/lib/images/other"}},
                "runDirectory": run,
            },
            "defaultImage": "debian",
            "grace": 1,
        });
        fs::write(directory.path().join("settings.json"), settings.to_string()).unwrap();
        let calls = Self { directory, supervisors };
        calls.respond(&example_job(4711, &[]));
        calls
    }

    /// The same, with a machine that is ready.
    pub fn prepared() -> Self {
        let calls = Self::new();
        calls.call("prepare").expect(0);
        calls
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the job.
    pub fn respond(&self, job: &Value) {
        fs::write(self.path("response.json"), job.to_string()).unwrap();
    }

    /// The environment and the process group that gitlab-runner gives.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env("TMPDIR", self.directory.path())
            .env("BUILD_FAILURE_EXIT_CODE", "1")
            .env("SYSTEM_FAILURE_EXIT_CODE", "2")
            .env("BUILD_EXIT_CODE_FILE", self.path("build_exit_code"))
            .env("JOB_RESPONSE_FILE", self.path("response.json"))
            .env("CUSTOM_ENV_CI_JOB_ID", "../../x")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    /// A step of the driver.
    pub fn step(&self, step: &str, more: &[&str]) -> Command {
        let settings = self.path("settings.json");
        let settings = settings.to_str().unwrap();
        self.command(DRIVER, &[&[step, "--settings", settings], more].concat())
    }

    pub fn call(&self, step: &str) -> Said {
        self.step(step, &[]).output().unwrap().into()
    }

    /// Starts a script as the sub-stage `build_script`.
    pub fn start(&self, script: &str) -> Child {
        fs::write(self.path("script"), script).unwrap();
        let path = self.path("script");
        self.step("run", &[path.to_str().unwrap(), "build_script"]).spawn().unwrap()
    }

    /// Runs one to its end.
    pub fn run(&self, script: &str) -> Said {
        self.start(script).wait_with_output().unwrap().into()
    }

    /// The exit code that gitlab-runner would find, if it looked.
    pub fn exit_code(&self) -> Option<String> {
        fs::read_to_string(self.path("build_exit_code")).ok()
    }
}

/// Reads until this text came.
pub fn read_until(from: &mut impl std::io::Read, text: &str) -> String {
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(text.as_bytes()) {
        assert_eq!(
            from.read(&mut byte).unwrap(),
            1,
            "the end came before {text:?}: {}",
            String::from_utf8_lossy(&said)
        );
        said.push(byte[0]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Whether the directory of a job is there.
pub fn stands(calls: &Calls) -> bool {
    Path::exists(&calls.supervisors.job(4711))
}
