//! `check`, which the module runs while the system is built.

use std::process::{Command, Stdio};

use github_runners::contract::manifest::{Manifest, Method};
use serde_json::{Value, json};

use crate::host::{Host, Said};

fn check(host: &Host) -> Said {
    host.arguments("check");
    let mut command = Command::new(env!("CARGO_BIN_EXE_github-runner-helper"));
    command.arg("check").arg(host.path("manifest.json")).stdin(Stdio::null());
    command.output().unwrap().into()
}

#[test]
fn a_good_manifest_passes_in_silence() {
    assert_eq!(check(&Host::new()).good(), "");
}

#[test]
fn values_that_the_listener_would_drop_fail_the_build() {
    for (field, value, part) in [
        ("name", json!("-x"), "name `-x` starts with `-`"),
        ("name", json!("x".repeat(65)), "is longer than 64 characters"),
        ("extraLabels", json!(["a,b"]), "label `a,b` contains a comma"),
        ("extraLabels", json!(["-a"]), "label `-a` starts with `-`"),
        ("extraLabels", json!(["x".repeat(257)]), "is longer than 256 characters"),
        ("runnerGroup", json!("-g"), "runnerGroup `-g` starts with `-`"),
        ("url", json!("http://github.com/o/r"), "does not start with `https://`"),
        ("tokenFile", json!("/nix/store/x-token"), "everybody can read"),
        ("workDir", json!("/var/lib"), "is emptied at every start"),
        ("surprise", json!(1), "unknown field `surprise`"),
    ] {
        let mut host = Host::new();
        *host.registration(field) = value;
        let said = check(&host).bad();
        assert!(said.contains(part) && said.contains("manifest.json"), "{field}: {said}");
    }
}

#[test]
fn every_step_that_acts_on_it_refuses_a_bad_manifest_and_changes_nothing() {
    let mut host = Host::new().registered();
    *host.registration("name") = json!("-x");
    let before = (host.tree("state"), host.ledger());
    for step in ["prepare", "configure", "record"] {
        assert!(host.step(step).bad().contains("starts with `-`"), "{step}");
    }
    assert_eq!(before, (host.tree("state"), host.ledger()));
}

/// The module decides by this fixture, too, whether a unit has the step that registers with a token.
#[test]
fn whoever_has_no_step_to_register_with_a_token_is_made_by_the_server() {
    let cases = include_str!("../../eval/fixtures/steps-in-the-sandbox.json");
    let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
    let without: Vec<&Value> = cases.iter().filter(|case| case["configures"] == false).collect();
    assert!(!without.is_empty());
    for case in without {
        let mut host = Host::new();
        *host.registration("url") = json!("https://github.com/octo-org");
        for (field, value) in case["changes"].as_object().unwrap() {
            match field.as_str() {
                "registration" => host.manifest["method"] = value["method"].clone(),
                "tokenType" => host.manifest[field] = value.clone(),
                "githubApp" => {
                    host.manifest[field] = value.clone();
                    (host.manifest[field]["login"], host.manifest[field]["installationId"]) =
                        (Value::Null, Value::Null);
                }
                _ => *host.registration(field) = value.clone(),
            }
        }
        let manifest = Manifest::parse(host.manifest.to_string().as_bytes()).unwrap();
        assert_eq!(manifest.method(true), Method::Jit, "{case}");
        // Elsewhere a server that makes no runners gives out a token, unless this very method is asked for.
        assert!(manifest.method.is_some() || manifest.registration.url.is_hosted(), "{case}");
    }
}
