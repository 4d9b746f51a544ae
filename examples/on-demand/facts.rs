//! What is the case on the host and at GitHub, shown to the reader and compared with what was told.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use github_runners::registration::jit::{FILES, JitRegistration};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::settings::{CLASS, put};
use crate::stage::{Stage, TOKEN};
use crate::times::HANGS;

/// All times of an order's file.
const TIMES: [&str; 8] = ["acceptedAt", "deadline", "since", "launchedAt", "askedAt", "onlineAt", "busyAt", "endedAt"];

impl Stage {
    /// The file of an order.
    pub fn order_file(&self, label: &str) -> PathBuf {
        self.path("state/orders").join(format!("{label}.{CLASS}.json"))
    }

    /// Where the registration of an order lies on its way to the machine.
    pub fn registration_file(&self, label: &str) -> PathBuf {
        self.path("run/orders").join(format!("{label}.{CLASS}.json"))
    }

    fn order(&self, label: &str) -> Result<Value> {
        let text = fs::read(self.order_file(label)).with_context(|| format!("The book has no order {label}"))?;
        serde_json::from_slice(&text).context("The order's file is no JSON")
    }

    /// Waits until the book has an order in this state, and shows these fields of its file.
    pub fn book(&mut self, label: &str, state: &str, fields: &[&str]) -> Result<Value> {
        wait_for(&format!("order {label} to be {state}"), || Ok(self.order(label)?["state"] == state))?;
        let order = self.order(label)?;
        ensure!(order["label"] == label, "The file should be that of {label}");
        self.search_for_secrets()?;
        let fields = fields.iter().map(|field| format!("{field:?}: {}", order[*field]));
        let fields: Vec<String> = [format!("\"state\": {state:?}")].into_iter().chain(fields).collect();
        self.page.fact("book", &format!("{label}.{CLASS}.json {{ {}, … }}", fields.join(", ")))?;
        Ok(order)
    }

    /// Shows what GitHub lists, if that are so many runners.
    pub fn at_github(&mut self, count: usize) -> Result<()> {
        let runners = self.github.state().runners;
        ensure!(runners.len() == count, "GitHub should list {count} runners: {runners:?}");
        let shown = runners.iter().map(|runner| {
            let labels: Vec<&str> = runner.labels.iter().map(|label| label.name.as_str()).collect();
            let busy = if runner.busy { ", busy" } else { "" };
            format!("id {} {:?}, {}{busy}, labels {}", runner.id, runner.name, runner.status, labels.join(" "))
        });
        let shown: Vec<String> = shown.collect();
        self.page.fact("GitHub", if shown.is_empty() { "no runner" } else { &shown[0] })
    }

    /// What a directory of the host holds, sorted.
    pub fn names(&self, directory: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(directory))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// How many registrations GitHub has made.
    pub fn registrations(&self) -> usize {
        let records = self.github.records();
        let made = |path: &str, status| path.ends_with("/runners/generate-jitconfig") && status == 201;
        records.iter().filter(|record| made(&record.path, record.status)).count()
    }

    /// How many machines were ever made.
    pub fn machines(&self) -> usize {
        fs::read_to_string(self.path("launches")).map_or(0, |text| text.lines().count())
    }

    /// Whether GitHub was asked, by the access token and over TLS, for something whose address ends so.
    pub fn was_asked(&self, end: &str) -> bool {
        let records = self.github.records();
        records.iter().any(|record| {
            let path = record.path.split('?').next().unwrap_or_default();
            let is_by_token = record.authorization.as_ref().is_some_and(|seen| seen.sha256 == digest(TOKEN));
            record.method == "GET" && path.ends_with(end) && record.secure && is_by_token
        })
    }

    /// Learns the secrets of the registration that lies ready, and tells its id.
    pub fn learn(&mut self, label: &str) -> Result<u64> {
        let registration = JitRegistration::parse(&fs::read(self.registration_file(label))?)?;
        ensure!(registration.files.keys().all(|name| FILES.contains(&name.as_str())), "It has other files");
        for content in registration.files.values() {
            let value: Value =
                serde_json::from_str(content.expose()).context("A file of the registration is no JSON")?;
            let texts = value.as_object().into_iter().flat_map(|object| object.values()).filter_map(Value::as_str);
            // Parts of a key; a name or an address is no secret.
            let parts = texts.filter(|text| text.len() > 100 && !text.contains('/'));
            self.keys.extend(parts.map(str::to_owned));
        }
        ensure!(!self.keys.is_empty(), "The registration should have a key");
        self.hide()?;
        Ok(registration.id)
    }

