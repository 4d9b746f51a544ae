//! What a manifest may say, and how a wrong one is told.

use super::*;
use serde_json::{Value, json};

fn example() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/manifest-v2.json")).unwrap()
}

fn error(manifest: &Value) -> String {
    format!("{:#}", Manifest::parse(manifest.to_string().as_bytes()).unwrap_err())
}

#[test]
fn the_fixture_of_version_2_is_read() {
    let manifest = Manifest::parse(example().to_string().as_bytes()).unwrap();
    assert_eq!(manifest.instance.as_str(), "runner1");
    assert_eq!(Value::Object(manifest.registration.to_object().unwrap()), example()["registration"]);
}

#[test]
fn what_nix_renders_is_written_again_to_the_same_value() {
    let text = include_bytes!("../../tests/fixtures/manifest-v2.json");
    let manifest = Manifest::parse(text).unwrap();
    let written = manifest.to_text().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), example());
    assert_eq!(Manifest::parse(written.as_bytes()).unwrap(), manifest);
}

#[test]
fn every_value_that_can_be_configured_is_read_again_as_it_was_written() {
    for (field, value) in [
        ("workDirSize", json!("8G")),
        ("workDirSize", json!("1048577")),
        ("workDirSize", Value::Null),
        ("cleanWorkDir", json!("never")),
        ("minFreeSpace", json!("20G")),
        ("workDirMode", json!("0755")),
        ("method", json!("configure")),
        ("tokenType", json!("access")),
        ("brokerEnvironment", json!({ "https_proxy": "http://localhost:3128" })),
        ("supplementaryGroups", json!(["docker", "64399"])),
        ("unit", Value::Null),
    ] {
        let mut manifest = example();
        manifest[field] = value;
        let read = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), manifest, "{field}");
    }
}

#[test]
fn repositories_are_read_and_their_absence_is_not_written() {
    let served = |name: &str, id: u64| json!({ "name": name, "id": id });
    let mut manifest = example();
    assert!(!Manifest::parse(manifest.to_string().as_bytes()).unwrap().to_text().unwrap().contains("repositories"));
    manifest["repositories"] = json!([served("octo-org/example", 7), served("octo-org/other", 8)]);
    let read = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), manifest);
    for (wrong, part) in [
        (json!([served("octo-org/example", 7), served("Octo-Org/Example", 8)]), "served twice"),
        (json!([served("octo-org/example", 7), served("octo-org/other", 7)]), "served twice"),
        (json!([served("octo-org", 7)]), "has no `/`"),
        (json!([served("octo-org/example", 0)]), "nonzero"),
        (json!([{ "name": "octo-org/example" }]), "missing field `id`"),
    ] {
        manifest["repositories"] = wrong;
        assert!(error(&manifest).contains(part), "{}", error(&manifest));
    }
}

#[test]
fn what_is_made_without_the_module_is_a_good_manifest() {
    let example = Manifest::parse(example().to_string().as_bytes()).unwrap();
    let place = example.credential_place();
    let registration = Registration { token_file: None, ..example.registration.clone() };
    let made = Manifest::new(example.instance.clone(), registration, place, example.listener.clone());
    made.check().unwrap();
    assert_eq!(Manifest::parse(made.to_text().unwrap().as_bytes()).unwrap(), made);
    let unit = Manifest { work_dir_size: None, start_distance: 0, unit: None, ..example };
    assert_eq!(made, unit, "what the module has by default");
}

#[test]
fn an_unknown_field_is_named_with_the_fix() {
    let mut manifest = example();
    manifest["registration"]["labels"] = json!([]);
    insta::assert_snapshot!(error(&manifest).split(" at line").next().unwrap(), @"a field is wrong; if it is unknown or missing, take the module and the helper from the same release: unknown field `labels`, expected one of `ephemeral`, `extraLabels`, `name`, `noDefaultLabels`, `runnerGroup`, `tokenFile`, `url`, `workDir`");
}

