//! What is the case on the host, shown to the reader and compared with what was told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::demo::{Demo, TOKENS};
use crate::github::Record;

/// The files of a complete registration.
pub const COMPLETE: &[&str] = &[".credentials", ".credentials_rsaparams", ".runner"];

/// Where a registration token lies between `prepare` and `configure`.
pub const STAGED: &str = "state/.staged-token";

/// What has to be the case after some steps. The ledger never owes anything: what was given up was taken back.
pub struct Expected<'a> {
    /// Files in the state directory, the logs aside.
    pub state: &'a [&'a str],
    /// The runner that the ledger names, and the only one that GitHub lists.
    pub id: Option<u64>,
}

impl Demo {
    /// Shows what is the case now, if it is what is expected.
    pub fn afterwards(&mut self, expected: &Expected<'_>) -> Result<()> {
        let mut state = self.names("state")?;
        let ledger = self.ledger()?;
        let runners = self.github.state().runners;

        self.page.note("Afterwards:")?;
        self.page.fact("state", &listed(&state, " "))?;
        self.page.fact("work", &listed(&self.names("work")?, " "))?;
        self.page.fact("logs", &listed(&self.names("logs")?, " "))?;
        let id = ledger["runner"]["id"].as_u64();
        let known = id.map_or_else(|| "names no runner".into(), |id| format!("names id {id}"));
        let debts = ledger["leftBehind"].as_array().context("The ledger has no leftBehind")?.len();
        let owed = if debts == 0 { "nothing".into() } else { format!("{debts} registrations") };
        self.page.fact("ledger", &format!("{known}; to take back: {owed}"))?;
        let shown: Vec<String> = runners
            .iter()
            .map(|runner| {
                let labels: Vec<&str> = runner.labels.iter().map(|label| label.name.as_str()).collect();
                let ephemeral = if runner.ephemeral { " ephemeral," } else { "" };
                format!("id {} {:?},{ephemeral} {}, labels {}", runner.id, runner.name, runner.status, labels.join(" "))
            })
            .collect();
        self.page.fact("GitHub", &listed(&shown, "; "))?;

        state.retain(|name| name != "_diag");
        ensure!(state == expected.state, "The state directory should hold {:?}", expected.state);
        ensure!(id == expected.id, "The ledger should name {:?}", expected.id);
        ensure!(debts == 0, "The ledger should owe nothing");
        let ids: Vec<u64> = runners.iter().map(|runner| runner.id).collect();
        ensure!(ids == Vec::from_iter(expected.id), "GitHub should list {:?}", expected.id);
        Ok(())
    }

    /// Shows what the service user gets between `prepare` and `configure`, if that is what it should be.
    pub fn staged(&mut self) -> Result<()> {
        let path = self.path(STAGED);
        let (token, mode) = (fs::read_to_string(&path)?, fs::metadata(&path)?.permissions().mode() & 0o7777);
        ensure!(self.github.state().tokens.iter().any(|made| made.secret == token), "It is no token that GitHub made");
        ensure!(mode == 0o400, "Its mode is {mode:o}");
        self.page.note("Meanwhile:")?;
        self.page.fact(
            "state",
            ".staged-token, mode 0400: a registration token, good for one hour and for registering only. It is all that \
             the service user gets; the access token stays with the broker.",
        )
    }

    /// The id of the runner that the ledger names.
    pub fn id(&self) -> Result<u64> {
        self.ledger()?["runner"]["id"].as_u64().context("The ledger names no runner")
    }

    /// Every file of the state and the ledger directory with its content.
    pub fn kept(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for name in ["state", "ledger"] {
            read_tree(&self.path(name), &mut files)?;
        }
        Ok(files)
    }

    /// The last lines.
    pub fn finish(mut self, chapters: usize) -> Result<()> {
        self.page.hide(self.secrets())?;
        let records = self.github.records();
        let made = |record: &&Record| {
            (record.path.ends_with("/runners/register") && record.status == 200)
                || (record.path.ends_with("/runners/generate-jitconfig") && record.status == 201)
        };
        let registrations = records.iter().filter(made).count();
        let access = TOKENS.map(digest);
        let mut with_access = records.iter().filter(|record| {
            record.authorization.as_ref().is_some_and(|authorization| access.contains(&authorization.sha256))
        });
        // The listener knows another address than the broker.
        ensure!(with_access.all(|record| record.secure), "Somebody else than the broker used the access token");
        ensure!(records.iter().all(|record| !record.secret_in_path), "A token was in an address");
        let hosts = self.github.proxied_hosts();
        ensure!(hosts.iter().all(|host| host == "api.github.com:443"), "The broker spoke to {hosts:?}");
        self.page.heading("The end")?;
        self.page.story(&format!(
            "{chapters} chapters, {} steps of the helper, {} connections to the broker, {registrations} registrations; \
             every fact above was checked. The access token was in no file but its own, nobody but the broker used \
             it, and only for api.github.com. No program said any token, and registration tokens were in no file after \
             any configure.",
            self.steps,
            self.broker.asked()
        ))
    }

    fn ledger(&self) -> Result<Value> {
        let text = fs::read(self.path("ledger/runner1.json")).context("Failed to read the ledger")?;
        serde_json::from_slice(&text).context("Failed to understand the ledger")
    }

    /// Fails if a token lies in any file of the host; but the access token in its own, and, if one is `staged`, a
    /// registration token where the service user finds it.
    pub fn search_for_secrets(&self, staged: bool) -> Result<()> {
        let (all, token, stage) = (self.secrets(), self.path("token"), self.path(STAGED));
        let mut files = BTreeMap::new();
        read_tree(&self.path(""), &mut files)?;
        files.remove(&token);
        for (path, content) in files {
            let text = String::from_utf8_lossy(&content);
            let held = all.iter().filter(|secret| text.contains(*secret));
            let mut wrong = held.filter(|secret| TOKENS.contains(&secret.as_str()) || !staged || path != stage);
            ensure!(wrong.next().is_none(), "{} holds a token", path.display());
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

/// As the stand-in notes tokens that it saw.
fn digest(token: &str) -> String {
    Sha256::digest(token).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
