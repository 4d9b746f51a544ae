use serde_json::{Value, json};

use super::*;
use crate::machines::incus::{Connection, Endpoint, Kind, Limits};

use super::super::settings::Remote;

fn settings() -> Settings {
    let remote = |name: &str| Remote {
        name: name.into(),
        address: format!("https://{name}.example"),
        protocol: "simplestreams".into(),
    };
    Settings {
        connection: Connection { endpoint: Endpoint::Socket("/s".into()), project: "garm-project".into() },
        include_default_profile: true,
        kind: Kind::VirtualMachine,
        secure_boot: true,
        remotes: vec![remote("images"), remote("ubuntu")],
        oddities: vec![],
    }
}

fn specified(change: impl FnOnce(&mut Value)) -> Result<Specification, Fault> {
    let mut input = json!({
        "name": "garm-1", "image": "trixie", "flavor": "small", "arch": "arm64", "os_type": "linux",
        "instance-token": "fake-token", "metadata-url": "https://garm/m", "callback-url": "https://garm/c",
        "tools": [{"os": "linux", "architecture": "arm64", "download_url": "https://d", "filename": "f"}],
    });
    change(&mut input);
    specify(&settings(), &Bootstrap::parse(input.to_string().as_bytes()).unwrap())
}

#[test]
fn an_instance_is_what_pool_and_settings_say() {
    let made = specified(|_| ()).unwrap();
    assert_eq!(
        (made.name.as_str(), made.kind, made.architecture.as_str()),
        ("garm-1", Kind::VirtualMachine, "aarch64")
    );
    assert_eq!(made.profiles, ["default", "small"]);
    assert_eq!(made.image, Image::Local("trixie".into()));
    assert_eq!((made.os_type.as_str(), made.os_arch.as_str(), made.secure_boot), ("linux", "arm64", true));
    assert_eq!((made.limits, made.network, made.target), (Limits::default(), None, None));
    assert!(made.user_data.starts_with("#cloud-config\n{"));
}

#[test]
fn extra_specs_go_before_settings() {
    let made = specified(|input| {
        input["extra_specs"] = json!({
            "instance_type": "container", "profiles": ["gpu"], "cpu": 2, "network": "runners", "target": "@fast",
        });
    });
    let made = made.unwrap();
    assert_eq!(made.kind, Kind::Container);
    assert_eq!(made.profiles, ["default", "small", "gpu"]);
    assert_eq!(made.limits.cpu.as_deref(), Some("2"));
    assert_eq!((made.network.as_deref(), made.target.as_deref()), (Some("runners"), Some("@fast")));
}

#[test]
fn an_image_of_a_remote_is_named_by_its_address() {
    let made = specified(|input| input["image"] = json!("images:debian/13/cloud")).unwrap();
    let expected = Image::Remote {
        server: "https://images.example".into(),
        protocol: "simplestreams".into(),
        alias: "debian/13/cloud".into(),
    };
    assert_eq!(made.image, expected);
}

#[test]
fn a_remote_that_cannot_work_is_refused_for_its_own_images_alone() {
    let mut wrong = settings();
    wrong.remotes[0].protocol.clear();
    for (image, is_good) in [("images:debian/13", false), ("ubuntu:24.04", true), ("trixie", true)] {
        assert_eq!(super::image(&wrong, image).is_ok(), is_good, "{image}");
    }
}

#[test]
fn what_can_never_work_is_said_without_a_secret() {
    let not_found = specified(|input| input["image"] = json!("alpine:3")).unwrap_err();
    assert!(matches!(&not_found, Fault::NotFound(why) if why.ends_with("there are: images, ubuntu")), "{not_found}");
    for (key, value, said) in [
        ("image", json!("images:"), "no name after its `:`"),
        ("arch", json!("i386"), "no instances of architecture \"i386\""),
        ("extra_specs", json!({"cpus": 2}), "no key \"cpus\""),
        ("extra_specs", json!({"runner_install_template": "e3sgLg=="}), "cannot be used; docs/garm.md"),
        ("os_type", json!("windows"), "no install script for Windows"),
        ("tools", json!(null), "no release of the runner"),
        ("metadata-url", json!(""), "no `metadata-url`"),
        ("proxy_config", json!({"http_proxy": "http://fake\"token"}), "`http_proxy`"),
    ] {
        let fault = specified(|input| input[key] = value).unwrap_err();
        let Fault::Configuration(why) = &fault else { panic!("{fault:?}") };
        assert!(why.contains(said) && !why.contains("fake"), "{key}: {why}");
    }
    let mut bare = settings();
    bare.include_default_profile = false;
    let input = Bootstrap::parse(br#"{"name": "garm-1", "image": "trixie"}"#).unwrap();
    let fault = specify(&bare, &input).unwrap_err();
    assert!(fault.to_string().contains("no flavor"), "{fault}");
}

#[test]
fn a_finished_script_needs_no_release_of_the_runner() {
    let made = specified(|input| {
        input["tools"] = json!(null);
        input["extra_specs"] = json!({"runner_install_template": "IyEvYmluL2Jhc2gK"});
    });
    made.unwrap();
}
