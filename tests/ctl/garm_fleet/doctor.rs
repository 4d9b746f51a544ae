//! `fleet doctor`, with a program in the place of the provider's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::harness::Fleet;
use crate::garm::Then;

/// A provider whose server has two instances of this GARM, and which says so to whoever asks as GARM's provider is asked.
fn with_provider(fleet: &mut Fleet, check: &str) {
    let path = fleet.path("provider");
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in\ncheck) {check} ;;\ninstances)\n  read -r known\n  echo 'NAME STATUS POOL SYSTEM'\n  \
         for name in garm-1 garm-2; do case \"$known\" in *\"\\\"$name\\\"\"*) ;; *) echo \"$name running p debian\" ;; esac; done ;;\nesac\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    fleet.declare("/providers", json!({"incus": {"command": path, "config": "/settings.toml"}}));
}

#[test]
fn a_fleet_that_is_well_has_no_faults() {
    let mut fleet = Fleet::built();
    with_provider(&mut fleet, "echo 'Server: a'; echo 'The server answers'");
    let pool = fleet.garm.state().list("pools")[0]["id"].as_str().unwrap().to_owned();
    fleet.garm.state().add_instance(&pool, "garm-1", "running");
    fleet.garm.state().add_instance(&pool, "garm-2", "running");
    let (said, _) = fleet.run(&["doctor"], 0);
    for part in [
        "lets admin in",
        "octo are accepted",
        "incus is known to GARM",
        "The server answers",
        "GARM knows all",
        "no faults, no warnings",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(fleet.garm.writes().is_empty());
}

#[test]
fn each_fault_is_told_with_its_way_out() {
    let mut fleet = Fleet::built();
    with_provider(&mut fleet, "echo 'no server' >&2; exit 1");
    let pool = fleet.garm.state().list("pools")[0]["id"].as_str().unwrap().to_owned();
    fleet.garm.state().add_instance(&pool, "garm-1", "error");
    {
        let mut state = fleet.garm.state();
        state.list_mut("credentials")[0]["rate_limit"] = json!(null);
        state.list_mut("repositories")[0]["pool_manager_status"] = json!({"failure_reason": "bad credentials"});
    }
    fleet.declare("/scaleSets/builders/provider", json!("other"));
    let (said, _) = fleet.run(&["doctor"], 1);
    for part in [
        "has not answered to octo yet",
        "does not look after octo-org/example: bad credentials",
        "GARM has no provider other",
        "which GARM cannot change",
        "no server",
        "GARM does not know garm-2, which are tagged",
        "instances that failed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_garm_that_is_away_or_new_is_one_of_the_faults() {
    let mut fleet = Fleet::new();
    with_provider(&mut fleet, "echo 'The server answers'");
    let (said, _) = fleet.run(&["doctor"], 1);
    assert!(said.contains("has no administrator yet") && said.contains("The server answers"), "{said}");
    fleet.garm.rule("POST", "/auth/login", 1, Then::LoseRequest);
    let (said, _) = fleet.run(&["doctor"], 1);
    assert!(said.contains("does not answer") && said.contains("The server answers"), "{said}");
}
