//! Calls as GARM makes them: one process each, a bare environment, JSON on standard input for a creation and nothing otherwise.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::stand_in::{Flavor, IMAGE, PROFILE, StandIn};

/// The program under test.
pub const PROVIDER: &str = env!("CARGO_BIN_EXE_garm-provider-incus-lxd");
pub const CONTROLLER: &str = "c0ffee00-0000-4000-8000-000000000001";
pub const POOL: &str = "ee8cd594-68d9-4ed1-a7cc-a752b52af76f";
/// Secrets of every creation.
pub const TOKENS: [&str; 2] = ["fake-instance-token", "fake-download-token"];

/// A GARM with its server.
pub struct Garm {
    pub server: StandIn,
    /// In the place of the usual controller.
    pub controller: &'static str,
    /// What is called.
    pub program: PathBuf,
    settings: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Garm {
    pub fn new(flavor: Flavor) -> Self {
        let server = StandIn::start(flavor);
        let settings = server.directory().join("provider.toml");
        let garm = Self { server, controller: CONTROLLER, program: PROVIDER.into(), settings, variables: Vec::new() };
        garm.settings(&socket_settings(&garm.server));
        garm
    }

    /// One with each server.
    pub fn both() -> [Self; 2] {
        Flavor::BOTH.map(Self::new)
    }

    /// Writes the provider's settings.
    pub fn settings(&self, text: &str) {
        fs::write(&self.settings, text).unwrap();
    }

    pub fn settings_path(&self) -> &Path {
        &self.settings
    }

    /// Sets a variable for all calls that follow; an empty one is none.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
    }

    /// The environment of a call.
    pub fn environment(&self, command: &str, instance: &str) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("GARM_COMMAND", command.to_owned()),
            ("GARM_CONTROLLER_ID", self.controller.into()),
            ("GARM_PROVIDER_CONFIG_FILE", self.settings.display().to_string()),
            ("GARM_INTERFACE_VERSION", "v0.1.0".into()),
        ];
        if !instance.is_empty() {
            all.push(("GARM_INSTANCE_ID", instance.into()));
        }
        if ["CreateInstance", "ListInstances"].contains(&command) {
            all.push(("GARM_POOL_ID", POOL.into()));
        }
        for (name, value) in &self.variables {
            all.retain(|(known, _)| known != name);
            if !value.is_empty() {
                all.push((name, value.clone()));
            }
        }
        all
    }

    /// A process that has not begun.
    pub fn process(&self, command: &str, instance: &str) -> Command {
        let mut process = Command::new(&self.program);
        process.env_clear().envs(self.environment(command, instance));
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        process
    }

    pub fn call(&self, command: &str, instance: &str) -> Said {
        Said::of(self.process(command, instance), b"")
    }

    pub fn create(&self, bootstrap: &Value) -> Said {
        Said::of(self.process("CreateInstance", ""), bootstrap.to_string().as_bytes())
    }

    /// What the server holds in an instance's own configuration.
    pub fn config(&self, name: &str, key: &str) -> Option<String> {
        let body = self.body(name)?;
        body["config"][key].as_str().map(String::from)
    }

    /// The request by which an instance was made.
    pub fn body(&self, name: &str) -> Option<Value> {
        let key = (crate::stand_in::PROJECT.to_owned(), name.to_owned());
        self.server.with(|state| state.instances.get(&key).map(|made| made.body.clone()))
    }
}

/// The usual settings: the server's socket, and containers.
pub fn socket_settings(server: &StandIn) -> String {
    format!("unix_socket_path = \"{}\"\ninstance_type = \"container\"\n", server.socket().display())
}

/// A server of images.
pub const REMOTE: &str = "[image_remotes.images]\naddr = \"https://images.example\"\nprotocol = \"simplestreams\"\n";

/// What a call said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub answer: String,
    pub why: String,
}

impl Said {
    pub fn of(mut process: Command, input: &[u8]) -> Self {
        let mut child = process.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that refuses does not read to the end.
        _ = stdin.write_all(input);
        drop(stdin);
        Self::from(child.wait_with_output().unwrap())
    }

    /// Whatever was said, no secret was.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for token in TOKENS {
            assert!(!self.why.contains(token) && !self.answer.contains(token), "{self:?}");
        }
        if code == 0 {
            assert_eq!(self.why, "");
        } else {
            assert_eq!(self.answer, "");
            assert!(self.why.ends_with('\n') && self.why.matches('\n').count() == 1, "one sentence: {self:?}");
        }
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.answer).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), answer: text(output.stdout), why: text(output.stderr) }
    }
}

/// What GARM 0.2 writes for a new instance.
pub fn bootstrap(name: &str) -> Value {
    json!({
        "name": name,
        "tools": [{
            "os": "linux", "architecture": "x64", "download_url": "https://garm.example/runner.tar.gz",
            "filename": "actions-runner-linux-x64-2.330.0.tar.gz", "temp_download_token": TOKENS[1], "sha256_checksum": "",
        }],
        "repo_url": "https://github.com/octo-org/example",
        "callback-url": "https://garm.example/api/v1/callbacks", "metadata-url": "https://garm.example/api/v1/metadata",
        "instance-token": TOKENS[0], "ssh-keys": null,
        "extra_specs": {"runner_install_template": "IyEvYmluL2Jhc2gKZWNobyBoZWxsbwo="},
        "github-runner-group": "", "ca-cert-bundle": "", "arch": "amd64", "os_type": "linux", "flavor": PROFILE,
        "image": IMAGE, "labels": null, "pool_id": POOL,
        "user_data_options": {"disable_updates_on_boot": false, "extra_packages": null, "enable_boot_debug": false},
        "jit_config_enabled": true, "proxy_config": {"http_proxy": "", "https_proxy": "", "no_proxy": ""},
    })
}

/// The same with a change.
pub fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut bootstrap = bootstrap(name);
    change(&mut bootstrap);
    bootstrap
}
