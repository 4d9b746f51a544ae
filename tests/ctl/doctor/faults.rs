//! Faults: each is found by its check, and has a way out.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::process::Command;

use github_runners::contract::protocol::Outcome;
use github_runners::doctor::Level;
use github_runners::units::Activity;
use serde_json::json;

use super::practice::{Practice, of, only};
use crate::fake_units::FakeUnits;
use crate::host::{Host, is_root};

#[test]
fn a_sound_host_has_no_faults_and_its_broker_is_asked_for_nothing_but_what_it_can_see() {
    let (practice, server) = Practice::with_server();
    let report = practice.check();
    assert_eq!(report.count(Level::Fault), 0, "{report:#?}");
    assert_eq!(server.asked(), "preflight, audience");
    let titles: Vec<&str> = report.groups.iter().map(|group| group.title.as_str()).collect();
    assert_eq!(titles, ["This host", "Runner runner1"]);
    assert!(of(&report, Level::Good, "GitHub")[0].said.contains("2.400.0"), "{report:#?}");
}

#[test]
fn a_broken_fleet_file_or_manifest_is_named() {
    let mut practice = Practice::new(Host::new());
    practice.host.manifest["surprise"] = json!(1);
    practice.write();
    let report = practice.check();
    let faults = of(&report, Level::Fault, "manifest");
    assert!(faults.len() == 1 && faults[0].said.contains("unknown field `surprise`"), "{report:#?}");
    assert_eq!(of(&report, Level::Good, "unit").len(), 1, "the other checks are made all the same");
    fs::write(practice.host.path("fleet.json"), "{").unwrap();
    only(&practice.check(), Level::Fault, "fleet file", "no JSON object");
    fs::remove_file(practice.host.path("fleet.json")).unwrap();
    only(&practice.check(), Level::Fault, "fleet file", "--fleet");
}

#[test]
fn a_host_that_makes_no_passes_by_itself_is_told_what_nobody_does() {
    let mut practice = Practice::new(Host::new());
    assert!(of(&practice.check(), Level::Warning, "passes").is_empty());
    practice.fleet["passes"] = json!(false);
    practice.write();
    let report = practice.check();
    let told = of(&report, Level::Warning, "passes");
    assert!(told.len() == 1 && told[0].said.contains("not configured any more"), "{report:#?}");
    assert_eq!(report.count(Level::Fault), 0, "{report:#?}");
}

#[test]
fn an_unknown_runner_is_wrong_usage_and_a_known_one_is_looked_at_alone() {
    let mut practice = Practice::new(Host::new());
    let mut other = practice.fleet["instances"][0].clone();
    other["instance"] = json!("runner2");
    practice.fleet["instances"].as_array_mut().unwrap().push(other);
    practice.write();
    assert_eq!(practice.check().groups.len(), 3);
    assert_eq!(practice.try_run(Some("runner1"), false).unwrap().groups.len(), 2);
    assert_eq!(practice.try_run(Some("runner1"), true).unwrap().groups.len(), 1);
    let error = practice.try_run(Some("runner3"), false).unwrap_err().to_string();
    assert!(error.contains("no runner `runner3`") && error.contains("runner1, runner2"), "{error}");
}

#[test]
fn a_runner_that_has_too_little_room_for_a_start_is_named_with_what_is_left() {
    let mut practice = Practice::new(Host::new().registered());
    practice.host.manifest["minFreeSpace"] = json!("9000000T");
    practice.write();
    let report = practice.check();
    assert_eq!(report.count(Level::Fault), 0, "{report:#?}");
    let part = "unless removing what jobs left gives more back, a start does not offer the runner to GitHub";
    for topic in ["work directory", "state directory"] {
        let told = of(&report, Level::Warning, topic);
        assert!(told.iter().any(|finding| finding.said.contains(part)), "{topic}: {report:#?}");
    }
    practice.host.manifest["cleanWorkDir"] = json!("never");
    practice.write();
    let report = practice.check();
    let faults = of(&report, Level::Fault, "work directory");
    assert!(faults.len() == 1 && faults[0].said.contains("`minFreeSpace` is 9000000T"), "{report:#?}");
    assert!(practice.host.prepare().bad().contains("is not offered to GitHub"));
}

#[test]
fn a_missing_token_is_named_with_the_directory_that_is_missing() {
    let mut practice = Practice::new(Host::new());
    let secrets = practice.host.path("secrets");
    *practice.host.registration("tokenFile") = json!(secrets.join("token"));
    practice.write();
    let report = practice.check();
    let faults = of(&report, Level::Fault, "credential");
    assert!(faults[0].said.contains("does not exist: create it"), "{faults:?}");
    assert!(faults[1].said.contains(&format!("{} does not exist", secrets.display())), "{faults:?}");
    fs::create_dir(&secrets).unwrap();
    only(&practice.check(), Level::Fault, "credential", "does not exist: create it");
}

