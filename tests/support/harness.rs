//! A directory with a listener of its own, and ways to start it.
//!
//! Every wait has a limit and waits for the thing itself; nothing here sleeps for a
//! guessed time.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{fs::symlink, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::times::HANGS;
use crate::wait::wait_for;

/// An API token that nobody has.
pub const PAT: &str = "ghp_fakeFAKEfakeFAKEfakeFAKEfakeFAKEfake";
/// A registration token that nobody has.
pub const TOKEN: &str = "AFAKETOKENAFAKETOKENAFAKETOKE";
/// The url that most tests register with.
pub const URL: &str = "https://github.com/octo-org";

/// Where Cargo put a stand-in. `cargo test` builds it, `cargo test --test stand-ins`
/// does not: an absent or outdated one would make the tests speak of something else.
pub fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile.join("examples").join(name);
    let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand-ins");
    let sources = sources.join(name.trim_start_matches("stand-in-"));
    // Where the tests run without their sources there is nothing to compare with.
    let changed = fs::read_dir(sources).into_iter().flatten();
    let changed = changed.map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap());
    assert!(
        built.is_ok_and(|built| changed.max() <= Some(built)),
        "{} is missing or older than its source; run `cargo build --example {name}`, with `--release` if the tests are",
        program.display()
    );
    program
}

/// A temporary directory: `bin` with the listener and its script, `root`, `dump`.
pub struct Stand(TempDir);

/// What a finished listener left.
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The exit code, or 128 and the signal, as a shell counts.
    pub fn code(&self) -> i32 {
        let signal = || self.status.signal().unwrap() + 128;
        self.status.code().unwrap_or_else(signal)
    }

    /// Fails with the whole output unless the code is this one.
    pub fn expect(self, code: i32) -> Self {
        let (stdout, stderr) = (&self.stdout, &self.stderr);
        assert_eq!(self.code(), code, "stdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }
}

impl Stand {
    /// A stand with an offline listener.
    pub fn new() -> Self {
        let stand = Self(tempfile::tempdir().unwrap());
        for name in ["bin", "root", "dump"] {
            fs::create_dir(stand.path(name)).unwrap();
        }
        let link = stand.path("bin/Runner.Listener");
        symlink(example("stand-in-listener"), link).unwrap();
        stand
    }

    /// A stand whose listener follows `script`.
    pub fn with(script: &Value) -> Self {
        let stand = Self::new();
        stand.script(script);
        stand
    }

    /// Writes the script.
    pub fn script(&self, script: &Value) {
        fs::write(self.path("bin/stand-in.json"), script.to_string()).unwrap();
    }

    /// A path in the stand.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A path in the runner's root.
    pub fn root(&self, name: &str) -> PathBuf {
        self.path("root").join(name)
    }

    /// The listener with `arguments` in a short environment.
    pub fn listener(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("bin/Runner.Listener"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap())
            .env("RUNNER_ROOT", self.path("root"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the listener to its end.
    pub fn ran(&self, arguments: &[&str]) -> Ran {
        finish(&mut self.listener(arguments))
    }

    /// `configure --unattended` with url, name and token, and more.
    pub fn configure(&self, more: &[&str]) -> Ran {
        finish(&mut self.configuration(more))
    }

    /// As [`Self::configure`], not yet started.
    pub fn configuration(&self, more: &[&str]) -> Command {
        let arguments = ["configure", "--unattended", "--url", URL, "--name", "one"];
        let mut command = self.listener(&[&arguments, more].concat());
        command.env("ACTIONS_RUNNER_INPUT_TOKEN", TOKEN);
        command
    }

    /// Starts `run` and waits until it listens.
    pub fn run(&self) -> Running {
        let running = Running::start(&mut self.listener(&["run", "--startuptype", "service"]));
        running.line("Listening for Jobs");
        running
    }

    /// The parsed `.runner`.
    pub fn runner(&self) -> Value {
        parse(&self.root(".runner"))
    }

    /// Names in the root besides `_diag`.
    pub fn files(&self) -> BTreeSet<String> {
        let names = fs::read_dir(self.path("root")).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).filter(|name| name != "_diag").collect()
    }

    /// All diagnostic logs in one.
    pub fn diagnostics(&self) -> String {
        let logs = fs::read_dir(self.root("_diag")).unwrap();
        logs.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    /// All dumps, oldest first.
    pub fn dumps(&self) -> Vec<Value> {
        let entries = fs::read_dir(self.path("dump")).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| parse(file)).collect()
    }
}

/// A JSON file, with or without a byte order mark.
pub fn parse(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap()
}

/// A script that talks to a GitHub stand-in.
pub fn online(github: &crate::github::GitHub) -> Value {
    json!({ "github": github.url() })
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A started listener. Killed when dropped, so that a failing test leaves nothing.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts a command whose output is read line by line.
    pub fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line that contains `text`.
    pub fn line(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(HANGS);
            let line = line.unwrap_or_else(|_| panic!("no line came that contains {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal to the listener alone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits for the end; the output is what no [`Self::line`] took.
    pub fn end(mut self) -> Ran {
        let status = wait_for("the listener to end", || self.child.try_wait().unwrap());
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        let stdout = self.lines.iter().map(|line| line + "\n").collect();
        Ran { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it is gone already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
