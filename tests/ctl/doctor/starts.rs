//! The next start: what is foretold is what happens.

use std::fs;

use github_runners::doctor::{Level, Report};
use serde_json::json;

use super::practice::{Practice, of};
use crate::host::{Host, PAT, TOKEN, is_root};

const TOPIC: &str = "next start";

/// What was foretold, as pairs of decision and reason.
fn foretold(report: &Report) -> Vec<String> {
    let said = report.findings().map(|finding| finding.said.as_str());
    let decisions = ["it keeps the registration: ", "it adopts the registration: ", "it registers anew: "];
    said.filter(|said| decisions.iter().any(|decision| said.starts_with(decision))).map(String::from).collect()
}

/// What the journal of a start says, in the same words.
fn done(journal: &str) -> Vec<String> {
    let lines = journal.lines().filter_map(|line| {
        [
            ("Keeping the registration of runner1: ", "it keeps the registration: "),
            ("Adopting the registration of runner1: ", "it adopts the registration: "),
            ("Registering runner1 anew: ", "it registers anew: "),
        ]
        .iter()
        .find_map(|(past, future)| Some(format!("{future}{}", line.strip_prefix(past)?)))
    });
    lines.collect()
}

/// Foretells a start, makes it, and compares.
#[track_caller]
fn comes_true(practice: &Practice, part: &str) -> Report {
    practice.write();
    let report = practice.start_check();
    let foretold = foretold(&report);
    assert!(foretold.iter().any(|said| said.contains(part)), "{foretold:?}");
    assert_eq!(report.count(Level::Fault), 0, "{report:?}");
    assert_eq!(done(&practice.host.prepare().good()), foretold);
    report
}

#[test]
fn a_first_start_and_every_one_after_it() {
    let practice = Practice::new(Host::new());
    comes_true(&practice, "it registers anew: this is the first start");
    practice.host.configured(21);
    comes_true(&practice, "it keeps the registration: an earlier start registered id 21");
    practice.host.step("record").good();
    let report = comes_true(&practice, "it keeps the registration: configuration, token and state are those of");
    assert!(of(&report, Level::Good, TOPIC).iter().any(|finding| finding.said == "it waits for nothing"));
}

#[test]
fn a_missing_state_directory_is_one_that_systemd_makes() {
    let practice = Practice::new(Host::new());
    fs::remove_dir(practice.host.path("state")).unwrap();
    fs::remove_dir(practice.host.path("work")).unwrap();
    let report = practice.start_check();
    assert_eq!(foretold(&report), ["it registers anew: this is the first start"]);
    assert!(
        of(&report, Level::Good, TOPIC).iter().any(|finding| finding.said.contains("systemd makes it")),
        "{report:?}"
    );
    assert_eq!(report.count(Level::Fault), 0, "{report:?}");
}

#[test]
fn every_changed_field_and_token_is_a_reason() {
    let mut practice = Practice::new(Host::new().registered());
    *practice.host.registration("extraLabels") = json!(["fast"]);
    *practice.host.registration("runnerGroup") = json!("trusted");
    fs::write(practice.host.path("token"), "BFAKETOKENFAKETOKEN").unwrap();
    let report = comes_true(&practice, "extraLabels changed: [\"nixos\"] → [\"fast\"]");
    assert_eq!(foretold(&report).len(), 3, "{report:?}");
    assert!(report.findings().any(|finding| finding.said.contains("gives up the registration \"runner1\", id 21")));
}

#[test]
fn damaged_state_and_ephemeral_runners_register_anew() {
    let practice = Practice::new(Host::new().registered());
    fs::write(practice.host.state(".credentials"), "{").unwrap();
    fs::remove_file(practice.host.state(".credentials_rsaparams")).unwrap();
    comes_true(&practice, ".credentials is cut short");
    let mut host = Host::new();
    *host.registration("ephemeral") = json!(true);
    comes_true(&Practice::new(host.registered()), "an ephemeral runner registers at every start");
}

#[test]
fn a_registration_of_nixpkgs_module_is_adopted() {
    let practice = Practice::new(Host::new());
    let host = &practice.host;
    host.prepare().good();
    host.configured(7);
    fs::remove_dir_all(host.path("ledger")).unwrap();
    fs::write(host.state(".nixos-current-config.json"), host.manifest["registration"].to_string()).unwrap();
    fs::write(host.state(".current-token"), format!("{TOKEN}\n")).unwrap();
    comes_true(&practice, "it adopts the registration: nixpkgs' module registered id 7");
}

#[test]
fn that_github_is_asked_first_is_said_and_nobody_is_asked_for_it() {
    let (practice, server) = Practice::with_server();
    practice.host.prepare().good();
    practice.host.configured(41);
    practice.host.step("record").good();
    server.add(41, "runner1");
    server.asked();
    let report = practice.start_check();
    assert!(report.findings().any(|finding| finding.said.starts_with("it asks GitHub first")), "{report:?}");
    assert_eq!(server.asked(), "");
    assert_eq!(done(&practice.host.prepare().good()), foretold(&report));
    assert!(!report.render(github_runners::doctor::Look::default()).contains(PAT));
}

