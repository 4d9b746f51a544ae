//! The commands for people.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use github_runners::machines::incus::LONGEST;

use crate::calls::{CONTROLLER, Garm, PROVIDER, Said};
use crate::stand_in::Flavor;

fn asked(arguments: &[&str]) -> Said {
    let mut process = Command::new(PROVIDER);
    process.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Said::of(process, b"")
}

#[test]
fn check_says_what_settings_mean_and_whether_the_server_answers() {
    for garm in Garm::both() {
        let path = garm.settings_path().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        garm.settings(&format!("{text}colour = \"red\"\n"));
        let said = asked(&["check", "--settings", &path]).expect(0);
        for part in
            ["no proxy\n", "Instances: containers", "key \"colour\" is not known", "project garm-project is there"]
        {
            assert!(said.answer.contains(part), "{part}: {said:?}");
        }
        garm.server.with(|state| state.projects.clear());
        let said = asked(&["check", "--settings", &path]).expect(1);
        assert!(said.why.contains("garm-project"), "{said:?}");
    }
}

#[test]
fn instances_are_those_of_one_controller_of_all_pools() {
    let garm = Garm::new(Flavor::Incus);
    for (name, status, controller, pool) in
        [("a", 103, CONTROLLER, "pool-1"), ("b", 102, CONTROLLER, "pool-2"), ("c", 103, "other", "pool-1")]
    {
        garm.server.add(name, status, &[("user.runner-controller-id", controller), ("user.runner-pool-id", pool)]);
    }
    let path = garm.settings_path().to_str().unwrap();
    let said = asked(&["instances", "--settings", path, "--controller", CONTROLLER]).expect(0);
    assert_eq!(said.answer, "NAME  STATUS   POOL    SYSTEM\na     running  pool-1\nb     stopped  pool-2\n");
    let known = garm.server.directory().join("known.json");
    fs::write(&known, r#"[{"name": "a"}, {"name": "gone"}]"#).unwrap();
    let known = known.to_str().unwrap();
    let said = asked(&["instances", "--settings", path, "--controller", CONTROLLER, "--known", known]).expect(0);
    assert_eq!(said.answer, "NAME  STATUS   POOL    SYSTEM\nb     stopped  pool-2\n");
    asked(&["instances", "--settings", path, "--controller", CONTROLLER, "--known", "/nonexistent"]).expect(1);
}

#[test]
fn what_nobody_asked_for_is_refused_and_help_is_given() {
    assert!(asked(&[]).expect(1).why.contains("GARM_COMMAND is not set"));
    assert!(asked(&["chek"]).expect(1).why.contains("no command `chek`"));
    assert!(asked(&["--help"]).expect(0).answer.contains("setup"));
    assert!(asked(&["--version"]).expect(0).answer.starts_with("garm-provider-incus-lxd "));
    assert!(asked(&["setup", "--garm", "192.0.2.1:9997"]).expect(0).answer.starts_with("#!/bin/sh\n"));
}

#[test]
fn an_answer_that_nobody_takes_is_no_success() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(PROVIDER).arg("--help").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Failed to answer"));
}

#[test]
fn every_call_ends_before_the_limit_that_the_example_for_garm_names() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/garm/garm-config.toml");
    let example = fs::read_to_string(path).unwrap();
    // It is a remark there: GARM up to 0.2.1 does not know the key.
    let line = example.lines().find_map(|line| line.trim_start_matches("# ").strip_prefix("exec_timeout_seconds = "));
    let limit = Duration::from_secs(line.expect("the key in the example").parse().unwrap());
    // The process has to start, and to say why it failed.
    assert!(LONGEST + Duration::from_secs(10) <= limit, "{LONGEST:?} and {limit:?}");
}
