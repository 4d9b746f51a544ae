//! What a unit does, one step after the other: the helper's commands and the listener between them.
//!
//! Every step is shown while it happens, and what it said and left is looked through for tokens before anything else is
//! done with it.

use std::fs;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::demo::Demo;
use crate::process::Running;

/// What runs before the listener.
pub const STEPS: [&str; 3] = ["prepare", "configure", "record"];

/// How steps ended, and what they and the broker said.
pub struct Said {
    ok: bool,
    lines: Vec<String>,
    broker: Vec<String>,
}

impl Said {
    /// A step that has to succeed.
    pub fn good(self) -> Result<Self> {
        ensure!(self.ok, "The step failed: {}", self.text());
        Ok(self)
    }

    /// A step that has to fail.
    pub fn bad(self) -> Result<Self> {
        ensure!(!self.ok, "The step succeeded: {}", self.text());
        Ok(self)
    }

    /// A step that has to say this, or the broker that it asked.
    pub fn with(self, part: &str) -> Result<Self> {
        ensure!(self.contains(part), "The step did not say {part:?}, but: {}", self.text());
        Ok(self)
    }

    /// A step that must not have said this.
    pub fn without(self, part: &str) -> Result<Self> {
        ensure!(!self.contains(part), "The step said {part:?}: {}", self.text());
        Ok(self)
    }

    fn contains(&self, part: &str) -> bool {
        self.lines.iter().chain(&self.broker).any(|line| line.contains(part))
    }

    fn text(&self) -> String {
        [self.lines.as_slice(), &self.broker].concat().join("\n")
    }
}

impl Demo {
    /// A whole start: all three steps, each of which has to succeed.
    pub fn start(&mut self) -> Result<Said> {
        self.steps(&STEPS)
    }

    /// Some steps of a start, each of which has to succeed. Returns what all of them said.
    pub fn steps(&mut self, steps: &[&str]) -> Result<Said> {
        let mut all = Said { ok: true, lines: Vec::new(), broker: Vec::new() };
        let mut silent = Vec::new();
        for step in steps {
            let (shown, said) = self.quietly(step)?;
            let said = said.good()?;
            if said.lines.is_empty() {
                silent.push(shown);
            } else {
                self.silent(&mut silent)?;
                self.tell(&shown, &said)?;
            }
            all.lines.extend(said.lines);
            all.broker.extend(said.broker);
        }
        self.silent(&mut silent)?;
        self.explained |= steps.contains(&"record");
        Ok(all)
    }

    /// One step that may fail.
    pub fn step(&mut self, step: &str) -> Result<Said> {
        let (shown, said) = self.quietly(step)?;
        self.tell(&shown, &said)?;
        Ok(said)
    }

    /// A whole start that is like others, so that only `record` is shown.
    pub fn start_briefly(&mut self) -> Result<()> {
        self.page.command("github-runner-helper prepare, configure, record   (as before)")?;
        for step in STEPS {
            let (_, said) = self.quietly(step)?;
            for line in &said.good()?.lines {
                if step == "record" {
                    self.page.said(line)?;
                }
            }
        }
        Ok(())
    }

    /// The last step, after the listener ended like this.
    pub fn settle(&mut self, status: ExitStatus) -> Result<Said> {
        ensure!(status.success(), "The listener ended with {status}");
        let variables = [("SERVICE_RESULT", "success"), ("EXIT_CODE", "exited"), ("EXIT_STATUS", "0")];
        let said = self.run(&self.arguments("settle")?, &variables)?.good()?;
        let variables = variables.map(|(name, value)| format!("{name}={value}"));
        self.page.command(&format!("{} github-runner-helper settle", variables.join(" ")))?;
        self.show(&said, |_| false)?;
        Ok(said)
    }

    /// Runs the listener, which gets one job, a shell command. A persistent one is stopped afterwards.
    pub fn job(&mut self, name: &str, command: &str) -> Result<ExitStatus> {
        self.follow(&json!([{ "job": { "name": name, "command": command } }]))?;
        let ephemeral = self.manifest.registration.ephemeral;
        self.listener("completed with result: Succeeded", !ephemeral)
    }

