//! The stage: a host in a temporary directory, its GitHub, and the programs that run on it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use github_runners::contract::manifest::{CredentialPlace, Manifest};
use github_runners::model::{Registration, RegistrationUrl, TokenType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::{Broker, Unit};
use crate::github::{self, Config, GitHub, State, Tls};
use crate::page::Page;

/// The access token of the beginning, and the one that replaces it. Nobody has them.
pub const TOKENS: [&str; 2] = ["ghp_fakeFAKEfakeFAKEfakeFAKEfakeFAKEfake", "ghp_madeUPmadeUPmadeUPmadeUPmadeUPmade00"];

/// Everything that a chapter needs.
pub struct Demo {
    pub page: Page,
    pub github: GitHub,
    pub broker: Broker,
    /// The runner's configuration.
    pub manifest: Manifest,
    /// The program that the unit runs.
    pub helper: PathBuf,
    root: PathBuf,
    /// Whether the command lines were shown in full once.
    pub explained: bool,
    /// How often the helper ran, and for how long.
    pub steps: usize,
    pub spent: Duration,
    // Removed when dropped.
    _directory: TempDir,
}

/// The configuration of a runner whose files are below `root`.
fn manifest(root: &Path) -> Result<Manifest> {
    let token = root.join("token").into_os_string().into_string().ok().context("The path is not UTF-8")?;
    let url = RegistrationUrl::parse("https://github.com/octo-org/example").map_err(Error::msg)?;
    let registration = Registration {
        name: Some("runner1".to_owned().try_into().map_err(Error::msg)?),
        extra_labels: vec!["nixos".to_owned().try_into().map_err(Error::msg)?],
        ..Registration::new(url)
    };
    let credential = CredentialPlace {
        token_file: Some(token.try_into().map_err(Error::msg)?),
        token_type: TokenType::Auto,
        github_app: None,
        environment: BTreeMap::new(),
    };
    let instance = "runner1".to_owned().try_into().map_err(Error::msg)?;
    let manifest = Manifest::new(instance, registration, credential, root.join("listener/Runner.Listener"));
    Ok(Manifest { registration_interval: 0, ..manifest })
}

impl Demo {
    /// A host that systemd made ready for its first start, with what the units of runner and broker run.
    pub fn new([helper, runnerctl]: [PathBuf; 2]) -> Result<Self> {
        let directory = tempfile::tempdir().context("Failed to make a temporary directory")?;
        let root = directory.path().canonicalize()?;
        let shown = root.to_str().context("The temporary directory's path is no text: set TMPDIR")?.to_owned();
        for name in ["state", "work", "logs", "listener"] {
            fs::create_dir(root.join(name))?;
        }
        symlink(std::env::current_exe()?, root.join("listener/Runner.Listener"))?;
        let github = github::start(Config {
            tls: Some(Tls::for_hosts(&["api.github.com"])?),
            state: State { pats: vec![TOKENS[0].to_owned()], last_id: 20, ..State::default() },
            ..Config::default()
        })?;
        let unit = Unit {
            program: runnerctl,
            manifest: root.join("manifest.json"),
            directory: root.clone(),
            token: root.join("token"),
            ledger: root.join("ledger/runner1.json"),
            proxy: github.proxy_url().context("The stand-in has no proxy")?,
            authority: github.ca_file().context("The stand-in has no authority")?,
        };
        let demo = Self {
            page: Page::new(shown),
            broker: Broker::listen(&root.join("broker"), unit)?,
            github,
            manifest: manifest(&root)?,
            helper,
            root,
            explained: false,
            steps: 0,
            spent: Duration::ZERO,
            _directory: directory,
        };
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

    /// Tells the listener what it will do.
    pub fn follow(&self, steps: &Value) -> Result<()> {
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
