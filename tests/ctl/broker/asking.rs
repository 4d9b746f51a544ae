//! Who asks, how, and whether they are still there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use github_runners::contract::protocol::{Issue, Outcome, Verb};
use serde_json::json;

use super::harness::{ENTITY, NAME, Stand, URL, finish, start_with};
use crate::github::Fault;
use crate::times::{HANGS, PATIENCE};

/// What a broker answers to a line, without asking GitHub.
fn refused(stand: &Stand, question: &str) -> String {
    let told = finish(start_with(&mut stand.program(), question), Instant::now());
    stand.check(&told);
    assert!(stand.seen().is_empty());
    assert!(told.journal.starts_with("warning: ") && told.journal.lines().count() == 1, "{}", told.journal);
    told.refusal()
}

#[test]
fn other_questions_are_refused() {
    let stand = Stand::new();
    let question = |version: u64, instance: &str| {
        json!({ "version": version, "instance": instance, "patience": PATIENCE, "verb": "preflight" }).to_string()
            + "\n"
    };
    assert!(refused(&stand, &question(3, "runner1")).contains("version 3"));
    assert!(refused(&stand, &question(1, "other")).contains("the broker of runner runner1, not of other"));
    assert!(refused(&stand, "{\n").contains("does not understand"));
    assert!(refused(&stand, "").contains("before its newline"));
}

#[test]
fn a_credential_that_is_none_of_the_api_is_refused() {
    let mut stand = Stand::new();
    let question =
        json!({ "version": 1, "instance": "runner1", "patience": PATIENCE, "verb": "preflight" }).to_string() + "\n";
    for (credential, part) in [
        ("AXFAKETOKENAXFAKETOKENAXFAKET", "registration token"),
        ("ghr_fake", "refresh token"),
        ("fake fake", "a blank"),
    ] {
        stand.credential = credential.into();
        assert!(refused(&stand, &question).contains(part), "{part}");
    }
    stand.credential = "ghp_fake\n".into();
    stand.manifest["tokenType"] = json!("registration");
    assert!(refused(&stand, &question).contains("registration token"));
    stand.manifest["version"] = json!(1);
    assert!(refused(&stand, &question).contains("field `version` is 1"));
}

#[test]
fn a_proxy_that_is_none_is_not_passed_by() {
    let stand = Stand::new();
    let question =
        json!({ "version": 1, "instance": "runner1", "patience": PATIENCE, "verb": "preflight" }).to_string() + "\n";
    for proxy in ["gopher://user:hunter2@proxy.example", "socks5://user:hunter2@proxy.example"] {
        let mut program = stand.program();
        program.env("https_proxy", proxy);
        let text = finish(start_with(&mut program, &question), Instant::now()).refusal();
        assert!(text.contains("https_proxy names no usable proxy") && !text.contains("hunter2"), "{text}");
    }
    assert!(stand.seen().is_empty());
}

/// Starts a broker with a request that takes a while, leaves in the middle of it, and gives the journal.
fn leave(stand: &Stand, verb: &Verb, slow: &str) -> String {
    stand.inject(Fault { path: slow.into(), delay_ms: 300, ..Fault::default() });
    let mut child = stand.start(verb, PATIENCE);
    let started = Instant::now();
    while stand.count("", slow) == 0 {
        assert!(started.elapsed() < HANGS, "GitHub was never asked");
        // Between two looks; the limit is above.
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(child.stdout.take());
    failed(child)
}

/// The journal of a broker that could not answer.
fn failed(mut child: Child) -> String {
    let mut journal = String::new();
    child.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{journal}");
    journal
}

#[test]
fn nothing_is_made_or_deleted_for_somebody_who_is_gone() {
    let stand = Stand::new();
    let journal = leave(&stand, &Verb::Issue(Issue::Jit { work_folder: "/work".into() }), "/runner-groups");
    assert!(journal.contains("Having GitHub make a runner") && journal.contains("asked is gone"), "{journal}");
    assert_eq!((stand.count("POST", ""), stand.runners().len()), (0, 0));
    let mut stand = Stand::new();
    stand.add_runner(7, NAME, ENTITY);
    stand.know(7, NAME, URL);
    let journal = leave(&stand, &Verb::Retire { id: 7, url: URL.into() }, "/actions/runners/7");
    assert!(journal.contains("Deleting the runner of id 7"), "{journal}");
    assert_eq!((stand.count("DELETE", ""), stand.runners().len()), (0, 1));
}

#[test]
fn what_was_made_for_somebody_who_left_meanwhile_is_deleted_again() {
    let stand = Stand::new();
    let verb = Verb::Issue(Issue::Jit { work_folder: "/work".into() });
    // Also if GitHub needs to be asked twice for it.
    stand.inject(Fault { method: Some("DELETE".into()), ..Fault::next("/actions/runners/21", 502) });
    let journal = leave(&stand, &verb, "/generate-jitconfig");
    assert!(
        journal.contains("runner \"runner1\" (id 21) for somebody who is gone; the runner was deleted"),
        "{journal}"
    );
    assert!(journal.contains("Stopped before Having") && journal.lines().count() == 2, "{journal}");
    assert_eq!((stand.count("DELETE", "/actions/runners/21"), stand.runners().len()), (2, 0));
}

#[test]
fn what_was_made_and_cannot_be_deleted_again_is_told() {
    let stand = Stand::new();
    stand.inject(Fault { method: Some("DELETE".into()), ..Fault::next("", 403) });
    let journal = leave(&stand, &Verb::Issue(Issue::Jit { work_folder: "/work".into() }), "/generate-jitconfig");
    let page = "could not be deleted again: remove it on https://github.com/organizations/octo-org/settings/";
    assert!(journal.contains(page), "{journal}");
    assert_eq!(stand.runners(), [NAME]);
}

#[test]
fn what_was_made_is_deleted_again_if_the_answer_cannot_be_written() {
    let stand = Stand::new();
    let mut program = stand.program();
    // There is somebody, but nothing can be said to them.
    program.stdout(File::options().write(true).open("/dev/full").unwrap());
    let verb = Verb::Issue(Issue::Jit { work_folder: "/work".into() });
    let question = json!({ "version": 1, "instance": "runner1", "patience": PATIENCE, "verb": verb });
    let journal = failed(start_with(&mut program, &format!("{question}\n")));
    assert!(journal.contains("for somebody who is gone; the runner was deleted again"), "{journal}");
    assert!(journal.contains("Failed to answer; Having GitHub make a runner: made \"runner1\""), "{journal}");
    assert_eq!((stand.count("POST", "/generate-jitconfig"), stand.runners().len()), (1, 0));
}

#[test]
fn an_asker_at_a_socket_may_finish_asking() {
    use std::net::Shutdown;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let stand = Stand::new();
    let (mut asker, broker) = UnixStream::pair().unwrap();
    let mut program = stand.program();
    program.stdin(OwnedFd::from(broker.try_clone().unwrap())).stdout(OwnedFd::from(broker)).stderr(Stdio::null());
    let mut child = program.spawn().unwrap();
    drop(program);
    let verb = Verb::Issue(Issue::Jit { work_folder: "/work".into() });
    let question = json!({ "version": 1, "instance": "runner1", "patience": PATIENCE, "verb": verb });
    asker.write_all(format!("{question}\n").as_bytes()).unwrap();
    asker.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    asker.read_to_string(&mut answer).unwrap();
    let answer: github_runners::contract::protocol::Answer = serde_json::from_str(&answer).unwrap();
    assert!(matches!(answer.outcome, Outcome::Jit { .. }), "{answer:?}");
    assert!(child.wait().unwrap().success());
}
