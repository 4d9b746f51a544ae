//! One runner of the machine: its unit, its directories, its journal.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::Machine;
use crate::tools::{run, set_mode, wait_for};

/// Units of this boot alone.
pub const RUNTIME_UNITS: &str = "/run/systemd/system";
/// Where a unit names the helper; empty, each forgets what was there.
pub const STEPS: [&str; 3] = ["ExecStartPre=", "ExecStop=", "ExecStopPost="];
const MANIFESTS: &str = "/run/machine-tests";

/// A configured runner. Stopped and forgotten by the server when a scenario begins.
pub struct Runner<'a> {
    machine: &'a Machine,
    /// The attribute name.
    pub name: String,
    /// The unit's name.
    pub unit: String,
    cursor: String,
}

impl<'a> Runner<'a> {
    /// A runner with a fresh access token that the server accepts.
    pub fn new(machine: &'a Machine, name: &str) -> Result<Self> {
        let runner = Self::of_entry(machine, name)?;
        runner.set_token(&format!("ghp_fake{}{name}", "0".repeat(20)))?;
        Ok(runner)
    }

    /// A runner whose credential belongs to its entry.
    pub fn of_entry(machine: &'a Machine, name: &str) -> Result<Self> {
        let unit = format!("github-runner-{name}.service");
        let mut runner = Self { machine, name: name.into(), unit, cursor: String::new() };
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
        self.journal_so_far()
    }

    /// The same, without what is still on its way.
    fn journal_so_far(&self) -> Result<String> {
        let after = format!("--after-cursor={}", self.cursor);
        run("journalctl", &["--no-pager", "--output=cat", &after, "--unit", &self.unit])
    }

    /// Starts or restarts the unit and waits for its listener; the journal starts afresh. Whatever this runner would
    /// have to wait for is over.
    pub fn restart(&mut self) -> Result<()> {
        self.let_time_pass()?;
        self.mark()?;
        run("systemctl", &["reset-failed", &self.unit]).ok();
        if let Err(error) = run("systemctl", &["restart", &self.unit]) {
            bail!("{error:#}\n{}", self.journal()?);
        }
        self.wait_for_line("Listening for Jobs")
    }

    /// Moves what the ledger counted into the past, by more than any wait.
    pub fn let_time_pass(&self) -> Result<()> {
        let Ok(mut ledger) = self.ledger() else { return Ok(()) };
        for path in ["/lastExit/at", "/registrations/last", "/runner/recordedAt"] {
            if let Some(time) = ledger.pointer_mut(path)
                && let Some(seconds) = time.as_u64()
            {
                *time = json!(seconds - 1_000);
            }
        }
        // In one piece: a step may read it just now.
        let new = self.ledger_path().with_extension("changed");
        fs::write(&new, ledger.to_string())?;
        set_mode(&new, 0o600)?;
        fs::rename(&new, self.ledger_path()).context("Failed to change the ledger")
    }

    /// Starts the unit, which has to fail, and returns what it wrote. It does not try again.
    pub fn fail_to_start(&mut self) -> Result<String> {
        self.let_time_pass()?;
        self.mark()?;
        run("systemctl", &["reset-failed", &self.unit]).ok();
        ensure!(run("systemctl", &["restart", &self.unit]).is_err(), "{} started", self.unit);
        let journal = self.journal()?;
        self.stop()?;
        Ok(journal)
    }

    /// Stops the unit.
    pub fn stop(&self) -> Result<()> {
        run("systemctl", &["stop", &self.unit]).map(drop)
    }

