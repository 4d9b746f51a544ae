//! The real GARM: its service, and its command line with answers as JSON.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::tools::wait_for;
use crate::{PROVIDER, incus};

/// The name of the provider in GARM.
pub const NAME: &str = "incus";
/// The account of the operator. Nothing else was ever protected by it.
pub const PASSWORD: &str = "fake-Password-of-a-test-42!";
/// How much of what GARM logged is shown.
const LINES: usize = 80;

/// A running GARM. It ends when this is dropped.
pub struct Garm {
    service: Child,
    cli: PathBuf,
    /// The program that GARM calls for instances.
    pub provider: PathBuf,
    address: SocketAddr,
    /// Its id, with which its instances are tagged.
    pub controller: String,
    directory: TempDir,
}

/// A runner as GARM knows it.
#[derive(Debug, Deserialize)]
pub struct Runner {
    pub name: String,
    /// Of the instance.
    pub status: String,
    /// How far the runner in it is.
    #[serde(rename = "runner_status")]
    pub course: String,
    pub pool_id: String,
    #[serde(default)]
    pub addresses: Vec<Value>,
    #[serde(default)]
    provider_fault: Option<String>,
}

impl Runner {
    /// What the provider said of its last failure.
    pub fn fault(&self) -> Result<String> {
        let fault = BASE64_STANDARD.decode(self.provider_fault.as_deref().unwrap_or_default())?;
        Ok(String::from_utf8(fault)?)
    }
}

impl Garm {
    /// Starts the service of `programs`, and makes the account of an operator.
    pub fn start(programs: &Path) -> Result<Self> {
        let directory = tempfile::tempdir_in("/var/lib").context("Failed to make GARM's directory")?;
        // Free again at once; nobody else is on this machine.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let provider = programs.join(PROVIDER);
        let path = |name: &str| directory.path().join(name);
        fs::write(path("provider.toml"), incus::SETTINGS)?;
        fs::write(path("config.toml"), configuration(directory.path(), &provider, address))?;
        let log = File::create(path("log"))?;
        let service = Command::new(programs.join("garm"))
            .arg("--config")
            .arg(path("config.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("Failed to start GARM")?;
        let cli = programs.join("garm-cli");
        let mut garm = Self { service, cli, provider, address, controller: String::new(), directory };
        wait_for("GARM to listen", || Ok(TcpStream::connect(address).ok())).with_context(|| garm.log())?;
        let url = garm.url();
        garm.order(
            ["init", "--name", "test", "--url", &url, "--username", "admin", "--password", PASSWORD, "--email"],
            "admin@example.com",
        )?;
        let about = garm.ask(&["controller", "show"])?;
        garm.controller = text(&about, "controller_id")?;
        Ok(garm)
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings of its provider.
    pub fn settings(&self) -> PathBuf {
        self.directory.path().join("provider.toml")
    }

    /// Asks for something, in the words of the command line.
    pub fn ask(&self, words: &[&str]) -> Result<Value> {
        let said = self.order(words, "--format=json")?;
        serde_json::from_str(&said).with_context(|| format!("{words:?} is answered with {said:?}"))
    }

    /// Has something done.
    pub fn order<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>, last: &str) -> Result<String> {
        let mut command = Command::new(&self.cli);
        command.args(words).arg(last).env("HOME", self.directory.path()).stdin(Stdio::null());
        let output = command.output().context("Failed to run garm-cli")?;
        let (said, why) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr).into_owned());
        ensure!(output.status.success(), "{command:?} ended with {}: {}", output.status, why.trim());
        Ok(said)
    }

    /// All runners of a pool.
    pub fn runners(&self, pool: &str) -> Result<Vec<Runner>> {
        let all: Option<Vec<Runner>> = serde_json::from_value(self.ask(&["runner", "list", "--all"])?)?;
        Ok(all.unwrap_or_default().into_iter().filter(|runner| runner.pool_id == pool).collect())
    }

    /// One runner with all that is known of it.
    pub fn runner(&self, name: &str) -> Result<Runner> {
        Ok(serde_json::from_value(self.ask(&["runner", "show", name])?)?)
    }

    /// What it logged last, without the requests to itself.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains("msg=access_log")).collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Garm {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        _ = self.service.kill();
        _ = self.service.wait();
    }
}

/// The text of a field.
pub fn text(value: &Value, field: &str) -> Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("there is no {field} in {value}"))
}

/// What GARM itself is told.
fn configuration(directory: &Path, provider: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    format!(
        r#"
[logging]
log_level = "info"
[metrics]
enable = false
[jwt_auth]
secret = "fake-secret-of-a-test-that-nothing-else-has-42!"
time_to_live = "24h"
[apiserver]
bind = "{ip}"
port = {port}
[database]
backend = "sqlite3"
passphrase = "fake-passphrase-for-tests-only-!"
[database.sqlite3]
db_file = "{directory}/garm.db"
[[provider]]
name = "{NAME}"
description = "Containers of this machine"
provider_type = "external"
[provider.external]
provider_executable = "{provider}"
config_file = "{directory}/provider.toml"
"#,
        ip = address.ip(),
        port = address.port(),
        provider = provider.display(),
    )
}
