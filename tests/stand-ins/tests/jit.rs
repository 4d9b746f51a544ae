//! Just-in-time configurations, and the listener that runs with their files.

use std::{collections::BTreeMap, fs};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    client::{Answer, ask},
    configure::pair,
    github::{GitHub, Group},
    harness::Stand,
};

const PATH: &str = "/orgs/octo-org/actions/runners/generate-jitconfig";

fn generate(github: &GitHub, name: &str) -> Answer {
    let body = json!({ "name": name, "runner_group_id": 1, "labels": ["Self-Hosted", "GPU"], "work_folder": "w" });
    ask(&github.url(), "POST", PATH, &body)
}

/// File names and contents.
fn files(answer: &Answer) -> BTreeMap<String, String> {
    let decode = |text: &str| String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap();
    let encoded = answer.body["encoded_jit_config"].as_str().unwrap();
    let files: BTreeMap<String, String> = serde_json::from_str(&decode(encoded)).unwrap();
    files.into_iter().map(|(name, content)| (name, decode(&content))).collect()
}

fn write(stand: &Stand, answer: &Answer) {
    for (name, content) in files(answer) {
        fs::write(stand.root(&name), content).unwrap();
    }
}

#[test]
fn a_jit_runner_is_ephemeral_with_its_own_labels_in_lower_case() {
    let (github, _stand) = pair();
    let made = generate(&github, "one");
    assert_eq!(made.status, 201);
    insta::assert_snapshot!(made.body["runner"], @r#"{"busy":false,"ephemeral":true,"id":1,"labels":[{"id":1,"name":"self-hosted","type":"custom"},{"id":2,"name":"gpu","type":"custom"}],"name":"one","os":"linux","runner_group_id":1,"status":"offline"}"#);
    let listed = ask(&github.url(), "GET", "/orgs/octo-org/actions/runners", &Value::Null);
    assert_eq!(listed.body["runners"][0], made.body["runner"]);
}

#[test]
fn jit_files_have_the_casing_and_the_strings_of_the_server() {
    let (github, _stand) = pair();
    let files = files(&generate(&github, "one"));
    let names: Vec<&String> = files.keys().collect();
    assert_eq!(names, [".credentials", ".credentials_rsaparams", ".runner"]);
    insta::assert_snapshot!(files[".runner"], @r#"{"AgentId":"1","AgentName":"one","DisableUpdate":"False","Ephemeral":"True","PoolId":"1","PoolName":"Default","ServerUrlV2":"https://broker.actions.example/","UseV2Flow":"True","WorkFolder":"w"}"#);
    let credentials: Value = serde_json::from_str(&files[".credentials"]).unwrap();
    assert_eq!(
        (&credentials["Scheme"], &credentials["Data"]["RequireFipsCryptography"]),
        (&json!("OAuth"), &json!("True"))
    );
    let key: Value = serde_json::from_str(&files[".credentials_rsaparams"]).unwrap();
    assert_eq!(key["exponent"], "AQAB");
}

#[test]
fn an_incomplete_wish_is_refused_by_what_is_missing() {
    let (github, _stand) = pair();
    let whole = json!({ "name": "one", "runner_group_id": 1, "labels": ["a"] });
    for key in ["name", "runner_group_id", "labels"] {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(key);
        let refused = ask(&github.url(), "POST", PATH, &body);
        let text = format!("Invalid input: object is missing required key: {key}");
        assert_eq!((refused.status, refused.message()), (422, text.as_str()));
    }
    for count in [0, 101] {
        let mut body = whole.clone();
        body["labels"] = json!(vec!["a"; count]);
        assert_eq!(ask(&github.url(), "POST", PATH, &body).status, 422);
    }
    assert_eq!(ask(&github.url(), "POST", PATH, &whole).status, 201);
}

#[test]
fn a_group_must_exist_and_not_be_hosted_and_a_name_must_be_free() {
    let (github, _stand) = pair();
    let hosted = Group { is_hosted: true, ..Group::new(2, "Hosted") };
    github.change(|state| state.groups.push(hosted)).unwrap();
    for (group, status) in [(2, 403), (3, 404), (1, 201), (1, 409)] {
        let body = json!({ "name": "One", "runner_group_id": group, "labels": ["a"] });
        let answer = ask(&github.url(), "POST", PATH, &body);
        assert_eq!(answer.status, status);
    }
    assert_eq!(generate(&github, "one").message(), "Already exists - A runner with the name one already exists.");
}

#[test]
fn files_of_a_jit_configuration_can_be_added_left_out_and_spoilt() {
    let (github, _stand) = pair();
    let changes = json!({ "extra": { "../evil": "x", ".env": "A=b" }, "omit": [".credentials"] });
    assert_eq!(ask(&github.url(), "POST", "/_stand-in/jit", &changes).status, 204);
    let names: Vec<String> = files(&generate(&github, "one")).into_keys().collect();
    assert_eq!(names, ["../evil", ".credentials_rsaparams", ".env", ".runner"]);
    github.change(|state| state.jit.instead = Some("no base64".to_owned())).unwrap();
    assert_eq!(generate(&github, "two").body["encoded_jit_config"], "no base64");
    assert_eq!(ask(&github.url(), "DELETE", "/_stand-in/jit", &Value::Null).status, 204);
    assert_eq!(files(&generate(&github, "three")).len(), 3);
}

#[test]
fn a_listener_runs_with_jit_files_reports_itself_and_deletes_them() {
    let (github, stand) = pair();
    write(&stand, &generate(&github, "one"));
    let running = stand.run();
    assert_eq!(github.state().runners[0].status, "online");
    drop(running);

    stand.script(&json!({ "github": github.url(), "run": [{ "job": { "name": "build" } }] }));
    let ran = stand.ran(&["run"]).expect(0);
    assert!(ran.stdout.contains("√ Removed .runner"), "{}", ran.stdout);
    assert_eq!(Vec::from_iter(stand.files()), ["w"]);
    assert!(github.state().runners.is_empty());
}

#[test]
fn a_listener_with_jit_files_notices_that_github_forgot_it_and_keeps_them() {
    let (github, stand) = pair();
    write(&stand, &generate(&github, "one"));
    github.change(|state| state.runners.clear()).unwrap();
    let ran = stand.ran(&["run"]).expect(1);
    assert!(ran.stderr.contains("The runner registration has been deleted from the server"));
    assert!(stand.root(".runner").exists());
}