    /// Waits until the journal has a line with this text.
    pub fn wait_for_line(&self, text: &str) -> Result<()> {
        let mut journal = String::new();
        wait_for(&format!("{text:?} of {}", self.unit), || {
            journal = self.journal_so_far()?;
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

    /// The ids of the runners that the server lists under this name.
    pub fn listed(&self) -> Result<Vec<u64>> {
        let all = self.machine.github.runners(&self.name)?;
        Ok(all.iter().filter_map(|runner| runner["id"].as_u64()).collect())
    }

    /// Waits until exactly the runner that the ledger names is registered, and nothing is owed.
    pub fn settles(&self) -> Result<u64> {
        let mut last = String::new();
        wait_for(&format!("one registration of {}", self.name), || {
            let (ledger, listed) = (self.ledger()?, self.listed()?);
            last = format!("the server lists {listed:?}, the ledger says {ledger}");
            let id = ledger["runner"]["id"].as_u64();
            let one = id.is_some_and(|id| listed == [id]) && ledger["leftBehind"] == json!([]);
            Ok(id.filter(|_| one && ledger["attempt"].is_null()))
        })
        .with_context(|| last)
    }

    /// Starts the unit without waiting for anything.
    pub fn begin(&mut self) -> Result<()> {
        self.let_time_pass()?;
        self.mark()?;
        run("systemctl", &["reset-failed", &self.unit]).ok();
        run("systemctl", &["restart", "--no-block", &self.unit]).map(drop)
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
        // The server's own spelling is another one.
        let found = settings["agentId"].as_u64().or_else(|| settings["AgentId"].as_str()?.parse().ok());
        ensure!(found == Some(id), "the ledger names {id}, the state is {settings}");
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
        let mut lines = vec!["[Service]".to_owned()];
        lines.extend(STEPS.map(str::to_owned));
        let is_step = |line: &&str| STEPS.iter().any(|step| line.starts_with(step));
        for line in self.fragment()?.lines().filter(is_step) {
            let (before, after) = line.split_once(" --manifest ").context("a step without a manifest")?;
            let (_, after) = after.split_once(' ').context("a step without directories")?;
            lines.push(format!("{before} --manifest {path} {after}"));
        }
        self.drop_in("manifest", &(lines.join("\n") + "\n"))?;
        let broker = format!("github-runner-broker-{}@.service", self.name);
        let text = run("systemctl", &["cat", &broker])?;
        let command =
            text.lines().find(|line| line.starts_with("ExecStart=/")).context("a broker without a program")?;
        let (before, _) = command.split_once(" --manifest ").context("a broker without a manifest")?;
        drop_in(&broker, "manifest", &format!("[Service]\nExecStart=\n{before} --manifest {path}\n"))
    }

    /// Lets the steps judge a lost registration at once instead of after twelve seconds, for scenarios that lose many.
    pub fn hurry(&self) -> Result<()> {
        let mut manifest = self.manifest()?;
        manifest["registrationInterval"] = json!(4);
        self.reconfigure(&manifest)
    }

    /// Adds a drop-in to the unit until the machine ends.
    pub fn drop_in(&self, name: &str, text: &str) -> Result<()> {
        drop_in(&self.unit, name, text)
    }

    /// Takes all drop-ins away.
    pub fn remove_drop_ins(&self) -> Result<()> {
        for unit in [self.unit.clone(), format!("github-runner-broker-{}@.service", self.name)] {
            match fs::remove_dir_all(format!("{RUNTIME_UNITS}/{unit}.d")) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)?,
                _ => {}
            }
        }
        run("systemctl", &["daemon-reload"]).map(drop)
    }

    /// The text of its unit, as it was made.
    pub fn fragment(&self) -> Result<String> {
        let path = self.property("FragmentPath")?;
        fs::read_to_string(&path).with_context(|| format!("Failed to read {path}"))
    }
}

/// Adds a drop-in to a unit until the machine ends.
pub fn drop_in(unit: &str, name: &str, text: &str) -> Result<()> {
    let directory = format!("{RUNTIME_UNITS}/{unit}.d");
    fs::create_dir_all(&directory)?;
    fs::write(format!("{directory}/{name}.conf"), text)?;
    run("systemctl", &["daemon-reload"]).map(drop)
}
