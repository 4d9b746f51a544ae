//! A declared fleet with its secrets, and a GARM that was never used.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::garm::Garm;

/// None of these may ever be in what the program says or remembers.
pub const SECRETS: [&str; 4] = [
    "fake-Password-of-a-test-42!",
    "ghp_fakeFirstToken00000000000000000000",
    "fake-webhook-secret-one",
    "fakeKeyOfATest",
];

pub struct Fleet {
    pub garm: Garm,
    pub directory: TempDir,
    pub declaration: Value,
}

impl Fleet {
    pub fn new() -> Self {
        let (garm, directory) = (Garm::start(), tempfile::tempdir().unwrap());
        let path = |name: &str| directory.path().canonicalize().unwrap().join(name);
        fs::create_dir(path("state")).unwrap();
        fs::write(path("admin"), format!("{}\n", SECRETS[0])).unwrap();
        fs::write(path("token"), format!("{}\n", SECRETS[1])).unwrap();
        fs::write(path("webhook"), format!("{}\n", SECRETS[2])).unwrap();
        let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", SECRETS[3]);
        fs::write(path("key"), key).unwrap();
        let declaration = json!({
            "version": 1,
            "api": garm.url(),
            "admin": {"user": "admin", "email": "admin@example.com", "passwordFile": path("admin")},
            "controller": {"metadataUrl": "http://192.0.2.1/m", "callbackUrl": "http://192.0.2.1/c", "webhookUrl": "http://192.0.2.1/w"},
            "endpoints": {"ghes": {"baseUrl": "https://ghes.example", "apiBaseUrl": "https://ghes.example/api/v3", "uploadBaseUrl": "https://ghes.example/api/uploads"}},
            "credentials": {
                "octo": {"token": {"file": path("token")}},
                "octo-app": {"endpoint": "ghes", "app": {"appId": 1, "installationId": 2, "keyFile": path("key")}},
            },
            "repositories": {"octo-org/example": {"credentials": "octo", "webhookSecretFile": path("webhook"), "installWebhook": true}},
            "organizations": {"octo-org": {"credentials": "octo-app", "webhookSecretFile": path("webhook")}},
            "pools": {
                "small": {"entity": "octo-org/example", "provider": "incus", "image": "debian", "flavor": "garm", "tags": ["incus"], "maxRunners": 4, "extraSpecs": {"cpu": 4}},
                "large": {"entity": "octo-org/example", "provider": "incus", "image": "debian", "flavor": "large", "tags": ["incus"], "maxRunners": 2},
            },
            "scaleSets": {"builders": {"entity": "octo-org", "provider": "incus", "image": "debian", "flavor": "garm", "maxRunners": 8}},
            "stateFile": path("state/state.json"),
        });
        Self { garm, directory, declaration }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    /// The same one, with everything in place.
    pub fn built() -> Self {
        let fleet = Self::new();
        fleet.apply(0);
        fleet.garm.requests();
        fleet
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let declaration = self.path("fleet.json");
        fs::write(&declaration, self.declaration.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_github-runnerctl"));
        command.arg("fleet").args(arguments).arg("--declaration").arg(declaration);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, which has this exit code; tells standard output and standard error.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], code: i32) -> (String, String) {
        let output = self.command(arguments).output().unwrap();
        self.told(&output, code)
    }

    #[track_caller]
    pub fn told(&self, output: &Output, code: i32) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (said, complained) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{said}{complained}");
        let memory = fs::read_to_string(self.path("state/state.json")).unwrap_or_default();
        for secret in SECRETS.iter().chain(&["token-0000"]) {
            assert!(![&said, &complained, &memory].iter().any(|text| text.contains(secret)), "{secret} is told");
        }
        (said, complained)
    }

    /// A pass; tells what it said.
    #[track_caller]
    pub fn apply(&self, code: i32) -> String {
        self.run(&["apply"], code).1
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Changes the declaration.
    pub fn declare(&mut self, path: &str, value: Value) {
        let (above, field) = path.rsplit_once('/').unwrap();
        self.declaration.pointer_mut(above).unwrap()[field] = value;
    }

    /// Takes something out of the declaration.
    pub fn forget(&mut self, path: &str) {
        let (above, field) = path.rsplit_once('/').unwrap();
        self.declaration.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(&field.replace("~1", "/"));
    }

    /// How many of each GARM has: endpoints, credentials, repositories, organizations, pools, scale sets.
    pub fn counts(&self) -> [usize; 6] {
        let state = self.garm.state();
        ["endpoints", "credentials", "repositories", "organizations", "pools", "scalesets"]
            .map(|kind| state.list(kind).len())
    }
}

/// Those of [`Fleet::counts`] when everything is there.
pub const ALL: [usize; 6] = [2, 2, 1, 1, 2, 1];
