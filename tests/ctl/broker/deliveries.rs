//! Answers that come late, in part, or not from GitHub.

use std::time::{Duration, Instant};

use github_runners::contract::protocol::{Issue, Outcome, Verb, Whom};
use serde_json::json;

use super::harness::{Stand, finish, start_with};
use crate::github::{Delivery, Fault, Identity};
use crate::times::{AT_ONCE, FOREVER, PATIENCE, SHORT, millis};

#[test]
fn what_fails_is_asked_again() {
    for fault in [Fault::next("", 502), Fault::badly("", Delivery::CutOff), Fault::badly("", Delivery::Closed)] {
        let stand = Stand::new();
        stand.inject(Fault { times: 2, ..fault });
        assert_eq!(stand.ask(&Verb::Observe(Whom::Name)).answer.outcome, Outcome::Seen(None));
        assert_eq!(stand.seen().len(), 3);
    }
}

#[test]
fn patience_ends_whatever_github_does() {
    let slow = |delivery, pause: Duration| Fault { pause_ms: millis(pause), times: 99, ..Fault::badly("", delivery) };
    for (fault, part) in [
        (slow(Delivery::SlowBody, FOREVER), "did not answer in time"),
        (Fault { delay_ms: millis(FOREVER), ..Fault::default() }, "did not answer in time"),
        (Fault { times: 99, ..Fault::next("", 503) }, "error 503"),
        (slow(Delivery::CutOff, Duration::from_millis(1)), ""),
        (slow(Delivery::Closed, Duration::from_millis(1)), ""),
    ] {
        let stand = Stand::new();
        stand.inject(fault);
        let told = stand.ask_for(&Verb::Preflight, SHORT);
        assert!(told.took < AT_ONCE, "{:?}", told.took);
        let text = told.unreachable();
        assert!(text.contains(part) && !text.is_empty(), "{text}");
    }
}

#[test]
fn a_page_of_something_in_between_is_not_believed() {
    let stand = Stand::new();
    stand.inject(Fault { html: true, times: 99, ..Fault::default() });
    assert!(stand.ask_for(&Verb::Observe(Whom::Name), SHORT).unreachable().contains("not JSON"));
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    for status in [301, 307, 308] {
        let stand = Stand::at("https://github.com/octo-org/old");
        let headers = [("location".into(), "https://evil.example/".into())].into();
        stand.inject(Fault { headers, ..Fault::next("", status) });
        let text = stand.ask(&Verb::Issue(Issue::Token)).refusal();
        assert!(text.contains("renaming") && text.contains("\"octo-org/old\""), "{text}");
        assert_eq!(stand.seen().len(), 1);
    }
}

#[test]
fn an_authority_that_the_system_does_not_know_is_no_authority() {
    let stand = Stand::new();
    let other = tempfile::tempdir().unwrap();
    Identity::make(&["api.github.com".into()]).unwrap().write(other.path()).unwrap();
    let mut program = stand.program();
    program.env("SSL_CERT_FILE", other.path().join("ca.pem"));
    let question = json!({ "version": 1, "instance": "runner1", "patience": PATIENCE, "verb": "preflight" });
    let told = finish(start_with(&mut program, &format!("{question}\n")), Instant::now());
    assert!(told.took < AT_ONCE, "it was not repeated: {:?}", told.took);
    let text = told.unreachable();
    assert!(text.contains("certificate of the host is not trusted"), "{text}");
    assert!(stand.seen().is_empty());
}