#[test]
fn a_wait_is_told_with_its_cause() {
    let practice = Practice::new(Host::new().registered());
    practice.host.settle("exit-code", Some(("exited", "1"))).good();
    let report = practice.start_check();
    let waits = of(&report, Level::Warning, TOPIC);
    assert!(waits.len() == 1 && waits[0].said.contains("s, because 1 in a row failed: "), "{waits:?}");
    // Whoever changed something need not wait.
    fs::write(practice.host.path("token"), "BFAKETOKENFAKETOKEN").unwrap();
    let report = practice.start_check();
    assert!(of(&report, Level::Good, TOPIC).iter().any(|finding| finding.said == "it waits for nothing"), "{report:?}");
    assert!(of(&report, Level::Warning, TOPIC)[0].said.contains("at most one hour before"), "{report:?}");
}

#[test]
fn what_would_stop_the_start_is_the_same_fault() {
    let mut practice = Practice::new(Host::new().registered());
    practice.fleet["instances"][0]["workDirectory"] = json!(practice.host.state("sub"));
    practice.write();
    let report = practice.start_check();
    assert!(of(&report, Level::Fault, TOPIC)[0].said.contains("overlaps with the state directory"), "{report:?}");
    let practice = Practice::new(Host::new());
    fs::write(practice.host.path("token"), "a\nb\n").unwrap();
    let said = practice.host.prepare().bad();
    let fault = &of(&practice.start_check(), Level::Fault, TOPIC)[0].said.clone();
    assert_eq!(said.trim_start_matches("error: ").trim_end(), fault.trim_start_matches("it would stop: "));
}

#[test]
fn a_work_directory_that_would_not_be_handed_over_is_the_same_fault() {
    if !is_root("a directory of another user") {
        return;
    }
    let mut practice = Practice::new(Host::new());
    let home = practice.host.path("home");
    fs::create_dir_all(home.join("precious")).unwrap();
    std::os::unix::fs::chown(&home, Some(64_321), Some(64_321)).unwrap();
    practice.fleet["instances"][0]["workDirectory"] = json!(home.join("precious"));
    practice.write();
    let report = practice.start_check();
    assert!(of(&report, Level::Warning, TOPIC)[0].said.contains("it is refused unless work directory"), "{report:?}");
    std::os::unix::fs::chown(practice.host.path("state"), Some(64_321), Some(64_321)).unwrap();
    let report = practice.start_check();
    assert!(
        of(&report, Level::Fault, TOPIC)[0].said.contains("others than root could have put it there"),
        "{report:?}"
    );
}

#[test]
fn that_a_start_empties_a_work_directory_that_is_kept_is_foretold() {
    if !is_root("a directory of another user") {
        return;
    }
    let mut practice = Practice::new(Host::new());
    practice.host.manifest["cleanWorkDir"] = json!("never");
    fs::write(practice.host.path("work/file"), "").unwrap();
    for name in ["state", "work"] {
        std::os::unix::fs::chown(practice.host.path(name), Some(64_321), Some(64_321)).unwrap();
    }
    let emptied = |report: &Report| {
        let said = of(report, Level::Good, TOPIC).iter().map(|finding| finding.said.clone()).collect::<Vec<_>>();
        said.into_iter().find(|said| said.contains("it empties the work directory although"))
    };
    practice.write();
    let report = comes_true(&practice, "it registers anew");
    assert!(emptied(&report).unwrap().contains("the ledger does not know"), "{report:?}");
    assert!(practice.host.tree("work").is_empty());
    fs::write(practice.host.path("work/file"), "").unwrap();
    assert_eq!(emptied(&practice.start_check()), None);
    practice.host.prepare().good();
    assert_eq!(practice.host.tree("work"), ["file"]);
}

#[test]
fn a_state_directory_of_nobody_is_read_and_what_is_unknown_is_said() {
    if !is_root("a directory of another user") {
        return;
    }
    let practice = Practice::new(Host::new().registered());
    for path in [
        practice.host.path("state"),
        practice.host.state(".runner"),
        practice.host.state(".credentials"),
        practice.host.state(".credentials_rsaparams"),
    ] {
        std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    let report = practice.start_check();
    assert!(foretold(&report)[0].starts_with("it keeps the registration"), "{report:?}");
    assert!(
        of(&report, Level::Good, TOPIC).iter().any(|finding| finding.said.contains("belongs to nobody now")),
        "{report:?}"
    );
    std::os::unix::fs::chown(practice.host.path("state"), Some(64_321), Some(64_321)).unwrap();
    let report = practice.start_check();
    assert!(foretold(&report).iter().any(|said| said.contains("belongs to user id 65534")), "{report:?}");
    assert!(of(&report, Level::Warning, TOPIC)[0].said.contains("systemd gives the files"), "{report:?}");
}

#[test]
fn a_state_directory_that_cannot_be_emptied_is_foretold_before_anything_is_given_up() {
    if !is_root("make a file immutable") {
        return;
    }
    let mut practice = Practice::new(Host::new().registered());
    *practice.host.registration("extraLabels") = json!(["nixos", "fast"]);
    let file = practice.host.state(".runner");
    let chattr =
        |flag: &str| std::process::Command::new("chattr").arg(flag).arg(&file).output().unwrap().status.success();
    if !chattr("+i") {
        eprintln!("no immutable files here");
        return;
    }
    practice.write();
    let report = practice.start_check();
    assert!(chattr("-i"));
    let said: Vec<&str> = report.findings().map(|finding| finding.said.as_str()).collect();
    assert!(said.iter().any(|said| said.contains("cannot be emptied") && said.contains("immutable")), "{said:?}");
    assert_eq!(report.count(Level::Fault), 1, "{report:?}");
}
