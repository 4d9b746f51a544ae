//! `on-demand` as it is called: exit codes, for operators and for the build of a configuration.

use std::fs;
use std::process::{Command, Output};

fn on_demand(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_github-runnerctl")).arg("on-demand").args(arguments).output().unwrap()
}

#[test]
fn settings_are_checked_before_a_host_has_them() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("settings.json");
    let path = file.to_str().unwrap();
    let good = include_str!("../fixtures/on-demand-settings-v1.json");
    for (text, code, part) in [
        (Some(good.to_owned()), 0, ""),
        (Some(good.replace("\"queue\", \"oidc\"", "")), 1, "name one in `proofs`"),
        (Some("{}".into()), 1, "no JSON object with a `version`"),
        (None, 1, "There is no file"),
    ] {
        match text {
            Some(text) => fs::write(&file, text).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let output = on_demand(&["check", path]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && said.contains(part), "{part}: {said}");
        assert_eq!(said.is_empty(), code == 0, "{said}");
    }
}

#[test]
fn a_host_that_makes_none_is_told_what_to_enable() {
    if fs::exists("/etc/github-runner-on-demand/settings.json").unwrap() {
        eprintln!("this host makes runners on demand");
        return;
    }
    for arguments in [&["list"][..], &["stop"], &["start"], &["end", "od-1-a"]] {
        let output = on_demand(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        let is_told = said.contains("services.github-runner-on-demand") || said.contains("Only root");
        assert!(output.status.code() == Some(1) && is_told, "{arguments:?}: {said}");
    }
}
