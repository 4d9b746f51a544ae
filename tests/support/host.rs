//! A host in a temporary directory: the directories that systemd would make, a token, a manifest, and the real
//! helper binary to run on them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use github_runners::contract::manifest::{CredentialPlace, Manifest};
use github_runners::model::{Registration, RegistrationUrl, TokenType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::Server;

pub const TOKEN: &str = "AFAKETOKENFAKETOKENFAKETOKEN";

pub const PAT: &str = "ghp_FAKETOKENFAKETOKENFAKETOKEN";

pub struct Host {
    /// Kept for as long as the host, and let go before its directories.
    #[allow(dead_code, reason = "other tests need to keep it")]
    pub server: Option<Server>,
    root: TempDir,
    /// The manifest as text, so that it can also be a bad one.
    pub manifest: Value,
}

/// The manifest of a runner whose files are below `root`.
fn manifest(root: &Path) -> Manifest {
    let url = RegistrationUrl::parse("https://github.com/octo-org/example").expect("an address");
    let path = |name: &str| root.join(name).to_str().expect("UTF-8 path").to_owned();
    let registration = Registration {
        name: Some("runner1".to_owned().try_into().expect("a name")),
        extra_labels: vec!["nixos".to_owned().try_into().expect("a label")],
        ..Registration::new(url)
    };
    let credential = CredentialPlace {
        token_file: Some(path("token").try_into().expect("a path")),
        token_type: TokenType::Auto,
        github_app: None,
        environment: BTreeMap::new(),
    };
    let instance = "runner1".to_owned().try_into().expect("a name");
    let manifest = Manifest::new(instance, registration, credential, root.join("listener/Runner.Listener"));
    Manifest { registration_interval: 0, ..manifest }
}

/// How a step ended: whether it succeeded, and what it said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub text: String,
}

impl Said {
    /// What was said by a step that had to succeed.
    #[track_caller]
    pub fn good(self) -> String {
        assert!(self.ok, "the step failed: {}", self.text);
        self.text
    }

    /// What was said by a step that had to fail.
    #[track_caller]
    pub fn bad(self) -> String {
        assert!(!self.ok, "the step succeeded: {}", self.text);
        self.text
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        assert!(output.stdout.is_empty(), "steps speak on standard error only");
        Self { ok: output.status.success(), text: String::from_utf8(output.stderr).expect("UTF-8 output") }
    }
}

impl Host {
    pub fn new() -> Self {
        let root = TempDir::new().expect("a temporary directory");
        let manifest = serde_json::to_value(manifest(root.path())).expect("a manifest");
        let host = Self { server: None, root, manifest };
        for name in ["state", "work", "logs", "listener"] {
            fs::create_dir(host.path(name)).expect("a directory");
        }
        fs::write(host.path("token"), format!("{TOKEN}\n")).expect("a token file");
        // As secret managers make it.
        fs::set_permissions(host.path("token"), fs::Permissions::from_mode(0o600)).expect("a token file");
        host
    }

    /// The same with an access token, and a server that accepts it.
    pub fn with_server() -> (Self, Server) {
        let host = Self::new();
        fs::write(host.path("token"), format!("{PAT}\n")).expect("a token file");
        let server = Server::start(&host.path(""));
        (host, server)
    }

    /// A path of this host.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.path("state").join(name)
    }

    /// A field of the registration to be changed.
    pub fn registration(&mut self, field: &str) -> &mut Value {
        &mut self.manifest["registration"][field]
    }

    /// The command line of a step.
    pub fn arguments(&self, step: &str) -> Vec<String> {
        fs::write(self.path("manifest.json"), self.manifest.to_string()).expect("a manifest");
        let mut arguments = vec![step.to_string()];
        let mut add = |name: &str, path: &str| {
            arguments
                .extend([format!("--{name}"), self.path(path).into_os_string().into_string().expect("UTF-8 path")]);
        };
        add("manifest", "manifest.json");
        add("state-directory", "state");
        add("work-directory", "work");
        add("logs-directory", "logs");
        if matches!(step, "prepare" | "record" | "release" | "settle") {
            add("ledger-directory", "ledger");
        }
        if matches!(step, "prepare" | "release" | "settle") {
            add("broker", "broker");
        }
        if step == "place" {
            add("registration", "registration.json");
        }
        arguments
    }

    pub fn command(&self, step: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_github-runner-helper"));
        command.args(self.arguments(step)).stdin(Stdio::null());
        command
    }

    pub fn step(&self, step: &str) -> Said {
        self.command(step).output().expect("the helper runs").into()
    }

    /// Settles an end: `$SERVICE_RESULT`, and `$EXIT_CODE` and `$EXIT_STATUS` unless the listener never ran.
    pub fn settle(&self, result: &str, exit: Option<(&str, &str)>) -> Said {
        self.ended("settle", result, exit)
    }

    /// The same for another last step.
    pub fn ended(&self, step: &str, result: &str, exit: Option<(&str, &str)>) -> Said {
        let mut command = self.command(step);
        command.env("SERVICE_RESULT", result).env_remove("EXIT_CODE").env_remove("EXIT_STATUS");
        if let Some((code, status)) = exit {
            command.env("EXIT_CODE", code).env("EXIT_STATUS", status);
        }
        command.output().expect("the helper runs").into()
    }

    pub fn prepare(&self) -> Said {
        self.step("prepare")
    }

    /// A registration that is complete, kept and recorded as id 21.
    pub fn registered(self) -> Self {
        self.prepare().good();
        self.configured(21);
        self.step("record").good();
        self
    }

    /// Does what a successful `configure` does to the state directory.
    pub fn configured(&self, id: u64) {
        fs::remove_file(self.state(".staged-token")).expect("a staged token");
        let registration = &self.manifest["registration"];
        let settings = json!({
            "agentId": id,
            "agentName": registration["name"],
            "ephemeral": registration["ephemeral"],
            "gitHubUrl": registration["url"]
        });
        fs::write(self.state(".credentials_rsaparams"), "{}").expect("a key");
        fs::write(self.state(".credentials"), "{}").expect("credentials");
        fs::write(self.state(".runner"), format!("\u{feff}{settings}")).expect("settings");
    }

    pub fn ledger(&self) -> Value {
        let text = fs::read(self.path("ledger/runner1.json")).expect("a ledger entry");
        serde_json::from_slice(&text).expect("a ledger entry in JSON")
    }

    /// Changes the ledger entry as the helper does it: whoever reads it meanwhile sees the old or the new one.
    pub fn set_ledger(&self, entry: &Value) {
        let aside = self.path("ledger/.aside");
        fs::write(&aside, entry.to_string()).expect("a ledger entry");
        fs::rename(aside, self.path("ledger/runner1.json")).expect("a ledger entry");
    }

    /// Everything below a directory, as sorted relative paths.
    pub fn tree(&self, name: &str) -> Vec<String> {
        fn visit(dir: &Path, prefix: &str, into: &mut Vec<String>) {
            for entry in fs::read_dir(dir).expect("a directory") {
                let entry = entry.expect("an entry");
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type().expect("a type").is_dir() {
                    visit(&entry.path(), &format!("{name}/"), into);
                }
                into.push(name);
            }
        }
        let mut names = Vec::new();
        visit(&self.path(name), "", &mut names);
        names.sort();
        names
    }
}

/// The permission bits of a file.
pub fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("a file").permissions().mode() & 0o7777
}

/// The owner of a file.
pub fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("a file").uid()
}

/// Whether this test may do what only root can. Says so if not, because the test then proves less.
pub fn is_root(what: &str) -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        eprintln!("not root: {what} was not tried");
    }
    root
}
