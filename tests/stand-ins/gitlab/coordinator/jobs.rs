//! Jobs: those that wait, and what their runners said of them.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

/// How a job is cancelled, by the header `Job-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// `canceling`: the script ends, `after_script` runs.
    Canceling,
    /// `canceled`: everything is given up.
    Canceled,
}

/// The last word about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `success` or `failed`.
    pub state: String,
    /// `script_failure`, say; empty after a success.
    pub reason: String,
    /// Of the script; 0 if the runner named none.
    pub exit_code: i64,
}

/// One job.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// As it is given to the runner.
    pub body: Value,
    /// The log as it was sent, with time stamps.
    pub log: Vec<u8>,
    /// Whether its runner is to end it.
    pub cancel: Option<Cancel>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Artifacts in the order of their arrival.
    pub artifacts: Vec<Vec<u8>>,
}

impl Job {
    /// The job's own token.
    pub fn token(&self) -> &str {
        self.body["token"].as_str().unwrap_or_default()
    }

    /// For the header `Job-Status`.
    pub fn status(&self) -> &'static str {
        match self.cancel {
            None => "running",
            Some(Cancel::Canceling) => "canceling",
            Some(Cancel::Canceled) => "canceled",
        }
    }
}

/// All of them. A job that is given out again under its number starts anew.
#[derive(Debug, Default)]
pub struct Jobs {
    waiting: VecDeque<Value>,
    given: BTreeMap<u64, Job>,
}

impl Jobs {
    pub fn queue(&mut self, job: Value) {
        self.waiting.push_back(job);
    }

    /// The job that has waited longest.
    pub fn next(&mut self) -> Option<Value> {
        let body = self.waiting.pop_front()?;
        let id = body["id"].as_u64()?;
        // Artifacts of an earlier run of the same number stay, as GitLab keeps them for other jobs.
        let artifacts = self.given.remove(&id).map(|job| job.artifacts).unwrap_or_default();
        self.given.insert(id, Job { body: body.clone(), artifacts, ..Job::default() });
        Some(body)
    }

    pub fn get(&self, id: u64) -> Option<&Job> {
        self.given.get(&id)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut Job> {
        self.given.get_mut(&id)
    }
}

/// A job without repository whose script is these commands; a test changes the fields that matter to it.
pub fn example_job(id: u64, script: &[&str]) -> Value {
    json!({
        "id": id, "token": format!("job-token-fake-{id}"), "allow_git_fetch": true,
        "job_info": {"name": "test", "stage": "test", "project_id": 7, "project_name": "example",
            "project_full_path": "octo-org/example", "pipeline_id": 1},
        "git_info": {"repo_url": "http://gitlab-ci-token:job-token-fake@127.0.0.1/octo-org/example.git", "ref": "main",
            "ref_type": "branch", "sha": "0123456789abcdef0123456789abcdef01234567",
            "before_sha": "0000000000000000000000000000000000000000",
            "refspecs": ["+refs/heads/main:refs/remotes/origin/main"], "depth": 20},
        "runner_info": {"timeout": 300},
        "variables": [{"key": "GIT_STRATEGY", "value": "none", "public": true},
            {"key": "CI_JOB_ID", "value": id.to_string(), "public": true}],
        "steps": [{"name": "script", "script": script, "timeout": 300, "when": "on_success", "allow_failure": false}],
        "image": {"name": ""}, "services": [], "cache": [], "credentials": [], "dependencies": [], "artifacts": [],
        "features": {"trace_sections": true,
            "failure_reasons": ["script_failure", "runner_system_failure", "job_execution_timeout", "unknown_failure"]}
    })
}
