//! GARM ends a provider with SIGKILL at any moment, and then deletes what that was at. Nothing is left by it.

use std::io::{ErrorKind, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{iter, thread};

use crate::calls::{CONTROLLER, Garm, PROVIDER, bootstrap};
use crate::stand_in::{Durations, Flavor, State};
use crate::wait::wait_for;

/// Kinds of calls by which the program reaches the world. Between two of them it only thinks.
const KINDS: [&str; 12] = [
    "?openat",
    "?read",
    "?socket",
    "?connect",
    "?write",
    "?writev",
    "?sendto",
    "?recvfrom",
    "?poll",
    "?ppoll",
    "?close",
    "?mmap",
];

/// No command makes more calls of one kind.
const MOST: usize = 1_000;

/// Calls that change nothing at the server and are made by the hundred are died at as often as this.
const ENOUGH: usize = 12;

/// The server is at work on an instance for twice this long: far longer than a process takes to be started and to look.
const DOWNLOAD: Duration = Duration::from_millis(200);

/// Runs a command of GARM and kills it at its `number`-th call of `kind`. Tells whether it got that far.
fn killed(garm: &Garm, command: &str, kind: &str, number: usize) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={kind}")]);
    strace.args(["-e", &format!("inject={kind}:signal=SIGKILL:when={number}")]);
    // The environment is that of a call, and strace has its own.
    strace.args(["env", "-i"]);
    strace.args(garm.environment(command, "garm-1").iter().map(|(name, value)| format!("{name}={value}")));
    strace.arg(PROVIDER).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = match strace.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("strace is missing; install the package `strace`"),
        child => child.unwrap(),
    };
    let mut input = child.stdin.take().unwrap();
    // Who dies before reads nothing.
    _ = input.write_all(bootstrap("garm-1").to_string().as_bytes());
    drop(input);
    let output = child.wait_with_output().unwrap();
    let died = output.status.signal() == Some(9) || output.status.code() == Some(137);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(died || output.status.success(), "{command}, {kind} {number}: {:?}, {text}", output.status);
    died
}

/// Kills a command at every call, on a new server each time. Tells at how many places it died.
fn at_every_call(flavor: Flavor, command: &'static str, begin: fn(&Garm)) -> usize {
    let at_kind = |kind: &'static str| {
        let distance = if ["?read", "?mmap", "?close", "?openat"].contains(&kind) { ENOUGH } else { 1 };
        for (place, number) in (1..MOST).step_by(distance).enumerate() {
            let garm = Garm::new(flavor);
            garm.server.add("foreign", 103, &[("user.runner-controller-id", "other")]);
            begin(&garm);
            // As on a real server nothing is to be seen of an instance before its image is there.
            garm.server.take(Durations { download: DOWNLOAD, create: DOWNLOAD, ..Durations::default() });
            if !killed(&garm, command, kind, number) {
                return place;
            }
            // GARM asks until the first success, and then never again: what comes later would stay for ever.
            wait_for("a delete that succeeds", || {
                (garm.call("DeleteInstance", "garm-1").code == Some(0)).then_some(())
            });
            assert_eq!(garm.server.names(), ["foreign"], "{command} killed at {kind} {number}");
            garm.server.with(State::finish);
            assert_eq!(garm.server.names(), ["foreign"], "{command} killed at {kind} {number}, and what went on");
            garm.create(&bootstrap("garm-1")).expect(0);
            garm.call("DeleteInstance", "garm-1").expect(0);
            assert_eq!(garm.server.names(), ["foreign"], "{command} killed at {kind} {number}");
        }
        panic!("{command} makes more than {MOST} calls of {kind}");
    };
    let kinds = std::sync::Mutex::new(KINDS.into_iter());
    let next = || kinds.lock().unwrap().next();
    let work = || iter::from_fn(next).map(at_kind).sum::<usize>();
    thread::scope(|scope| {
        let workers = [(); 2].map(|()| scope.spawn(work));
        workers.into_iter().map(|worker| worker.join().expect("the claims hold at every kill")).sum()
    })
}

#[test]
fn a_creation_that_is_killed_anywhere_leaves_nothing_that_a_delete_does_not_take() {
    for flavor in Flavor::BOTH {
        let places = at_every_call(flavor, "CreateInstance", |_| ());
        assert!(places > 20, "it died at {places} places only");
    }
}

#[test]
fn a_delete_that_is_killed_anywhere_is_finished_by_the_next() {
    for flavor in Flavor::BOTH {
        let places = at_every_call(flavor, "DeleteInstance", |garm| {
            garm.server.add("garm-1", 103, &[("user.runner-controller-id", CONTROLLER)]);
        });
        assert!(places > 15, "it died at {places} places only");
    }
}
