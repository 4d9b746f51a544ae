//! Questions that are none: refused without a request, and without a word of what was in them.

use std::io::Write as _;
use std::time::Instant;

use github_runners::contract::cloud::{Outcome, Placement, Refusal, Verb};
use github_runners::contract::protocol::Secret;
use serde_json::{Value, json};

use super::harness::{Cloud, HIDDEN, finish, launch, placement, token};
use crate::times::AT_ONCE;

/// Whatever is said, it is refused before any request.
#[track_caller]
fn refused(cloud: &Cloud, text: &str) -> String {
    match cloud.say(text).refusal() {
        Refusal::Configuration(why) => {
            assert_eq!(cloud.ec2.log().len(), 0);
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_of_another_release_or_for_another_broker_is_refused() {
    let cloud = Cloud::new();
    let good: Value = serde_json::from_str(&Cloud::question(&Verb::List, 5)).unwrap();
    assert_eq!(cloud.say(&format!("{good}\n")).answer.outcome, Outcome::Listed(vec![]));
    let cloud = Cloud::new();
    let secret = Cloud::question(&Verb::Launch(Box::new(launch(&token(1), placement()))), 5);
    assert!(secret.contains(HIDDEN));
    for (pointer, value, part) in [
        ("/version", json!(2), "another release"),
        ("/version", json!(0), "another release"),
        ("/version", json!("1"), "another release"),
        ("/class", json!("other"), "the broker of class pmu"),
        ("/class", json!(HIDDEN), "the broker of class pmu"),
        ("/patience", json!(-1), "another release"),
        ("/verb", json!(HIDDEN), "another release"),
        ("/verb", json!({ HIDDEN: {} }), "another release"),
        ("/verb/launch/token", json!([HIDDEN]), "another release"),
        ("/verb/launch/placement/market", json!(HIDDEN), "another release"),
        ("/verb/launch/userData", json!({ "x": HIDDEN }), "another release"),
    ] {
        let mut question: Value = serde_json::from_str(&secret).unwrap();
        *question.pointer_mut(pointer).unwrap() = value;
        let why = refused(&cloud, &format!("{question}\n"));
        assert!(why.contains(part), "{pointer}: {why}");
    }
    for place in ["", "/verb/launch", "/verb/launch/placement/image"] {
        let mut question: Value = serde_json::from_str(&secret).unwrap();
        question.pointer_mut(place).unwrap()[HIDDEN] = json!(HIDDEN);
        refused(&cloud, &format!("{question}\n"));
    }
}

#[test]
fn what_is_no_question_is_refused() {
    let cloud = Cloud::new();
    for text in [
        String::new(),
        "\n".into(),
        format!("{HIDDEN}\n"),
        format!("{{\"version\":1,\"class\":\"{HIDDEN}\n"),
        format!("[{}]\n", "[".repeat(10_000)),
        // The whole question, but for its end.
        Cloud::question(&Verb::List, 5).trim_end().to_owned(),
    ] {
        refused(&cloud, &text);
    }
}

#[test]
fn a_question_that_does_not_end_is_given_up() {
    let cloud = Cloud::new();
    let started = Instant::now();
    let mut child = cloud.program().spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It ends early: whoever writes gets an error then.
    let writer = std::thread::spawn(move || while stdin.write_all(&[b'x'; 4096]).is_ok() {});
    let reply = finish(child, started);
    writer.join().unwrap();
    assert!(matches!(&reply.answer.outcome, Outcome::Refused(Refusal::Configuration(why)) if why.contains("longer")));
    assert!(reply.took < AT_ONCE);
}

#[test]
fn whoever_asks_nothing_is_not_waited_for() {
    let cloud = Cloud::new();
    for text in ["", "{\"version\":1"] {
        let started = Instant::now();
        let mut child = cloud.program().spawn().unwrap();
        // Stays open until the answer is there.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        let reply = finish(child, started);
        assert!(reply.took < AT_ONCE, "{reply:?}");
        drop(stdin);
        let refusal = reply.refusal();
        assert!(matches!(&refusal, Refusal::Configuration(why) if why.contains("in time")), "{refusal:?}");
    }
    assert_eq!(cloud.ec2.log().len(), 0);
}

#[test]
fn user_data_that_no_machine_takes_is_refused_before_any_request() {
    let cloud = Cloud::new();
    // Of bytes, and not of characters.
    for text in ["x".repeat((16 << 10) + 1), "\u{e9}".repeat((8 << 10) + 1)] {
        let mut launch = launch(&token(1), placement());
        launch.user_data = Secret::new(text);
        let why = refused(&cloud, &Cloud::question(&Verb::Launch(Box::new(launch)), 5));
        assert!(why.contains("16384"), "{why}");
    }
}

#[test]
fn what_the_class_does_not_have_is_made_for_nobody() {
    let cloud = Cloud::new();
    for placement in [
        Placement { subnet: crate::ec2::SUBNET_C.into(), ..placement() },
        Placement { instance_type: "c7i.large".into(), ..placement() },
    ] {
        let why = refused(&cloud, &Cloud::question(&Verb::Launch(Box::new(launch(&token(1), placement))), 5));
        assert!(why.contains("no such type or subnet"), "{why}");
    }
}

#[test]
fn a_manifest_that_is_none_is_told() {
    for (field, value, part) in [
        ("version", json!(2), "version 2"),
        ("candidates", json!(0), "no candidates"),
        ("endpoint", json!("http://192.0.2.1:80"), "https"),
        ("endpoint", json!("http://127.0.0.1.example:80"), "https"),
        ("endpoint", json!("http://127.0.0.1:80@192.0.2.1"), "https"),
        ("credential", json!("both"), "no manifest"),
        ("secret", json!("x"), "no manifest"),
    ] {
        let mut cloud = Cloud::new();
        cloud.set(field, value);
        let why = refused(&cloud, &Cloud::question(&Verb::List, 5));
        assert!(why.contains(part), "{why}");
    }
}
