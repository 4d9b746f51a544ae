//! Answers of servers that say nothing, or what they should not.

use std::time::{Duration, Instant};

use serde_json::json;

use super::stand_tests::{CONTROLLER, OURS, both, client, hasty, specification};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Flavor, Rule, StandIn, Then};
use crate::times::AT_ONCE;

const SOON: Duration = Duration::from_millis(200);

#[test]
fn a_server_that_says_nothing_is_given_up() {
    for server in both() {
        server.add("r-1", 103, &OURS);
        server.inject(Rule::new("GET", "/1.0/instances", Then::Hang));
        let client = hasty(&server, |times| (times.answer, times.read, times.restart) = (SOON, SOON, SOON));
        let start = Instant::now();
        for fault in [client.list().unwrap_err(), client.delete("r-1").unwrap_err()] {
            assert!(matches!(&fault, Fault::Unavailable(told) if told.contains("did not answer in time")), "{fault:?}");
        }
        assert!(start.elapsed() < AT_ONCE);
    }
}

#[test]
fn what_is_no_answer_is_a_fault_and_loses_no_instance() {
    let frame = |body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
    };
    let answers = [
        b"".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        frame(""),
        frame("null"),
        frame("[]"),
        frame("<html>proxy</html>"),
        frame(r#"{"type":"sync","metadata":null}"#),
        frame(r#"{"type":"sync"}"#),
        frame(r#"{"type":"sync","metadata":{"name":7}}"#),
        frame(r#"{"type":"sync","metadata":[{"status_code":103}]}"#),
        frame(r#"{"type":"async","operation":"/1.0/operations/x"}"#),
        frame(r#"{"type":"error"}"#),
        frame(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        frame("\u{0}\u{1}"),
        b"HTTP/1.1 302 Found\r\nLocation: http://example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
    ];
    for answer in answers {
        let server = StandIn::start(Flavor::Incus);
        server.add("r-1", 103, &OURS);
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
        server.inject(Rule::new("GET", "/1.0/instances", Then::Raw(answer)));
        let client = hasty(&server, |times| (times.restart, times.end) = (Duration::ZERO, SOON));
        let list = client.list();
        assert!(list.is_err(), "{shown}: {list:?}");
        assert!(client.get("r-1").is_err(), "{shown}");
        assert!(client.delete("r-1").is_err(), "{shown}");
        assert!(client.create(&specification("r-2")).is_err(), "{shown}");
        assert_eq!(server.names(), ["r-1"], "{shown}");
    }
}

#[test]
fn an_answer_about_another_instance_is_not_believed() {
    let server = StandIn::start(Flavor::Incus);
    server.add("r-1", 102, &[]);
    let other = json!({"type": "sync", "metadata": {
        "name": "r-2", "status_code": 102, "expanded_config": {"user.runner-controller-id": CONTROLLER},
    }});
    server.inject(Rule::new("GET", "/1.0/instances/r-1", Then::Say(200, other)));
    assert!(client(&server).delete("r-1").is_err());
    assert_eq!(server.names(), ["r-1"]);
}

#[test]
fn words_of_a_server_are_told_on_one_line_and_cut() {
    let server = StandIn::start(Flavor::Incus);
    let long = format!("no\u{1b}[31m\n{}", "x".repeat(100_000));
    server.inject(Rule::new(
        "GET",
        "/1.0/instances",
        Then::Say(500, json!({"type": "error", "error_code": 500, "error": long})),
    ));
    let told = hasty(&server, |times| times.restart = SOON).list().unwrap_err().to_string();
    assert!(told.len() < 600 && !told.contains(['\n', '\u{1b}']), "{told}");
}
