//! The stand-ins for gitlab-runner and GitLab keep to the contract: a driver that writes down each of its calls sees what the
//! real runner was seen to do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::gitlab::{Cancel, Ended, example_job};
use crate::site::{Site, Working};
use crate::wait::wait_for;

/// Notes its call, does what the test wrote for it, and otherwise runs the script. `$stage` is `run:NAME` for sub-stages.
const DRIVER: &str = r#"#!/usr/bin/env bash
stage=$1${3:+:$3}
here=HERE
echo "$stage" >> $here/calls
[[ ! -e $here/on-$stage ]] || . "$here/on-$stage"
[[ $1 != run ]] || exec bash "$2"
"#;

const CONFIG: &str = r#"
[[runners]]
  name = "nspawn"
  url = "URL"
  token = "TOKEN"
  executor = "custom"
  environment = ["FROM_CONFIG=config"]
  builds_dir = "HERE/builds"
  cache_dir = "HERE/cache"
  [runners.custom]
    config_exec = "HERE/driver"
    config_args = ["config"]
    prepare_exec = "HERE/driver"
    prepare_args = ["prepare"]
    run_exec = "HERE/driver"
    run_args = ["run"]
    cleanup_exec = "HERE/driver"
    cleanup_args = ["cleanup"]
    graceful_kill_timeout = 1
    force_kill_timeout = 10
"#;

/// A site whose driver does `commands` in a stage, before or in place of its script.
struct Stand {
    site: Site,
    here: tempfile::TempDir,
}

impl Stand {
    fn new(on: &[(&str, &str)]) -> Self {
        let here = tempfile::tempdir().unwrap();
        let place = here.path().to_str().unwrap();
        let driver = here.path().join("driver");
        fs::write(&driver, DRIVER.replace("HERE", place)).unwrap();
        fs::set_permissions(&driver, fs::Permissions::from_mode(0o755)).unwrap();
        for (stage, commands) in on {
            fs::write(here.path().join(format!("on-{stage}")), commands).unwrap();
        }
        Self { site: Site::new(&CONFIG.replace("HERE", place), None), here }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.here.path().join(name)).unwrap_or_default()
    }

    fn calls(&self) -> String {
        self.read("calls").replace('\n', " ").trim_end().to_owned()
    }

    fn ended(&self, working: &mut Working, id: u64) -> Ended {
        working.wait();
        self.site.coordinator.ended(id).unwrap()
    }
}

fn ended(state: &str, reason: &str, exit_code: i64) -> Ended {
    Ended { state: state.into(), reason: reason.into(), exit_code }
}

fn with_after_script(mut job: Value) -> Value {
    let after = json!({"name": "after_script", "script": ["echo after"], "timeout": 300, "when": "always"});
    job["steps"].as_array_mut().unwrap().push(after);
    job
}

#[test]
fn a_job_with_everything_is_called_in_the_order_of_the_contract() {
    let stand = Stand::new(&[]);
    let mut job = with_after_script(example_job(1, &["echo hello", "exit 42"]));
    job["cache"] = json!([{"key": "k", "paths": ["kept"], "policy": "pull-push", "when": "always"}]);
    job["artifacts"] = json!([{"name": "a", "paths": ["out/"], "when": "always"}]);
    // The driver of this test passes bash's code on as its own, which only 1 would mean.
    fs::write(stand.here.path().join("on-run:build_script"), "bash $2; echo $? > $BUILD_EXIT_CODE_FILE; exit 1")
        .unwrap();
    assert_eq!(stand.site.run(job), ended("failed", "script_failure", 42));
    assert_eq!(
        stand.calls(),
        "config prepare run:prepare_script run:get_sources run:restore_cache run:build_script run:after_script \
         run:archive_cache_on_failure run:upload_artifacts_on_failure run:cleanup_file_variables cleanup"
    );
    let log = stand.site.coordinator.log(1);
    assert!(log.contains("\nhello\n") && log.contains("\nafter\n"), "{log}");
}

#[test]
fn a_prepare_that_fails_is_cleaned_up_and_tried_three_times_with_other_directories() {
    let stand = Stand::new(&[("prepare", "echo $TMPDIR >> $here/directories; exit 2")]);
    let job = example_job(1, &["true"]);
    assert_eq!(stand.site.run(job), ended("failed", "runner_system_failure", 0));
    assert_eq!(stand.calls(), ["config prepare cleanup"; 3].join(" "));
    let directories = stand.read("directories");
    let seen: std::collections::BTreeSet<&str> = directories.lines().collect();
    assert_eq!(seen.len(), 3, "{directories}");
    assert!(seen.iter().all(|directory| !fs::exists(directory).unwrap()));
}