    /// Runs the listener, which gets no job and is stopped.
    pub fn no_job(&mut self) -> Result<ExitStatus> {
        self.follow(&json!([]))?;
        self.listener("Listening for Jobs", true)
    }

    /// Runs the listener, which has to say `line`; then it is stopped, unless it ends by itself.
    fn listener(&mut self, line: &str, stop: bool) -> Result<ExitStatus> {
        self.page.command("Runner.Listener run --startuptype service")?;
        let running = Running::start(
            Command::new(self.path("listener/Runner.Listener"))
                .args(["run", "--startuptype", "service"])
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("HOME", self.path("work"))
                .env("RUNNER_ROOT", self.path("state")),
        )?;
        let mut came = false;
        while let Some(said) = running.line()? {
            if !said.is_empty() {
                self.page.said(&said)?;
            }
            if said.contains(line) {
                came = true;
                if stop {
                    running.interrupt()?;
                }
            }
        }
        let status = running.status()?;
        ensure!(came, "The listener ended with {status} and did not say {line:?}");
        Ok(status)
    }

    /// Runs a step without showing it; how it would be shown, and what it said.
    fn quietly(&mut self, step: &str) -> Result<(String, Said)> {
        let arguments = self.arguments(step)?;
        let said = self.run(&arguments, &[])?;
        Ok((if self.explained { step.to_owned() } else { arguments.join(" ") }, said))
    }

    fn tell(&mut self, shown: &str, said: &Said) -> Result<()> {
        self.page.command(&format!("github-runner-helper {shown}"))?;
        let explained = self.explained;
        self.show(said, |line| is_banner(line) || (explained && is_progress(line)))
    }

    fn show(&mut self, said: &Said, left_out: impl Fn(&str) -> bool) -> Result<()> {
        for line in said.lines.iter().filter(|line| !left_out(line)) {
            self.page.said(line)?;
        }
        for line in &said.broker {
            self.page.broker(line)?;
        }
        Ok(())
    }

    fn silent(&mut self, steps: &mut Vec<String>) -> Result<()> {
        let say = match steps.len() {
            0 => return Ok(()),
            1 => "says nothing",
            _ => "say nothing",
        };
        self.page.command(&format!("github-runner-helper {}   ({say})", steps.join(", ")))?;
        steps.clear();
        Ok(())
    }

    fn arguments(&self, step: &str) -> Result<Vec<String>> {
        fs::write(self.path("manifest.json"), self.manifest.to_text()?)?;
        let shown = |name: &str| self.path(name).display().to_string();
        let mut arguments = vec![step.to_owned(), "--manifest".into(), shown("manifest.json")];
        let (asks, of_root) = (matches!(step, "prepare" | "settle"), step != "configure");
        for name in ["state", "work", "logs", "ledger"].iter().take(if of_root { 4 } else { 3 }) {
            arguments.extend([format!("--{name}-directory"), shown(name)]);
        }
        if asks {
            arguments.extend(["--broker".into(), shown("broker")]);
        }
        Ok(arguments)
    }

    fn run(&mut self, arguments: &[String], variables: &[(&str, &str)]) -> Result<Said> {
        let step = arguments.first().map_or("", String::as_str);
        let begin = Instant::now();
        // On a terminal the helper writes no level numbers for the journal; so it does here.
        let mut command = Command::new(&self.helper);
        command.args(arguments).envs(variables.iter().copied()).env_remove("JOURNAL_STREAM");
        let (lines, status) = Running::start(&mut command)?.wait()?;
        self.spent += begin.elapsed();
        self.steps += 1;
        let said = Said { ok: status.success(), lines, broker: self.broker.lines()? };
        // Tokens that GitHub made for this step included.
        let secrets = self.secrets();
        ensure!(secrets.iter().all(|secret| !said.contains(secret)), "A program said a token");
        self.page.hide(secrets)?;
        self.search_for_secrets(step == "prepare")?;
        Ok(said)
    }
}

/// Whether a line belongs to the listener's banner, which the helper may also quote in an error.
fn is_banner(line: &str) -> bool {
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.starts_with('|') || line.starts_with("-----")
}

/// Whether a line is what the listener says at every `configure`.
fn is_progress(line: &str) -> bool {
    line.starts_with('#') || line.starts_with('√')
}
