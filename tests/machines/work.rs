//! Machines that have work of their own: images that run user data, as machines for runners do.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use github_runners::machines::nspawn::Client;
use github_runners::machines::{Fault, Machines as _, Specification, State, Token};
use serde_json::{Value, json};

use crate::host::{Host, image, specification, start};
use crate::wait::wait_for;

/// What an image of Debian has to have, as docs/on-demand-images.md shows it.
const UNIT: &str = include_str!("../fixtures/github-runner-user-data.service");

/// A host whose image `worker` runs user data, and has what `change` puts into it.
pub fn host(changes: &Value, change: impl FnOnce(&std::path::Path)) -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let root = directory.path().join("image");
    let copied = Command::new("cp").arg("--archive").arg(image()).arg(&root).status().unwrap();
    assert!(copied.success());
    let units = root.join("etc/systemd/system");
    fs::write(units.join("github-runner-user-data.service"), UNIT).unwrap();
    fs::create_dir_all(units.join("multi-user.target.wants")).unwrap();
    let wanted = units.join("multi-user.target.wants/github-runner-user-data.service");
    symlink("../github-runner-user-data.service", wanted).unwrap();
    change(&root);
    let mut settings = changes.clone();
    settings["images"] = json!({
        "plain": {"root": image(), "boot": false}, "booted": {"root": image()}, "worker": {"root": root},
    });
    let host = Host::new(&settings);
    (directory, host)
}

pub fn work(token: u64, script: &str) -> Specification {
    Specification { image: "worker".into(), user_data: Some(format!("#!/bin/bash\n{script}")), ..specification(token) }
}

/// Waits until the machine has written this to its console.
#[track_caller]
pub fn console_has(host: &Host, token: u64, text: &str) -> String {
    wait_for(text, || {
        let console = host.client().console(Token(token));
        let console = console.unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
        console.contains(text).then_some(console)
    })
}

/// Waits until nothing of it stands.
#[track_caller]
pub fn ended(host: &Host, token: u64) {
    let job = host.path("run/jobs").join(token.to_string());
    wait_for("the end of the machine", || (!job.exists()).then_some(()));
}

/// No stage is meant to see it, and no process of the host but those that hand it on.
const SECRET: &str = "FAKE-work-of-this-machine-FAKE";

#[test]
fn user_data_is_run_once_as_root_and_nobody_else_in_the_machine_or_on_the_host_reads_it() {
    if !crate::host::can_make_machines() {
        return;
    }
    let (_image, host) = host(&json!({}), |_| ());
    // Where nspawn puts it, and where systemd does for the unit.
    let script = format!(
        "{{ echo \"ran as $(id -u)\"; secret={SECRET}
            for file in /run/host/credentials/github-runner.user-data \"$CREDENTIALS_DIRECTORY\"/*; do
                grep -q \"$secret\" \"$file\" && echo read by root
                setpriv --reuid=1 --regid=1 --clear-groups cat \"$file\" > /dev/null 2>&1 || echo closed to others
            done; echo all is said; }} > /dev/console
         sleep infinity"
    );
    let made = host.create(&work(1, &script)).unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
    assert_eq!(made.state, State::Running);
    let console = console_has(&host, 1, "all is said");
    assert!(console.contains("ran as 0"), "{console}");
    assert_eq!(console.matches("read by root").count(), 2, "{console}");
    assert_eq!(console.matches("closed to others").count(), 2, "{console}");
    assert!(!host.path("run/jobs/1/user-data").exists(), "nspawn has read it");
    for process in host.unit().processes() {
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains(SECRET), "{process}: {file}");
        }
    }
    assert!(!host.log().contains(SECRET));
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_machine_with_work_outlives_who_asked_for_it_and_is_neither_made_twice_nor_given_stages() {
    if !crate::host::can_make_machines() {
        return;
    }
    let (_image, host) = host(&json!({"idle": 1}), |_| ());
    let asked = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "work::asks_and_goes", "--ignored"])
        .env("RUN_DIRECTORY", host.path("run"))
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}\n{}", host.log());
    console_has(&host, 1, "at work");
    let again = host.create(&work(1, "poweroff")).unwrap_err();
    assert!(matches!(again, Fault::Duplicate(_)), "{again:?}");
    let refused = start(&host, 1, "true").end().answer;
    let said = format!("{refused:?}");
    assert!(said.contains("takes no stages"), "{said}");
    // Longer than a machine of a job may be unused.
    wait_for("some age of the machine", || (host.client().get(Token(1)).unwrap().age > 2).then_some(()));
    assert_eq!(host.client().get(Token(1)).unwrap().state, State::Running);
    assert_eq!(host.client().list().unwrap().len(), 1);
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

/// Asks for a machine and is gone when it has one; started by the claim above.
#[test]
#[ignore = "a part of another claim"]
fn asks_and_goes() {
    let script = "echo at work > /dev/console; sleep infinity";
    Client::new(std::path::Path::new(&std::env::var_os("RUN_DIRECTORY").unwrap())).create(&work(1, script)).unwrap();
}

#[test]
fn a_machine_with_work_ends_when_it_powers_off_and_when_its_time_is_over() {
    if !crate::host::can_make_machines() {
        return;
    }
    let (_image, host) = host(&json!({}), |_| ());
    host.create(&work(1, "systemctl poweroff")).unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
    ended(&host, 1);
    assert!(host.log().contains("Job 1: The job powered its machine off"), "{}", host.log());
    // What fails ends the machine as well, or it would stand there until its deadline.
    host.create(&work(2, "echo It has no listener > /dev/console; exit 3")).unwrap();
    ended(&host, 2);
    assert!(host.log().contains("Job 2, console: It has no listener"), "{}", host.log());
    let short = Specification { lifetime: Duration::from_secs(3), ..work(3, "sleep infinity") };
    if let Err(fault) = host.create(&short) {
        assert!(fault.to_string().contains("time of this job's machine is over"), "{fault}");
    }
    ended(&host, 3);
    host.nothing_is_left();
}

#[test]
fn user_data_needs_an_image_that_boots() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    let refused = host.create(&Specification { image: "plain".into(), ..work(1, "true") }).unwrap_err();
    assert!(matches!(&refused, Fault::Configuration(said) if said.contains("is not booted")), "{refused:?}");
    host.nothing_is_left();
}
