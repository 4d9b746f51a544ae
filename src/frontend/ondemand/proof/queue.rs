//! The proof by the queue: a job of the run waits for a runner with the label. Pure.
//!
//! GitHub itself says so, and the workflow needs neither a permission nor a secret, so it is good for pull requests from forks.

use super::{Verdict, Wanted};
use crate::contract::workflow::{QueuedJob, RunState, WorkflowRun};
use crate::frontend::ondemand::refusal::Refusal;

/// Whether it is worth looking at the jobs of a run, and whether the run is of a fork; `None` if the repository has no such run.
///
/// # Errors
///
/// The run is over, waits for something else than a runner, or is none that is served.
pub fn admits(wanted: &Wanted, run: Option<&WorkflowRun>) -> Result<bool, Refusal> {
    let run = run.filter(|run| run.id == wanted.run).ok_or(Refusal::RunOver)?;
    let fork = wanted.fork(run.repository, run.head_repository)?;
    match run.state {
        RunState::Queued | RunState::InProgress => Ok(fork),
        RunState::Completed => Err(Refusal::RunOver),
        RunState::Held => Err(Refusal::NotQueued),
    }
}

/// Judges by the run and by those of its jobs that wait.
#[must_use]
pub fn judge(wanted: &Wanted, run: Option<&WorkflowRun>, jobs: &[QueuedJob]) -> Verdict {
    match admits(wanted, run) {
        Err(refusal) => Verdict::Refused(refusal),
        Ok(fork) if waits(wanted, jobs) => Verdict::Proven { fork },
        // A job that waits for others is not queued before they are done.
        Ok(_) => Verdict::NotYet,
    }
}

/// Whether one of these jobs of the run waits for a runner with the label.
#[must_use]
pub fn waits(wanted: &Wanted, jobs: &[QueuedJob]) -> bool {
    let label = wanted.key.label.as_str();
    jobs.iter().any(|job| job.run == wanted.run && job.labels.iter().any(|known| known.eq_ignore_ascii_case(label)))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{REPOSITORY, RUN, judged, repository};
    use super::*;

    fn run() -> WorkflowRun {
        WorkflowRun {
            id: RUN,
            repository: REPOSITORY,
            head_repository: Some(REPOSITORY),
            state: RunState::Queued,
            attempt: 1,
        }
    }

    fn job(label: &str) -> QueuedJob {
        QueuedJob { id: 1, run: RUN, labels: vec!["self-hosted".into(), label.into()] }
    }

    fn verdict(run: Option<&WorkflowRun>, jobs: &[QueuedJob]) -> Verdict {
        judged(&repository(), |wanted| judge(wanted, run, jobs))
    }

    #[test]
    fn a_waiting_job_with_the_label_proves_it() {
        for state in [RunState::Queued, RunState::InProgress] {
            let run = WorkflowRun { state, ..run() };
            for label in ["od-19283746-1-build", "OD-19283746-1-Build"] {
                assert_eq!(verdict(Some(&run), &[job("other"), job(label)]), Verdict::Proven { fork: false });
            }
        }
    }

    #[test]
    fn without_such_a_job_it_is_not_shown_yet() {
        let elsewhere = QueuedJob { run: RUN + 1, ..job("od-19283746-1-build") };
        for jobs in [vec![], vec![job("od-19283746-1-build2")], vec![job("od-19283746-1-buil")], vec![elsewhere]] {
            assert_eq!(verdict(Some(&run()), &jobs), Verdict::NotYet, "{jobs:?}");
        }
    }

    #[test]
    fn a_run_that_is_over_held_unknown_or_another_one_proves_nothing() {
        let jobs = [job("od-19283746-1-build")];
        let refused = |run: Option<&WorkflowRun>| match verdict(run, &jobs) {
            Verdict::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(None), Refusal::RunOver);
        assert_eq!(refused(Some(&WorkflowRun { state: RunState::Completed, ..run() })), Refusal::RunOver);
        assert_eq!(refused(Some(&WorkflowRun { state: RunState::Held, ..run() })), Refusal::NotQueued);
        assert_eq!(refused(Some(&WorkflowRun { id: RUN + 1, ..run() })), Refusal::RunOver);
        let elsewhere = WorkflowRun { repository: 7, head_repository: Some(7), ..run() };
        assert_eq!(refused(Some(&elsewhere)), Refusal::Repository("octo-org/example".into()));
    }

    #[test]
    fn a_commit_from_another_or_a_lost_repository_makes_it_a_forks() {
        let jobs = [job("od-19283746-1-build")];
        for head_repository in [Some(7), None] {
            let run = WorkflowRun { head_repository, ..run() };
            assert_eq!(verdict(Some(&run), &jobs), Verdict::Proven { fork: true });
            let closed = super::super::Served { forks: false, ..repository() };
            let refused = judged(&closed, |wanted| judge(wanted, Some(&run), &jobs));
            assert_eq!(refused, Verdict::Refused(Refusal::Event("pull requests from forks".into())));
        }
    }
}
