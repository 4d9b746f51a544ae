//! Claims about single steps of the driver, with the stand-in for supervisors.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::calls::{Calls, DRIVER, Said, read_until, stands};
use crate::gitlab::example_job;
use crate::supervisor::Fault;
use crate::times::{AT_ONCE, FOREVER};
use crate::wait::wait_for;

fn signal(child: &std::process::Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

fn job(change: impl FnOnce(&mut Value)) -> Value {
    let mut job = example_job(4711, &[]);
    change(&mut job);
    job
}

#[test]
fn config_answers_with_the_directories_of_the_machine() {
    let calls = Calls::new();
    let said = calls.call("config").expect(0);
    let answer: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&answer["builds_dir"], &answer["cache_dir"]), (&json!("/builds"), &json!("/cache")));
    assert_eq!(answer["driver"]["name"], "gitlab-nspawn-executor");
    assert!(answer.get("job_env").is_none());
    assert!(calls.supervisors.asked().is_empty());
}

#[test]
fn a_mistake_in_the_settings_is_said_by_every_step() {
    let calls = Calls::new();
    fs::write(calls.path("settings.json"), r#"{"machine": {}}"#).unwrap();
    for said in [calls.call("config"), calls.call("prepare"), calls.run("true"), calls.call("cleanup")] {
        let said = said.expect(2);
        assert!(
            said.stderr.contains("settings.json") && said.stderr.contains("unknown field `machine`"),
            "{}",
            said.stderr
        );
    }
    assert!(calls.supervisors.asked().is_empty());
}

#[test]
fn what_can_never_work_is_refused_before_a_machine_is_asked_for() {
    for (change, sentence) in [
        (("/image/name", json!("../../etc")), "no image \"../../etc\". Its images are: debian, other"),
        (("/image/name", json!("alpine:3")), "Its images are: debian, other"),
        (("/services", json!([{"name": "postgres"}])), "1 under `services:`"),
        (("/run", json!([{"name": "a", "script": "true"}])), "`run:`"),
    ] {
        let calls = Calls::new();
        let (pointer, value) = change;
        calls.respond(&job(|job| {
            job[pointer.trim_start_matches('/').split('/').next().unwrap()] =
                if pointer == "/image/name" { json!({"name": value}) } else { value };
        }));
        let said = calls.call("prepare").expect(1);
        assert!(said.stderr.contains(sentence), "{}", said.stderr);
        assert!(calls.supervisors.asked().is_empty());
    }
}

#[test]
fn a_machine_is_asked_for_by_numbers_and_ends_with_the_process_that_called() {
    let calls = Calls::new();
    let said = calls.call("prepare").expect(0);
    assert_eq!(said.stdout, "Preparing a machine of image debian\nBooting\n");
    let (message, descriptors) = calls.supervisors.messages()[0].clone();
    let make = json!({"version": 1, "job": 4711, "image": "debian", "timeout": 1_200, "cache": null});
    assert_eq!((message, descriptors), (json!({"make": make}), 1));
    assert_eq!(calls.supervisors.owner(), Some(std::process::id().cast_signed()));
}

#[test]
fn a_second_attempt_ends_what_the_first_one_left() {
    let calls = Calls::prepared();
    calls.call("prepare").expect(0);
    assert_eq!(calls.supervisors.asked(), ["make", "make", "end", "make"]);
    assert!(stands(&calls));
}

#[test]
fn a_machine_that_cannot_be_made_is_a_system_failure_with_its_reason() {
    for kind in ["not-found", "no-capacity", "configuration", "other"] {
        let calls = Calls::new();
        calls.supervisors.inject(Fault::Errand(json!({"failed": {"kind": kind, "reason": "All slots are taken"}})));
        assert!(calls.call("prepare").expect(2).stderr.contains("All slots are taken"));
    }
    let calls = Calls::new();
    calls.supervisors.inject(Fault::Errand(json!({"surprise": true})));
    calls.call("prepare").expect(2);
    fs::remove_file(calls.path("run/machines.sock")).unwrap();
    let said = calls.call("prepare").expect(2);
    assert!(said.stderr.contains("gitlab-nspawn.socket"), "{}", said.stderr);
}

#[test]
fn a_prepare_that_is_told_to_end_gives_its_machine_up() {
    let calls = Calls::new();
    calls.supervisors.inject(Fault::Slow);
    let mut child = calls.step("prepare", &[]).spawn().unwrap();
    read_until(child.stdout.as_mut().unwrap(), "Booting\n");
    signal(&child, Signal::SIGTERM);
    let said = Said::from(child.wait_with_output().unwrap()).expect(2);
    assert!(said.stderr.contains("given up"), "{}", said.stderr);
    assert_eq!(calls.supervisors.asked(), ["make", "abandoned"]);
    assert!(!stands(&calls));
}

#[test]
fn every_exit_code_of_a_script_reaches_the_runner() {
    let calls = Calls::prepared();
    calls.run("exit 0").expect(0);
    assert_eq!(calls.exit_code(), None);
    for code in [1, 2, 3, 42, 125, 126, 127, 128, 137, 143, 254, 255] {
        calls.run(&format!("exit {code}")).expect(1);
        assert_eq!(calls.exit_code(), Some(format!("{code}\n")));
    }
}

#[test]
fn a_signal_is_128_more() {
    let calls = Calls::prepared();
    for signal in ["HUP", "INT", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "TERM"] {
        calls.run(&format!("kill -{signal} $$; exit 99")).expect(1);
        let number = Command::new("bash").args(["-c", &format!("kill -l {signal}")]).output().unwrap().stdout;
        let number: u8 = String::from_utf8(number).unwrap().trim().parse().unwrap();
        assert_eq!(calls.exit_code(), Some(format!("{}\n", 128 + number)), "{signal}");
    }
}

#[test]
fn a_stage_that_is_told_to_end_is_never_a_success() {
    for (script, code) in [
        ("trap 'exit 0' TERM; echo begun; while :; do sleep 0.01; done", "143\n"),
        ("trap 'exit 7' TERM; echo begun; while :; do sleep 0.01; done", "7\n"),
        ("echo begun; while :; do sleep 0.01; done", "143\n"),
        // Killed after the grace of one second.
        ("trap '' TERM; echo begun; while :; do sleep 0.01; done", "137\n"),
    ] {
        let calls = Calls::prepared();
        let mut child = calls.start(script);
        read_until(child.stdout.as_mut().unwrap(), "begun\n");
        signal(&child, Signal::SIGTERM);
        Said::from(child.wait_with_output().unwrap()).expect(1);
        assert_eq!(calls.exit_code().as_deref(), Some(code), "{script}");
        assert_eq!(calls.supervisors.messages().last().unwrap().0, json!({"cancel": {"grace": 1}}));
        // The machine goes on.
        calls.run("true").expect(0);
    }
}

#[test]
fn output_arrives_as_it_comes_and_complete() {
    let calls = Calls::prepared();
    let go = calls.path("go");
    let mut child =
        calls.start(&format!("printf 'no end'; until [[ -e {} ]]; do sleep 0.01; done; printf more", go.display()));
    read_until(child.stdout.as_mut().unwrap(), "no end");
    fs::write(go, "").unwrap();
    assert_eq!(Said::from(child.wait_with_output().unwrap()).expect(0).stdout, "more");
    let said = calls.run("echo out; echo err >&2; printf last");
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("out\nlast", "err\n"));
}

