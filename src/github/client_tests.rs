//! What is asked again, and what is not. Touches nothing: the server is a list of answers.

use super::super::fake::{Fake, NOW};
use super::*;
use serde_json::json;

fn bearer() -> Secret {
    Secret::new("ghp_fake".into())
}

fn call(effect: Effect) -> Call {
    match effect {
        Effect::None => Call::get("/x".into()),
        _ => Call::post("/x".into(), json!({}), effect),
    }
}

fn down() -> Broken {
    Broken { why: "it is down".into(), lasting: false }
}

#[test]
fn failures_are_repeated_until_an_answer_comes() {
    for effect in [Effect::None, Effect::Repeatable] {
        let fake = Fake::new().fails(down()).answers(502, &[], "").answers(200, &[], "{}");
        assert_eq!(fake.client(60).send(&call(effect), &bearer()).unwrap().status, 200);
        assert_eq!(fake.asked().len(), 3);
    }
}

#[test]
fn what_must_not_happen_twice_is_not_repeated() {
    for fake in [Fake::new().fails(down()), Fake::new().answers(500, &[], "")] {
        let lost = fake.client(60).send(&call(Effect::Once), &bearer()).unwrap_err();
        assert!(matches!(lost, Failure::Lost(_)), "{lost:?}");
        assert_eq!(fake.asked().len(), 1);
    }
    let fake = Fake::new().answers(429, &[("retry-after", "3")], "{}").answers(201, &[], "{}");
    assert_eq!(fake.client(60).send(&call(Effect::Once), &bearer()).unwrap().status, 201);
    assert_eq!(fake.waited(), [Duration::from_secs(3)]);
}

#[test]
fn patience_ends() {
    let mut fake = Fake::new();
    for _ in 0..100 {
        fake = fake.fails(down());
    }
    let failure = fake.client(20).send(&call(Effect::None), &bearer()).unwrap_err();
    assert_eq!(failure, Failure::Unreachable("it is down".into()));
    assert!(fake.waited().iter().sum::<Duration>() < Duration::from_secs(20));
    let fake = Fake::new().answers(403, &[("retry-after", "600")], "{}");
    let failure = fake.client(20).send(&call(Effect::None), &bearer()).unwrap_err();
    assert_eq!(failure, Failure::RateLimited(NOW + 600));
    assert!(fake.waited().is_empty());
}

#[test]
fn nothing_is_changed_for_somebody_who_is_gone() {
    let fake = Fake::new().answers(200, &[], "{}").asker_leaves();
    assert_eq!(fake.client(20).send(&call(Effect::Once), &bearer()).unwrap_err(), Failure::AskerGone);
    assert_eq!(fake.client(20).send(&call(Effect::Repeatable), &bearer()).unwrap_err(), Failure::AskerGone);
    assert!(fake.asked().is_empty());
    assert_eq!(fake.client(20).send(&call(Effect::None), &bearer()).unwrap().status, 200);
}

#[test]
fn what_was_done_for_somebody_who_is_gone_is_undone() {
    let fake = Fake::new().fails(down()).answers(502, &[], "").answers(204, &[], "").asker_leaves();
    let client = fake.client(20);
    assert!(!client.asker_is_there());
    client.undo();
    assert_eq!(client.send(&call(Effect::Repeatable), &bearer()).unwrap().status, 204);
    assert_eq!((fake.asked().len(), fake.waited().len()), (3, 2));
}

#[test]
fn answers_that_are_not_of_github_are_not_believed() {
    for body in ["{\"message\":\"Bearer ghp_fake\"}", "<html>"] {
        let fake = Fake::new().answers(200, &[("content-type", "text/html")], body);
        let failure = fake.client(0).send(&call(Effect::None), &bearer());
        assert!(failure.is_err());
        let failure = format!("{:?}", fake.client(1).send(&call(Effect::None), &bearer()).unwrap_err());
        assert!(failure.starts_with("Unreachable") && !failure.contains("ghp_fake"), "{failure}");
    }
}

#[test]
fn the_expiry_of_the_credential_is_kept() {
    let fake = Fake::new().answers(200, &[(EXPIRATION, "2026-12-24 10:00:00 UTC")], "{}");
    let client = fake.client(5);
    client.send(&call(Effect::None), &bearer()).unwrap();
    assert_eq!(client.credential_expires(), Some(1_798_106_400));
}

#[test]
fn what_a_question_costs_is_counted_with_every_repetition() {
    let fake = Fake::new().fails(down()).answers(200, &[(REMAINING, "4998")], "{}");
    let fake = fake.answers(200, &[(REMAINING, "4997")], "{}").answers(200, &[(REMAINING, "-1")], "{}");
    let client = fake.client(60);
    assert_eq!((client.requests(), client.rate_limit_remaining()), (0, None));
    for requests in [2, 3, 4] {
        client.send(&call(Effect::None), &bearer()).unwrap();
        assert_eq!(client.requests(), requests);
    }
    assert_eq!(client.rate_limit_remaining(), Some(4_997));
}

#[test]
fn a_refusal_that_is_no_json_is_not_githubs() {
    let html = ("content-type", "text/html");
    for (status, headers, part) in [
        (
            302,
            &[html, ("location", "https://login.example/?next=x")][..],
            "of status 302, is not JSON and leads to \"login.example\",",
        ),
        (401, &[html], "of status 401, is not JSON,"),
        (403, &[html], "of status 403, is not JSON,"),
        (404, &[("content-type", "")], "of status 404, is not JSON,"),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let broken = sound(Response { status, headers, body: b"<html>".to_vec() }, Some(&bearer())).unwrap_err();
        assert!(broken.why.contains(part) && broken.why.contains("sign-in page") && !broken.lasting, "{broken:?}");
    }
    // But the limits come from what stands before it.
    let headers = vec![("retry-after".into(), "3".into())];
    assert!(sound(Response { status: 403, headers, body: vec![] }, Some(&bearer())).is_ok());
    let fake = Fake::new().answers(403, &[html], "<html>").answers(200, &[], "{}");
    assert_eq!(fake.client(60).send(&call(Effect::None), &bearer()).unwrap().status, 200);
}
