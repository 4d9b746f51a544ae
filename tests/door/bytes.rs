//! Bytes of strangers: what is no request asks nobody and gets a sentence.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::host::{Host, body, good, online, put, rest, status};

const BODY: &str = r#"{"class":"x86_64"}"#;

#[test]
fn no_part_of_a_good_request_reaches_the_desk_and_the_whole_one_does() {
    let host = Host::with_program(online);
    let good = good();
    assert_eq!(host.says(""), "", "who says nothing is told nothing");
    for end in 1..good.len() {
        let answer = host.says(&good.as_bytes()[..end]);
        assert_eq!((status(&answer), body(&answer)["error"].as_str()), (400, Some("malformed")), "{end}");
    }
    assert!(host.desk.lines().is_empty());
    let answer = host.says(&good);
    assert_eq!((status(&answer), body(&answer)["state"].as_str()), (200, Some("online")));
    let question: Value = serde_json::from_str(&host.desk.lines().concat()).unwrap();
    let ask = json!({"create": {"label": "od-1-a", "classes": ["x86_64"], "repository": null, "run": 1}});
    assert_eq!(question, json!({"version": 1, "source": "192.0.2.1", "wait": 300, "token": null, "ask": ask}));
}

#[test]
fn hostile_bytes_get_a_refusal_and_reach_nobody() {
    let host = Host::with_program(online);
    let good = put("/v1/runners/od-1-a", BODY);
    let length = format!("Content-Length: {}\r\n", BODY.len());
    let with = |lines: &str| good.replacen(&length, lines, 1);
    let at = |target: &str| put(target, BODY);
    let huge = "x".repeat(100_000);
    for (what, bytes, expected) in [
        ("two lengths", with(&format!("{length}Content-Length: 3\r\n")), 400),
        ("two equal lengths", with(&length.repeat(2)), 400),
        ("a list of lengths", with("Content-Length: 18, 18\r\n"), 400),
        ("no length", with(""), 411),
        ("a length beyond all memory", with("Content-Length: 99999999999999999999\r\n"), 413),
        ("a long body", put("/v1/runners/od-1-a", &huge), 413),
        ("chunks", with("Transfer-Encoding: chunked\r\n"), 501),
        ("chunks and a length", with(&format!("Transfer-Encoding: chunked\r\n{length}")), 501),
        ("an expectation", with(&format!("Expect: 100-continue\r\n{length}")), 417),
        ("a zero byte in the head", with(&format!("X: a\0b\r\n{length}")), 400),
        ("a zero byte in the body", put("/v1/runners/od-1-a", "{\"class\":\"x86_64\0\"}"), 400),
        ("lines without CR", good.replace("\r\n", "\n"), 400),
        ("one line without CR", with(&length.replace('\r', "")), 400),
        ("a folded line", with(&format!("X: a\r\n b\r\n{length}")), 400),
        ("a blank before a colon", with(&length.replace(':', " :")), 400),
        ("100 KB of one field", with(&format!("X: {huge}\r\n{length}")), 431),
        ("100 KB of fields", with(&format!("{}{length}", "X: y\r\n".repeat(100_000 / 6))), 431),
        ("33 fields", with(&format!("{}{length}", "X: y\r\n".repeat(31))), 431),
        ("100 KB of target", at(&format!("/v1/runners/{huge}")), 431),
        ("an absolute target", at("http://ci.example.org/v1/runners/od-1-a"), 400),
        ("a target of another host", at("http://other.example/v1/runners/od-1-a"), 400),
        ("an asterisk", at("*"), 400),
        ("an encoded label", at("/v1/runners/%6Fd-1-a"), 400),
        ("an encoded slash", at("/v1%2Frunners/od-1-a"), 404),
        ("a path upwards", at("/v1/runners/../status"), 400),
        ("a label that is a pattern", at("/v1/runners/od-1-*"), 400),
        ("another method", good.replacen("PUT", "PATCH", 1), 405),
        ("another version", good.replacen("HTTP/1.1", "HTTP/2.0", 1), 505),
        ("no host", good.replacen("Host: ci.example.org\r\n", "", 1), 400),
        ("two hosts", with(&format!("Host: other.example\r\n{length}")), 400),
        ("no address of the caller", good.replacen("X-Real-IP: 192.0.2.1\r\n", "", 1), 400),
        ("two addresses of the caller", with(&format!("X-Real-IP: 192.0.2.2\r\n{length}")), 400),
        ("no token", with(&format!("Authorization: Basic YTpi\r\n{length}")), 401),
        ("no JSON", put("/v1/runners/od-1-a", "class=x86_64"), 400),
        ("JSON of the deepest kind", put("/", &"[".repeat(8_000)).replacen("PUT", "POST", 1), 400),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}".into(), 400),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
    ] {
        let answer = host.says(&bytes);
        assert_eq!(status(&answer), expected, "{what}: {answer}");
        let said = body(&answer);
        assert!(said["error"].is_string() && said["message"].as_str().unwrap().ends_with('.'), "{what}: {answer}");
    }
    assert_eq!(host.desk.lines(), Vec::<String>::new());
}

#[test]
fn a_caller_who_still_sends_reads_why_he_is_refused() {
    let host = Host::with_program(online);
    let mut stream = host.connect();
    // Many times what a socket holds, so the door has to take it while it refuses.
    let endless = format!("PUT / HTTP/1.1\r\nX: {}", "x".repeat(4 << 20));
    stream.write_all(endless.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(status(&rest(stream)), 431);
}

#[test]
fn what_follows_a_request_is_never_looked_at() {
    let host = Host::with_program(online);
    let second = put("/v1/runners/od-2-b", BODY);
    let answer = host.says(good() + &second + &second);
    assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), (200, 1));
    assert_eq!(host.desk.lines().len(), 1);
    assert!(!host.desk.lines()[0].contains("od-2-b"));
}

#[test]
fn the_original_workflows_calls_are_answered() {
    let host = Host::with_program(online);
    let label = "rr_runner_0123456789abcdef0123456789abcdef";
    let post = |body: Value| {
        let form = "Content-Type: application/x-www-form-urlencoded\r\nUser-Agent: curl/7.81.0\r\nAccept: */*\r\nContent-Length";
        let text = put("/", &body.to_string()).replacen("PUT", "POST", 1).replacen("Content-Length", form, 1);
        let answer = host.says(text);
        assert_eq!((status(&answer), answer.ends_with("\r\n\r\n{}\n")), (200, true), "{answer}");
    };
    post(json!({"operation": "create", "label": label, "architecture": "x86_64"}));
    post(json!({"operation": "create", "label": label, "architectures": ["x86_64", "arm64"]}));
    post(json!({"operation": "destroy", "label": label}));
    let asked: Vec<Value> = host.desk.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(asked[0]["ask"]["create"]["classes"], json!(["x86_64"]));
    assert_eq!(asked[1]["ask"]["create"]["classes"], json!(["x86_64", "arm64"]));
    assert_eq!(asked[2]["ask"], json!({"destroy": {"labels": [label]}}));
}
