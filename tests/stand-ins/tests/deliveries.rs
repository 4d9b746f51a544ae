//! Answers that come late, slowly, in part or not at all.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::{Answer, ask, attempt},
    configure::pair,
    github::{Delivery, Fault, GitHub},
    harness::PAT,
    wait::wait_for,
};

const RUNNERS: &str = "/orgs/octo-org/actions/runners";

fn try_mint(github: &GitHub) -> Result<Answer, ureq::Error> {
    attempt(&github.url(), PAT, "POST", &format!("{RUNNERS}/registration-token"), &Value::Null)
}

/// All bytes of the answer to a listing.
fn raw(github: &GitHub) -> String {
    let mut stream = TcpStream::connect(github.address()).unwrap();
    let head = format!("GET {RUNNERS} HTTP/1.1\r\nhost: x\r\nuser-agent: x\r\nauthorization: Bearer {PAT}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A broken connection may end with an error as well as with an end.
    _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_late_answer_is_late_and_keeps_nobody_waiting() {
    let (github, _stand) = pair();
    github.inject(Fault { delay_ms: 300, ..Fault::badly("registration-token", Delivery::Whole) });
    let start = Instant::now();
    thread::scope(|scope| {
        let late = scope.spawn(|| try_mint(&github).unwrap().status);
        wait_for("the late request", || (!github.records().is_empty()).then_some(()));
        assert_eq!(ask(&github.url(), "GET", RUNNERS, &Value::Null).status, 200);
        assert!(!late.is_finished());
        assert_eq!(late.join().unwrap(), 201);
    });
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_slow_body_comes_whole_in_the_end() {
    let (github, _stand) = pair();
    github.inject(Fault { pause_ms: 20, ..Fault::badly("", Delivery::SlowBody) });
    let start = Instant::now();
    let answer = try_mint(&github).unwrap();
    assert!(answer.body["token"].is_string() && start.elapsed() >= Duration::from_millis(140));
}

#[test]
fn an_answer_cut_off_announces_more_than_comes() {
    let (github, _stand) = pair();
    github.inject(Fault::badly("", Delivery::CutOff));
    let answer = raw(&github);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(body.len() < announced.parse().unwrap() && body.starts_with('{'), "{answer}");
    github.inject(Fault::badly("", Delivery::CutOff));
    assert!(try_mint(&github).is_err());
    assert_eq!(github.state().tokens.len(), 1, "what was asked for happened");
}

#[test]
fn a_closed_connection_has_no_answer_and_an_effect_only_if_asked() {
    let (github, _stand) = pair();
    for after_effect in [false, true] {
        github.inject(Fault { after_effect, ..Fault::badly("", Delivery::Closed) });
        assert!(try_mint(&github).is_err());
        assert_eq!(github.state().tokens.len(), usize::from(after_effect));
    }
    github.inject(Fault::badly("", Delivery::Closed));
    assert_eq!(raw(&github), "");
    assert_eq!(github.records().last().unwrap().status, 0);
}

#[test]
fn a_gateway_answers_with_a_page() {
    let (github, _stand) = pair();
    let fault = json!({ "status": 502, "html": true, "delay-ms": 1, "delivery": "slow-body", "pause-ms": 1 });
    assert_eq!(ask(&github.url(), "POST", "/_stand-in/faults", &fault).status, 204);
    let answer = try_mint(&github).unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (502, Some("text/html")));
    assert!(answer.body.as_str().unwrap().starts_with("<html>"));
}

#[test]
fn a_github_that_is_down_answers_the_test_only() {
    let (github, _stand) = pair();
    let down = |how: Value| ask(&github.url(), "POST", "/_stand-in/down", &how).status;
    for how in [json!(true), json!(3_600)] {
        assert_eq!(down(how), 204);
        assert!(try_mint(&github).is_err());
        assert_eq!(raw(&github), "");
        assert_eq!(down(json!(false)), 204);
        assert_eq!(try_mint(&github).unwrap().status, 201);
    }
    assert_eq!(github.state().tokens.len(), 2);
}