#[test]
fn a_credential_that_jobs_could_read_is_a_fault_and_one_that_others_could_a_warning() {
    if !is_root("a file of another user") {
        return;
    }
    let mut practice = Practice::new(Host::new());
    let token = practice.host.path("token");
    // The user of the unit is not known: nothing is theirs.
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    only(&practice.check(), Level::Fault, "credential", "the user of the unit can read the secret");
    for path in ["state", "work"] {
        chown(practice.host.path(path), Some(64_321), Some(64_321)).unwrap();
    }
    let report = practice.check();
    let faults = of(&report, Level::Fault, "credential");
    assert!(faults[0].said.contains("user id 64321") && faults[0].said.contains("mode 0644"), "{report:#?}");
    assert!(faults[0].remedy.as_ref().unwrap().contains("chmod 0400"), "{report:#?}");
    let stopped = practice.start_check();
    assert!(stopped.findings().any(|finding| finding.said.contains("user id 64321")), "{stopped:#?}");

    practice.host.manifest["trustJobsLikeRoot"] = json!(true);
    practice.write();
    let report = practice.check();
    assert_eq!(report.count(Level::Fault), 0, "{report:#?}");
    assert!(of(&report, Level::Warning, "credential")[0].said.contains("mode 0644"), "{report:#?}");

    practice.host.manifest["trustJobsLikeRoot"] = json!(false);
    practice.write();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&token, Some(64_322), None).unwrap();
    let report = practice.check();
    assert_eq!(report.count(Level::Fault), 0, "{report:#?}");
    assert!(of(&report, Level::Warning, "credential")[0].said.contains("user id 64322 can read"), "{report:#?}");
}

#[test]
fn a_closed_parent_of_another_user_is_the_component_that_blocks() {
    if !is_root("a directory of another user") {
        return;
    }
    let mut practice = Practice::new(Host::new());
    chown(practice.host.path("state"), Some(64_321), Some(64_321)).unwrap();
    chown(practice.host.path("work"), Some(64_321), Some(64_321)).unwrap();
    // What a user's `~/.config` looks like, or secrets that were put beside the state.
    fs::set_permissions(practice.host.path("var"), fs::Permissions::from_mode(0o700)).unwrap();
    let blocked = format!("id 64321, cannot pass {}, which has mode 0700", practice.host.path("var").display());
    only(&practice.check(), Level::Fault, "state directory", &blocked);
    fs::set_permissions(practice.host.path("var"), fs::Permissions::from_mode(0o755)).unwrap();

    let disk = practice.host.path("disk");
    fs::create_dir_all(disk.join("ci")).unwrap();
    fs::set_permissions(&disk, fs::Permissions::from_mode(0o750)).unwrap();
    practice.fleet["instances"][0]["workDirectory"] = json!(disk.join("ci/work"));
    practice.write();
    let report = practice.check();
    assert!(of(&report, Level::Warning, "work directory")[0].said.contains("may be unable to pass"), "{report:#?}");
    fs::set_permissions(&disk, fs::Permissions::from_mode(0o700)).unwrap();
    only(&practice.check(), Level::Fault, "work directory", &format!("chmod o+x {}", disk.display()));
    for path in [&disk, &disk.join("ci")] {
        chown(path, Some(64_321), None).unwrap();
    }
    only(&practice.check(), Level::Fault, "work directory", "could exchange it while it is made");
}

#[test]
fn a_closed_private_of_systemd_blocks_no_dynamic_user() {
    if !is_root("a directory of another user") {
        return;
    }
    let practice = Practice::new(Host::new());
    let private = practice.host.path("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(practice.host.path("state"), private.join("state")).unwrap();
    chown(private.join("state"), Some(64_321), Some(64_321)).unwrap();
    fs::remove_file(practice.host.path("var/runner1")).unwrap();
    symlink("../private/state", practice.host.path("var/runner1")).unwrap();
    let report = practice.check();
    assert_eq!(report.count(Level::Fault), 0, "{report:#?}");
}

#[test]
fn a_link_that_others_could_exchange_and_a_file_in_the_way_are_named() {
    let mut practice = Practice::new(Host::new());
    fs::write(practice.host.path("file"), "").unwrap();
    practice.fleet["instances"][0]["workDirectory"] = json!(practice.host.path("file/work"));
    practice.write();
    let report = practice.check();
    assert!(of(&report, Level::Fault, "work directory")[0].said.contains("file is not a directory"), "{report:#?}");
    if !is_root("a link of another user") {
        return;
    }
    fs::create_dir(practice.host.path("home")).unwrap();
    symlink(practice.host.path("work"), practice.host.path("home/work")).unwrap();
    chown(practice.host.path("home"), Some(64_321), None).unwrap();
    practice.fleet["instances"][0]["workDirectory"] = json!(practice.host.path("home/work"));
    practice.write();
    let report = practice.check();
    let faults = of(&report, Level::Fault, "work directory");
    assert!(faults[0].said.contains("a symbolic link that user id 64321 could exchange"), "{report:#?}");
}

#[test]
fn what_github_says_about_the_credential_is_passed_on() {
    let (mut practice, server) = Practice::with_server();
    server.state().instead = Some(Outcome::Refused("It lacks a scope: give it `admin:org`.".into()));
    only(&practice.check(), Level::Fault, "GitHub", "give it `admin:org`");
    server.state().instead = Some(Outcome::Unreachable("github.com has no address".into()));
    only(&practice.check(), Level::Fault, "GitHub", "uses no proxy");
    practice.units.set("", "Environment", "LANG=C https_proxy=http://u:secret@proxy:3128");
    only(&practice.check(), Level::Fault, "GitHub", "https_proxy=\"http://***@proxy:3128\"");
    server.state().instead = None;
    server.state().expires = Some(1);
    let report = practice.check();
    assert!(of(&report, Level::Warning, "GitHub")[0].said.contains("expired on 1970-01-01"), "{report:#?}");
}

#[test]
fn the_door_to_the_broker_is_for_root_alone() {
    let (practice, _server) = Practice::with_server();
    let socket = practice.places.sockets.join("runner1");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o660)).unwrap();
    only(&practice.check(), Level::Fault, "broker", "has mode 0660");
    fs::remove_file(&socket).unwrap();
    only(&practice.check(), Level::Fault, "broker", "restart `github-runner-broker-runner1.socket`");
    fs::write(&socket, "").unwrap();
    let report = practice.check();
    assert!(of(&report, Level::Fault, "broker")[0].said.contains("is no socket"), "{report:#?}");
}

