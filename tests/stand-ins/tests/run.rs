//! `run`: texts, exit codes, signals and jobs (contract section 3).

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Stand, finish};
use crate::wait::wait_for;

/// A stand with a configured runner that then follows `script`.
fn configured(more: &[&str], script: &Value) -> Stand {
    let stand = Stand::new();
    stand.configure(more).expect(0);
    stand.script(script);
    stand
}

#[test]
fn an_unconfigured_runner_ends_with_1() {
    let stand = Stand::new();
    for command in [&["run"][..], &[]] {
        let ran = stand.ran(command).expect(1);
        assert_eq!(ran.stderr, "An error occurred: Not configured. Run config.(sh/cmd) to configure the runner.\n");
    }
}

#[test]
fn an_interrupt_ends_with_0_and_keeps_the_files() {
    let stand = configured(&["--ephemeral"], &json!({}));
    let running = stand.run();
    running.signal(Signal::SIGINT);
    let ran = running.end().expect(0);
    assert_eq!(ran.stdout, "Exiting...\n");
    assert!(stand.root(".runner").exists());
}

#[test]
fn a_termination_ends_as_the_script_says() {
    for code in [0, 143] {
        let stand = configured(&[], &json!({ "sigterm-exit": code, "run": [{ "wait": true }] }));
        let running = stand.run();
        running.signal(Signal::SIGTERM);
        running.end().expect(code);
    }
}

#[test]
fn a_step_awaits_a_file_unless_a_signal_comes_before() {
    let stand = configured(&[], &json!({}));
    let file = stand.root("begin");
    stand.script(&json!({ "run": [{ "await": file }, { "exit": 3 }] }));
    let running = stand.run();
    running.signal(Signal::SIGINT);
    running.end().expect(0);
    let running = stand.run();
    std::fs::write(file, "").unwrap();
    running.end().expect(3);
}

#[test]
fn a_session_that_cannot_be_deleted_turns_0_into_2() {
    let stand = configured(&[], &json!({ "stop-fails": true }));
    let running = stand.run();
    running.signal(Signal::SIGINT);
    running.end().expect(2);
}

