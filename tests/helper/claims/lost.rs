//! A ledger that is lost while the state is kept, and state that no ledger ever knew: what is ours is taken back or adopted,
//! and nobody else's runner is touched.

use std::fs;

use github_runners::contract::protocol::{Outcome, RemoteRunner};
use serde_json::{Value, json};

use super::recovery::edit;
use super::register::{ephemeral, registered};
use crate::host::Host;
use crate::server::Server;

/// A registered runner, and what becomes of its ledger.
fn lost(how: &str) -> (Host, Server) {
    let (host, server) = registered();
    lose(&host, how);
    (host, server)
}

fn lose(host: &Host, how: &str) {
    let entry = host.path("ledger/runner1.json");
    match how {
        "directory" => fs::remove_dir_all(host.path("ledger")).unwrap(),
        "entry" => fs::remove_file(entry).unwrap(),
        "empty" => fs::write(entry, "").unwrap(),
        "zeroes" => {
            let length = fs::read(&entry).unwrap().len();
            fs::write(entry, vec![0; length]).unwrap();
        }
        _ => panic!("{how}"),
    }
}

#[test]
fn a_lost_ledger_keeps_no_host_down() {
    for how in ["directory", "entry", "empty", "zeroes"] {
        let (host, server) = lost(how);
        let said = host.prepare().good();
        assert!(said.contains("id 21, offline, is the one that the state directory names"), "{how}: {said}");
        assert!(!said.contains("can be removed at"), "{how}: {said}");
        assert_eq!(server.state().deleted, [21]);
        assert_eq!(server.asked(), "look, look, retire 21, look, token", "{how}");
        assert_eq!(host.ledger()["leftBehind"], json!([]), "{how}");
        host.configured(22);
        server.add(22, "runner1");
        host.step("record").good();
        assert!(host.prepare().good().contains("Keeping"), "{how}");
    }
}

#[test]
fn the_end_of_a_failed_start_keeps_what_only_the_state_names() {
    let (host, server) = ephemeral();
    host.prepare().good();
    lose(&host, "directory");
    server.state().runners[0].online = true;
    assert!(host.prepare().bad().contains("something uses it"));
    host.settle("exit-code", None).good();
    server.state().runners[0].online = false;
    // Otherwise the next start waits for the failure of this one.
    edit(&host, |ledger| ledger["lastExit"] = Value::Null);
    host.prepare().good();
    assert_eq!(server.state().deleted, [41]);
    assert_eq!(server.ids(), [42]);
}

#[test]
fn a_lost_ledger_keeps_no_ephemeral_runner_down() {
    let (host, server) = ephemeral();
    host.prepare().good();
    lose(&host, "directory");
    host.prepare().good();
    assert_eq!(server.state().deleted, [41]);
    assert_eq!(server.ids(), [42]);
}

#[test]
fn a_ledger_that_is_lost_while_github_is_down_is_no_worse_afterwards() {
    let (host, server) = lost("directory");
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    for _ in 0..2 {
        host.prepare().bad();
        assert_eq!(host.tree("state").len(), 3);
    }
    server.state().instead = None;
    host.prepare().good();
    assert_eq!(server.state().deleted, [21]);
}

#[test]
fn a_runner_that_only_the_state_names_is_left_alone_while_it_is_used() {
    for (online, busy) in [(true, false), (true, true), (false, true)] {
        let (host, server) = lost("directory");
        server.state().runners = vec![RemoteRunner { id: 21, name: "runner1".into(), online, busy }];
        let said = host.prepare().bad();
        assert!(said.contains("is the one that the state directory names, but") && said.contains("uses it"), "{said}");
        assert_eq!((server.ids(), host.tree("state").len()), (vec![21], 3));
    }
}

