//! The chapters about requests that come to nothing: those of strangers, and those that the operator does not want.

use std::fs;

use anyhow::{Result, ensure};
use github_runners::frontend::ondemand::plan::PROOF_PATIENCE;

use crate::facts::wait_for;
use crate::github::{Job, Run};
use crate::life::{LABEL, RUN, WISH};
use crate::settings::REPOSITORY;
use crate::stage::Stage;

/// A label for which no job waits.
const OTHER: &str = "od-4711-miner";

/// Nobody gets anything for whom no job waits.
pub fn strangers(stage: &mut Stage) -> Result<()> {
    let (repository, id) = REPOSITORY;
    let job = Job { id: 47_111, status: "queued".into(), labels: vec![LABEL.into()] };
    stage.github.change(|github| {
        github.runs.push(Run {
            id: RUN,
            repository: repository.into(),
            repository_id: id,
            head_repository_id: Some(id),
            status: "in_progress".into(),
            attempt: 1,
            event: "push".into(),
            jobs: vec![job],
            artifacts: vec![],
        });
    })?;
    stage.page.story(&format!(
        "Run {RUN} of {repository} goes on at GitHub, with a job that waits for a runner with the label {LABEL}. Anybody can reach \
         the door. A stranger makes up a run:"
    ))?;
    stage
        .ask("PUT", "/v1/runners/od-666-build?wait=60", WISH)?
        .with(403)?
        .saying("There is no such run that still goes on: ask from a job of the run itself.")?;
    stage.until("Looking up run 666")?;
    let orders = stage.names("state/orders")?;
    ensure!(orders.is_empty(), "The book should be empty: {orders:?}");
    stage.page.fact("book", "no order")?;
    stage.at_github(0)?;

    stage.page.story("Another one knows the run, but no job of it waits for a runner with that label:")?;
    stage.ask("PUT", &format!("/v1/runners/{OTHER}"), WISH)?.with(202)?.in_state("accepted")?;
    stage.until("the jobs of run")?;
    ensure!(stage.was_asked(&format!("/actions/runs/{RUN}/jobs")), "GitHub should have been asked for the jobs");
    stage.book(OTHER, "accepted", &["proof", "attempt"])?;
    stage.at_github(0)?;
    stage.page.story(&format!(
        "A job that waits for others may be queued later, so the desk looks again and again, and makes nothing meanwhile. After \
         {PROOF_PATIENCE} s it has seen enough. Nobody wants to wait for that here: the desk is killed, the times in the order's \
         file are set back, and the next desk finds it."
    ))?;
    stage.set_back(OTHER, PROOF_PATIENCE)?;
    stage.until("is let go: No job of the run waits")?;
    let file = stage.order_file(OTHER);
    wait_for("the book to let go of an order", || Ok(!file.exists()))?;
    ensure!(stage.registrations() == 0, "Nothing should have been registered");
    stage.page.fact("book", "no order: its label is not used up")?;
    stage.at_github(0)
}

/// The operator has the last word.
pub fn stopped(stage: &mut Stage) -> Result<()> {
    const NEXT: &str = "od-4711-next";
    stage.page.story(
        "The operator stops everything new, with a text of theirs, which lies in the file `stopped` beside the book. What \
         runs goes on.",
    )?;
    fs::write(stage.path("state/stopped"), "maintenance until noon\n")?;
    stage.page.quote("github-runnerctl on-demand stop 'maintenance until noon'")?;
    stage
        .ask("PUT", &format!("/v1/runners/{NEXT}?wait=60"), WISH)?
        .with(503)?
        .saying("The operator makes no runners at the moment: \"maintenance until noon\".")?;
    ensure!(!stage.order_file(NEXT).exists(), "The book should not have {NEXT}");
    stage.ask("GET", &format!("/v1/runners/{LABEL}"), "")?.with(200)?.in_state("busy")?;
    stage.page.quote("github-runnerctl on-demand start")?;
    fs::remove_file(stage.path("state/stopped"))?;
    Ok(())
}