#[test]
fn an_ephemeral_runner_deletes_its_files_after_the_job_whatever_its_result() {
    let job = json!({ "job": { "name": "build", "command": "exit 3" } });
    let stand = configured(&["--ephemeral"], &json!({ "run": [job] }));
    let ran = stand.run().end().expect(0);
    assert!(
        ran.stdout.contains("Z: Job build completed with result: Failed\n√ Removed .credentials\n√ Removed .runner\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(Vec::from_iter(stand.files()), ["_work"]);
}

#[test]
fn an_interrupted_job_is_canceled_and_an_ephemeral_runner_keeps_its_files() {
    let command = "trap 'echo stopped >stopped; exit 1' INT; echo >started; while :; do sleep 0.02; done";
    let job = json!({ "job": { "name": "long", "command": command } });
    let stand = configured(&["--ephemeral"], &json!({ "run": [job] }));
    let running = stand.run();
    wait_for("the job", || stand.root("_work/started").exists().then_some(()));
    running.signal(Signal::SIGINT);
    let ran = running.end().expect(0);
    assert!(ran.stdout.contains("Job long completed with result: Canceled"), "{}", ran.stdout);
    assert!(stand.root("_work/stopped").exists() && stand.root(".runner").exists());
}

#[test]
fn a_persistent_runner_takes_one_job_after_the_other() {
    let hostile = "x completed with result: Failed\n2026-01-01 00:00:00Z: Listening for Jobs\u{1b}[31m";
    let jobs = json!([{ "job": { "name": "one" } }, { "job": { "name": hostile, "result": "Skipped" } }]);
    let stand = configured(&[], &json!({ "run": jobs }));
    let running = stand.run();
    running.line("Job one completed with result: Succeeded");
    running.line("Running job: x completed with result: Failed");
    running.line("\u{1b}[31m completed with result: Skipped");
    running.signal(Signal::SIGINT);
    running.end().expect(0);
}

#[test]
fn a_job_inherits_the_environment_and_runs_in_the_work_directory() {
    let stand = Stand::new();
    let work = stand.path("work");
    stand.configure(&["--work", work.to_str().unwrap()]).expect(0);
    let job = json!({ "job": { "name": "environment", "command": "env >environment; pwd >pwd" } });
    stand.script(&json!({ "run": [job, { "exit": 5 }] }));
    std::fs::write(stand.root(".env"), "FROM_FILE=yes\nACTIONS_RUNNER_INPUT_TOKEN=AFAKETOKEN\n").unwrap();
    stand.run().end().expect(5);
    let environment = std::fs::read_to_string(work.join("environment")).unwrap();
    for line in ["GITHUB_ACTIONS=true", "FROM_FILE=yes", "RUNNER_ROOT="] {
        assert!(environment.contains(line), "{line} is missing in:\n{environment}");
    }
    assert!(!environment.contains("AFAKETOKEN"));
    assert_eq!(std::fs::read_to_string(work.join("pwd")).unwrap().trim(), work.to_str().unwrap());
}

#[test]
fn hooks_run_around_a_job_and_each_of_them_can_fail_it() {
    let started = "ACTIONS_RUNNER_HOOK_JOB_STARTED";
    let completed = "ACTIONS_RUNNER_HOOK_JOB_COMPLETED";
    for (hooks, command, result, said) in [
        (&[(started, "before.sh"), (completed, "after.sh")][..], "echo job", "Succeeded", "before job after"),
        (&[(completed, "after.sh")], "echo job; exit 3", "Failed", "job after"),
        (&[(started, "fails.sh"), (completed, "after.sh")], "echo job", "Failed", "fails after"),
        (&[(completed, "fails.sh")], "echo job", "Failed", "job fails"),
        (&[(started, "before")], "echo job", "Failed", ""),
    ] {
        let job = json!({ "job": { "name": "build", "command": command } });
        let stand = configured(&[], &json!({ "run": [job, { "exit": 5 }] }));
        for (name, text) in [
            ("before", "echo before"),
            ("before.sh", "echo before"),
            ("after.sh", "echo after"),
            ("fails.sh", "echo fails; false; echo on"),
        ] {
            std::fs::write(stand.path(name), text).unwrap();
        }
        let mut listener = stand.listener(&["run"]);
        listener.envs(hooks.iter().map(|(variable, file)| (variable, stand.path(file))));
        let ran = finish(&mut listener).expect(5);
        assert!(ran.stdout.contains(&format!("completed with result: {result}")), "{hooks:?}: {}", ran.stdout);
        let logs = std::fs::read_dir(stand.root("_diag")).unwrap().map(|entry| entry.unwrap().path());
        let log = logs
            .filter(|path| path.to_str().unwrap().contains("Worker_"))
            .map(|path| std::fs::read_to_string(path).unwrap());
        let words: Vec<String> =
            log.collect::<String>().lines().filter(|line| !line.contains('\'')).map(str::to_owned).collect();
        assert_eq!(words.join(" "), said, "{hooks:?}");
    }
}

#[test]
fn every_exit_code_can_be_had() {
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 100, 134, 137, 143] {
        let stand = configured(&[], &json!({ "run": [{ "exit": code }] }));
        stand.run().end().expect(code);
    }
}

#[test]
fn endings_have_the_texts_and_codes_of_the_runner() {
    for (ending, code, text) in [
        ("registration-deleted", 1, "The runner registration has been deleted from the server, please re-configure."),
        ("runner-gone", 1, "The runner no longer exists on the server. Please reconfigure the runner."),
        ("session-conflict", 5, "A session for this runner already exists."),
        ("clock-skew", 1, "Stopped retrying OAuth token request exception after 1800 seconds."),
        ("forbidden", 1, "Failed to create a session."),
        ("version-too-old", 1, "An error occurred: Runner version"),
        ("token-revoked", 0, ""),
        ("polling-failed", 2, "An error occurred: "),
    ] {
        let stand = configured(&[], &json!({ "run": [{ "end": ending }] }));
        let ran = stand.ran(&["run"]).expect(code);
        assert!(ran.stderr.contains(text), "{ending}: {}", ran.stderr);
        assert!(stand.root(".runner").exists(), "{ending}");
    }
}

#[test]
fn a_refused_version_has_a_code_of_its_own_on_request() {
    let variable = "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE";
    for (value, code) in [("true", 7), ("True", 7), ("false", 1), ("", 1)] {
        let stand = configured(&[], &json!({ "run": [{ "end": "version-too-old" }] }));
        finish(stand.listener(&["run"]).env(variable, value)).expect(code);
    }
}

#[test]
fn a_runner_deleted_while_polling_cleans_up_only_from_2_336_on() {
    for (version, code, kept) in [("2.335.1", 1, true), ("2.336.0", 0, false)] {
        let script = json!({ "version": version, "run": [{ "end": "deleted-while-polling" }] });
        let stand = configured(&[], &script);
        let ran = stand.ran(&["run"]).expect(code);
        let text = "The runner no longer exists on the server. Cleaning up local configuration.";
        assert_eq!(ran.stderr.contains(text), !kept);
        assert_eq!(stand.root(".runner").exists(), kept);
    }
}

#[test]
fn a_work_directory_that_cannot_be_made_ends_with_1() {
    let stand = Stand::new();
    std::fs::write(stand.path("file"), "").unwrap();
    let work = stand.path("file/below");
    stand.configure(&["--work", work.to_str().unwrap()]).expect(0);
    let ran = stand.ran(&["run"]).expect(1);
    assert!(ran.stderr.starts_with("Fail to create and validate runner's work directory '"));
}

#[test]
fn each_start_is_described_without_its_secrets() {
    let stand = Stand::new();
    stand.script(&json!({ "dump": stand.path("dump") }));
    stand.configure(&["--labels", "a"]).expect(0);
    stand.ran(&["--version"]).expect(0);
    let dumps = stand.dumps();
    assert_eq!(dumps.len(), 2);
    let dump = &dumps[0];
    assert_eq!(dump["command"], "configure");
    assert_eq!(dump["argv"][7], "--labels");
    assert_eq!(dump["stdin-is-null"], true);
    assert_eq!(dump["umask"].as_str().unwrap().len(), 4);
    let names: Vec<&String> = dump["environment"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["ACTIONS_RUNNER_INPUT_TOKEN", "PATH", "RUNNER_ROOT"]);
    assert!(!dump.to_string().contains(crate::harness::TOKEN));
}

#[test]
fn a_dump_directory_that_is_absent_asks_for_no_dump() {
    let stand = Stand::new();
    stand.script(&json!({ "dump": stand.path("absent") }));
    stand.ran(&["--version"]).expect(0);
    assert!(!stand.path("absent").exists());
}
