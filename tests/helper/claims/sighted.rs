//! A look at GitHub that a pass has made for the next start.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use github_runners::contract::protocol::{Answer, Outcome, RemoteRunner};
use serde_json::{Value, json};

use super::recovery::{edit, now};
use super::register::registered;
use crate::host::{Host, PAT};
use crate::server::Server;
use crate::wait::wait_for;

const URL: &str = "https://github.com/octo-org/example";

/// Notes what a pass saw, as it does beside the broker's socket.
fn note(host: &Host, sighting: &Value) {
    fs::write(host.path(".seen-runner1"), sighting.to_string()).unwrap();
}

fn seen(id: u64, at: u64) -> Value {
    json!({ "version": 1, "id": id, "url": URL, "at": at })
}

/// What the next start asks.
fn asked(host: &Host, server: &Server) -> String {
    server.asked();
    let said = host.prepare().good();
    assert!(said.contains("Keeping the registration of runner1"), "{said}");
    let asked = server.asked();
    assert_eq!(said.contains("GitHub listed id 21 as online"), asked.is_empty(), "{asked}: {said}");
    asked
}

#[test]
fn a_runner_that_a_pass_saw_online_just_now_is_kept_without_a_look() {
    let (host, server) = registered();
    assert_eq!(asked(&host, &server), "observe 21");
    note(&host, &seen(21, now() - 60));
    server.state().connections = 0;
    assert_eq!(asked(&host, &server), "");
    assert_eq!(server.state().connections, 0, "no broker is needed");
}

#[test]
fn whatever_is_no_sighting_of_this_very_runner_just_now_leaves_the_look_to_the_start() {
    let (host, server) = registered();
    for sighting in [
        seen(22, now()),
        seen(21, now() - 200),
        seen(21, now() + 1_000),
        json!({ "version": 1, "id": 21, "url": "https://github.com/octo-org/other", "at": now() }),
        json!({ "version": 2, "id": 21, "url": URL, "at": now() }),
        json!("damaged"),
    ] {
        note(&host, &sighting);
        assert_eq!(asked(&host, &server), "observe 21", "{sighting}");
    }
    // A link to a good one, and a place in which others could have put one.
    fs::write(host.path("elsewhere"), seen(21, now()).to_string()).unwrap();
    fs::remove_file(host.path(".seen-runner1")).unwrap();
    symlink(host.path("elsewhere"), host.path(".seen-runner1")).unwrap();
    assert_eq!(asked(&host, &server), "observe 21");
    fs::remove_file(host.path(".seen-runner1")).unwrap();
    note(&host, &seen(21, now()));
    fs::set_permissions(host.path(""), fs::Permissions::from_mode(0o720)).unwrap();
    assert_eq!(asked(&host, &server), "observe 21");
}

#[test]
fn a_start_looks_for_itself_after_a_failure_or_a_change() {
    let (mut host, server) = registered();
    note(&host, &seen(21, now()));
    let exit = json!({ "at": now() - 1_000, "kind": "terminated", "said": "it gave up", "failures": 1, "alike": 1 });
    edit(&host, |ledger| ledger["lastExit"] = exit);
    assert_eq!(asked(&host, &server), "observe 21", "the registration may be the cause");
    edit(&host, |ledger| ledger["lastExit"] = Value::Null);
    assert_eq!(asked(&host, &server), "");
    // Another credential may see less.
    host.manifest["reRegisterOnTokenChange"] = json!(false);
    fs::write(host.path("token"), format!("{PAT}OTHER\n")).unwrap();
    assert_eq!(asked(&host, &server), "observe 21");
    assert_eq!(asked(&host, &server), "");
}

#[test]
fn a_slow_look_does_not_hold_the_emptying_of_the_work_directory_up() {
    let (host, server) = registered();
    drop(server);
    fs::remove_file(host.path("broker")).unwrap();
    let listener = UnixListener::bind(host.path("broker")).unwrap();
    listener.set_nonblocking(true).unwrap();
    fs::write(host.path("work/left-over"), "").unwrap();
    let work = host.path("work");
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = wait_for("a question", || listener.accept().ok());
            BufReader::new(&stream).read_line(&mut String::new()).unwrap();
            // It answers once the work directory is empty; if the start waited for it, that would never be.
            wait_for("an empty work directory", || fs::read_dir(&work).unwrap().next().is_none().then_some(()));
            let seen = RemoteRunner { id: 21, name: "runner1".into(), online: false, busy: false };
            let answer = serde_json::to_string(&Answer::unasked(Outcome::Seen(Some(seen)))).unwrap() + "\n";
            stream.write_all(answer.as_bytes()).unwrap();
        });
        host.prepare()
    })
    .good();
    assert!(said.contains("Keeping the registration") && !said.contains("Could not see"), "{said}");
    assert_eq!(said.matches("Emptied the work directory").count(), 1, "{said}");
}

#[test]
fn a_registration_that_was_deleted_after_it_was_seen_heals_with_the_second_start() {
    let (host, server) = registered();
    note(&host, &seen(21, now()));
    server.state().runners.clear();
    assert_eq!(asked(&host, &server), "");
    // Its listener gives up at once.
    host.settle("exit-code", Some(("exited", "1"))).good();
    edit(&host, |ledger| ledger["lastExit"]["at"] = json!(1));
    let said = host.prepare().good();
    assert!(said.contains("GitHub does not know id 21 any more"), "{said}");
}
