use serde_json::json;

use super::*;

const SETTINGS: &str = "/nonexistent/provider.toml";

fn call(action: Action) -> Command {
    Command::Act(Call { action, controller: "controller".into(), settings: SETTINGS.into() })
}

#[test]
fn what_is_about_no_instance_is_answered_without_settings() {
    assert_eq!(run(&Command::Version, "").answer, concat!("v", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&Command::Interfaces, "").answer, r#"["v0.1.0","v0.1.1"]"#);
    for (command, key) in [(Command::SettingsSchema, "project_name"), (Command::ExtraSpecsSchema, "extra_context")] {
        let schema: Value = serde_json::from_str(&run(&command, "").answer).unwrap();
        assert!(schema["properties"][key].is_object());
    }
}

#[test]
fn extra_specs_are_validated_as_garm_encodes_them() {
    for (text, code, said) in [
        ("", Code::Success, ""),
        ("bnVsbA==", Code::Success, ""),
        ("eyJjcHUiOjJ9", Code::Success, ""),
        ("eyJjcHVzIjoyfQ==", Code::Failure, "no key \"cpus\""),
        ("{}", Code::Failure, "is not base64"),
        ("e30=e30=", Code::Failure, "is not base64"),
        ("e30g", Code::Success, ""),
        ("ZmFrZQ==", Code::Failure, "holds no JSON"),
    ] {
        let end = run(&Command::Validate, text);
        assert_eq!(end.code, code, "{text}: {end:?}");
        assert!(end.why.contains(said) && end.answer.is_empty(), "{end:?}");
    }
}

#[test]
fn settings_that_cannot_be_read_are_said_by_every_call() {
    for action in [
        Action::Create("p".into()),
        Action::Get("x".into()),
        Action::Delete("x".into()),
        Action::Start("x".into()),
        Action::Stop("x".into()),
        Action::List("p".into()),
        Action::RemoveAll,
    ] {
        let end = run(&call(action.clone()), "");
        assert_eq!((end.code, end.answer.as_str()), (Code::Failure, ""), "{action:?}");
        assert!(end.why.contains(SETTINGS), "{end:?}");
    }
}

#[test]
fn a_server_that_repeats_tokens_does_not_get_them_shown() {
    let input = json!({
        "name": "garm-1", "image": "x", "instance-token": "fake-instance",
        "tools": [{"temp_download_token": "fake-download"}, {}],
    });
    let bootstrap = Bootstrap::parse(input.to_string().as_bytes()).unwrap();
    let said = "Invalid config: fake-instance and fake-download, fake-instance";
    for fault in [Fault::NotFound, Fault::Duplicate, Fault::Busy, Fault::NoCapacity, Fault::Unavailable]
        .into_iter()
        .chain([Fault::Configuration, Fault::Other])
    {
        let clean = without_secrets(fault(said.into()), &bootstrap);
        assert_eq!(clean, fault("Invalid config: *** and ***, ***".into()));
    }
}
