//! A GitHub, a manifest, a credential and a ledger entry, and a broker that is asked with them.

use std::fs::{self, DirBuilder};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use github_runners::contract::protocol::{Answer, Outcome, RemoteRunner, VERSION, Verb};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::github::{self, Config, Fault, GitHub, Record, Runner, State, Tls};
use crate::times::PATIENCE;

/// An API token that nobody has.
pub const PAT: &str = "ghp_fakeFAKEfakeFAKEfakeFAKEfakeFAKEfake";
/// Where the runner of most tests registers, and what GitHub calls that.
pub const URL: &str = "https://github.com/octo-org";
pub const ENTITY: &str = "orgs/octo-org";
/// The name of the runner of most tests.
pub const NAME: &str = "runner1";

/// What one broker is given.
pub struct Stand {
    pub github: GitHub,
    pub manifest: Value,
    pub ledger: Value,
    pub credential: String,
    /// The directory that brokers of the credential share, if there is one.
    pub runtime: Option<PathBuf>,
    directory: TempDir,
}

/// What one broker said.
pub struct Reply {
    pub answer: Answer,
    pub journal: String,
    pub took: Duration,
}

impl Stand {
    /// An ephemeral runner of an organisation, with an access token.
    pub fn new() -> Self {
        let hosts = ["api.github.com", "ghes.example", "api.octo.ghe.com", "token.actions.githubusercontent.com"];
        Self::with(Tls::for_hosts(&hosts).unwrap())
    }

    /// The same where GitHub proves itself otherwise.
    pub fn with(tls: Tls) -> Self {
        let state = State { pats: vec![PAT.into()], last_id: 20, ..State::default() };
        let github = github::start(Config { state, tls: Some(tls), ..Config::default() }).unwrap();
        let mut manifest: Value = serde_json::from_str(include_str!("../../fixtures/manifest-v2.json")).unwrap();
        manifest["registration"]["ephemeral"] = json!(true);
        manifest["registration"]["url"] = json!(URL);
        let directory = tempfile::tempdir().unwrap();
        Self { github, manifest, ledger: Value::Null, credential: PAT.into(), runtime: None, directory }
    }

    /// A directory for what a test needs besides.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The same with a directory to share, as systemd makes it.
    pub fn sharing(self) -> Self {
        let runtime = self.directory.path().join("runtime");
        DirBuilder::new().mode(0o700).create(&runtime).unwrap();
        Self { runtime: Some(runtime), ..self }
    }

