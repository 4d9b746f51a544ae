//! Runs of workflows, their jobs and their artifacts, as much as shows who wants a runner
//! (docs/contracts/github-workflows.md, 1).
//!
//! Names and labels are written by whoever can open a pull request, so only plain and short ones are passed on.

use serde::Deserialize;

use super::api::Api;
use super::base::{encoded, entity};
use super::client::Failure;
use super::list::Page;
use super::names::named;
use super::reasons::known;
use crate::contract::workflow::{Artifact, LONGEST_LABEL, MOST_JOBS, MOST_LABELS, QueuedJob, RunState, WorkflowRun};
use crate::http::{Call, Response, time};
use crate::model::id;

#[derive(Deserialize)]
struct Owner {
    #[serde(deserialize_with = "id")]
    id: u64,
}

#[derive(Deserialize)]
struct Run {
    #[serde(deserialize_with = "id")]
    id: u64,
    status: String,
    #[serde(deserialize_with = "id")]
    #[serde(rename = "run_attempt")]
    attempt: u64,
    repository: Owner,
    head_repository: Option<Owner>,
}

#[derive(Deserialize)]
struct Job {
    #[serde(deserialize_with = "id")]
    id: u64,
    #[serde(deserialize_with = "id")]
    run_id: u64,
    status: String,
    labels: Vec<String>,
}

/// A page of jobs.
#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

impl Page for Jobs {
    fn len(&self) -> usize {
        self.jobs.len()
    }
}

#[derive(Deserialize)]
struct Origin {
    #[serde(deserialize_with = "id")]
    id: u64,
    #[serde(deserialize_with = "id")]
    repository_id: u64,
    head_repository_id: Option<u64>,
}

#[derive(Deserialize)]
struct Upload {
    name: String,
    created_at: String,
    expired: bool,
    workflow_run: Option<Origin>,
}

/// A page of artifacts.
#[derive(Deserialize)]
struct Uploads {
    artifacts: Vec<Upload>,
}

impl Page for Uploads {
    fn len(&self) -> usize {
        self.artifacts.len()
    }
}

impl Api<'_> {
    /// A run of the repository. `None` only if the credential sees the repository.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn run(&self, run: u64) -> Result<Option<WorkflowRun>, Failure> {
        let response = self.send(&Call::get(self.run_path(run, "")))?;
        if response.status == 404 {
            return self.sees_repository().map(|()| None);
        }
        let run: Run = self.looked_up(&response)?.json().map_err(Failure::Unreachable)?;
        Ok(Some(WorkflowRun {
            id: run.id,
            repository: run.repository.id,
            head_repository: run.head_repository.map(|owner| owner.id),
            state: match run.status.as_str() {
                "queued" => RunState::Queued,
                "in_progress" => RunState::InProgress,
                "completed" => RunState::Completed,
                _ => RunState::Held,
            },
            attempt: run.attempt,
        }))
    }

    /// The jobs of the run's last attempt that wait for a runner; of more than [`MOST_JOBS`] jobs the first ones.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn queued_jobs(&self, run: u64) -> Result<Vec<QueuedJob>, Failure> {
        let (mut seen, mut queued) = (0, vec![]);
        let path = format!("{}?filter=latest&", self.run_path(run, "/jobs"));
        self.pages_judged(&path, Self::looked_up, |page: Jobs| {
            seen += page.jobs.len();
            queued.extend(page.jobs.iter().filter(|job| job.status == "queued").filter_map(wanting));
            (seen >= MOST_JOBS).then_some(())
        })?;
        Ok(queued)
    }

    /// The youngest artifact of the run that has exactly this name.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn artifact(&self, run: u64, name: &str) -> Result<Option<Artifact>, Failure> {
        // Those of this run only: in the list of the repository, artifacts of the same name of other runs could hide it.
        let path = format!("{}?name={}&per_page=100&page=1", self.run_path(run, "/artifacts"), encoded(name));
        let response = self.send(&Call::get(path))?;
        if response.status == 404 {
            return self.sees_repository().map(|()| None);
        }
        let page: Uploads = self.looked_up(&response)?.json().map_err(Failure::Unreachable)?;
        let read = |upload: Upload| {
            let origin = upload.workflow_run?;
            Some(Artifact {
                created_at: time::instant(&upload.created_at)?,
                name: upload.name,
                expired: upload.expired,
                run: origin.id,
                repository: origin.repository_id,
                head_repository: origin.head_repository_id,
            })
        };
        let of_this_name = page.artifacts.into_iter().filter(|upload| upload.name == name).filter_map(read);
        Ok(of_this_name.max_by_key(|artifact| artifact.created_at))
    }

    fn run_path(&self, run: u64, rest: &str) -> String {
        format!("{}/actions/runs/{run}{rest}", entity(self.url.scope()))
    }

    /// Makes sure that the credential sees the repository at all.
    fn sees_repository(&self) -> Result<(), Failure> {
        let response = self.send(&Call::get(entity(self.url.scope())))?;
        self.looked_up(&response).map(drop)
    }

    /// A good answer about workflows, or what it means that it is none.
    fn looked_up<'r>(&self, response: &'r Response) -> Result<&'r Response, Failure> {
        match response.status {
            200 => Ok(response),
            301 | 307 | 308 => Err(Failure::Refused(format!(
                "{} has another name now: correct it in `repositories`, where its `id` stays.",
                self.url.as_str()
            ))),
            403 | 404 => {
                self.doubt();
                let reason = response.message().and_then(|message| known(&message, &self.url));
                Err(Failure::Refused(reason.unwrap_or_else(|| {
                    format!(
                        "GitHub does not show the credential the workflows of {} (status {}): correct the name, or let the credential reach this repository with the permission \"Actions: Read-only\", or with the scope `repo` if it is a classic token.",
                        named(self.url.scope()),
                        response.status
                    )
                })))
            }
            _ => Err(self.refused(response)),
        }
    }
}

/// A job with those of its labels that could be an order's.
fn wanting(job: &Job) -> Option<QueuedJob> {
    if job.labels.len() > MOST_LABELS {
        return None;
    }
    let is_plain = |label: &String| {
        label.len() <= LONGEST_LABEL
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let labels = job.labels.iter().filter(|label| is_plain(label)).map(|label| label.to_ascii_lowercase()).collect();
    Some(QueuedJob { id: job.id, run: job.run_id, labels })
}

#[cfg(test)]
#[path = "workflows_tests.rs"]
mod tests;
