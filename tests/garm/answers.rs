//! What GARM reads of each command, with both servers.

use std::io::Write as _;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use crate::calls::{CONTROLLER, Garm, POOL, REMOTE, Said, bootstrap, changed, socket_settings};
use crate::stand_in::{Durations, Flavor, PROJECT, Rule, State, Then};
use crate::wait::wait_for;

/// An instance as GARM reads it.
fn told(name: &str, status: &str) -> Value {
    json!({
        "provider_id": name, "name": name, "status": status, "os_type": "linux", "os_name": "debian", "os_version": "trixie",
        "os_arch": "amd64",
    })
}

fn with_addresses(mut told: Value) -> Value {
    told["addresses"] =
        json!([{"address": "10.213.0.10", "type": "public"}, {"address": "fd00::17", "type": "public"}]);
    told
}

#[test]
fn an_instance_lives_from_its_creation_to_its_end() {
    for garm in Garm::both() {
        let made = garm.create(&bootstrap("garm-1")).expect(0);
        assert_eq!(made.json(), with_addresses(told("garm-1", "running")));
        assert_eq!(garm.call("GetInstance", "garm-1").expect(0).json(), with_addresses(told("garm-1", "running")));
        assert_eq!(garm.call("ListInstances", "").expect(0).json(), json!([told("garm-1", "running")]));
        assert_eq!(garm.call("StopInstance", "garm-1").expect(0).answer, "");
        assert_eq!(garm.call("GetInstance", "garm-1").expect(0).json(), told("garm-1", "stopped"));
        assert_eq!(garm.call("StartInstance", "garm-1").expect(0).answer, "");
        assert_eq!(garm.call("DeleteInstance", "garm-1").expect(0).answer, "");
        assert_eq!(garm.call("ListInstances", "").expect(0).answer, "[]");
        garm.call("DeleteInstance", "garm-1").expect(0);
        garm.call("GetInstance", "garm-1").expect(30);
    }
}

#[test]
fn a_name_that_begins_with_a_digit_is_one() {
    for garm in Garm::both() {
        garm.create(&bootstrap("4cpu-abc")).expect(0);
        garm.call("DeleteInstance", "4cpu-abc").expect(0);
        assert!(garm.server.names().is_empty());
    }
}

#[test]
fn an_instance_has_the_tags_and_the_user_data_that_the_go_providers_give() {
    for garm in Garm::both() {
        garm.create(&bootstrap("garm-1")).expect(0);
        let body = garm.body("garm-1").unwrap();
        assert_eq!(body["type"], "container");
        assert_eq!(body["architecture"], "x86_64");
        assert_eq!(body["ephemeral"], false);
        for (key, value) in [
            ("user.runner-controller-id", CONTROLLER),
            ("user.runner-pool-id", POOL),
            ("user.os-type", "linux"),
            ("user.os-arch", "amd64"),
        ] {
            assert_eq!(garm.config("garm-1", key).as_deref(), Some(value), "{key}");
        }
        let data = garm.config("garm-1", "user.user-data").unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        assert_eq!(data["write_files"][0]["content"], "IyEvYmluL2Jhc2gKZWNobyBoZWxsbwo=");
        assert_eq!(data["runcmd"][1], "su -l -c /install_runner.sh runner");
    }
}

#[test]
fn a_list_has_the_instances_of_one_pool_of_one_controller() {
    for mut garm in Garm::both() {
        for (name, pool, controller) in [("a", POOL, CONTROLLER), ("b", "other", CONTROLLER), ("c", POOL, "other")] {
            garm.server.add(name, 103, &[("user.runner-controller-id", controller), ("user.runner-pool-id", pool)]);
        }
        garm.server.add("d", 103, &[]);
        let names = |said: Said| -> Vec<String> {
            let list = said.json();
            list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(garm.call("ListInstances", "").expect(0)), ["a"]);
        // A pool that nobody knows has none; scale sets have any text for an id.
        garm.set("GARM_POOL_ID", "other");
        assert_eq!(names(garm.call("ListInstances", "").expect(0)), ["b"]);
        garm.set("GARM_POOL_ID", "ss1-a44016d6/?&=ü");
        assert_eq!(garm.call("ListInstances", "").expect(0).answer, "[]");
    }
}

#[test]
fn all_instances_of_a_controller_go_and_no_others() {
    for garm in Garm::both() {
        for (name, status) in [("a", 103), ("b", 102)] {
            garm.server.add(name, status, &[("user.runner-controller-id", CONTROLLER)]);
        }
        garm.server.add("foreign", 103, &[("user.runner-controller-id", "other")]);
        garm.server.add("nobodys", 102, &[]);
        garm.call("RemoveAllInstances", "").expect(0);
        assert_eq!(garm.server.names(), ["foreign", "nobodys"]);
    }
}

#[test]
fn one_that_cannot_be_removed_keeps_no_other() {
    let garm = Garm::new(Flavor::Incus);
    for name in ["a", "b", "c"] {
        garm.server.add(name, 102, &[("user.runner-controller-id", CONTROLLER)]);
    }
    garm.server.inject(Rule::new("DELETE", "/instances/b", Then::FailOperation("The pool is broken")));
    let said = garm.call("RemoveAllInstances", "").expect(1);
    assert!(said.why.contains("The pool is broken"), "{said:?}");
    assert_eq!(garm.server.names(), ["b"]);
}