    /// The files that brokers share whose names begin so.
    pub fn shared(&self, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.runtime.as_ref().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix)).collect()
    }

    /// The same for another address.
    pub fn at(url: &str) -> Self {
        let mut stand = Self::new();
        stand.manifest["registration"]["url"] = json!(url);
        stand
    }

    /// A runner that GitHub knows.
    pub fn add_runner(&self, id: u64, name: &str, entity: &str) {
        let runner = json!({ "id": id, "name": name, "entity": entity });
        let runner: Runner = serde_json::from_value(runner).unwrap();
        self.github.change(|state| state.runners.push(runner)).unwrap();
    }

    /// A runner that the ledger knows as the present one.
    pub fn know(&mut self, id: u64, name: &str, url: &str) {
        self.ledger = serde_json::from_str(include_str!("../../fixtures/ledger-v3.json")).unwrap();
        self.ledger["runner"] = json!({ "id": id, "name": name, "url": url, "recordedAt": 1 });
        self.ledger["leftBehind"] = json!([]);
    }

    /// An attempt that the ledger knows, by the name and the address that it asked for and who had the name before.
    pub fn attempt(&mut self, name: &Value, url: &str, before: &Value) {
        self.know(0, NAME, URL);
        self.ledger["runner"] = Value::Null;
        (self.ledger["registration"]["name"], self.ledger["registration"]["url"]) = (name.clone(), json!(url));
        self.ledger["attempt"] = json!({ "since": 1, "before": before });
    }

    /// The program with everything that systemd would give it.
    pub fn program(&self) -> Command {
        let name = self.manifest["registration"]["name"].as_str().unwrap_or_default();
        // One for each runner, so that several can be asked at once.
        let manifest = self.directory.path().join(format!("manifest-{name}"));
        let credentials = self.directory.path().join("credentials");
        fs::create_dir_all(&credentials).unwrap();
        write(&manifest, &self.manifest.to_string());
        write(&credentials.join("credential"), &self.credential);
        let ledger = if self.ledger.is_null() { String::new() } else { self.ledger.to_string() };
        write(&credentials.join("ledger"), &ledger);
        let mut command = Command::new(env!("CARGO_BIN_EXE_github-runnerctl"));
        command.arg("broker").arg("--manifest").arg(manifest).env_clear();
        command.env("CREDENTIALS_DIRECTORY", credentials).env("https_proxy", self.github.proxy_url().unwrap());
        command.envs(self.github.ca_file().map(|file| ("SSL_CERT_FILE", file)));
        if let Some(runtime) = &self.runtime {
            command.env("RUNTIME_DIRECTORY", runtime);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a broker and asks it.
    pub fn start(&self, verb: &Verb, patience: u64) -> Child {
        let question = json!({ "version": VERSION, "instance": "runner1", "patience": patience, "verb": verb });
        start_with(&mut self.program(), &format!("{question}\n"))
    }

    /// Asks, and checks what holds for every answer.
    pub fn ask(&self, verb: &Verb) -> Reply {
        self.ask_for(verb, PATIENCE)
    }

    /// The same with so many seconds of patience.
    pub fn ask_for(&self, verb: &Verb, patience: u64) -> Reply {
        let started = Instant::now();
        let told = finish(self.start(verb, patience), started);
        self.check(&told);
        told
    }

    /// No secret leaves by another way than it should, and nobody else is asked.
    pub fn check(&self, told: &Reply) {
        let answer = serde_json::to_string(&told.answer).unwrap();
        for text in [&answer, &told.journal] {
            assert!(!text.contains(self.credential.trim()) && !text.contains("PRIVATE KEY"), "{text}");
        }
        assert!(!told.journal.contains("ghs_") && !told.journal.contains("AFAKE"), "{}", told.journal);
        assert!(!answer.contains("ghs_"), "{answer}");
        for record in self.github.records() {
            assert!(!record.secret_in_path, "{}", record.path);
            assert_eq!(record.authorization.as_ref().unwrap().scheme, "Bearer");
            assert_eq!(record.accept.as_deref(), Some("application/vnd.github+json"));
            assert_eq!(record.api_version.as_deref(), Some("2022-11-28"));
            let agent = concat!("github-runners-nixos/", env!("CARGO_PKG_VERSION"));
            assert_eq!((record.user_agent.as_deref(), record.secure), (Some(agent), true));
        }
        let url = self.manifest["registration"]["url"].as_str().unwrap();
        let host = if url.starts_with("https://github.com/") { "api.github.com:443" } else { "ghes.example:443" };
        assert!(self.github.proxied_hosts().iter().all(|asked| asked == host), "{:?}", self.github.proxied_hosts());
    }

    /// What GitHub saw, as `METHOD /path STATUS`.
    pub fn seen(&self) -> Vec<String> {
        let line = |record: &Record| format!("{} {} {}", record.method, record.path, record.status);
        self.github.records().iter().map(line).collect()
    }

    /// How many requests of this method (empty: of any) and piece of path GitHub saw.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let fits = |record: &&Record| (method.is_empty() || record.method == method) && record.path.contains(path);
        self.github.records().iter().filter(fits).count()
    }

    /// The names of all runners that GitHub has.
    pub fn runners(&self) -> Vec<String> {
        self.github.state().runners.iter().map(|runner| runner.name.clone()).collect()
    }

    pub fn inject(&self, fault: Fault) {
        self.github.inject(fault);
    }
}

impl Reply {
    /// The sentences of a refusal.
    pub fn refusal(self) -> String {
        match self.answer.outcome {
            Outcome::Refused(text) | Outcome::NotOurs(text) => text,
            other => panic!("{other:?}\n{}", self.journal),
        }
    }

    /// Why there was no useful answer.
    pub fn unreachable(self) -> String {
        match self.answer.outcome {
            Outcome::Unreachable(text) => text,
            other => panic!("{other:?}\n{}", self.journal),
        }
    }
}

/// Writes a file, but never one that is right already: a broker could be reading it.
fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).is_ok_and(|present| present == content) {
        return;
    }
    fs::write(path, content).unwrap();
}

/// Starts `program` and gives it `question`.
pub fn start_with(program: &mut Command, question: &str) -> Child {
    let mut child = program.spawn().unwrap();
    child.stdin.take().unwrap().write_all(question.as_bytes()).unwrap();
    child
}

/// Waits for the one answer and the one line in the journal.
pub fn finish(mut child: Child, started: Instant) -> Reply {
    let (mut answer, mut journal) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {journal}");
    assert_eq!(answer.lines().count(), 1, "{answer}");
    Reply { answer: serde_json::from_str(&answer).unwrap(), journal, took: started.elapsed() }
}

/// A runner as an idle one is shown.
pub fn idle(id: u64, name: &str) -> RemoteRunner {
    RemoteRunner { id, name: name.into(), online: false, busy: false }
}
