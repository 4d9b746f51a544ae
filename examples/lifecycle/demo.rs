//! The stage: a host in a temporary directory, its GitHub, and the programs that run on it.
//!
//! Every step is shown while it happens, and looked through for tokens before anything else is done with it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::github::{self, Config, GitHub, State};
use crate::page::Page;
use crate::process::Running;

/// The access token of the beginning, and the one that replaces it. Nobody has them.
pub const TOKENS: [&str; 2] = ["ghp_fakeFAKEfakeFAKEfakeFAKEfakeFAKEfake", "ghp_madeUPmadeUPmadeUPmadeUPmadeUPmade00"];

const STEPS: [&str; 4] = ["prepare", "configure", "record", "link"];

/// Everything that a chapter needs.
pub struct Demo {
    pub page: Page,
    pub github: GitHub,
    /// The runner's configuration.
    pub manifest: Value,
    helper: PathBuf,
    root: PathBuf,
    /// Whether the command lines were shown in full once.
    explained: bool,
    /// How often the helper ran.
    pub steps: usize,
    // Removed when dropped.
    _directory: TempDir,
}

/// How a step ended, and what it said.
pub struct Said {
    ok: bool,
    text: String,
}

impl Said {
    /// A step that has to succeed.
    pub fn good(self) -> Result<Self> {
        ensure!(self.ok, "The step failed: {}", self.text);
        Ok(self)
    }

    /// A step that has to fail.
    pub fn bad(self) -> Result<Self> {
        ensure!(!self.ok, "The step succeeded: {}", self.text);
        Ok(self)
    }

    /// A step that has to say this.
    pub fn with(self, part: &str) -> Result<Self> {
        ensure!(self.text.contains(part), "The step did not say {part:?}, but: {}", self.text);
        Ok(self)
    }

    /// Whether a step said this.
    pub fn contains(&self, part: &str) -> bool {
        self.text.contains(part)
    }
}

impl Demo {
    /// A host that systemd made ready for its first start.
    pub fn new(helper: PathBuf) -> Result<Self> {
        let directory = tempfile::tempdir().context("Failed to make a temporary directory")?;
        let root = directory.path().canonicalize()?;
        let shown = root.to_str().context("The temporary directory's path is no text: set TMPDIR")?.to_owned();
        for name in ["state", "work", "logs", "listener"] {
            fs::create_dir(root.join(name))?;
        }
        symlink(std::env::current_exe()?, root.join("listener/Runner.Listener"))?;
        let pats = vec![TOKENS[0].to_owned()];
        let github =
            github::start(Config { state: State { pats, last_id: 20, ..State::default() }, ..Config::default() })?;
        let manifest = json!({
            "version": 2,
            "instance": "runner1",
            "registration": {
                "ephemeral": false,
                "extraLabels": ["nixos"],
                "name": "runner1",
                "noDefaultLabels": false,
                "runnerGroup": null,
                "tokenFile": root.join("token"),
                "url": "https://github.com/octo-org/example",
                "workDir": null
            },
            "replace": false,
            "tokenType": "auto",
            "githubApp": null,
            "method": null,
            "reRegisterOnTokenChange": true,
            "registrationInterval": 0,
            "listener": root.join("listener/Runner.Listener")
        });
        let page = Page::new(shown);
        let demo = Self { page, github, manifest, helper, root, explained: false, steps: 0, _directory: directory };
        demo.token(TOKENS[0])?;
        demo.follow(&json!([]))?;
        Ok(demo)
    }

    /// A path of this host.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes the token file.
    pub fn token(&self, token: &str) -> Result<()> {
        fs::write(self.path("token"), format!("{token}\n")).context("Failed to write the token file")
    }

    /// Runs one command of the helper, as the unit does, and shows what it said.
    pub fn step(&mut self, step: &str) -> Result<Said> {
        let arguments = self.arguments(step)?;
        let said = self.run(&arguments)?;
        let shown = if self.explained { step.to_owned() } else { arguments.join(" ") };
        let silent = if said.text.is_empty() { "   (says nothing)" } else { "" };
        self.page.command(&format!("github-runner-helper {shown}{silent}"))?;
        for line in said.text.lines().filter(|line| !is_banner(line)) {
            self.page.said(line)?;
        }
        Ok(said)
    }

