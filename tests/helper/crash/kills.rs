//! Killing a step at its N-th system call of a kind, and what must be true afterwards.
//!
//! strace enters each kind of call in a count of its own, per thread, and a call at which it kills is not carried
//! out. So what lies between two changes is found by dying at the second one.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{fs, iter, thread};

use serde_json::{Value, json};

use crate::host::{Host, mode};

/// Every kind of call by which a step changes something.
pub const CHANGES: [&str; 10] = [
    "?mkdirat",
    "?openat2",
    "?write",
    "?fchown",
    "?fchmod",
    "?fsync",
    "?renameat",
    "?renameat2",
    "?unlinkat",
    "?symlinkat",
];
/// No step makes more calls of one kind in these tests.
const MOST: usize = 1_000;
/// Set, steps die at calls that change nothing as well.
const EVERY: &str = "CRASH_AT_EVERY_CALL";
/// A kind of call that changes nothing and that a step makes more often is died at about this often, at equal
/// distances: most of them look at one process of the host after the other, as many as there are.
const ENOUGH: usize = 60;
/// How many kinds are tried at the same time. Each kill keeps a processor busy, with strace at every call.
const WORKERS: usize = 4;

/// Runs `step` and kills it at its `number`-th call of `kind`. Tells whether it got that far.
pub fn killed(host: &Host, step: &str, kind: &str, number: usize) -> bool {
    let mut strace = Command::new("strace");
    // Not with `--seccomp-bpf`, with which strace 6.1 sends no signals.
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={kind}")]);
    strace.args(["-e", &format!("inject={kind}:signal=SIGKILL:when={number}")]);
    strace.arg(env!("CARGO_BIN_EXE_github-runner-helper")).args(host.arguments(step)).stdin(Stdio::null());
    let output = match strace.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("strace is missing; install the package `strace`")
        }
        output => output.unwrap(),
    };
    let text = String::from_utf8_lossy(&output.stderr);
    // strace dies the way its program did.
    let died = output.status.signal() == Some(9) || output.status.code() == Some(137);
    assert!(died || output.status.success(), "{kind} {number}: {:?}, {text}", output.status);
    died
}

/// Kills `step` at each call that changes something, on a new host each time, and hands each host that is left
/// to `look`. Tells at how many places it died. See [`EVERY`] for more of them.
pub fn at_every_change(step: &str, host: impl Fn() -> Host + Sync, look: impl Fn(&mut Host, &str) + Sync) -> usize {
    let at_every = |kind: &str, distance: usize| {
        for (place, number) in (1..).step_by(distance).take(MOST).enumerate() {
            let mut host = host();
            if !killed(&host, step, kind, number) {
                return place;
            }
            if let Some(server) = &host.server {
                server.settle();
            }
            look(&mut host, &format!("killed at {kind} {number}"));
        }
        panic!("{step} makes more than {MOST} calls of {kind}");
    };
    let mut kinds: Vec<(String, usize)> = CHANGES.map(|kind| (kind.into(), 1)).into();
    if std::env::var_os(EVERY).is_some() {
        kinds.extend(looks(&host(), step).into_iter().map(|(kind, number)| (kind, number.div_ceil(ENOUGH))));
    }
    let kinds = Mutex::new(kinds.into_iter());
    let next = || kinds.lock().unwrap().next();
    let work = || iter::from_fn(next).map(|(kind, distance)| at_every(&kind, distance)).sum::<usize>();
    thread::scope(|scope| {
        let workers = [(); WORKERS].map(|()| scope.spawn(work));
        workers.into_iter().map(|worker| worker.join().expect("the claims hold at every kill")).sum()
    })
}

/// How many calls of each other kind `step` makes once it runs.
fn looks(host: &Host, step: &str) -> BTreeMap<String, usize> {
    let trace = host.path("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_github-runner-helper"));
    strace.args(host.arguments(step)).stdin(Stdio::null()).stderr(Stdio::null());
    assert!(strace.status().unwrap().success());
    let text = fs::read_to_string(&trace).unwrap();
    // A line is `PID NAME(…`; an end or a second half of a call has no name there.
    let name = |line: &str| line.split_whitespace().nth(1)?.split_once('(').map(|(name, _)| name.to_owned());
    let mut looks = BTreeMap::new();
    for kind in text.lines().filter_map(name) {
        let is_change = CHANGES.iter().any(|change| change.trim_start_matches('?') == kind);
        // The others are the loader's or cannot be died at.
        if !is_change && !["execve", "exit_group", "exit", "rt_sigreturn"].contains(&&*kind) {
            *looks.entry(kind).or_default() += 1;
        }
    }
    looks
}

/// What every crash must leave: a ledger that is absent or whole, that names nobody who was not recorded and
/// forgets nobody who was, and no token that others can read.
pub fn assert_sound(host: &Host, recorded: Option<u64>, when: &str) {
    match fs::read(host.path("ledger/runner1.json")) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{when}");
            assert_eq!(recorded, None, "{when}: the ledger entry is gone");
        }
        Ok(text) => {
            let ledger: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{when}: {error}"));
            match ledger["runner"]["id"].as_u64() {
                None => assert_eq!(left_behind(&ledger, recorded), usize::from(recorded.is_some()), "{when}: {ledger}"),
                present => assert_eq!(present, recorded, "{when}"),
            }
        }
    }
    for name in host.tree("") {
        let path = host.path(&name);
        let metadata = fs::symlink_metadata(&path).unwrap();
        let is_given = ["token", "manifest.json"].contains(&name.as_str());
        if metadata.is_file() && !is_given && holds_token(&path) {
            assert_eq!(mode(&path) & 0o077, 0, "{when}: {name} shows a token");
        }
    }
}

/// Whether a file holds one of the tokens of these tests, or the beginning of one.
pub fn holds_token(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.contains("FAKETOKEN"))
}

/// How often a former registration is remembered.
pub fn left_behind(ledger: &Value, id: Option<u64>) -> usize {
    let former = ledger["leftBehind"].as_array().expect("a list of former registrations");
    former.iter().filter(|left| left["runner"]["id"] == json!(id)).count()
}
