//! What is left of a job, and what GitLab is told, when its runner or a driver is killed.

use std::fs;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::host;
use crate::outcomes::{success, system_failure, with_after_script};
use crate::site::Working;
use crate::wait::wait_for;

/// The driver in this step, once the runner has started it.
fn driver_in(working: &Working, step: &str) -> Pid {
    wait_for(step, || {
        let tasks = fs::read_dir(format!("/proc/{}/task", working.id())).ok()?.flatten();
        let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<i32> = children
            .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        let is_in_step = |pid: &&i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).nth(1) == Some(step.as_bytes())
        };
        children.iter().find(is_in_step).map(|pid| Pid::from_raw(*pid))
    })
}

#[test]
fn a_job_of_the_same_number_follows_on_one_whose_runner_was_killed() {
    let Some(host) = host() else { return };
    for (number, text) in [(1, "\nbegun\n"), (2, "Starting machine")] {
        let mut working = host.site.start(host.job(number, &["echo begun; sleep 3600"]));
        host.wait_for_log(number, text);
        kill(Pid::from_raw(working.id().cast_signed()), Signal::SIGKILL).unwrap();
        let killed = Instant::now();
        working.wait();
        wait_for("the end of the machine", || (!host.stands(number)).then_some(()));
        println!("figure nothing stands {} ms after gitlab-runner was killed", killed.elapsed().as_millis());
        host.wait_until_no_unit_is_left();
        host.nothing_is_left_of(number);
        assert_eq!(host.script(number, &["true"]).0, success());
    }
}

#[test]
fn a_driver_that_is_killed_while_it_prepares_is_followed_by_another_attempt() {
    let Some(host) = host() else { return };
    let mut working = host.site.start(host.job(1, &["true"]));
    kill(driver_in(&working, "prepare"), Signal::SIGKILL).unwrap();
    working.wait();
    assert_eq!(host.ended(1), Some(success()), "{}", host.log(1));
    assert!(host.log(1).contains("Preparation failed"), "{}", host.log(1));
    host.wait_until_no_unit_is_left();
    host.nothing_is_left_of(1);
}

#[test]
fn a_machine_whose_cleanup_was_killed_ends_with_its_runner() {
    let Some(host) = host() else { return };
    let mut working = host.site.start(host.job(1, &["true"]));
    kill(driver_in(&working, "cleanup"), Signal::SIGKILL).unwrap();
    working.wait();
    assert_eq!(host.ended(1), Some(success()));
    wait_for("the end of the machine", || (!host.stands(1)).then_some(()));
    host.wait_until_no_unit_is_left();
    host.nothing_is_left_of(1);
}

#[test]
fn a_driver_that_is_killed_ends_its_stage_and_not_the_job() {
    let Some(host) = host() else { return };
    let look = "ls -l /proc/[0-9]*/exe | grep sleep || echo nothing runs";
    let mut working = host.site.start(with_after_script(host.job(1, &["echo begun; sleep 3600"]), &[look]));
    host.wait_for_log(1, "\nbegun\n");
    kill(driver_in(&working, "run"), Signal::SIGKILL).unwrap();
    working.wait();
    assert_eq!(host.ended(1), Some(system_failure()));
    assert!(host.log(1).contains("\nnothing runs\n"), "{}", host.log(1));
    host.nothing_is_left_of(1);
}
