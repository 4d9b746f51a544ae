//! `remove`, and what GitHub knows of a runner while it runs (contract section 2).

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    configure::{pair, with_pat},
    harness::{PAT, Stand},
    wait::wait_for,
};

#[test]
fn remove_deletes_there_and_here() {
    let (github, stand) = pair();
    with_pat(&stand, &[]).expect(0);
    let ran = stand.ran(&["remove", "--unattended", "--pat", PAT]).expect(0);
    assert!(ran.stderr.starts_with("Unrecognized command-line input arguments for command remove: 'unattended'."));
    assert!(ran.stdout.contains("√ Runner removed successfully\n√ Removed .credentials\n√ Removed .runner\n"));
    assert!(github.state().runners.is_empty() && stand.files().is_empty());
}

#[test]
fn remove_of_a_runner_that_github_forgot_fails_and_keeps_the_files() {
    let (github, stand) = pair();
    with_pat(&stand, &[]).expect(0);
    github.change(|state| state.runners.clear()).unwrap();
    let ran = stand.ran(&["remove", "--pat", PAT]).expect(1);
    assert!(ran.stderr.contains("Failed: Removing runner from the server"));
    assert_eq!(stand.files().len(), 3);
}

#[test]
fn remove_local_works_twice_and_leaves_a_lone_key() {
    let stand = Stand::new();
    stand.configure(&[]).expect(0);
    stand.ran(&["remove", "--local"]).expect(0);
    fs::write(stand.root(".credentials_rsaparams"), "{}").unwrap();
    let ran = stand.ran(&["remove", "--local"]).expect(0);
    assert!(ran.stdout.contains("Does not exist. Skipping Removing .runner"));
    assert_eq!(Vec::from_iter(stand.files()), [".credentials_rsaparams"]);
}

#[test]
fn github_forgets_an_ephemeral_runner_after_its_job_so_the_name_is_free() {
    let (github, stand) = pair();
    let job = json!({ "job": { "name": "build" } });
    stand.script(&json!({ "github": github.url(), "run": [job] }));
    for id in [2, 4] {
        with_pat(&stand, &["--ephemeral"]).expect(0);
        assert_eq!(stand.runner()["agentId"], id);
        stand.ran(&["run"]).expect(0);
        assert!(github.state().runners.is_empty());
    }
}

#[test]
fn a_running_runner_is_online_and_during_a_job_busy() {
    let (github, stand) = pair();
    let job = json!({ "job": { "name": "long", "command": "while :; do sleep 0.02; done" } });
    stand.script(&json!({ "github": github.url(), "run": [job] }));
    with_pat(&stand, &[]).expect(0);
    let running = stand.run();
    wait_for("the job", || github.state().runners[0].busy.then_some(()));
    assert_eq!(github.state().runners[0].status, "online");
    running.line("Running job: long");
    running.signal(Signal::SIGINT);
    running.end().expect(0);
    let runner = &github.state().runners[0];
    assert_eq!((runner.busy, runner.status.as_str()), (false, "offline"));
}

#[test]
fn a_runner_that_github_forgot_is_refused_at_its_next_start() {
    let (github, stand) = pair();
    with_pat(&stand, &[]).expect(0);
    github.change(|state| state.runners.clear()).unwrap();
    let ran = stand.ran(&["run"]).expect(1);
    assert!(ran.stderr.contains("The runner registration has been deleted from the server"));
    assert!(stand.root(".runner").exists());
}