    /// Fails if a secret lies in any file of the host; but the access token in its own and in the credentials of brokers that run,
    /// and the key of the registration where it lies ready and on the machine.
    pub fn search_for_secrets(&self) -> Result<()> {
        let (secrets, token, credentials) = (self.secrets(), self.path("token"), self.path("credentials"));
        let places = [self.path("run/orders"), self.path("machines")];
        let mut files = Vec::new();
        list(&self.path(""), &mut files)?;
        for file in files.iter().filter(|file| **file != token && !file.starts_with(&credentials)) {
            // It may be gone by now.
            let text = fs::read(file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let is_place = places.iter().any(|place| file.starts_with(place));
            let mut found = secrets.iter().filter(|secret| text.contains(*secret));
            if found.any(|secret| !is_place || !self.keys.contains(secret)) {
                bail!("{} holds a secret", file.display());
            }
        }
        Ok(())
    }

    /// Makes an order older by so many seconds, while the desk is dead.
    pub fn set_back(&mut self, label: &str, seconds: u64) -> Result<()> {
        self.kill_desk()?;
        let mut order = self.order(label)?;
        for field in TIMES {
            if let Some(time) = order[field].as_u64() {
                order[field] = (time - seconds).into();
            }
        }
        put(&self.order_file(label), &order)?;
        self.start_desk()
    }

    /// The last lines.
    pub fn finish(mut self, chapters: usize, took: Duration) -> Result<()> {
        self.kill_desk()?;
        self.hide()?;
        // Brokers end when the desk hangs up.
        wait_for("the last broker to end", || self.forget_ended_brokers())?;
        self.search_for_secrets()?;
        let records = self.github.records();
        let access = digest(TOKEN);
        let mut with_access =
            records.iter().filter(|record| record.authorization.as_ref().is_some_and(|seen| seen.sha256 == access));
        // The listener knows another address than the broker.
        ensure!(with_access.all(|record| record.secure), "Somebody else than the broker used the access token");
        ensure!(records.iter().all(|record| !record.secret_in_path), "A token was in an address");
        let hosts = self.github.proxied_hosts();
        ensure!(hosts.iter().all(|host| host == "api.github.com:443"), "The broker spoke to {hosts:?}");
        let (registrations, machines, requests) = (self.registrations(), self.machines(), records.len());
        ensure!((registrations, machines) == (1, 1), "There should have been one registration and one machine");
        self.page.heading("The end")?;
        self.page.story(&format!(
            "{chapters} chapters in {} s, {registrations} registration, {machines} machine, {requests} requests to GitHub; every \
             fact above was checked. The access token was in no file but its own, nobody but the broker used it, and only for \
             api.github.com. The key of the registration was nowhere but in its file and on its machine.",
            took.as_secs()
        ))
    }

    /// Removes the credentials of brokers that ended, as systemd does: a desk that died did not. Whether those were all.
    fn forget_ended_brokers(&self) -> Result<bool> {
        for name in self.names("credentials")? {
            let directory = self.path("credentials").join(name);
            if is_of_a_process(&directory)? {
                continue;
            }
            match fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(self.names("credentials")?.is_empty())
    }
}

/// Whether a process has the directory in its variables.
fn is_of_a_process(directory: &Path) -> Result<bool> {
    let variable = [b"CREDENTIALS_DIRECTORY=", directory.as_os_str().as_bytes()].concat();
    let names_it = |process: fs::DirEntry| {
        // What ended meanwhile has none.
        let variables = fs::read(process.path().join("environ")).unwrap_or_default();
        variables.split(|byte| *byte == 0).any(|one| one == variable)
    };
    Ok(fs::read_dir("/proc")?.flatten().any(names_it))
}

/// Waits until this is the case.
pub fn wait_for(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !is_so()? {
        ensure!(start.elapsed() < HANGS, "Waited in vain for {what}");
        // Between two looks; the limit is above.
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Lists regular files; follows no link. What vanishes meanwhile is not there.
fn list(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => list(&entry.path(), files)?,
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// As the stand-in notes tokens that it saw.
fn digest(token: &str) -> String {
    Sha256::digest(token).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
