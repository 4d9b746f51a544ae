//! How much strangers can have of the door, and for how long.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use github_runners::frontend::ondemand::door::places::Limits;
use github_runners::frontend::ondemand::wire::{LONGEST_ANSWER, Outcome, Question};
use serde_json::Value;

use crate::host::{Act, Host, body, get, good, online, rest, status};
use crate::times::{AT_ONCE, FOREVER};
use crate::wait::wait_for;

/// As the program has them, but nothing is over before the test is.
fn patient() -> Limits {
    Limits { request: FOREVER, idle: FOREVER, ..Limits::default() }
}

fn hold(_: &Question) -> Act {
    Act::Hold
}

fn hold_if_asked_to_wait(question: &Question) -> Act {
    if question.wait > 0 { Act::Hold } else { Act::Answer(Outcome::Runners(vec![])) }
}

#[test]
fn of_500_connections_64_have_a_place_and_the_others_are_refused_at_once() {
    let host = Host::with_limits(online, patient());
    let mut connections: Vec<_> = (0..500).map(|_| host.connect()).collect();
    let refused = connections.split_off(64);
    for mut stream in refused {
        // It may be refused before it has asked, and is answered all the same.
        _ = stream.write_all(good().as_bytes());
        let answer = rest(stream);
        assert_eq!((status(&answer), body(&answer)["error"].as_str()), (503, Some("busy")));
        assert!(answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");
    }
    for stream in &mut connections {
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    assert!(host.desk.lines().is_empty());
    connections.pop();
    wait_for("the place that got free", || (status(&host.says(good())) == 200).then_some(()));
}

#[test]
fn who_is_refused_can_still_send_what_nobody_reads() {
    let host = Host::with_limits(online, Limits { connections: 1, ..patient() });
    let _first = host.connect();
    let mut second = host.connect();
    let mut begin = [0; 12];
    second.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 503");
    // A proxy whose sending fails says 502 and does not read the answer.
    second.write_all(good().as_bytes()).unwrap();
    assert!(rest(second).contains("Retry-After: 5"));
    assert!(host.desk.lines().is_empty());
}

#[test]
fn a_request_that_comes_slowly_or_not_at_all_ends() {
    let host = Host::with_limits(online, Limits { request: Duration::from_secs(1), ..patient() });
    let silent = host.connect();
    let mut slow = host.connect();
    let begin = Instant::now();
    let mut sent = 0;
    let fault = wait_for("the end of what the door takes", || {
        sent += 1;
        // One byte more, for as long as there is somebody.
        slow.write_all(if sent == 1 { b"G" } else { b"x" }).err()
    });
    assert!(begin.elapsed() >= Duration::from_secs(1), "{fault} after {:?}", begin.elapsed());
    assert_eq!(status(&rest(slow)), 408);
    assert_eq!(status(&rest(silent)), 408);
    assert!(host.desk.lines().is_empty());
}

#[test]
fn as_many_as_may_wait_do_and_the_next_one_is_answered_without_waiting() {
    let host = Host::with_limits(hold_if_asked_to_wait, Limits { waits: 2, ..patient() });
    let waiting: Vec<_> = (0..2)
        .map(|count| {
            let mut stream = host.connect();
            stream.write_all(good().as_bytes()).unwrap();
            wait_for("the question", || (host.desk.lines().len() == count + 1).then_some(()));
            stream
        })
        .collect();
    assert_eq!(status(&host.says(get("/v1/runners/od-1-a?wait=300"))), 404);
    let waits = |line: &String| serde_json::from_str::<Value>(line).unwrap()["wait"].as_u64().unwrap();
    assert_eq!(host.desk.lines().iter().map(waits).collect::<Vec<_>>(), [300, 300, 0]);
    drop(waiting);
    wait_for("a place that got free", || {
        let mut stream = host.connect();
        stream.write_all(get("/v1/runners/od-1-a?wait=300").as_bytes()).unwrap();
        let count = host.desk.lines().len();
        wait_for("the question", || (host.desk.lines().len() > count).then_some(()));
        host.desk.lines().last().map(waits).filter(|wait| *wait == 300)
    });
}

#[test]
fn a_wait_ends_with_its_caller() {
    let host = Host::with_program(hold);
    let mut stream = host.connect();
    stream.write_all(good().as_bytes()).unwrap();
    wait_for("the question", || (host.desk.lines().len() == 1).then_some(()));
    assert_eq!(host.desk.seen.lock().unwrap().abandoned, 0);
    drop(stream);
    wait_for("the end of the question", || (host.desk.seen.lock().unwrap().abandoned == 1).then_some(()));
}

#[test]
fn a_desk_that_does_not_answer_in_time_is_not_waited_for() {
    let host = Host::with_limits(hold, Limits { desk: Duration::from_secs(1), ..patient() });
    let begin = Instant::now();
    let answer = host.says(good().replace("wait=300", "wait=1"));
    assert_eq!((status(&answer), body(&answer)["error"].as_str()), (503, Some("busy")));
    assert!(begin.elapsed() >= Duration::from_secs(2) && begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
}

#[test]
fn a_desk_that_says_something_else_is_not_repeated() {
    let long = |_: &Question| Act::Send(vec![b'x'; LONGEST_ANSWER + 1]);
    let acts: [fn(&Question) -> Act; 5] = [
        |_| Act::Send(vec![]),
        |_| Act::Send(b"{\"version\":1,\"outcome\":{\"runners\":[]}}".to_vec()),
        |_| Act::Send(b"{\"version\":2,\"outcome\":{\"runners\":[]}}\n".to_vec()),
        |_| Act::Send(b"HTTP/1.1 200 OK\r\n\r\n\n".to_vec()),
        long,
    ];
    for act in acts {
        let host = Host::with_program(act);
        let answer = host.says(good());
        assert_eq!((status(&answer), body(&answer)["error"].as_str()), (503, Some("busy")), "{answer}");
    }
}
