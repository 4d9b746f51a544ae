//! Traps of the command line, of the environment and of `.env` (contract 1.1–1.3).

use std::fs;

use serde_json::json;

use crate::harness::{Stand, TOKEN, URL, finish};

const ESSENTIAL: [&str; 4] = ["configure", "--unattended", "--url", URL];

#[test]
fn unknown_arguments_only_warn() {
    let stand = Stand::new();
    let ran = stand.configure(&["--ephemral", "--lables", "a"]).expect(0);
    assert_eq!(
        ran.stderr,
        "Unrecognized command-line input arguments for command configure: 'ephemral, lables'. For usage refer to: .\\config.cmd --help or ./config.sh --help\n"
    );
    assert_eq!(stand.runner()["ephemeral"], json!(null));
}

#[test]
fn an_equals_sign_makes_a_flag_and_leaks_the_secret_into_the_trace() {
    let stand = Stand::new();
    let leaked = format!("--token={TOKEN}");
    let ran = stand.ran(&[&ESSENTIAL[..], &[&leaked]].concat()).expect(1);
    assert!(ran.stderr.contains("Invalid configuration provided for token. Terminating unattended configuration."));
    assert!(stand.diagnostics().contains(&format!("arg: token={TOKEN}")));
}

#[test]
fn secrets_given_properly_are_masked_in_the_trace() {
    let stand = Stand::new();
    stand.ran(&[&ESSENTIAL[..], &["--token", TOKEN]].concat()).expect(0);
    let trace = stand.diagnostics();
    assert!(trace.contains("Adding option 'token': '***'"), "{trace}");
    assert!(!trace.contains(TOKEN));
}

#[test]
fn a_flag_with_a_value_is_no_flag() {
    let stand = Stand::new();
    stand.configure(&["--ephemeral", "true"]).expect(0);
    assert_eq!(stand.runner()["ephemeral"], json!(null));
}

#[test]
fn a_value_with_a_dash_is_dropped_and_the_default_taken() {
    let stand = Stand::new();
    let arguments = [&ESSENTIAL[..], &["--token", TOKEN, "--name", "-foo"]].concat();
    stand.ran(&arguments).expect(0);
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    assert_eq!(stand.runner()["agentName"], json!(host.split('.').next()));
}

#[test]
fn the_first_of_several_values_wins() {
    let stand = Stand::new();
    stand.configure(&["--name", "two"]).expect(0);
    assert_eq!(stand.runner()["agentName"], "one");
}

#[test]
fn commands_and_names_are_compared_without_case() {
    let stand = Stand::new();
    let arguments = ["CONFIGURE", "--Unattended", "--URL", URL, "--ToKeN", TOKEN, "--NAME", "x"];
    stand.ran(&arguments).expect(0);
    assert_eq!(stand.runner()["agentName"], "x");
}

#[test]
fn inputs_of_the_environment_are_trimmed_and_flags_need_true() {
    let stand = Stand::new();
    let mut command = stand.listener(&["configure"]);
    for (name, value) in [
        ("URL", URL),
        ("TOKEN", "  AFAKETOKEN\n"),
        ("NAME", " n "),
        ("UNATTENDED", "True"),
        ("EPHEMERAL", "1"),
        ("DISABLEUPDATE", " TRUE "),
    ] {
        command.env(format!("ACTIONS_RUNNER_INPUT_{name}"), value);
    }
    finish(&mut command).expect(0);
    let runner = stand.runner();
    assert_eq!(runner["agentName"], "n");
    assert_eq!(runner["disableUpdate"], true);
    assert_eq!(runner["ephemeral"], json!(null));
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let stand = Stand::new();
    let mut command = stand.configuration(&[]);
    finish(command.env("ACTIONS_RUNNER_INPUT_NAME", "environment")).expect(0);
    assert_eq!(stand.runner()["agentName"], "one");
}

#[test]
fn dot_env_overrides_what_was_inherited() {
    let stand = Stand::with(&json!({ "offline": { "taken": ["one"] } }));
    let injected = "ACTIONS_RUNNER_INPUT_REPLACE=true\nACTIONS_RUNNER_INPUT_WORK=/evil\n=x\nnothing\n";
    fs::write(stand.root(".env"), injected).unwrap();
    let mut command = stand.configuration(&[]);
    let ran = finish(command.env("ACTIONS_RUNNER_INPUT_WORK", "_good")).expect(0);
    assert!(ran.stdout.contains("√ Successfully replaced the runner"));
    assert_eq!(stand.runner()["workFolder"], "/evil");
}

#[test]
fn without_runner_root_the_root_is_above_the_program() {
    let stand = Stand::new();
    let mut command = stand.listener(&["--version"]);
    let ran = finish(command.env_remove("RUNNER_ROOT")).expect(0);
    assert_eq!(ran.stdout, "2.333.1\n");
    assert!(stand.path("_diag").is_dir());
}

#[test]
fn information_flags_work_unconfigured_and_leave_a_log() {
    let stand = Stand::new();
    for flag in ["--help", "--commit", "--version", "/?"] {
        let words: &[&str] = if flag == "/?" { &["--x", flag] } else { &[flag] };
        assert!(!stand.ran(words).expect(0).stdout.is_empty());
    }
    let logs: Vec<_> = fs::read_dir(stand.root("_diag")).unwrap().collect();
    let name = logs[0].as_ref().unwrap().file_name().into_string().unwrap();
    assert!(name.starts_with("Runner_20") && name.ends_with("-utc.log"), "{name}");
}