#[test]
fn another_version_is_named_with_the_fix() {
    let mut manifest = example();
    manifest["version"] = json!(1);
    manifest["whatever"] = json!("comes with it");
    insta::assert_snapshot!(error(&manifest), @"field `version` is 1, but this helper reads version 2: take the module and the helper from the same release");
}

#[test]
fn a_missing_field_is_named() {
    for field in [
        "instance",
        "registration",
        "replace",
        "tokenType",
        "reRegisterOnTokenChange",
        "registrationInterval",
        "listener",
        "version",
    ] {
        let mut manifest = example();
        manifest.as_object_mut().unwrap().remove(field);
        assert!(error(&manifest).contains(&format!("missing field `{field}`")), "{field}");
    }
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let mut manifest = example();
    manifest["registration"]["noDefaultLabels"] = json!(true);
    assert!(error(&manifest).contains("give at least one label"));
    let mut manifest = example();
    manifest["minFreeSpace"] = json!("25%");
    assert!(error(&manifest).contains("`minFreeSpace` is a share of memory"));
}

#[test]
fn exactly_one_credential_is_needed() {
    let app = json!({ "id": "Iv1.0000", "login": "o", "privateKeyFile": "/run/secrets/k", "installationId": null });
    let mut manifest = example();
    manifest["githubApp"] = app.clone();
    assert!(error(&manifest).contains("both `tokenFile` and `githubApp`"));
    manifest["registration"]["tokenFile"] = Value::Null;
    assert!(Manifest::parse(manifest.to_string().as_bytes()).is_ok());
    manifest["githubApp"]["id"] = json!("a b");
    assert!(error(&manifest).contains("neither a client id nor a number"));
    manifest["githubApp"] = app;
    manifest["registration"]["url"] = json!("https://github.com/enterprises/octo");
    assert!(error(&manifest).contains("no App administer"));
    manifest["githubApp"] = Value::Null;
    assert!(error(&manifest).contains("neither `tokenFile` nor `githubApp`"));
}

#[test]
fn an_app_stands_with_each_account_by_itself_and_a_token_with_all() {
    let key = |app: Value, url: &str| {
        let mut manifest = example();
        if !app.is_null() {
            manifest["registration"]["tokenFile"] = Value::Null;
        }
        manifest["githubApp"] = app;
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        manifest.credential_place().key(&RegistrationUrl::parse(url).unwrap()).unwrap()
    };
    let app = json!({ "id": "Iv1.0000", "login": null, "privateKeyFile": "/run/secrets/k", "installationId": null });
    assert_eq!(key(app.clone(), "https://github.com/Octo-Org/example"), "/run/secrets/k octo-org");
    assert_eq!(key(app, "https://github.com/octo-org"), "/run/secrets/k octo-org");
    assert_eq!(key(Value::Null, "https://github.com/octo-org"), "/run/secrets/t");
}

#[test]
fn the_method_follows_the_kind_unless_configured() {
    let method = |ephemeral: bool, group: Value, configured: Value, api| {
        let mut manifest = example();
        manifest["registration"]["ephemeral"] = json!(ephemeral);
        manifest["registration"]["runnerGroup"] = group;
        manifest["method"] = configured;
        Manifest::parse(manifest.to_string().as_bytes()).map(|manifest| manifest.method(api))
    };
    assert_eq!(method(true, Value::Null, Value::Null, true).unwrap(), Method::Jit);
    assert_eq!(method(true, Value::Null, Value::Null, false).unwrap(), Method::Configure);
    assert_eq!(method(false, Value::Null, Value::Null, true).unwrap(), Method::Configure);
    assert_eq!(method(true, json!("trusted"), Value::Null, true).unwrap(), Method::Configure);
    assert_eq!(method(true, Value::Null, json!("configure"), true).unwrap(), Method::Configure);
    assert!(method(false, Value::Null, json!("jit"), true).is_err());
    assert!(method(true, json!("trusted"), json!("jit"), true).is_err());
}

#[test]
fn a_relative_listener_is_refused() {
    let mut manifest = example();
    manifest["listener"] = json!("Runner.Listener");
    assert!(error(&manifest).contains("not an absolute path"));
}