#[test]
fn the_newer_interface_is_spoken_too_without_the_pool_that_it_forgets() {
    for mut garm in Garm::both() {
        garm.set("GARM_INTERFACE_VERSION", "v0.1.1");
        garm.set("GARM_POOL_EXTRASPECS", "bnVsbA==");
        garm.create(&bootstrap("garm-1")).expect(0);
        for command in ["GetInstance", "StopInstance", "StartInstance", "DeleteInstance"] {
            garm.call(command, "garm-1").expect(0);
        }
        assert!(garm.server.names().is_empty());
        assert_eq!(garm.call("GetSupportedInterfaceVersions", "").expect(0).json(), json!(["v0.1.0", "v0.1.1"]));
        garm.call("ValidatePoolInfo", "").expect(0);
        garm.call("GetConfigJSONSchema", "").expect(0).json();
        garm.call("GetExtraSpecsJSONSchema", "").expect(0).json();
    }
}

#[test]
fn the_version_is_text_without_a_newline() {
    let garm = Garm::new(Flavor::Incus);
    assert_eq!(garm.call("GetVersion", "").expect(0).answer, concat!("v", env!("CARGO_PKG_VERSION")));
}

#[test]
fn proxies_are_passed_by_on_the_way_to_a_socket() {
    let mut garm = Garm::new(Flavor::Incus);
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        garm.set(name, "http://127.0.0.1:1");
    }
    garm.create(&bootstrap("garm-1")).expect(0);
}

#[test]
fn a_certificate_for_one_project_is_enough_over_https() {
    for garm in Garm::both() {
        let trusted = garm.server.trust(PROJECT);
        garm.settings(&format!(
            "url = \"{}\"\nclient_certificate = \"{}\"\nclient_key = \"{}\"\ntls_server_certificate = \"{}\"\n\
             instance_type = \"container\"\n",
            trusted.url,
            trusted.certificate.display(),
            trusted.key.display(),
            trusted.server.display()
        ));
        garm.create(&bootstrap("garm-1")).expect(0);
        assert_eq!(garm.call("ListInstances", "").expect(0).json()[0]["name"], "garm-1");
        garm.call("DeleteInstance", "garm-1").expect(0);
        assert!(garm.server.names().is_empty());
    }
}

#[test]
fn extra_specs_and_settings_reach_the_server() {
    for garm in Garm::both() {
        let wish = changed("garm-1", |bootstrap| {
            bootstrap["extra_specs"]["cpu"] = json!(2);
            bootstrap["extra_specs"]["memory"] = json!("4GiB");
            bootstrap["extra_specs"]["profiles"] = json!(["default"]);
            bootstrap["image"] = json!("images:debian/13/cloud");
        });
        garm.settings(&(socket_settings(&garm.server) + REMOTE));
        garm.create(&wish).expect(0);
        assert_eq!(garm.config("garm-1", "limits.cpu").as_deref(), Some("2"));
        assert_eq!(garm.config("garm-1", "limits.memory").as_deref(), Some("4GiB"));
        let body = garm.body("garm-1").unwrap();
        assert_eq!(body["profiles"], json!(["garm-small", "default"]));
        let source = &body["source"];
        assert_eq!(
            (&source["server"], &source["alias"]),
            (&json!("https://images.example"), &json!("debian/13/cloud"))
        );
    }
}

#[test]
fn many_at_once_do_not_disturb_one_another() {
    for garm in Garm::both() {
        let names: Vec<String> = (0..8).map(|number| format!("garm-{number}")).collect();
        std::thread::scope(|scope| {
            for name in &names {
                let garm = &garm;
                scope.spawn(move || garm.create(&bootstrap(name)).expect(0));
            }
        });
        assert_eq!(garm.server.names(), names);
        std::thread::scope(|scope| {
            for name in &names {
                let garm = &garm;
                scope.spawn(move || garm.call("DeleteInstance", name).expect(0));
            }
        });
        assert!(garm.server.names().is_empty());
    }
}

/// A creation that was told all that it needs.
fn begun(garm: &Garm) -> Child {
    let mut creation = garm.process("CreateInstance", "").spawn().unwrap();
    let mut input = creation.stdin.take().unwrap();
    input.write_all(bootstrap("garm-1").to_string().as_bytes()).unwrap();
    creation
}

#[test]
fn a_delete_waits_for_what_a_killed_creation_left_at_work() {
    for garm in Garm::both() {
        // The server goes on with what a killed call began.
        garm.server.take(Durations { create: Duration::from_secs(3), ..Durations::default() });
        let mut creation = begun(&garm);
        wait_for("an instance that is being made", || (!garm.server.names().is_empty()).then_some(()));
        creation.kill().unwrap();
        creation.wait().unwrap();
        garm.call("DeleteInstance", "garm-1").expect(0);
        assert!(garm.server.names().is_empty());
    }
}

#[test]
fn a_delete_is_no_success_while_the_server_downloads_the_image_for_a_killed_creation() {
    for garm in Garm::both() {
        garm.server.take(Durations { download: Duration::from_secs(3), ..Durations::default() });
        let mut creation = begun(&garm);
        wait_for("the request", || garm.server.requests().iter().any(|line| line.starts_with("POST")).then_some(()));
        creation.kill().unwrap();
        creation.wait().unwrap();
        // GARM stops at the first success.
        garm.call("DeleteInstance", "garm-1").expect(0);
        garm.server.with(State::finish);
        assert!(garm.server.names().is_empty());
    }
}

#[test]
fn a_list_has_the_runners_whose_host_is_away_or_is_none() {
    for garm in Garm::both() {
        for name in ["a", "b"] {
            garm.server.add(name, 103, &[("user.runner-controller-id", CONTROLLER), ("user.runner-pool-id", POOL)]);
        }
        garm.server.with(|state| state.untold.push("b".into()));
        let list = garm.call("ListInstances", "").expect(0).json();
        assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
        let away = json!({"type": "error", "error_code": 400, "error": "the host of the instance is away"});
        garm.server.inject(Rule::new("GET", "/1.0/instances/b", Then::Say(400, away)));
        garm.call("ListInstances", "").expect(1);
    }
}
