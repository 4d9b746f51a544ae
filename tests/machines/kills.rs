//! A kill at each step: nothing is left, and the next machine of the same job works.

use github_runners::machines::nspawn::{Answer, Gone};
use github_runners::machines::{Fault, Machines as _, Specification, Token};
use serde_json::json;

use crate::host::{Host, run, specification, start};
use crate::nspawn::{Unit, kill};
use crate::wait::wait_for;

/// What is killed, and how.
type Victim = (&'static str, fn(&Unit));

const VICTIMS: [Victim; 3] = [
    ("supervisor", |unit| kill(unit.supervisor)),
    ("nspawn", |unit| kill(unit.process("systemd-nspawn"))),
    ("unit", Unit::kill),
];

#[test]
fn whatever_is_killed_while_a_stage_runs_nothing_is_left_and_the_next_attempt_works() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    for (victim, kill) in VICTIMS {
        host.made(1);
        let mut stage = start(&host, 1, "echo ready; sleep 3600");
        stage.says("ready");
        kill(&host.unit());
        let answer = stage.stage.answer();
        assert!(matches!(answer, Ok(Answer::Gone(Gone::Killed)) | Err(Fault::Unavailable(_))), "{victim}: {answer:?}");
        host.client().delete(Token(1)).unwrap();
        host.nothing_is_left();
        host.made(1);
        assert_eq!(run(&host, 1, "echo well").stdout, "well\n", "{victim}");
        host.client().delete(Token(1)).unwrap();
        host.nothing_is_left();
    }
}

#[test]
fn whatever_is_killed_while_a_machine_is_made_nothing_is_left_and_the_next_attempt_works() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    // Each step leaves something that the next one needs.
    let steps = ["run/jobs/1", "run/slots/1", "state/jobs/1/work", "run/jobs/1/locked-root", "run/jobs/1/notify"];
    let booted = Specification { image: "booted".into(), ..specification(1) };
    for step in steps {
        let failed = std::thread::scope(|scope| {
            let asking = scope.spawn(|| host.create(&booted));
            wait_for(step, || host.path(step).symlink_metadata().is_ok().then_some(()));
            host.unit().kill();
            asking.join().unwrap()
        });
        assert!(matches!(failed, Err(Fault::Unavailable(_))), "{step}: {failed:?}");
        host.client().delete(Token(1)).unwrap();
        host.nothing_is_left();
    }
    host.made(1);
    assert_eq!(run(&host, 1, "echo well").stdout, "well\n");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn what_a_killed_last_step_left_is_taken_away_by_the_next_supervisor() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    run(&host, 1, "mkdir -p /a/b/c && touch /a/b/c/d");
    // As if `ended` had been killed: what it would have removed is made again.
    host.client().delete(Token(1)).unwrap();
    std::fs::create_dir_all(host.path("state/jobs/1/upper/a")).unwrap();
    std::fs::create_dir(host.path("run/jobs/1")).unwrap();
    std::os::unix::fs::symlink("1", host.path("run/slots/1")).unwrap();
    std::fs::write(host.path("run/jobs/1/socket"), "").unwrap();
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
    std::fs::create_dir_all(host.path("state/jobs/7/upper/a")).unwrap();
    std::fs::create_dir(host.path("run/jobs/7")).unwrap();
    host.made(1);
    assert!(!host.path("run/jobs/7").exists() && !host.path("state/jobs/7").exists());
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn ten_machines_at_once_are_ten_machines() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    std::thread::scope(|scope| {
        for token in 1..=10 {
            let host = &host;
            scope.spawn(move || {
                host.made(token);
                assert_eq!(run(host, token, "hostname").stdout, format!("gl-{token}\n"));
                host.client().delete(Token(token)).unwrap();
            });
        }
    });
    host.nothing_is_left();
}
