//! What is the case on the host, shown to the reader and compared with what was told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::demo::Demo;
use crate::github::Record;

/// The files of a complete registration.
pub const COMPLETE: &[&str] = &[".credentials", ".credentials_rsaparams", ".runner"];

/// What has to be the case after some steps.
pub struct Expected<'a> {
    /// Files in the state directory, the logs aside.
    pub state: &'a [&'a str],
    /// The runner that the ledger names.
    pub id: Option<u64>,
    /// The former ones that are still on its list, in the order of their ids.
    pub left_behind: &'a [u64],
    /// The runners that GitHub lists.
    pub github: &'a [u64],
}

impl Demo {
    /// Shows what is the case now, if it is what is expected.
    pub fn afterwards(&mut self, expected: &Expected<'_>) -> Result<()> {
        let mut state = self.names("state")?;
        let ledger = self.ledger()?;
        let left_behind = left_behind(&ledger)?;
        let runners = self.github.state().runners;

        self.page.note("Afterwards:")?;
        self.page.fact("state", &listed(&state, " "))?;
        self.page.fact("work", &listed(&self.names("work")?, " "))?;
        self.page.fact("logs", &listed(&self.names("logs")?, " "))?;
        let numbers: Vec<String> = left_behind.iter().map(|id| format!("id {id}")).collect();
        let id = ledger["runner"]["id"].as_u64();
        let known = id.map_or_else(|| "names no runner".into(), |id| format!("names id {id}"));
        self.page.fact("ledger", &format!("{known}; left behind: {}", listed(&numbers, ", ")))?;
        let shown: Vec<String> = runners
            .iter()
            .map(|runner| {
                let labels: Vec<&str> = runner.labels.iter().map(|label| label.name.as_str()).collect();
                format!("id {} {:?}, {}, labels {}", runner.id, runner.name, runner.status, labels.join(" "))
            })
            .collect();
        self.page.fact("GitHub", &listed(&shown, "; "))?;

        state.retain(|name| name != "_diag");
        ensure!(state == expected.state, "The state directory should hold {:?}", expected.state);
        ensure!(id == expected.id, "The ledger should name {:?}", expected.id);
        ensure!(
            self.former()? == expected.left_behind,
            "The ledger should have left behind {:?}",
            expected.left_behind
        );
        let ids: Vec<u64> = runners.iter().map(|runner| runner.id).collect();
        ensure!(ids == expected.github, "GitHub should list {:?}", expected.github);
        Ok(())
    }

    /// The id of the runner that the ledger names.
    pub fn id(&self) -> Result<u64> {
        self.ledger()?["runner"]["id"].as_u64().context("The ledger names no runner")
    }

    /// The ids of the runners that are left behind.
    pub fn former(&self) -> Result<Vec<u64>> {
        left_behind(&self.ledger()?)
    }

    /// Every file of the state and the ledger directory with its content.
    pub fn kept(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for name in ["state", "ledger"] {
            read_tree(&self.path(name), &mut files)?;
        }
        Ok(files)
    }

    /// The last line.
    pub fn finish(mut self, chapters: usize) -> Result<()> {
        self.page.hide(self.secrets())?;
        let registered = |record: &&Record| record.path.ends_with("/runners/register") && record.status == 200;
        let registrations = self.github.records().iter().filter(registered).count();
        self.page.heading("The end")?;
        self.page.story(&format!(
            "{chapters} chapters, {} steps of the helper, {registrations} registrations; every fact above was checked. \
             No token was shown, and none was found in state, work, logs or ledger after any configure.",
            self.steps
        ))
    }

    fn ledger(&self) -> Result<Value> {
        let text = fs::read(self.path("ledger/runner1.json")).context("Failed to read the ledger")?;
        serde_json::from_slice(&text).context("Failed to understand the ledger")
    }

    /// Fails if a token lies in a file that jobs can read, or in the ledger.
    pub fn search_for_secrets(&self) -> Result<()> {
        let secrets = self.secrets();
        let mut files = BTreeMap::new();
        for name in ["state", "work", "logs", "ledger"] {
            read_tree(&self.path(name), &mut files)?;
        }
        for (path, content) in files {
            let text = String::from_utf8_lossy(&content);
            ensure!(secrets.iter().all(|secret| !text.contains(secret)), "{} holds a token", path.display());
        }
        Ok(())
    }

    /// What a directory holds, sorted; links with the place they lead to.
    fn names(&self, directory: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(directory))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push(match fs::read_link(entry.path()) {
                Ok(target) if directory == "work" => {
                    let place = target.strip_prefix(self.path("")).unwrap_or(&target);
                    format!("{name}->{}", place.display())
                }
                _ => name,
            });
        }
        names.sort();
        Ok(names)
    }
}

fn left_behind(ledger: &Value) -> Result<Vec<u64>> {
    let Some(entries) = ledger["leftBehind"].as_array() else { bail!("The ledger has no leftBehind") };
    entries.iter().map(|left| left["runner"]["id"].as_u64().context("The ledger left a runner without id")).collect()
}

/// Reads regular files; follows no link and opens nothing special.
fn read_tree(directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_tree(&entry.path(), files)?;
        } else if kind.is_file() {
            files.insert(entry.path(), fs::read(entry.path())?);
        }
    }
    Ok(())
}

fn listed(names: &[String], between: &str) -> String {
    if names.is_empty() { "none".into() } else { names.join(between) }
}
