//! How machines end, and that it is known why.

use std::os::fd::AsFd as _;
use std::process::Command;

use github_runners::machines::nspawn::{Answer, Client, Gone};
use github_runners::machines::{Fault, Machines as _, Specification, Token};
use serde_json::json;

use crate::host::{Host, run, specification, start};
use crate::wait::wait_for;

fn booted(host: &Host, token: u64) {
    let booted = Specification { image: "booted".into(), ..specification(token) };
    host.create(&booted).unwrap_or_else(|fault| panic!("{fault}\n{}", host.log()));
}

#[test]
fn a_job_that_powers_off_or_reboots_has_not_passed() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    for (token, script, reason) in
        [(1, "systemctl poweroff; sleep 3600", Gone::PoweredOff), (2, "systemctl reboot; sleep 3600", Gone::Rebooted)]
    {
        booted(&host, token);
        assert_eq!(run(&host, token, script).answer, Answer::Gone(reason), "{script}\n{}", host.log());
        assert_eq!(run(&host, token, "true").answer, Answer::Gone(reason), "and the next stage is told as well");
        host.client().delete(Token(token)).unwrap();
    }
    host.nothing_is_left();
}

#[test]
fn a_job_that_kills_its_agent_has_not_passed() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    booted(&host, 1);
    let answer = run(&host, 1, "kill -9 -1; sleep 3600").answer;
    assert_eq!(answer, Answer::Gone(Gone::AgentKilled), "{}", host.log());
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn a_machine_ends_with_the_runner_that_it_was_made_for() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    let mut runner = Command::new("sleep").arg("3600").spawn().unwrap();
    let pidfd =
        rustix::process::pidfd_open(rustix::process::Pid::from_child(&runner), rustix::process::PidfdFlags::empty());
    let pidfd = pidfd.unwrap();
    Client::new(&host.path("run")).for_runner(pidfd.as_fd()).create(&specification(1)).unwrap();
    let mut stage = start(&host, 1, "echo ready; sleep 3600");
    stage.says("ready");
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert_eq!(stage.end().answer, Answer::Gone(Gone::RunnerGone));
    host.nothing_is_left();
}

#[test]
fn a_machine_ends_when_its_time_is_over() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    let short = Specification { lifetime: std::time::Duration::from_secs(3), ..specification(1) };
    match host.create(&short) {
        Ok(_) => {
            let answer = start(&host, 1, "sleep 3600").stage.answer();
            assert!(matches!(answer, Ok(Answer::Gone(Gone::Deadline)) | Err(Fault::Unavailable(_))), "{answer:?}");
        }
        // A slow machine does not get ready in this time.
        Err(fault) => assert!(fault.to_string().contains("time of this job's machine is over"), "{fault}"),
    }
    host.nothing_is_left();
}

/// As after a driver that was killed on its way to the end: the runner is there, and calls nobody for this job any more.
#[test]
fn a_machine_that_nobody_uses_ends_while_its_runner_lives() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({"idle": 2}));
    host.made(1);
    wait_for("the end of the machine", || (!host.path("run/jobs/1").exists()).then_some(()));
    host.nothing_is_left();
    assert!(host.log().contains("Job 1: Nobody ran anything in the machine"), "{}", host.log());
    host.made(1);
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn the_same_number_again_ends_the_first_machine_before() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(1);
    let mut first = start(&host, 1, "touch /mark; echo ready; sleep 3600");
    first.says("ready");
    host.made(1);
    assert_eq!(first.end().answer, Answer::Gone(Gone::Ended));
    assert_eq!(run(&host, 1, "ls /mark").answer, Answer::Exit(2));
    // Deleting what is not there, and twice, is fine.
    host.client().delete(Token(1)).unwrap();
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[test]
fn what_cannot_be_made_is_refused_with_the_reason_and_leaves_nothing() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({"slots": 1}));
    let refused = |image: &str| host.create(&Specification { image: image.into(), ..specification(1) }).unwrap_err();
    assert_eq!(refused("none"), Fault::NotFound("There is no image none; there is: booted, plain".into()));
    assert!(matches!(refused("../../etc"), Fault::NotFound(_)));
    host.made(2);
    let full = refused("plain");
    assert!(matches!(&full, Fault::NoCapacity(text) if text.contains("All 1 slots")), "{full:?}");
    wait_for("the end of the refused one", || (!host.path("run/jobs/1").exists()).then_some(()));
    host.client().delete(Token(2)).unwrap();
    host.made(1);
    host.client().delete(Token(1)).unwrap();
    host.nothing_is_left();
}

#[cfg(feature = "ctl")]
#[test]
fn an_operator_sees_machines_and_ends_one() {
    // On a booted host that program is not installed.
    if !crate::host::can_make_machines() || crate::host::is_booted() {
        return;
    }
    let host = Host::new(&json!({}));
    host.made(4711);
    let ctl = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_github-runnerctl"));
        let output =
            command.arg("machines").args(arguments).arg("--settings").arg(host.path("settings.json")).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (good, listed, _) = ctl(&["list"]);
    let line = listed.lines().nth(1).unwrap_or_default();
    assert!(good && line.starts_with("4711 ") && line.contains("running") && line.ends_with("plain"), "{listed}");
    let mut stage = start(&host, 4711, "echo ready; sleep 3600");
    stage.says("ready");
    assert!(ctl(&["kill", "4711"]).0);
    assert_eq!(stage.end().answer, Answer::Gone(Gone::Ended));
    let (good, _, said) = ctl(&["kill", "4711"]);
    assert!(!good && said.contains("There is no machine of job 4711"), "{said}");
    host.nothing_is_left();
}

#[test]
fn who_goes_away_before_the_machine_is_ready_gets_none() {
    if !crate::host::can_make_machines() {
        return;
    }
    let host = Host::new(&json!({}));
    // The client of this thread goes away with its process.
    let mut asking = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::asks_and_waits", "--ignored"])
        .env("RUN_DIRECTORY", host.path("run"))
        .spawn()
        .unwrap();
    wait_for("a job", || host.path("run/jobs/1").exists().then_some(()));
    asking.kill().unwrap();
    asking.wait().unwrap();
    host.nothing_is_left();
}

/// Asks for a booted machine; started by the claim above.
#[test]
#[ignore = "a part of another claim"]
fn asks_and_waits() {
    let booted = Specification { image: "booted".into(), ..specification(1) };
    Client::new(std::path::Path::new(&std::env::var_os("RUN_DIRECTORY").unwrap())).create(&booted).unwrap();
    std::thread::sleep(crate::times::FOREVER);
}
