//! What is refused, with which code, and that nothing is lost by it.

use std::fs;

use serde_json::json;

use crate::calls::{CONTROLLER, Garm, POOL, Said, TOKENS, bootstrap, changed};
use crate::stand_in::{Flavor, Rule, Then};

/// Every command that is about one instance.
const ABOUT_ONE: [&str; 4] = ["GetInstance", "DeleteInstance", "StartInstance", "StopInstance"];

fn ours() -> [(&'static str, &'static str); 2] {
    [("user.runner-controller-id", CONTROLLER), ("user.runner-pool-id", POOL)]
}

#[test]
fn nothing_is_done_to_an_instance_of_another_controller() {
    for garm in Garm::both() {
        garm.server.add("garm-1", 103, &[("user.runner-controller-id", "other"), ("user.runner-pool-id", POOL)]);
        for command in ABOUT_ONE {
            let said = garm.call(command, "garm-1");
            assert!(said.code != Some(0), "{command}: {said:?}");
        }
        garm.create(&bootstrap("garm-1")).expect(31);
        // GARM deletes what it could not create.
        garm.call("DeleteInstance", "garm-1").expect(1);
        assert_eq!(garm.server.names(), ["garm-1"]);
        let status = garm.server.with(|state| state.instances.values().next().unwrap().status);
        assert_eq!(status, 103);
    }
}

#[test]
fn a_name_that_is_taken_is_a_duplicate_and_a_half_made_one_is_made_anew() {
    for garm in Garm::both() {
        garm.create(&bootstrap("garm-1")).expect(0);
        garm.create(&bootstrap("garm-1")).expect(31);
        garm.server.add("garm-2", 102, &ours());
        garm.create(&bootstrap("garm-2")).expect(0);
        assert!(garm.config("garm-2", "user.user-data").is_some());
        assert_eq!(garm.server.names(), ["garm-1", "garm-2"]);
    }
}

#[test]
fn what_is_missing_has_the_code_of_the_interface() {
    for garm in Garm::both() {
        for command in ["GetInstance", "StartInstance", "StopInstance"] {
            garm.call(command, "garm-1").expect(30);
            garm.call(command, "../../1.0").expect(30);
        }
        for name in ["garm-1", "4cpu-abc"] {
            garm.call("DeleteInstance", name).expect(0);
        }
        for name in ["../../1.0", "a/b?c#d", "-", "ü", "123"] {
            assert!(garm.call("DeleteInstance", name).expect(1).why.contains("--force-remove-runner"));
        }
        let flavor = changed("garm-1", |bootstrap| bootstrap["flavor"] = json!("nope"));
        assert!(garm.create(&flavor).expect(30).why.contains("nope"));
        let remote = changed("garm-1", |bootstrap| bootstrap["image"] = json!("nope:trixie"));
        assert!(garm.create(&remote).expect(30).why.contains("`image_remotes`"));
        let alias = changed("garm-1", |bootstrap| bootstrap["image"] = json!("nope"));
        let said = garm.create(&alias).expect(30);
        assert!(said.why.contains("trixie"), "the images that there are: {said:?}");
        assert!(garm.server.names().is_empty());
    }
}

#[test]
fn a_failure_is_never_an_empty_list() {
    let body = |body| Then::Say(200, body);
    let failing = [
        Then::Say(500, json!({"type": "error", "error_code": 500, "error": "broken"})),
        body(json!({"type": "error", "error_code": 500, "error": "broken"})),
        body(json!({"type": "sync", "status_code": 200, "metadata": null})),
        body(json!({"type": "sync", "status_code": 200, "metadata": [{"a": 1}]})),
        Then::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]".into()),
        Then::Raw(b"\0\xff garbage\r\n\r\n".into()),
    ];
    // What may be no more than a server that is started again is asked for anew for a while.
    std::thread::scope(|scope| {
        for (then, flavor) in failing.into_iter().flat_map(|then| Flavor::BOTH.map(|flavor| (then.clone(), flavor))) {
            scope.spawn(move || {
                let garm = Garm::new(flavor);
                garm.server.add("garm-1", 103, &ours());
                garm.server.inject(Rule::new("GET", "/1.0/instances", then));
                garm.call("ListInstances", "").expect(1);
            });
        }
    });
    for garm in Garm::both() {
        garm.server.with(|state| state.projects.retain(|project| project == "default"));
        let said = garm.call("ListInstances", "").expect(1);
        assert!(said.why.contains("garm-project"), "{said:?}");
    }
}

#[test]
fn a_server_that_is_not_there_fails_every_command() {
    let garm = Garm::new(Flavor::Incus);
    garm.settings("unix_socket_path = \"/nonexistent/unix.socket\"\n");
    for command in ABOUT_ONE.into_iter().chain(["ListInstances", "RemoveAllInstances"]) {
        let said = garm.call(command, "garm-1").expect(1);
        assert!(said.why.contains("/nonexistent/unix.socket"), "{said:?}");
    }
    garm.create(&bootstrap("garm-1")).expect(1);
}