#[test]
fn exit_code_1_of_prepare_is_final_and_another_is_not() {
    let stand = Stand::new(&[("prepare", "exit 1")]);
    assert_eq!(stand.site.run(example_job(1, &["true"])), ended("failed", "script_failure", 1));
    assert_eq!(stand.calls(), "config prepare cleanup");
    let once = "[[ -e $here/once ]] || { touch $here/once; exit 7; }";
    let stand = Stand::new(&[("prepare", once)]);
    assert_eq!(stand.site.run(example_job(2, &["true"])), ended("success", "", 0));
    assert!(stand.calls().starts_with("config prepare cleanup config prepare run:prepare_script"), "{}", stand.calls());
}

#[test]
fn the_file_for_the_exit_code_is_read_as_the_contract_says() {
    let system = ended("failed", "runner_system_failure", 0);
    let script = |code| ended("failed", "script_failure", code);
    for (id, (content, code, meaning)) in (1..).zip([
        ("printf 42", 1, script(42)),
        ("echo 42", 1, script(42)),
        ("echo 300", 1, script(300)),
        ("echo 0", 1, script(0)),
        ("printf ' 42'", 1, system.clone()),
        ("echo x", 1, system.clone()),
        ("printf ''", 1, system.clone()),
        ("printf 42", 0, ended("success", "", 0)),
        ("printf 42", 2, system.clone()),
        ("printf 42", 3, system),
    ]) {
        let commands = format!("{content} > $BUILD_EXIT_CODE_FILE; exit {code}");
        let stand = Stand::new(&[("run:build_script", &commands)]);
        assert_eq!(stand.site.run(example_job(id, &["true"])), meaning, "{commands}");
    }
}

#[test]
fn a_driver_finds_the_environment_of_the_contract() {
    let look = r#"
        {
            env -0 | sort -z | tr '\n\0' '~\n'
            ls -l /proc/self/fd | awk '{ print $9, $11 }' | sed 's/^/FD /'
            echo "PGID $(ps -o pgid= $$ 2> /dev/null || cut -d ' ' -f 5 /proc/$$/stat) $$"
            echo "CWD $PWD"
            stat -c 'MODE %a %n' $JOB_RESPONSE_FILE $TMPDIR "$2"
        } > $here/seen
    "#;
    let config = r#"echo '{"job_env": {"TMPDIR": "/overridden", "ADDED": "yes"}, "driver": {"name": "d", "version": "1"}, "unknown": 1}'"#;
    let stand = Stand::new(&[("config", config), ("run:build_script", look)]);
    let mut job = example_job(1, &["true"]);
    job["image"]["name"] = json!("debian");
    let variables = job["variables"].as_array_mut().unwrap();
    variables.push(json!({"key": "CI_JOB_ID", "value": "../.."}));
    variables.push(json!({"key": "TWO", "value": "a\nb"}));
    variables.push(json!({"key": "FILE", "value": "content", "file": true}));
    assert_eq!(stand.site.run(job.clone()), ended("success", "", 0));
    let seen = stand.read("seen");
    for line in [
        "ADDED=yes",
        "BUILD_FAILURE_EXIT_CODE=1",
        "SYSTEM_FAILURE_EXIT_CODE=2",
        "CUSTOM_ENV_CI_JOB_ID=../..",
        "CUSTOM_ENV_CI_JOB_IMAGE=debian",
        "CUSTOM_ENV_CI_JOB_SERVICES=",
        "CUSTOM_ENV_FILE=content",
        "CUSTOM_ENV_FROM_CONFIG=config",
        "CUSTOM_ENV_TWO=a~b",
        "TMPDIR=/overridden",
        "FD 0 /dev/null",
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} is not in {seen}");
    }
    assert!(seen.lines().all(|line| !line.starts_with("CI_JOB_ID=")), "{seen}");
    let group: Vec<&str> =
        seen.lines().find_map(|line| line.strip_prefix("PGID ")).unwrap().split_whitespace().collect();
    assert_eq!(group[0], group[1], "a process group of its own");
    let modes: Vec<&str> = seen.lines().filter_map(|line| line.strip_prefix("MODE ")?.split(' ').next()).collect();
    assert_eq!(modes, ["600", "700"], "{seen}");
    assert!(stand.site.coordinator.log(1).contains("Using Custom executor with driver d 1"));
}

#[test]
fn a_cancelled_script_is_followed_by_after_script_and_an_aborted_one_by_cleanup_alone() {
    for (id, how, calls) in [
        (1, Cancel::Canceling, "run:build_script run:after_script run:cleanup_file_variables cleanup"),
        (2, Cancel::Canceled, "run:build_script cleanup"),
    ] {
        let stand = Stand::new(&[]);
        let mut working = stand.site.start(with_after_script(example_job(id, &["echo begun", "sleep 3600"])));
        stand.site.wait_for_log(id, "\nbegun\n");
        stand.site.coordinator.cancel(id, how);
        assert_eq!(stand.ended(&mut working, id).state, "failed");
        assert!(stand.calls().ends_with(calls), "{}", stand.calls());
    }
}

