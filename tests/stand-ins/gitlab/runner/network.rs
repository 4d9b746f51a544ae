//! The requests of a runner: section 9 of the contract.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;

use super::config::Runner;
use super::control::{Abort, Control};
use super::{VERSION, control::MOMENT};

/// One coordinator, as one runner knows it.
#[derive(Clone)]
pub struct Network {
    agent: Agent,
    base: String,
    token: String,
}

impl Network {
    pub fn new(runner: &Runner) -> Self {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(300))).build();
        let base = format!("{}/api/v4", runner.url.trim_end_matches('/'));
        Self { agent: config.into(), base, token: runner.token.clone() }
    }

    /// The next job, if there is one.
    pub fn request(&self) -> Result<Option<Value>> {
        let info = json!({"name": "gitlab-runner", "version": VERSION, "executor": "custom", "features": {}});
        let body = json!({"token": self.token, "system_id": "s_fakefakefake", "info": info});
        let url = format!("{}/jobs/request", self.base);
        let mut answer = self.agent.post(&url).send_json(body).context("Failed to ask for a job")?;
        match answer.status().as_u16() {
            201 => {
                Ok(Some(answer.body_mut().with_config().limit(u64::MAX).read_json().context("Failed to read a job")?))
            }
            204 => Ok(None),
            status => bail!("The coordinator answers {status} to a request for a job"),
        }
    }

    /// Says what became of a job; what the coordinator says in return goes to `control`.
    pub fn update(&self, job: &Value, mut body: Value, control: &Control) -> Result<()> {
        body["token"] = job["token"].clone();
        let url = format!("{}/jobs/{}", self.base, job["id"]);
        loop {
            let answer = self.agent.put(&url).send_json(&body).context("Failed to update a job")?;
            obey(&answer, control);
            match answer.status().as_u16() {
                200 => return Ok(()),
                202 | 412 => std::thread::sleep(MOMENT),
                status => bail!("The coordinator answers {status} to an update"),
            }
        }
    }

    /// Sends a part of a log, which begins at byte `from` of it.
    pub fn append(&self, job: &Value, part: &[u8], from: usize, control: &Control) -> Result<()> {
        let url = format!("{}/jobs/{}/trace?debug_trace=false", self.base, job["id"]);
        let answer = self
            .agent
            .patch(&url)
            .header("content-range", format!("{from}-{}", (from + part.len()).saturating_sub(1)))
            .header("content-type", "text/plain")
            .header("job-token", job["token"].as_str().unwrap_or_default())
            .send(part)
            .context("Failed to send a log")?;
        obey(&answer, control);
        match answer.status().as_u16() {
            202 => Ok(()),
            status => bail!("The coordinator answers {status} to a part of a log"),
        }
    }
}

fn obey<T>(answer: &Response<T>, control: &Control) {
    match answer.headers().get("job-status").and_then(|value| value.to_str().ok()) {
        Some("canceling") => control.tell(Abort::Canceling),
        Some("canceled") => control.tell(Abort::Canceled),
        _ => {}
    }
}
