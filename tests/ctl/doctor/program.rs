//! The built program: its exit codes, and what it writes where.

use std::fs;
use std::process::{Command, Output};

use super::practice::Practice;
use crate::host::{Host, is_root};

fn doctor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_github-runnerctl")).arg("doctor").args(arguments).output().unwrap()
}

#[test]
fn exit_codes_tell_faults_from_wrong_usage() {
    if !is_root("checking a host") {
        assert_eq!(doctor(&[]).status.code(), Some(2));
        return;
    }
    let mut practice = Practice::new(Host::new());
    let fleet = practice.host.path("fleet.json").into_os_string().into_string().unwrap();
    let missing = doctor(&["--fleet", "/nonexistent/fleet.json"]);
    assert_eq!(missing.status.code(), Some(1));
    let text = String::from_utf8(missing.stdout).unwrap();
    assert!(text.contains("fault    fleet file") && text.ends_with("1 fault, no warnings\n"), "{text}");
    assert_eq!(doctor(&["nobody", "--fleet", &fleet]).status.code(), Some(2));
    assert_eq!(doctor(&["--surprise"]).status.code(), Some(2));
    practice.fleet["instances"] = serde_json::json!([]);
    practice.write();
    let none = doctor(&["--start-check", "--fleet", &fleet]);
    assert_eq!(none.status.code(), Some(0), "{none:?}");
    assert!(none.stderr.is_empty() && fs::exists(&fleet).unwrap());
}
