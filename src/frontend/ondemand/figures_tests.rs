//! The file as the collector reads it, and what is counted.

use super::super::refusal::{Explanation, Limit, Refusal};
use super::*;

const NOW: u64 = 1_790_000_000;
const FIXTURE: &str = include_str!("../../../tests/fixtures/order-v1.json");

fn settings() -> Settings {
    Settings::parse(include_bytes!("../../../tests/fixtures/on-demand-settings-v1.json")).unwrap()
}

/// An order of a class in a state; its label is a stranger's.
fn order(class: &str, state: State) -> Order {
    let mut order: Order = serde_json::from_str(FIXTURE).unwrap();
    (order.class, order.state) = (class.to_owned().try_into().unwrap(), state);
    order
}

fn ended(reason: Reason) -> Order {
    Order { reason: Some(reason), ended_at: Some(NOW), ..order("x86_64", State::Ended) }
}

fn counters() -> Counters {
    let class: Class = "x86_64".to_owned().try_into().unwrap();
    let mut counters = Counters::default();
    for reason in [Reason::Done, Reason::Done, Reason::NoJob, Reason::Registration("no: od-1-a".into())] {
        counters.ended(&ended(reason));
    }
    counters.came_online(&Order { online_at: Some(NOW + 12), ..order("x86_64", State::Online) });
    counters.came_online(&Order { online_at: Some(NOW + 30), ..order("x86_64", State::Online) });
    counters.launched(&class, &course::Outcome::NoRoom("InsufficientInstanceCapacity".into()));
    counters.launched(&class, &course::Outcome::Launched);
    counters.answered(&wire::Outcome::Runners(vec![]));
    for refusal in [Refusal::Limit(Limit::Run, 30), Refusal::RunOver, Refusal::RunOver] {
        counters.answered(&wire::Outcome::Refused(refusal.explanation()));
    }
    counters.judged(Proof::Queue, &Verdict::NotYet);
    counters.judged(Proof::Queue, &Verdict::Proven { fork: true });
    counters.judged(Proof::Oidc, &Verdict::Refused(Refusal::Token("It is over".into())));
    counters
}

#[test]
fn everything_is_told_by_class_and_by_our_own_words() {
    let orders = [
        order("x86_64", State::Launching),
        order("x86_64", State::Busy),
        order("arm64", State::Accepted),
        ended(Reason::Done),
    ];
    let text = render(&orders, &counters(), &settings(), NOW);
    // Read by the collector and by a strict reader of `OpenMetrics` in `tests/metrics/run`.
    assert_eq!(text, include_str!("../../../tests/fixtures/github-runners-on-demand.prom"), "{text}");
}

#[test]
fn nothing_of_a_caller_is_told() {
    let text = render(&[order("x86_64", State::Launching)], &counters(), &settings(), NOW);
    for word in ["od-", "octo-org", "19283746", "2001:db8", "InsufficientInstanceCapacity"] {
        assert!(FIXTURE.contains(word) || word == "octo-org");
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn counters_outlive_the_desk_and_another_version_begins_anew() {
    let text = counters().to_text().unwrap();
    assert_eq!(Counters::parse(&text).unwrap(), counters());
    insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"{"version":1,"ended":{"x86_64":{"done":2,"no_job":1,"failed":1}},"launchesRefused":{"x86_64":{"no_capacity":1}},"requestsAccepted":1,"requestsRefused":{"run-over":2,"limit":1},"proofs":{"queue":{"proven":1,"not_yet":1},"oidc":{"refused":1}},"toOnline":{"x86_64":{"sum":42,"count":2}}}"#);
    for text in ["", "{}", r#"{"version":2}"#] {
        assert!(Counters::parse(text.as_bytes()).is_err(), "{text}");
    }
    let next = String::from_utf8(counters().to_text().unwrap()).unwrap().replacen(":1", ":2", 1);
    assert!(Counters::parse(next.as_bytes()).unwrap_err().contains("version 2"), "{next}");
}

#[test]
fn each_reason_has_a_word() {
    let why = || String::from("why");
    for (reason, expected) in [
        (Reason::Done, "done"),
        (Reason::NoJob, "no_job"),
        (Reason::NotOnline, "not_online"),
        (Reason::Deadline, "deadline"),
        (Reason::RunOver, "given_up"),
        (Reason::NotQueued, "given_up"),
        (Reason::GivenUp, "given_up"),
        (Reason::Operator, "operator"),
        (Reason::MachineLost, "failed"),
        (Reason::NoCapacity, "no_capacity"),
        (Reason::Unavailable(why()), "failed"),
        (Reason::Configuration(why()), "failed"),
        (Reason::Registration(why()), "failed"),
        (Reason::NameTaken, "failed"),
    ] {
        assert_eq!(word(&ending(&reason)), expected, "{reason:?}");
    }
}

#[test]
fn a_refusal_is_counted_by_its_code_alone() {
    let mut counters = Counters::default();
    let explanation = Explanation { error: Code::NoCapacity, message: "od-1-a".into(), retry_after: None };
    counters.answered(&wire::Outcome::Refused(explanation));
    let text = render(&[], &counters, &settings(), NOW);
    assert!(text.contains("github_runner_order_requests_total{result=\"no-capacity\"} 1"), "{text}");
}
