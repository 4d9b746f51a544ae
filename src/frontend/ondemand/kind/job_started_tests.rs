//! Which jobs the hook lets through.

use std::fs;
use std::process::{Command, Output};

const HOOK: &str = include_str!("job-started.sh");

/// Runs the hook for a job of this run, on a runner with this order.
fn hook(order: Option<&str>, repository: &str, run: &str) -> Output {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("job-started.sh");
    fs::write(&path, HOOK).unwrap();
    if let Some(order) = order {
        fs::write(root.path().join(".order"), order).unwrap();
    }
    // As the runner calls it: by a shell, with the variables of the job.
    let mut command = Command::new("bash");
    command.arg("-e").arg(path).env_remove("NOTIFY_SOCKET").env("RUNNER_ROOT", root.path());
    command.env("GITHUB_REPOSITORY", repository).env("GITHUB_RUN_ID", run).output().unwrap()
}

#[test]
fn a_job_of_the_run_that_ordered_the_runner_goes_on() {
    let order = Some("repository=Octo-Org/example\nrun=19283746\n");
    for (order, repository, run) in [
        (order, "octo-org/Example", "19283746"),
        (Some("repository=octo-org/example\nrun=\n"), "octo-org/example", "5"),
    ] {
        let output = hook(order, repository, run);
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn a_job_of_somebody_else_fails_with_a_sentence() {
    let order = Some("repository=octo-org/example\nrun=19283746\n");
    for (order, repository, run, said) in [
        (order, "octo-org/other", "19283746", "this job is of run 19283746 of octo-org/other"),
        (order, "octo-org/example", "1928374", "ordered for run 19283746 of octo-org/example"),
        (order, "octo-org/example", "192837460", "this job is of run 192837460"),
        (order, "octo-org/example", "", "this job is of run  of"),
        (order, "", "19283746", "ordered for run 19283746"),
        (Some("repository=o/*\nrun=\n"), "o/anything", "1", "ordered for run (any) of o/*"),
        (Some("repository=\nrun=\n"), "", "", "ordered for run (any) of nobody"),
        (Some(""), "o/r", "1", "of nobody"),
        (None, "octo-org/example", "19283746", "does not know whom it was made for"),
    ] {
        let output = hook(order, repository, run);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success(), "{order:?} {repository} {run}");
        assert!(text.starts_with("::error::") && text.contains(said), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
