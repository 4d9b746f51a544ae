//! Passes over a GARM that works.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::harness::{ALL, Fleet, SECRETS};

#[test]
fn a_new_garm_gets_everything_and_the_second_pass_writes_nothing() {
    let fleet = Fleet::new();
    let said = fleet.apply(0);
    insta::assert_snapshot!(said, @r"
    Made the administrator admin of GARM
    Updated the controller (callback_url, metadata_url, webhook_url)
    Created endpoint ghes
    Created credentials octo
    Created credentials octo-app
    Created repository octo-org/example
    Installed the webhook of octo-org/example
    Created organization octo-org
    Created pool large of octo-org/example
    Created pool small of octo-org/example
    Created scale-set builders of octo-org
    ");
    assert_eq!(fleet.counts(), ALL);
    let writes = fleet.garm.writes();
    assert_eq!(writes.len(), 11, "{writes:?}");
    assert_eq!((fleet.apply(0).as_str(), fleet.garm.writes()), ("", vec![]));
    let mode = fs::metadata(fleet.path("state/state.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn garm_has_the_secrets_of_the_files() {
    let fleet = Fleet::built();
    let state = fleet.garm.state();
    let of = |kind: &str, name: &str| {
        let id = &state.find(kind, "name", name).unwrap()["id"];
        state.secrets[id.to_string().trim_matches('"')].clone()
    };
    assert_eq!(of("credentials", "octo")["oauth2_token"], SECRETS[1]);
    let app = of("credentials", "octo-app");
    assert_eq!((&app["app_id"], &app["installation_id"]), (&json!(1), &json!(2)));
    assert_eq!(of("organizations", "octo-org"), SECRETS[2]);
    assert_eq!(state.admin, Some(("admin".into(), SECRETS[0].into())));
    drop(state);
    fleet.apply(0);
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing_anywhere() {
    let mut fleet = Fleet::new();
    let (said, _) = fleet.run(&["apply", "--dry-run"], 0);
    assert!(said.starts_with("Would make the administrator admin of GARM\nWould update the controller"), "{said}");
    assert!(fleet.garm.state().admin.is_none() && fleet.garm.writes().is_empty());
    assert_eq!(fs::read_dir(fleet.path("state")).unwrap().count(), 0);
    fleet.apply(0);
    assert_eq!(fleet.run(&["apply", "--dry-run"], 0).0, "Everything is as declared\n");
    fleet.garm.requests();
    fleet.declare("/pools/small/image", json!("other"));
    let before = fs::read(fleet.path("state/state.json")).unwrap();
    assert_eq!(fleet.run(&["apply", "--dry-run"], 0).0, "Would update pool small of octo-org/example (image)\n");
    assert!(fleet.garm.writes().is_empty());
    assert_eq!(fs::read(fleet.path("state/state.json")).unwrap(), before);
}

#[test]
fn each_change_is_one_request_and_garm_has_it_afterwards() {
    let mut fleet = Fleet::built();
    for (path, to, request) in [
        ("/controller/callbackUrl", json!("http://192.0.2.2/c"), "PUT /controller"),
        ("/endpoints/ghes/description", json!("new"), "PUT /github/endpoints/ghes"),
        ("/credentials/octo/description", json!("new"), "PUT /github/credentials/"),
        ("/repositories/octo-org~1example/poolBalancer", json!("pack"), "PUT /repositories/"),
        ("/organizations/octo-org/installWebhook", json!(true), "/webhook"),
        ("/pools/small/minIdleRunners", json!(1), "PUT /pools/"),
        ("/pools/small/enabled", json!(false), "PUT /pools/"),
        ("/pools/small/extraSpecs", json!({"cpu": 2, "memory": "1GiB"}), "PUT /pools/"),
        ("/pools/large/tags", json!(["other"]), "PUT /pools/"),
        ("/scaleSets/builders/image", json!("other"), "PUT /scalesets/"),
    ] {
        fleet.declare(path, to);
        fleet.apply(0);
        let writes = fleet.garm.writes();
        assert!(writes.len() == 1 && writes[0].contains(request), "{path}: {writes:?}");
        fleet.apply(0);
        assert_eq!(fleet.garm.writes(), Vec::<String>::new(), "{path}");
    }
    let state = fleet.garm.state();
    let pool = state.list("pools").iter().find(|pool| pool["flavor"] == "large").unwrap();
    assert_eq!(pool["tags"], json!([{"name": "other"}]));
}

#[test]
fn a_secret_that_changes_in_its_file_is_given_to_garm_once() {
    let fleet = Fleet::built();
    fs::write(fleet.path("token"), "ghp_fakeSecondToken0000000000000000000\n").unwrap();
    let said = fleet.apply(0);
    assert_eq!(said, "Updated credentials octo (secret)\n");
    fs::write(fleet.path("webhook"), "fake-webhook-secret-two\n").unwrap();
    fleet.apply(0);
    assert_eq!(fleet.garm.writes().len(), 3);
    fleet.apply(0);
    assert!(fleet.garm.writes().is_empty());
    let state = fleet.garm.state();
    let given = state.secrets.values().filter(|secret| secret.to_string().contains("fake-webhook-secret-two"));
    assert_eq!(given.count(), 2);
}

#[test]
fn what_somebody_changed_by_hand_is_changed_back() {
    let fleet = Fleet::built();
    fleet.garm.state().list_mut("pools")[0]["image"] = json!("by hand");
    let said = fleet.apply(0);
    assert!(said.contains("(image)"), "{said}");
    // What was deleted by hand is made again.
    fleet.garm.state().list_mut("pools").clear();
    fleet.apply(0);
    assert_eq!(fleet.counts(), ALL);
}

#[test]
fn another_garm_gets_everything_anew() {
    let fleet = Fleet::built();
    *fleet.garm.state() = crate::garm::State::default();
    fleet.garm.state().controller["controller_id"] = json!("another");
    let said = fleet.apply(0);
    assert!(said.contains("another GARM than before"), "{said}");
    assert_eq!(fleet.counts(), ALL);
    fleet.garm.requests();
    fleet.apply(0);
    assert!(fleet.garm.writes().is_empty());
}

#[test]
fn figures_say_how_it_stands_and_that_garm_is_away() {
    let mut fleet = Fleet::built();
    let directory = fleet.path("state");
    fleet.declare("/textfileDirectory", json!(directory));
    fleet.forget("/pools/large");
    let pool = fleet.garm.state().list("pools").iter().find(|pool| pool["flavor"] == "garm").unwrap()["id"].clone();
    fleet.garm.state().add_instance(pool.as_str().unwrap(), "garm-1", "running");
    fleet.apply(0);
    let figures = || fs::read_to_string(fleet.path("state/github-runners-garm.prom")).unwrap();
    for line in [
        "github_runner_garm_up 1\n",
        "github_runner_garm_things{kind=\"pool\",state=\"in_place\"} 1\n",
        "github_runner_garm_things{kind=\"pool\",state=\"not_declared\"} 1\n",
        "github_runner_garm_instances{kind=\"pool\",name=\"small\",status=\"running\"} 1\n",
    ] {
        assert!(figures().contains(line), "{line}: {}", figures());
    }
    fleet.garm.rule("POST", "/auth/login", 1, crate::garm::Then::LoseRequest);
    fleet.apply(75);
    assert!(figures().contains("github_runner_garm_up 0\n") && !figures().contains("things"), "{}", figures());
}
