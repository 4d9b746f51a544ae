//! One runner of the machine: its unit, its directories, its journal.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::Machine;
use crate::tools::{run, set_mode, wait_for};

const RUNTIME_UNITS: &str = "/run/systemd/system";
const MANIFESTS: &str = "/run/machine-tests";

/// A configured runner. Stopped and forgotten by the server when a scenario begins.
pub struct Runner<'a> {
    machine: &'a Machine,
    /// The attribute name.
    pub name: &'static str,
    /// The unit's name.
    pub unit: String,
    cursor: String,
}

impl<'a> Runner<'a> {
    /// A runner with a fresh access token that the server accepts.
    pub fn new(machine: &'a Machine, name: &'static str) -> Result<Self> {
        let unit = format!("github-runner-{name}.service");
        let mut runner = Self { machine, name, unit, cursor: String::new() };
        runner.set_token(&format!("ghp_fake{}{name}", "0".repeat(20)))?;
        runner.mark()?;
        Ok(runner)
    }

    /// Writes a token file and makes the server accept the token.
    pub fn set_token(&self, token: &str) -> Result<()> {
        self.machine.secrets.add(token);
        self.machine.github.accept(token)?;
        let path = format!("/run/secrets/{}.token", self.name);
        fs::write(&path, format!("{token}\n"))?;
        set_mode(&path, 0o400)
    }

    /// Forgets the journal so far.
    pub fn mark(&mut self) -> Result<()> {
        let shown = run("journalctl", &["--lines=1", "--no-pager", "--show-cursor", "--output=cat"])?;
        let cursor = shown.lines().find_map(|line| line.strip_prefix("-- cursor: "));
        self.cursor = cursor.context("the journal has no cursor")?.into();
        Ok(())
    }

    /// What the unit wrote since the last [`Runner::mark`].
    pub fn journal(&self) -> Result<String> {
        run("journalctl", &["--sync"])?;
        let after = format!("--after-cursor={}", self.cursor);
        run("journalctl", &["--no-pager", "--output=cat", &after, "--unit", &self.unit])
    }

    /// Starts or restarts the unit and waits for its listener; the journal starts afresh.
    pub fn restart(&mut self) -> Result<()> {
        self.mark()?;
        run("systemctl", &["reset-failed", &self.unit]).ok();
        if let Err(error) = run("systemctl", &["restart", &self.unit]) {
            bail!("{error:#}\n{}", self.journal()?);
        }
        self.wait_for_line("Listening for Jobs")
    }

    /// Starts the unit, which has to fail, and returns what it wrote.
    pub fn fail_to_start(&mut self) -> Result<String> {
        self.mark()?;
        run("systemctl", &["reset-failed", &self.unit]).ok();
        ensure!(run("systemctl", &["restart", &self.unit]).is_err(), "{} started", self.unit);
        self.journal()
    }

    /// Stops the unit.
    pub fn stop(&self) -> Result<()> {
        run("systemctl", &["stop", &self.unit]).map(drop)
    }

    /// Waits until the journal has a line with this text.
    pub fn wait_for_line(&self, text: &str) -> Result<()> {
        let mut journal = String::new();
        wait_for(&format!("{text:?} of {}", self.unit), || {
            journal = self.journal()?;
            Ok(journal.contains(text).then_some(()))
        })
        .with_context(|| format!("its journal: {journal}"))
    }

    /// Fails unless the journal has this text.
    pub fn expect(&self, text: &str) -> Result<()> {
        let journal = self.journal()?;
        ensure!(journal.contains(text), "expected {text:?} in the journal of {}:\n{journal}", self.unit);
        Ok(())
    }

    /// A property of the unit.
    pub fn property(&self, name: &str) -> Result<String> {
        Ok(run("systemctl", &["show", "--value", "--property", name, &self.unit])?.trim().into())
    }

    /// A path in the state directory.
    pub fn state(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/var/lib/github-runner/{}", self.name)).join(name)
    }

    /// A path in the default work directory.
    pub fn work(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/run/github-runner/{}", self.name)).join(name)
    }

    /// A path in the logs directory.
    pub fn logs(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/var/log/github-runner/{}", self.name)).join(name)
    }

    /// What the ledger says.
    pub fn ledger(&self) -> Result<Value> {
        let path = self.ledger_path();
        let text = fs::read(&path).with_context(|| format!("Failed to read {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Where the ledger says it.
    pub fn ledger_path(&self) -> PathBuf {
        format!("/var/lib/github-runner-registrations/{}.json", self.name).into()
    }

    /// The id in the ledger, after a look whether server and state agree.
    pub fn registered_id(&self) -> Result<u64> {
        let ledger = self.ledger()?;
        let id = ledger["runner"]["id"].as_u64().with_context(|| format!("the ledger names no runner: {ledger}"))?;
        let name = ledger["runner"]["name"].as_str().context("the ledger has no name")?;
        let listed = self.machine.github.runners(name)?;
        ensure!(listed.iter().any(|runner| runner["id"] == id), "the ledger names {id}, the server lists {listed:?}");
        let settings = fs::read_to_string(self.state(".runner"))?;
        let settings: Value = serde_json::from_str(settings.trim_start_matches('\u{feff}'))?;
        ensure!(settings["agentId"] == id, "the ledger names {id}, the state is {settings}");
        Ok(id)
    }

    /// The manifest that the unit names, as it was made.
    pub fn manifest(&self) -> Result<Value> {
        let text = self.fragment()?;
        let path = text
            .lines()
            .filter(|line| line.starts_with("ExecStartPre="))
            .find_map(|line| line.split(" --manifest ").nth(1)?.split(' ').next())
            .context("the unit names no manifest")?;
        let text = fs::read(path).with_context(|| format!("Failed to read {path}"))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Lets the unit use a changed manifest, as a switch to another configuration would.
    pub fn reconfigure(&self, manifest: &Value) -> Result<()> {
        fs::create_dir_all(MANIFESTS)?;
        let path = format!("{MANIFESTS}/{}.json", self.name);
        fs::write(&path, manifest.to_string())?;
        let mut lines = vec!["[Service]".to_owned(), "ExecStartPre=".into()];
        for line in self.fragment()?.lines().filter(|line| line.starts_with("ExecStartPre=")) {
            let (before, after) = line.split_once(" --manifest ").context("a step without a manifest")?;
            let (_, after) = after.split_once(' ').context("a step without directories")?;
            lines.push(format!("{before} --manifest {path} {after}"));
        }
        self.drop_in("manifest", &(lines.join("\n") + "\n"))
    }

    /// Adds a drop-in to the unit until the machine ends.
    pub fn drop_in(&self, name: &str, text: &str) -> Result<()> {
        let directory = format!("{RUNTIME_UNITS}/{}.d", self.unit);
        fs::create_dir_all(&directory)?;
        fs::write(format!("{directory}/{name}.conf"), text)?;
        run("systemctl", &["daemon-reload"]).map(drop)
    }

    /// Takes all drop-ins away.
    pub fn remove_drop_ins(&self) -> Result<()> {
        match fs::remove_dir_all(format!("{RUNTIME_UNITS}/{}.d", self.unit)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)?,
            _ => run("systemctl", &["daemon-reload"]).map(drop),
        }
    }

    fn fragment(&self) -> Result<String> {
        let path = self.property("FragmentPath")?;
        fs::read_to_string(&path).with_context(|| format!("Failed to read {path}"))
    }
}
