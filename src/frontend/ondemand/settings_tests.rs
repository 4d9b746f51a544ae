use serde_json::{Value, json};

use super::*;

const FIXTURE: &str = include_str!("../../../tests/fixtures/on-demand-settings-v1.json");

/// What is wrong with settings that are good but for what `edit` does.
fn fault(edit: impl FnOnce(&mut Value)) -> String {
    let mut settings: Value = serde_json::from_str(FIXTURE).unwrap();
    edit(&mut settings);
    format!("{:#}", Settings::parse(settings.to_string().as_bytes()).unwrap_err())
}

#[test]
fn every_kind_of_machine_can_be_configured_and_limits_have_defaults() {
    let settings = Settings::parse(FIXTURE.as_bytes()).unwrap();
    let kind = |class: &str| &settings.classes[&Class::try_from(class.to_owned()).unwrap()].kind;
    assert!(matches!(kind("host"), KindSettings::Local { .. }));
    assert!(matches!(kind("x86_64"), KindSettings::Nspawn { image } if image == "nixos"));
    assert!(matches!(kind("arm64"), KindSettings::Incus { virtual_machine: true, .. }));
    assert_eq!((settings.limits.open, settings.limits.per_run), (6, Limits::default().per_run));
    assert_eq!(settings.repositories[1].served().owner, 0);
}

#[test]
fn what_can_never_work_is_refused_with_its_name_and_a_way_out() {
    for (found, part) in [
        (fault(|settings| settings["version"] = json!(2)), "`version` is 2"),
        (fault(|settings| settings["surprise"] = json!(1)), "unknown field `surprise`"),
        (fault(|settings| settings["prefix"] = json!("ubuntu")), "prefix of labels cannot begin"),
        (fault(|settings| settings["repositories"][1]["name"] = json!("Octo-Org/EXAMPLE")), "is configured twice"),
        (fault(|settings| settings["repositories"][0]["proofs"] = json!([])), "name one in `proofs`"),
        (fault(|settings| settings["repositories"][0]["owner"] = Value::Null), "no `ownerId`"),
        (fault(|settings| settings["repositories"][0]["id"] = json!(0)), "a field is wrong"),
        (fault(|settings| settings["classes"]["host"]["ttl"] = json!(21_601)), "class host has a `ttl` of 21601 s"),
        (fault(|settings| settings["limits"]["costPerDay"] = Value::Null), "class arm64 costs money"),
        (fault(|settings| settings["limits"]["opne"] = json!(1)), "unknown field `opne`"),
        (fault(|settings| settings["classes"]["A-1"] = settings["classes"]["host"].clone()), "1 to 16 of a-z"),
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
}
