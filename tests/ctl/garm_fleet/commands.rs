//! `status`, `delete` and `adopt`.

use std::fs;

use serde_json::{Value, json};

use super::harness::{ALL, Fleet};
use crate::garm::Then;

#[test]
fn status_tells_each_thing_and_changes_nothing() {
    let mut fleet = Fleet::new();
    let (said, _) = fleet.run(&["status"], 1);
    assert!(said.contains("missing") && !said.contains("in place"), "{said}");
    fleet.apply(0);
    fleet.garm.requests();
    let (said, _) = fleet.run(&["status"], 0);
    assert!(said.contains("in place") && !said.contains("missing"), "{said}");
    let id = fleet.garm.state().list("pools").iter().find(|pool| pool["flavor"] == "garm").unwrap()["id"].clone();
    fleet.garm.state().add_instance(id.as_str().unwrap(), "garm-1", "running");
    fleet.declare("/pools/small/image", json!("new"));
    fleet.declare("/scaleSets/builders/labels", json!(["x"]));
    fleet.forget("/pools/large");
    let (said, _) = fleet.run(&["status", "--json"], 1);
    let report: Value = serde_json::from_str(&said).unwrap();
    let thing = |kind: &str, name: &str| {
        let things = report["things"].as_array().unwrap().iter();
        things.clone().find(|thing| thing["kind"] == kind && thing["name"] == name).unwrap().clone()
    };
    assert_eq!(thing("pool", "small")["state"], "differs");
    assert_eq!(thing("pool", "small")["instances"], json!({"running": 1}));
    assert_eq!(thing("pool", "large")["state"], "not-declared");
    assert_eq!(thing("scale-set", "builders")["state"], "refused");
    assert_eq!(thing("webhook", "octo-org/example")["state"], "in-place");
    assert_eq!((&report["version"], &report["controllerVersion"]), (&json!(1), &json!("v0.2.1")));
    assert!(fleet.garm.writes().is_empty());
    fleet.garm.rule("POST", "/auth/login", 1, Then::LoseRequest);
    fleet.run(&["status"], 75);
}

#[test]
fn nothing_is_deleted_until_an_operator_says_so() {
    let mut fleet = Fleet::built();
    for path in
        ["/pools/large", "/scaleSets/builders", "/organizations/octo-org", "/credentials/octo-app", "/endpoints/ghes"]
    {
        fleet.forget(path);
    }
    fleet.apply(0);
    assert_eq!((fleet.counts(), fleet.garm.writes()), (ALL, vec![]));
    // In the order in which GARM lets them go.
    let (_, said) = fleet.run(&["delete", "organization", "octo-org"], 1);
    assert!(said.contains("it has pools defined"), "{said}");
    let (_, said) = fleet.run(&["delete", "scale-set", "builders"], 1);
    assert!(said.contains("disable it first"), "{said}");
    fleet.garm.state().list_mut("scalesets")[0]["enabled"] = json!(false);
    for (kind, name) in [
        ("scale-set", "builders"),
        ("pool", "large"),
        ("organization", "octo-org"),
        ("credentials", "octo-app"),
        ("endpoint", "ghes"),
    ] {
        let (said, _) = fleet.run(&["delete", kind, name], 0);
        assert_eq!(said, format!("Deleted {kind} {name}\n"));
    }
    assert_eq!(fleet.counts(), [1, 1, 1, 0, 1, 0]);
    let memory = fs::read_to_string(fleet.path("state/state.json")).unwrap();
    assert!(!memory.contains("large") && !memory.contains("octo-app"), "{memory}");
    fleet.apply(0);
}

#[test]
fn what_is_declared_or_in_use_or_not_there_is_not_deleted() {
    let mut fleet = Fleet::built();
    for (kind, name) in
        [("pool", "small"), ("repository", "octo-org/example"), ("endpoint", "ghes"), ("scale-set", "builders")]
    {
        let (_, said) = fleet.run(&["delete", kind, name], 1);
        assert!(said.contains("is declared"), "{said}");
    }
    let id = fleet.garm.state().list("pools").iter().find(|pool| pool["flavor"] == "large").unwrap()["id"].clone();
    let id = id.as_str().unwrap();
    let (_, said) = fleet.run(&["delete", "pool", id], 1);
    assert!(said.contains("no pool"), "a declared one by its id: {said}");
    fleet.forget("/pools/large");
    fleet.garm.state().add_instance(id, "garm-1", "running");
    let (_, said) = fleet.run(&["delete", "pool", "large"], 1);
    assert!(said.contains("has 1 instances") && said.contains("`enabled` false"), "{said}");
    fleet.run(&["delete", "endpoint", "github.com"], 1);
    assert!(fleet.garm.writes().is_empty());
    let (_, said) = fleet.run(&["adopt", "small", "nope"], 1);
    assert!(said.contains("GARM has no pool"), "{said}");
}

#[test]
fn a_declaration_that_cannot_be_is_refused_before_garm_is_asked() {
    let mut fleet = Fleet::new();
    fleet.declare("/pools/small/maxRunners", json!(0));
    fleet.declare("/credentials/octo/endpoint", json!("nowhere"));
    for arguments in [&["apply"][..], &["apply", "--dry-run"], &["status"], &["delete", "pool", "small"]] {
        let (_, said) = fleet.run(arguments, 1);
        assert!(said.contains("maxRunners") && said.contains("nowhere"), "{said}");
    }
    assert!(fleet.garm.requests().is_empty());
}
