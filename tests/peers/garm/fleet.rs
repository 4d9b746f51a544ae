//! The same fleet as a declaration: passes over what an operator made by hand, and over what they made themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::garm::{Garm, NAME, PASSWORD};

/// The program of passes, and what it is told.
pub struct Fleet {
    program: PathBuf,
    directory: TempDir,
    pub declaration: Value,
}

/// What the site has besides GARM.
pub struct Made<'a> {
    pub forge: &'a str,
    pub pat: &'a str,
    pub secret: &'a str,
    pub repository: &'a str,
    pub pool: Value,
}

impl Fleet {
    /// Declares what was made by hand; its pool is called `first`.
    pub fn of(garm: &Garm, made: &Made<'_>) -> Result<Self> {
        let directory = tempfile::tempdir_in("/var/lib")?;
        let path = |name: &str| directory.path().join(name);
        for (name, secret) in [("password", PASSWORD), ("pat", made.pat), ("secret", made.secret)] {
            fs::write(path(name), secret)?;
        }
        let url = garm.url();
        let mut pool = made.pool.clone();
        pool["entity"] = json!(made.repository);
        pool["provider"] = json!(NAME);
        let declaration = json!({
            "version": 1,
            "api": url,
            "admin": {"user": "admin", "email": "admin@example.com", "passwordFile": path("password")},
            "controller": {"metadataUrl": format!("{url}/api/v1/metadata"), "callbackUrl": format!("{url}/api/v1/callbacks")},
            "endpoints": {"stand-in": {
                "description": "of tests", "baseUrl": made.forge, "apiBaseUrl": made.forge, "uploadBaseUrl": made.forge,
            }},
            "credentials": {"fake": {"endpoint": "stand-in", "description": "of tests", "token": {"file": path("pat")}}},
            "repositories": {made.repository: {"credentials": "fake", "webhookSecretFile": path("secret")}},
            "pools": {"first": pool},
            "providers": {NAME: {"command": garm.provider, "config": garm.settings()}},
            "stateFile": path("state.json"),
        });
        Ok(Self { program: garm.provider.with_file_name("github-runnerctl"), directory, declaration })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a command to its end, which has this exit code; tells what it said and complained of.
    pub fn run(&self, words: &[&str], code: i32) -> Result<(String, String)> {
        let declaration = self.path().join("fleet.json");
        fs::write(&declaration, self.declaration.to_string())?;
        let mut command = Command::new(&self.program);
        command.arg("fleet").args(words).arg("--declaration").arg(&declaration);
        let output = command.output().context("Failed to run github-runnerctl")?;
        let (said, why) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        ensure!(output.status.code() == Some(code), "{words:?} ended with {}: {said}{why}", output.status);
        Ok((said, why))
    }
}