#[test]
fn a_hundred_megabytes_and_every_byte_are_relayed() {
    let calls = Calls::prepared();
    let data = calls.path("data");
    let block: Vec<u8> = (0..=255).rev().chain(0..=255).cycle().take(1 << 20).collect();
    fs::write(&data, block.repeat(100)).unwrap();
    let child = calls.start(&format!("cat {0}; head --bytes 1M {0} >&2", data.display()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    // In place of a comparison that would print them.
    assert!(output.stdout == fs::read(&data).unwrap() && output.stderr == block);
}

#[test]
fn a_process_that_keeps_the_output_open_keeps_nobody_waiting() {
    let calls = Calls::prepared();
    let begun = Instant::now();
    let child = calls.start(&format!("setsid sleep {} & echo $!; exit 3", FOREVER.as_secs()));
    let said = Said::from(child.wait_with_output().unwrap()).expect(1);
    assert!(begun.elapsed() < AT_ONCE);
    kill(Pid::from_raw(said.stdout.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
}

#[test]
fn a_machine_that_is_gone_is_a_system_failure_with_the_reason() {
    for (answer, sentence) in [
        (json!({"gone": "memory"}), "memory limit"),
        (json!({"gone": "powered-off"}), "powered its machine off"),
        (json!({"gone": "rebooted"}), "rebooted"),
        (json!({"gone": "agent-killed"}), "killed the agent"),
        (json!({"failed": {"kind": "other", "reason": "There is no bash"}}), "There is no bash"),
        (json!({"signal": 0}), "ends no stage"),
        (json!("ending"), "ends no stage"),
        (json!({"exit": 256}), "not understood"),
        (json!({"exit": -1}), "not understood"),
    ] {
        let calls = Calls::prepared();
        calls.supervisors.inject(Fault::Stage(answer.clone()));
        let said = calls.run("true").expect(2);
        assert!(said.stderr.contains(sentence), "{answer}: {}", said.stderr);
        assert_eq!(calls.exit_code(), None);
    }
    let calls = Calls::prepared();
    calls.supervisors.inject(Fault::Mute);
    assert!(calls.run("true").expect(2).stderr.contains("supervisor"));
}

#[test]
fn a_stage_without_a_machine_is_a_system_failure() {
    let calls = Calls::new();
    assert!(calls.run("true").expect(2).stderr.contains("There is no machine of job 4711"));
}

#[test]
fn cleanup_succeeds_when_nothing_stands_and_not_before() {
    let calls = Calls::new();
    calls.call("cleanup").expect(0);
    assert!(calls.supervisors.asked().is_empty());
    calls.call("prepare").expect(0);
    let time = Duration::from_millis(300);
    calls.supervisors.inject(Fault::Lingers(time));
    let begun = Instant::now();
    calls.call("cleanup").expect(0);
    assert!(!stands(&calls) && begun.elapsed() >= time);
    calls.call("cleanup").expect(0);
    // The directory of half a machine, whose supervisor is gone.
    fs::create_dir(calls.supervisors.job(4711)).unwrap();
    calls.call("cleanup").expect(0);
    assert!(!stands(&calls));
}

#[test]
fn cleanup_ends_a_stage_that_still_runs() {
    let calls = Calls::prepared();
    let mut child = calls.start("echo begun; trap '' TERM; while :; do sleep 0.01; done");
    read_until(child.stdout.as_mut().unwrap(), "begun\n");
    calls.call("cleanup").expect(0);
    assert!(!stands(&calls));
    Said::from(child.wait_with_output().unwrap()).expect(2);
}

#[test]
fn a_driver_that_is_killed_takes_its_stage_along_and_not_the_machine() {
    let calls = Calls::prepared();
    let mut child = calls.start("echo begun; while :; do sleep 0.01; done");
    read_until(child.stdout.as_mut().unwrap(), "begun\n");
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    wait_for("the end of the stage", || calls.supervisors.asked().contains(&"left".into()).then_some(()));
    calls.run("true").expect(0);
}

#[test]
fn a_driver_whose_runner_was_killed_ends_the_machine() {
    let calls = Calls::prepared();
    fs::write(calls.path("script"), "echo begun; while :; do sleep 0.01; done").unwrap();
    // Another process in the place of gitlab-runner, with the output in its hands.
    let (settings, script, log) = (calls.path("settings.json"), calls.path("script"), calls.path("log"));
    let line = format!(
        "{DRIVER} run --settings {} {} build_script > {} 2>&1 & echo $!; wait",
        settings.display(),
        script.display(),
        log.display()
    );
    let mut runner = calls.command("bash", &["-c", &line]).spawn().unwrap();
    let driver: i32 = read_until(runner.stdout.as_mut().unwrap(), "\n").trim().parse().unwrap();
    wait_for("the stage", || fs::read_to_string(&log).ok().filter(|text| text.contains("begun")));
    signal(&runner, Signal::SIGKILL);
    runner.wait().unwrap();
    wait_for("the end of the machine", || (!stands(&calls)).then_some(()));
    wait_for("the end of the driver", || kill(Pid::from_raw(driver), None).is_err().then_some(()));
    assert!(fs::read_to_string(&log).unwrap().contains("gitlab-runner is gone"));
}

#[test]
fn a_reader_that_is_gone_is_as_good_as_a_runner_that_is_gone() {
    let calls = Calls::prepared();
    let mut child = calls.start("echo begun; while :; do sleep 0.01; done");
    read_until(child.stdout.as_mut().unwrap(), "begun\n");
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(!stands(&calls));
}

/// What is in a full pipe at least, see pipe(7): the last of its pages may be full in part.
const FULL: u64 = 65_536 - 4_095;

#[test]
fn a_slow_reader_delays_no_cancel() {
    let calls = Calls::prepared();
    let child = calls.start("yes");
    // Nobody reads, so all pipes are full.
    let held = || rustix::io::ioctl_fionread(child.stdout.as_ref().unwrap()).unwrap();
    wait_for("a full pipe", || (held() >= FULL).then_some(()));
    signal(&child, Signal::SIGTERM);
    wait_for("the word of the driver", || calls.supervisors.asked().contains(&"cancel".into()).then_some(()));
    Said::from(child.wait_with_output().unwrap()).expect(1);
}

#[test]
fn a_large_job_is_read_in_little_memory() {
    let calls = Calls::new();
    let large = job(|job| job["variables"] = json!([{"key": "A", "value": "x".repeat(100 << 20)}]));
    calls.respond(&large);
    // In KiB: some fifteenth of the job.
    let line = format!("ulimit -v 65536; exec {DRIVER} prepare --settings {}", calls.path("settings.json").display());
    Said::from(calls.command("bash", &["-c", &line]).output().unwrap()).expect(0);
}

#[test]
fn variables_of_a_job_change_nothing() {
    let calls = Calls::new();
    let mut command = calls.step("prepare", &[]);
    for name in
        ["CI_JOB_ID", "CI_JOB_IMAGE", "BUILD_EXIT_CODE_FILE", "JOB_RESPONSE_FILE", "TMPDIR", "LD_PRELOAD", "PATH"]
    {
        command.env(format!("CUSTOM_ENV_{name}"), "../../x\nother");
    }
    command.env("CUSTOM_ENV_CI_JOB_SERVICES", r#"[{"name": "postgres"}]"#);
    Said::from(command.output().unwrap()).expect(0);
    assert_eq!(calls.supervisors.messages()[0].0["make"]["job"], 4711);
}

#[test]
fn without_a_runner_the_driver_says_who_calls_it() {
    let calls = Calls::new();
    let said = Said::from(calls.step("prepare", &[]).env_remove("JOB_RESPONSE_FILE").output().unwrap()).expect(2);
    assert!(said.stderr.contains("JOB_RESPONSE_FILE is not set"), "{}", said.stderr);
}

#[test]
fn what_the_runner_adds_is_all_that_is_taken() {
    let calls = Calls::new();
    Said::from(calls.command(DRIVER, &["run", "script"]).output().unwrap()).expect(2);
    Said::from(calls.command(DRIVER, &["--help"]).output().unwrap()).expect(0);
}
