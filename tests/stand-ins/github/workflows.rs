//! Runs of workflows with their jobs and artifacts, as far as they show who wants a runner.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{access, answer::Answer, paging, routes::Seen, shared::Utc, state::State};

/// A run of a workflow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// Number of the run.
    pub id: u64,
    /// Where it runs, as `octo-org/example`.
    pub repository: String,
    /// Number of that repository.
    pub repository_id: u64,
    /// Number of the repository that its commit comes from; absent if that one is gone.
    pub head_repository_id: Option<u64>,
    /// `queued`, `in_progress`, `completed`, `waiting`, `pending` or `requested`.
    #[serde(default = "queued")]
    pub status: String,
    /// How often it was begun.
    #[serde(default = "first")]
    pub attempt: u64,
    /// What began it.
    #[serde(default = "push")]
    pub event: String,
    /// Jobs of its last attempt.
    #[serde(default)]
    pub jobs: Vec<Job>,
    /// What its jobs have uploaded.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Job {
    /// Number of the job.
    pub id: u64,
    /// As of a run.
    #[serde(default = "queued")]
    pub status: String,
    /// What it wants of a runner.
    pub labels: Vec<String>,
}

/// An artifact.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// When it was uploaded, in seconds since the epoch.
    pub created: u64,
    /// Whether its content is gone.
    #[serde(default)]
    pub expired: bool,
}

fn queued() -> String {
    "queued".to_owned()
}

fn push() -> String {
    "push".to_owned()
}

fn first() -> u64 {
    1
}

impl Run {
    fn public(&self) -> Value {
        json!({
            "id": self.id,
            "name": "example",
            "event": self.event,
            "status": self.status,
            "conclusion": (self.status == "completed").then_some("success"),
            "run_attempt": self.attempt,
            "path": ".github/workflows/example.yml",
            "repository": { "id": self.repository_id, "full_name": self.repository },
            "head_repository": self.head_repository_id.map(|id| json!({ "id": id })),
        })
    }

    fn job(&self, job: &Job) -> Value {
        json!({
            "id": job.id,
            "run_id": self.id,
            "run_attempt": self.attempt,
            "name": format!("job {}", job.id),
            "status": job.status,
            "labels": job.labels,
            "runner_id": null,
            "runner_name": null,
        })
    }

    fn artifact(&self, artifact: &Artifact) -> Value {
        json!({
            "name": artifact.name,
            "size_in_bytes": 1,
            "expired": artifact.expired,
            "created_at": Utc::from_unix(artifact.created).iso(),
            "workflow_run": {
                "id": self.id,
                "repository_id": self.repository_id,
                "head_repository_id": self.head_repository_id,
                "head_branch": "main",
                "head_sha": "0".repeat(40),
            },
        })
    }
}

/// `GET /repos/O/R/actions/runs/ID` and what is below it. Repositories are private here, so it needs to read "Actions".
pub fn route(state: &State, seen: &Seen, repository: &str, rest: &[&str]) -> Answer {
    if let Some(refusal) = access::allow_actions(state, seen, repository) {
        return refusal;
    }
    let found = rest.first().and_then(|id| {
        let is_it = |run: &&Run| run.id.to_string() == **id && run.repository.eq_ignore_ascii_case(repository);
        state.runs.iter().find(is_it)
    });
    match (found, rest) {
        (Some(run), [_]) => Answer::json(200, run.public()),
        (Some(run), [_, "jobs"]) => paging::page(
            seen,
            &run.jobs,
            |job| run.job(job),
            |rows, count| json!({ "total_count": count, "jobs": rows }),
        ),
        (Some(run), [_, "artifacts"]) => {
            let wanted = seen.query.get("name");
            let rows: Vec<&Artifact> =
                run.artifacts.iter().filter(|artifact| wanted.is_none_or(|name| *name == artifact.name)).collect();
            let body = |rows: Vec<Value>, count| json!({ "total_count": count, "artifacts": rows });
            paging::page(seen, &rows, |artifact| run.artifact(artifact), body)
        }
        _ => Answer::not_found(),
    }
}
