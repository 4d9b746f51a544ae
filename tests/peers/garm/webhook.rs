//! Messages of GitHub about jobs, as it delivers them to a webhook of a repository.
//!
//! Source: docs.github.com, "Webhook events and payloads" (`workflow_job`) and "Validating webhook deliveries".

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use ureq::Agent;

/// One job of a workflow.
pub struct Job<'a> {
    pub id: u64,
    /// What it asks for.
    pub label: &'a str,
    /// Number and name of the runner that has it.
    pub runner: (u64, &'a str),
    /// The forge as users see it.
    pub site: &'a str,
    pub owner: &'a str,
    pub repository: &'a str,
}

/// How far a job is.
#[derive(Clone, Copy)]
pub enum Course {
    InProgress,
    Completed,
}

impl Job<'_> {
    /// Tells the webhook at `url`, whose secret is `secret`, how far the job is.
    pub fn tell(&self, course: Course, url: &str, secret: &str) -> Result<()> {
        let body = self.message(course).to_string();
        let mac = crypto::sign(body.as_bytes(), &EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256)?;
        let mut signature = String::from("sha256=");
        for byte in BASE64_URL_SAFE_NO_PAD.decode(mac)? {
            write!(signature, "{byte:02x}")?;
        }
        let agent: Agent = Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let answer = agent
            .post(url)
            .header("content-type", "application/json")
            .header("user-agent", "GitHub-Hookshot/0000000")
            .header("x-github-delivery", "00000000-0000-4000-8000-000000000001")
            .header("x-github-event", "workflow_job")
            .header("x-github-hook-id", "1")
            .header("x-github-hook-installation-target-id", "1")
            .header("x-github-hook-installation-target-type", "repository")
            .header("x-hub-signature-256", signature)
            .send(body)
            .context("Failed to deliver a message")?;
        ensure!(answer.status() == 200, "a message is answered with {}", answer.status());
        Ok(())
    }

    fn message(&self, course: Course) -> Value {
        let Self { id, label, runner: (runner_id, runner_name), site, owner, repository } = self;
        let (action, conclusion, end) = match course {
            Course::InProgress => ("in_progress", Value::Null, Value::Null),
            Course::Completed => ("completed", json!("success"), json!("2026-01-01T00:01:00Z")),
        };
        let here = format!("{site}/{owner}/{repository}");
        let api = format!("{site}/api/v3/repos/{owner}/{repository}");
        json!({
            "action": action,
            "workflow_job": {
                "id": id, "run_id": 1, "run_attempt": 1, "node_id": "CR_fake", "workflow_name": "CI", "name": "build",
                "head_branch": "main", "head_sha": "0000000000000000000000000000000000000000",
                "run_url": format!("{api}/actions/runs/1"), "url": format!("{api}/actions/jobs/{id}"),
                "html_url": format!("{here}/actions/runs/1/job/{id}"), "check_run_url": format!("{api}/check-runs/{id}"),
                "status": action, "conclusion": conclusion, "created_at": "2026-01-01T00:00:00Z",
                "started_at": "2026-01-01T00:00:00Z", "completed_at": end, "steps": [], "labels": [label],
                "runner_id": runner_id, "runner_name": runner_name, "runner_group_id": 1, "runner_group_name": "Default",
            },
            "repository": {
                "id": 1, "node_id": "R_fake", "name": repository, "full_name": format!("{owner}/{repository}"),
                "private": true, "html_url": here, "url": api,
                "owner": { "login": owner, "id": 1, "node_id": "O_fake", "type": "Organization" },
            },
            "sender": { "login": "octocat", "id": 2, "type": "User" },
        })
    }
}