#[test]
fn an_unreadable_entry_and_an_open_ledger_are_faults() {
    let practice = Practice::new(Host::new().registered());
    fs::set_permissions(practice.host.path("ledger"), fs::Permissions::from_mode(0o755)).unwrap();
    let report = practice.check();
    assert!(of(&report, Level::Fault, "ledger")[0].said.contains("set its mode to 0700"), "{report:#?}");
    fs::set_permissions(practice.host.path("ledger"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(practice.host.path("ledger/runner1.json"), "{").unwrap();
    only(&practice.check(), Level::Fault, "ledger entry", "remove it, and the runner registers anew");
}

#[test]
fn units_that_failed_or_are_unknown_are_faults() {
    let mut practice = Practice::new(Host::new().registered());
    practice.units.unit.get_mut().activity = Activity::Failed;
    only(&practice.check(), Level::Fault, "unit", "journalctl --unit github-runner-runner1.service");
    practice.units.unit.get_mut().is_defined = false;
    only(&practice.check(), Level::Fault, "unit", "systemd does not know");
    practice.units = FakeUnits { version: 249, ..FakeUnits::running() };
    assert_eq!(of(&practice.check(), Level::Warning, "systemd").len(), 1);
}

#[test]
fn a_specifier_that_only_systemd_knows_is_said_to_be_unknown() {
    let mut practice = Practice::new(Host::new());
    practice.fleet["instances"][0]["workDirectory"] = json!("%i/work");
    practice.write();
    let report = practice.check();
    assert!(of(&report, Level::Warning, "work directory")[0].said.contains("only systemd can tell"), "{report:#?}");
}

/// Unmounts when it is dropped.
struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().expect("umount runs");
    }
}

#[test]
fn a_small_or_full_tmpfs_is_told_with_the_option_that_helps() {
    let practice = Practice::new(Host::new());
    let work = practice.host.path("work");
    let mounted = |size: &str| {
        let option = format!("size={size}");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(&work).status();
        status.is_ok_and(|status| status.success()).then(|| Mount(work.clone()))
    };
    if !is_root("mounting a tmpfs") {
        return;
    }
    let Some(mount) = mounted("64m") else {
        eprintln!("no mounts: a small tmpfs was not tried");
        return;
    };
    let warnings = || {
        let report = practice.check();
        let found = of(&report, Level::Warning, "work directory");
        found.iter().map(|finding| format!("{} → {:?}", finding.said, finding.remedy)).collect::<Vec<_>>()
    };
    let found = warnings();
    assert!(found.len() == 1 && found[0].contains("in memory, and only 64 MiB of 64 MiB"), "{found:?}");
    fs::write(work.join("full"), vec![0; 60 << 20]).unwrap();
    let found = warnings();
    assert!(found.len() == 1 && found[0].contains("only 4 MiB of") && found[0].contains("`workDir`"), "{found:?}");
    drop(mount);
    let _mount = mounted("4g").unwrap();
    assert_eq!(warnings(), Vec::<String>::new());
}

#[test]
fn a_node_that_the_host_has_not_is_told() {
    let mut practice = Practice::new(Host::new());
    let mut of_jobs = |may: serde_json::Value| {
        practice.fleet["instances"][0]["may"] = may;
        practice.write();
        let report = practice.check();
        of(&report, Level::Warning, "jobs").iter().map(|finding| finding.said.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of_jobs(serde_json::json!(["nix (allowed)", "/dev/null"])), Vec::<String>::new());
    let told = of_jobs(serde_json::json!(["/dev/null", "/dev/no-driver", "podman"]));
    assert_eq!(told, ["are to have /dev/no-driver, and this host has no such node"]);
}
