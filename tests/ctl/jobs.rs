//! `wait-for-jobs` as a program, with units that a script tells of and a worker that is a process of the test.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What stands for `systemctl`: every unit that is asked about runs, and has this group.
const SYSTEMCTL: &str = r#"#!/bin/sh
test ! -e "$HERE/silent" || exit 1
for argument; do
    case $argument in
    *.service)
        printf 'Id=%s\nLoadState=loaded\nActiveState=active\nSubState=running\nControlGroup=/../../..%s\n\n' "$argument" "$HERE"
        ;;
    esac
done
"#;

/// A process that the kernel names as a runner's worker, until its input ends.
fn worker() -> Child {
    let script = "printf Runner.Worker > /proc/$$/comm; echo ready; read line";
    let mut child =
        Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    child
}

struct Host(tempfile::TempDir);

impl Host {
    /// A host whose units have these processes.
    fn new(processes: &[u32]) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        fs::write(host.path().join("systemctl"), SYSTEMCTL).unwrap();
        fs::set_permissions(host.path().join("systemctl"), Permissions::from_mode(0o755)).unwrap();
        let list: Vec<String> = processes.iter().map(u32::to_string).collect();
        fs::write(host.path().join("cgroup.procs"), list.join("\n")).unwrap();
        host
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_github-runnerctl"));
        let path = format!("{}:{}", self.path().display(), std::env::var("PATH").unwrap());
        command.arg("wait-for-jobs").args(arguments).env("PATH", path).env("HERE", self.path()).stdin(Stdio::null());
        command
    }

    /// Exit code and what was said.
    fn wait(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn nobody_waits_where_no_job_runs() {
    let host = Host::new(&[std::process::id()]);
    assert_eq!(host.wait(&["builder-1", "builder-2"]), (Some(0), String::new()));
}

#[test]
fn a_job_is_waited_for_until_it_ends() {
    let mut worker = worker();
    let host = Host::new(&[worker.id()]);
    let mut waiting = host.command(&["builder"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(
        first.ends_with("A job runs in github-runner-builder.service: waiting for that, at most 86400 s"),
        "{first}"
    );
    assert!(waiting.try_wait().unwrap().is_none());
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    let last: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(last.len() == 1 && last[0].contains("No job runs any more, after "), "{last:?}");
}

#[test]
fn after_its_time_nobody_is_waited_for() {
    let mut worker = worker();
    let host = Host::new(&[worker.id()]);
    let (code, said) = host.wait(&["--at-most", "1", "builder"]);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("github-runner-builder.service, but 1 s were waited and that is enough: going on"), "{said}");
}

#[test]
fn a_systemd_that_says_nothing_holds_nobody_for_ever() {
    let host = Host::new(&[]);
    fs::write(host.path().join("silent"), "").unwrap();
    let (code, said) = host.wait(&["--at-most", "1", "builder"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Jobs may run, because nobody can say: systemctl ") && said.contains("going on"), "{said}");
}

#[test]
fn names_and_times_that_are_none_are_refused() {
    let host = Host::new(&[]);
    for (arguments, code, part) in [
        (&[][..], 2, "<INSTANCES>"),
        (&["builder", "../etc"], 1, "../etc"),
        (&["--at-most", "0", "builder"], 2, "1 to 86400"),
        (&["--at-most", "86401", "builder"], 2, "1 to 86400"),
    ] {
        let (ended, said) = host.wait(arguments);
        assert!(ended == Some(code) && said.contains(part), "{arguments:?}: {ended:?} {said}");
    }
}
