//! Limits of a job's unit, on a host whose control groups hold them: `tests/machine/vm` boots one. Machines in machines have
//! none, or only some.

use std::fs;

use github_runners::machines::nspawn::{Answer, Gone};
use github_runners::machines::{Fault, Machines as _, Token};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::host::{Host, is_booted, run, start};

/// Set where all limits have to hold.
const DEMANDED: &str = "MACHINES_WITH_LIMITS";

/// Whether units have limits of memory and tasks here. Says so if not, because the test then proves less.
fn can_limit() -> bool {
    let there = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let has = |controller: &str| there.split_whitespace().any(|found| found == controller);
    let can = is_booted() && has("memory") && has("pids");
    assert!(can || std::env::var_os(DEMANDED).is_none(), "this host has no limits: {there}");
    if !can {
        eprintln!("no systemd with controllers of memory and tasks: no limit was met");
    }
    can
}

#[test]
fn a_job_that_takes_more_memory_than_it_may_is_told_so() {
    if !can_limit() {
        return;
    }
    let host = Host::new(&json!({"limits": {"memory": "128M"}}));
    host.made(1);
    let hog = r#"perl -e '$x = "x" x 500_000_000; print "got it"'"#;
    let ended = run(&host, 1, &format!("{hog}; echo code $?"));
    assert_eq!((ended.answer, ended.stdout.as_str()), (Answer::Exit(0), "code 137\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Killed"), "{}", ended.stderr);
    let protect =
        "cat /proc/1/oom_score_adj; echo -1 2> /dev/null > /proc/1/oom_score_adj && echo protected; echo well";
    assert_eq!(run(&host, 1, protect).stdout, "0\nwell\n", "the machine goes on, and has nothing of its supervisor");
    // Root of a machine may offer its own first process to the kernel, before any other; then the machine is what is killed.
    let offer = "echo 1000 > /proc/1/oom_score_adj; echo 0 > /proc/$$/oom_score_adj";
    let ended = run(&host, 1, &format!("{offer}; {hog}; exit 3"));
    assert_eq!(ended.answer, Answer::Gone(Gone::Memory), "{ended:?}\n{}", host.log());
    assert_eq!(run(&host, 1, "true").answer, Answer::Gone(Gone::Memory), "and the next stage is told as well");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_fork_bomb_is_bounded_by_the_tasks_of_its_unit_and_ends_with_its_stage() {
    if !can_limit() {
        return;
    }
    let host = Host::new(&json!({"limits": {"tasks": 150}}));
    host.made(1);
    let count = "perl -e 'while ($n < 1000) { $p = fork; last unless defined $p; $p or sleep 3600; $n++ } print $n'";
    let made = run(&host, 1, count);
    assert!((50..150).contains(&made.stdout.parse().unwrap_or(0)), "{made:?}");
    // One that never stops, whose shell waits for no end of it.
    let bomb = run(&host, 1, "bomb() { bomb | bomb & }; echo lit; bomb 2> /dev/null; read -t 2 < <(read -t 3600)");
    assert_eq!(bomb.stdout, "lit\n", "{bomb:?}");
    let left = run(&host, 1, "ls -d /proc/[0-9]* | wc -l");
    assert!(left.stdout.trim().parse::<u32>().is_ok_and(|left| left < 10), "{left:?}\n{}", host.log());
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_supervisor_that_hangs_is_ended_by_systemd_with_its_machine() {
    if !crate::host::can_make_machines() || !is_booted() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let mut stage = start(&host, 1, "echo ready; sleep 3600");
    stage.says("ready");
    kill(Pid::from_raw(host.unit().supervisor), Signal::SIGSTOP).unwrap();
    let answer = stage.stage.answer();
    assert!(matches!(answer, Err(Fault::Unavailable(_))), "{answer:?}");
    host.nothing_is_left();
    assert!(host.log().contains("Watchdog timeout"), "{}", host.log());
    host.made(1);
    assert_eq!(run(&host, 1, "echo well").stdout, "well\n");
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}