/// What a job can make of the files, and what the server has then.
#[test]
fn a_forged_id_deletes_nobody() {
    type Forge = fn(&mut Value);
    const FORGERIES: [(&str, Forge); 4] = [
        ("another id", |settings| settings["agentId"] = json!(99)),
        ("another id and name", |settings| (settings["agentId"], settings["agentName"]) = (json!(99), json!("victim"))),
        ("another name", |settings| settings["agentName"] = json!("victim")),
        ("another address", |settings| settings["gitHubUrl"] = json!("https://github.com/octo-org/other")),
    ];
    for (what, forge) in FORGERIES {
        for how in ["directory", "zeroes"] {
            let (host, server) = lost(how);
            server.add(99, "victim");
            let text = fs::read_to_string(host.state(".runner")).unwrap();
            let mut settings: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
            forge(&mut settings);
            fs::write(host.state(".runner"), settings.to_string()).unwrap();
            let said = host.prepare().bad();
            assert!(said.contains("exists already, and this host did not make it"), "{what}: {said}");
            assert_eq!(server.ids(), [21, 99], "{what}");
        }
    }
    // Half a registration proves nothing, and where a ledger knows something, only its word counts.
    let (host, server) = lost("directory");
    fs::remove_file(host.state(".credentials")).unwrap();
    host.prepare().bad();
    assert_eq!(server.ids(), [21]);
    let (mut host, server) = registered();
    *host.registration("extraLabels") = json!(["other"]);
    edit(&host, |ledger| ledger["runner"] = Value::Null);
    host.prepare().bad();
    assert_eq!(server.ids(), [21]);
}

/// State of nixpkgs' module whose credential is a GitHub App.
fn from_nixpkgs_with_app() -> (Host, Server) {
    let (mut host, server) = Host::with_server();
    fs::write(host.path("key.pem"), "FAKE KEY").unwrap();
    *host.registration("tokenFile") = Value::Null;
    host.manifest["githubApp"] =
        json!({ "id": "1", "login": null, "privateKeyFile": host.path("key.pem"), "installationId": null });
    host.prepare().good();
    host.configured(7);
    fs::remove_dir_all(host.path("ledger")).unwrap();
    fs::write(host.state(".nixos-current-config.json"), host.manifest["registration"].to_string()).unwrap();
    fs::write(host.state(".current-token"), "AFAKEONEHOURTOKEN").unwrap();
    server.add(7, "runner1");
    server.asked();
    (host, server)
}

#[test]
fn runners_of_nixpkgs_module_with_an_app_are_adopted() {
    for has_copy in [true, false] {
        let (host, server) = from_nixpkgs_with_app();
        if !has_copy {
            fs::remove_file(host.state(".current-token")).unwrap();
        }
        let said = host.prepare().good();
        assert!(said.contains("Adopting the registration of runner1: nixpkgs' module registered id 7"), "{said}");
        assert_eq!((server.ids(), server.asked().as_str()), (vec![7], "observe 7"));
        assert_eq!(host.ledger()["runner"]["id"], 7);
        assert_eq!(host.tree("state"), [".credentials", ".credentials_rsaparams", ".runner"], "the token copy is gone");
        assert!(host.prepare().good().contains("Keeping"));
    }
}

#[test]
fn what_nixpkgs_module_registered_with_an_app_is_taken_over_if_it_is_not_as_configured() {
    let (mut host, server) = from_nixpkgs_with_app();
    *host.registration("extraLabels") = json!(["other"]);
    let said = host.prepare().good();
    assert!(said.contains("extraLabels changed"), "{said}");
    assert_eq!(server.state().deleted, [7]);
}

#[test]
fn nothing_is_adopted_that_github_does_not_confirm() {
    let (host, server) = from_nixpkgs_with_app();
    server.state().instead = Some(Outcome::Unreachable("it is down".into()));
    assert!(host.prepare().bad().contains("GitHub did not confirm it"));
    assert!(host.state(".nixos-current-config.json").exists(), "the next start can still tell");
    server.state().instead = None;
    server.state().runners[0].name = "victim".into();
    let said = host.prepare().good();
    assert!(said.contains("GitHub shows a runner of another name under id 7"), "{said}");
    assert_eq!((server.ids(), host.ledger()["leftBehind"].clone()), (vec![7], json!([])), "it is somebody else's");

    // A job of this module's can forge that state, but its runner is in the ledger.
    let (host, server) = from_nixpkgs_with_app();
    host.prepare().good();
    fs::write(host.state(".nixos-current-config.json"), host.manifest["registration"].to_string()).unwrap();
    let forged = fs::read_to_string(host.state(".runner")).unwrap().replace("\"agentId\":7", "\"agentId\":9");
    fs::write(host.state(".runner"), forged).unwrap();
    server.add(9, "runner9");
    let said = host.prepare().good();
    assert!(said.contains("names id 9, but id 7 was registered"), "{said}");
    assert_eq!(server.ids(), [9]);
}