    /// A whole start: all four steps, each of which has to succeed. Returns what all of them said.
    pub fn start(&mut self) -> Result<Said> {
        let mut text = String::new();
        for step in STEPS {
            text.push_str(&self.step(step)?.good()?.text);
            text.push('\n');
        }
        self.explained = true;
        Ok(Said { ok: true, text })
    }

    /// A whole start that is like others, so that only `record` is shown.
    pub fn start_briefly(&mut self) -> Result<()> {
        self.page.command("github-runner-helper prepare, configure, record, link   (as before)")?;
        for step in STEPS {
            let arguments = self.arguments(step)?;
            let said = self.run(&arguments)?.good()?;
            if step == "record" {
                self.page.said(&said.text)?;
            }
        }
        Ok(())
    }

    /// Starts the listener, which gets one job, a shell command. A persistent one is stopped afterwards.
    pub fn job(&mut self, name: &str, command: &str) -> Result<()> {
        self.follow(&json!([{ "job": { "name": name, "command": command } }]))?;
        self.page.command("Runner.Listener run --startuptype service")?;
        let running = Running::start(
            Command::new(self.path("listener/Runner.Listener"))
                .args(["run", "--startuptype", "service"])
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("HOME", self.path("work"))
                .env("RUNNER_ROOT", self.path("state")),
        )?;
        let ephemeral = self.manifest["registration"]["ephemeral"] == true;
        let mut succeeded = false;
        while let Some(line) = running.line()? {
            if !line.is_empty() {
                self.page.said(&line)?;
            }
            if line.contains("completed with result: Succeeded") {
                succeeded = true;
                if !ephemeral {
                    running.interrupt()?;
                }
            }
        }
        let status = running.status()?;
        ensure!(succeeded && status.success(), "The listener ended with {status}, and the job succeeded: {succeeded}");
        Ok(())
    }

    fn arguments(&self, step: &str) -> Result<Vec<String>> {
        fs::write(self.path("manifest.json"), self.manifest.to_string())?;
        let shown = |name: &str| self.path(name).display().to_string();
        let mut arguments = vec![step.to_owned(), "--manifest".into(), shown("manifest.json")];
        let directories: &[&str] = match step {
            "prepare" | "record" => &["state", "work", "logs", "ledger"],
            _ => &["state", "work", "logs"],
        };
        for name in directories {
            arguments.extend([format!("--{name}-directory"), shown(name)]);
        }
        Ok(arguments)
    }

    fn run(&mut self, arguments: &[String]) -> Result<Said> {
        // On a terminal the helper writes no level numbers for the journal; so it does here.
        let running = Running::start(Command::new(&self.helper).args(arguments).env_remove("JOURNAL_STREAM"))?;
        let mut lines = Vec::new();
        while let Some(line) = running.line()? {
            lines.push(line);
        }
        let ok = running.status()?.success();
        self.steps += 1;
        // Tokens that GitHub made for this step included.
        self.page.hide(self.secrets())?;
        if arguments.first().is_some_and(|step| step == "configure") {
            self.search_for_secrets()?;
        }
        Ok(Said { ok, text: lines.join("\n") })
    }

    /// Tells the listener what it will do.
    fn follow(&self, steps: &Value) -> Result<()> {
        let script = json!({ "github": self.github.url(), "run": steps });
        fs::write(self.path("listener/stand-in.json"), script.to_string()).context("Failed to write the script")
    }

    /// All tokens that exist, also those that GitHub made.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.github.state().secrets();
        secrets.extend(TOKENS.map(str::to_owned));
        secrets
    }
}

/// Whether a line belongs to the listener's banner, which the helper may also quote in an error.
fn is_banner(line: &str) -> bool {
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.starts_with('|') || line.starts_with("-----")
}