#[test]
fn a_driver_that_ignores_sigterm_is_killed_with_its_group() {
    let ignores = "trap '' TERM; echo $$ > $here/pid; sleep 3600 & echo begun; wait; sleep 3600";
    let stand = Stand::new(&[("run:build_script", ignores)]);
    let mut working = stand.site.start(example_job(1, &["true"]));
    stand.site.wait_for_log(1, "begun");
    stand.site.coordinator.cancel(1, Cancel::Canceled);
    assert_eq!(stand.ended(&mut working, 1).state, "failed");
    let pid: i32 = stand.read("pid").trim().parse().unwrap();
    wait_for("the end of the group", || kill(Pid::from_raw(-pid), None).is_err().then_some(()));
}

#[test]
fn the_timeout_of_a_job_ends_it_also_if_its_script_traps_sigterm_and_succeeds() {
    let stand =
        Stand::new(&[("run:build_script", "trap 'exit 0' TERM; echo begun; while :; do read -t 1 <> <(:); done")]);
    let mut job = example_job(1, &["true"]);
    job["runner_info"]["timeout"] = json!(3);
    assert_eq!(stand.site.run(job), ended("failed", "job_execution_timeout", 0));
    assert!(stand.calls().ends_with("run:build_script cleanup"), "{}", stand.calls());
}

#[test]
fn a_stage_lasts_until_nobody_holds_its_output() {
    let stand =
        Stand::new(&[("run:build_script", "(while [[ ! -e $here/go ]]; do sleep 0.01; done) & echo begun; exit 0")]);
    let mut working = stand.site.start(with_after_script(example_job(1, &["true"])));
    stand.site.wait_for_log(1, "begun");
    assert!(stand.calls().ends_with("run:build_script"), "{}", stand.calls());
    fs::write(stand.here.path().join("go"), "").unwrap();
    assert_eq!(stand.ended(&mut working, 1), ended("success", "", 0));
}

#[test]
fn sources_are_tried_as_often_as_the_job_says() {
    let fails = "echo x >> $here/tries; (( $(wc -l < $here/tries) > 2 )) || exit 2";
    let stand = Stand::new(&[("run:get_sources", fails)]);
    let mut job = example_job(1, &["true"]);
    job["variables"].as_array_mut().unwrap().push(json!({"key": "GET_SOURCES_ATTEMPTS", "value": "3"}));
    assert_eq!(stand.site.run(job), ended("success", "", 0));
    let expected = "run:get_sources run:clear_worktree run:get_sources run:get_sources run:build_script";
    assert!(stand.calls().contains(expected), "{}", stand.calls());
}

#[test]
fn sigterm_to_the_runner_aborts_its_job_and_sigquit_does_not() {
    for (id, signal, calls) in
        [(1, Signal::SIGTERM, "run:build_script cleanup"), (2, Signal::SIGQUIT, "cleanup_file_variables cleanup")]
    {
        let script = "until [[ -e $go ]]; do sleep 0.01; done";
        let stand = Stand::new(&[]);
        let go = format!("go={}/go; echo begun; {script}", stand.here.path().display());
        let mut working = stand.site.start(example_job(id, &[&go]));
        stand.site.wait_for_log(id, "\nbegun\n");
        kill(Pid::from_raw(working.id().cast_signed()), signal).unwrap();
        if signal == Signal::SIGQUIT {
            fs::write(stand.here.path().join("go"), "").unwrap();
        }
        working.wait();
        assert!(stand.calls().ends_with(calls), "{}", stand.calls());
    }
}

#[test]
fn a_variable_that_linux_refuses_fails_before_the_driver_is_called() {
    let stand = Stand::new(&[]);
    let mut job = example_job(1, &["true"]);
    job["variables"].as_array_mut().unwrap().push(json!({"key": "LARGE", "value": "x".repeat(140_000)}));
    assert_eq!(stand.site.run(job), ended("failed", "runner_system_failure", 0));
    assert_eq!(stand.calls(), "");
}

#[test]
fn the_old_form_of_scripts_may_succeed_when_sigterm_ends_them() {
    let look = "cp \"$2\" $here/script";
    let stand = Stand::new(&[("run:build_script", look)]);
    let mut job = example_job(1, &["true"]);
    job["variables"].as_array_mut().unwrap().push(json!({"key": "FF_USE_LEGACY_BASH_EVAL", "value": "true"}));
    assert_eq!(stand.site.run(job), ended("success", "", 0));
    assert!(stand.read("script").contains("trap exit 1 TERM"), "{}", stand.read("script"));
}
