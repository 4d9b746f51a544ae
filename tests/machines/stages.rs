//! Stages of a machine that is not booted, and of one that is: codes, signals, cancelling, what a stage leaves behind.

use std::time::Duration;

use github_runners::machines::nspawn::Answer;
use github_runners::machines::{Fault, Machines as _, Specification, State, Token};
use serde_json::json;

use crate::host::{Host, run, specification, start};
use crate::times::AT_ONCE;
use crate::wait::wait_for;

#[test]
fn a_stage_ends_with_the_very_code_or_signal_of_its_script() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    for (script, answer) in [
        ("true", Answer::Exit(0)),
        ("exit 1", Answer::Exit(1)),
        ("exit 42", Answer::Exit(42)),
        ("no-such-program", Answer::Exit(127)),
        ("exit 255", Answer::Exit(255)),
        ("kill -TERM $$", Answer::Signal(15)),
        ("kill -KILL $$", Answer::Signal(9)),
        ("kill -HUP $$", Answer::Signal(1)),
        ("sleep 3600 & kill -9 -1", Answer::Exit(0)),
    ] {
        let ended = run(&host, 1, script);
        assert_eq!(ended.answer, answer, "{script}: {ended:?}\n{}", host.log());
    }
    let log = host.log();
    assert!(log.contains("Job 1, stage build_script: exit 42 after "), "{log}");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_job_is_root_in_its_machine_and_what_it_writes_is_nobodys_on_the_host() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let script = "id -u; hostname; echo $HOME $PWD; ls /run/ci-machine; touch /written /usr/bin/written; chmod 4755 /written; \
                  (cat) < /dev/null; cat /proc/self/uid_map; env | cut -d= -f1 | sort | tr '\\n' ' '";
    let ended = run(&host, 1, script);
    let id = host.first_id() + 65_536;
    let expected = format!(
        "0\ngl-1\n/root /\nagent\nsocket\n         0 {id}      65536\nHOME LOGNAME OLDPWD PATH PWD SHLVL USER _ "
    );
    assert_eq!(ended.stdout.replace("OLDPWD ", ""), expected.replace("OLDPWD ", ""), "{ended:?}");
    // Users of the machine get through its root, whatever the mask of the supervisor is.
    let other =
        run(&host, 1, "umask; stat -c %a / /run/ci-machine; su -s /bin/sh nobody -c 'ls / > /dev/null && id -u'");
    assert_eq!(other.stdout, "0022\n755\n755\n65534\n", "{other:?}");
    let written = std::fs::metadata(host.path("state/jobs/1/upper/written"));
    let uid = std::os::unix::fs::MetadataExt::uid(&written.expect("the upper directory is no mount"));
    assert_eq!(uid, id);
    assert!(!crate::host::image().join("written").exists(), "the image is never written");
    host.client().delete(Token(1)).unwrap();
    host.made(2);
    assert_eq!(run(&host, 2, "ls /written").answer, Answer::Exit(2), "the next job sees nothing of the last");
    host.client().delete(Token(2)).unwrap();
    host.nothing_is_left();
}

#[test]
fn the_end_of_a_stage_ends_all_that_it_started_also_in_another_session() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    // Each of these holds standard output, so its end would not be seen before theirs.
    let ended = run(
        &host,
        1,
        "setsid -f sleep 3600; (trap '' TERM HUP; sleep 3600) & sleep 3600 & disown -a; echo over; exit 7",
    );
    assert_eq!((ended.answer, ended.stdout.as_str()), (Answer::Exit(7), "over\n"));
    let left = run(&host, 1, "cat /proc/[0-9]*/comm | sort | uniq | tr '\\n' ' '");
    assert!(!left.stdout.contains("sleep"), "{left:?}");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn cancelling_ends_the_stage_and_not_the_machine() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let mut polite = start(&host, 1, "trap 'echo trapped; exit 9' TERM; echo ready; while :; do sleep 0.1; done");
    polite.says("ready");
    polite.stage.cancel(AT_ONCE).unwrap();
    let ended = polite.end();
    assert_eq!(ended.answer, Answer::Exit(9), "{ended:?}");
    assert!(ended.stdout.contains("trapped"), "{ended:?}");
    let mut stubborn = start(
        &host,
        1,
        "trap '' TERM; setsid -f bash -c 'trap \"\" TERM; sleep 3600'; echo ready; while :; do sleep 3600; done",
    );
    stubborn.says("ready");
    stubborn.stage.cancel(Duration::from_millis(10)).unwrap();
    assert_eq!(stubborn.end().answer, Answer::Signal(9));
    assert_eq!(run(&host, 1, "echo after_script").stdout, "after_script\n");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_stage_whose_driver_goes_away_is_ended_and_the_next_one_runs() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let mut lost = start(&host, 1, "trap '' TERM; echo ready; sleep 3600");
    lost.says("ready");
    drop(lost);
    // A process that another claim starts at this moment has the connection too, until it becomes a program.
    let next = wait_for("the next stage", || {
        let ended = run(&host, 1, "cat /proc/[0-9]*/comm");
        (!matches!(ended.answer, Answer::Failed(Fault::Busy(_)))).then_some(ended)
    });
    assert_eq!(next.answer, Answer::Exit(0));
    assert!(!next.stdout.contains("sleep"), "{next:?}");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn two_stages_at_once_are_refused() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let mut first = start(&host, 1, "echo ready; read -t 3600 < <(sleep 3600); exit 3");
    first.says("ready");
    let looked = host.client().get(Token(1)).unwrap();
    assert_eq!((looked.state, looked.image.as_str()), (State::Running, "plain"));
    let refused = run(&host, 1, "true").answer;
    assert!(matches!(refused, Answer::Failed(Fault::Busy(_))), "{refused:?}");
    first.stage.cancel(Duration::ZERO).unwrap();
    assert_eq!(first.end().answer, Answer::Signal(9));
    assert_eq!(host.client().list().unwrap().len(), 1);
    host.client().delete(Token(1)).unwrap();
    assert_eq!(host.client().list(), Ok(vec![]));
    host.nothing_is_left();
}

#[test]
fn a_booted_machine_is_ready_when_its_init_is_and_runs_stages_beside_it() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    let booted = Specification { image: "booted".into(), ..specification(1) };
    host.create(&booted).unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
    let ended = run(&host, 1, "cat /proc/1/comm; systemctl is-active multi-user.target; setsid -f sleep 3600; exit 5");
    assert_eq!((ended.answer, ended.stdout.as_str()), (Answer::Exit(5), "systemd\nactive\n"), "{}", ended.stderr);
    let left = run(&host, 1, "cat /proc/[0-9]*/comm");
    assert!(!left.stdout.contains("sleep"), "{left:?}");
    // Ready is said in another way, so the console may come later.
    wait_for("the console", || host.client().console(Token(1)).unwrap().contains("multi-user.target").then_some(()));
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}