#[test]
fn a_mistake_is_told_before_the_server_is_asked() {
    let garm = Garm::new(Flavor::Incus);
    for (key, value, said) in [
        ("extra_specs", json!({"extra_package": []}), "no key \"extra_package\""),
        ("extra_specs", json!({"runner_install_template": "#!/bin/bash\necho fake-secret"}), "looks like raw text"),
        ("extra_specs", json!({"runner_install_template": "e3sgLkZvbyB9fQ=="}), "line 1: there is no field \"Foo\""),
        ("extra_specs", json!({"pre_install_scripts": {"a": "echo fake-secret"}}), "`pre_install_scripts.a`"),
        ("extra_specs", json!("fake-secret"), "no JSON object"),
        ("name", json!("a/../b"), "No instance can be called"),
        ("ca-cert-bundle", json!("fake-secret"), "`ca-cert-bundle`"),
        ("arch", json!("i386"), "architecture"),
    ] {
        let said_by_it = garm.create(&changed("garm-1", |bootstrap| bootstrap[key] = value)).expect(1);
        assert!(said_by_it.why.contains(said) && !said_by_it.why.contains("fake-secret"), "{said_by_it:?}");
    }
    for input in ["", "{", "null", "[]", "{\"name\": 5}"] {
        Said::of(garm.process("CreateInstance", ""), input.as_bytes()).expect(1);
    }
    let large = vec![b'['; 9 << 20];
    Said::of(garm.process("CreateInstance", ""), &large).expect(1);
    let deep = "[".repeat(1 << 20);
    Said::of(garm.process("CreateInstance", ""), deep.as_bytes()).expect(1);
    assert_eq!(garm.server.requests(), [""; 0]);
}

#[test]
fn settings_that_cannot_work_name_file_and_key_in_every_call() {
    let garm = Garm::new(Flavor::Incus);
    for (text, said) in [
        ("", "neither `unix_socket_path` nor `url`"),
        ("unix_socket_path = 5", "`unix_socket_path`"),
        ("url = \"https://x\"", "`client_certificate`"),
        ("unix_socket_path = /s", "line 1 is no TOML"),
    ] {
        garm.settings(text);
        for command in ABOUT_ONE.into_iter().chain(["ListInstances", "RemoveAllInstances", "CreateInstance"]) {
            let it = garm.call(command, "garm-1").expect(1);
            assert!(it.why.contains(said) && it.why.contains("provider.toml"), "{command}: {it:?}");
        }
    }
    fs::remove_file(garm.settings_path()).unwrap();
    assert!(garm.call("ListInstances", "").expect(1).why.contains("provider.toml"));
    assert_eq!(garm.server.requests(), [""; 0]);
}

#[test]
fn a_call_that_is_none_is_told_as_such() {
    let mut garm = Garm::new(Flavor::Incus);
    for (name, value, said) in [
        ("GARM_COMMAND", "Nonsense", "which this version does not know"),
        ("GARM_INTERFACE_VERSION", "v9", "leave `interface_version` out"),
        ("GARM_CONTROLLER_ID", "", "GARM_CONTROLLER_ID is not set"),
        ("GARM_PROVIDER_CONFIG_FILE", "", "`config_file`"),
        ("GARM_INSTANCE_ID", "", "GARM_INSTANCE_ID is not set"),
    ] {
        garm.set(name, value);
        let it = garm.call("DeleteInstance", "garm-1").expect(1);
        assert!(it.why.contains(said), "{it:?}");
        garm = Garm::new(Flavor::Incus);
    }
    garm.set("GARM_POOL_ID", "");
    assert!(garm.call("ListInstances", "").expect(1).why.contains("GARM_POOL_ID"));
}

#[test]
fn a_server_that_repeats_a_token_does_not_get_it_shown() {
    for garm in Garm::both() {
        let words = format!("Invalid config {} and {}", TOKENS[0], TOKENS[1]);
        let refusal = json!({"type": "error", "error_code": 400, "error": words});
        garm.server.inject(Rule::new("POST", "/1.0/instances", Then::Say(400, refusal)));
        let said = garm.create(&bootstrap("garm-1")).expect(1);
        assert!(said.why.contains("Invalid config *** and ***"), "{said:?}");
    }
}

#[test]
fn what_a_failed_creation_made_is_taken_away_again() {
    for garm in Garm::both() {
        garm.server
            .inject(Rule::new("POST", "/1.0/instances", Then::FailOperation("No space left on device")).times(1));
        let said = garm.create(&bootstrap("garm-1")).expect(1);
        assert!(said.why.contains("No space left on device"), "{said:?}");
        assert!(garm.server.names().is_empty());
        garm.create(&bootstrap("garm-1")).expect(0);
    }
}
