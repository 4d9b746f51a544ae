use super::*;

fn all() -> Vec<Refusal> {
    let evil = || "a\r\nX: y\u{1b}[2J".repeat(1_000);
    let limits = [
        Limit::Requests,
        Limit::Open,
        Limit::Class,
        Limit::Repository,
        Limit::Run,
        Limit::RunEver,
        Limit::Forks,
        Limit::Unproven,
        Limit::Waiting,
        Limit::Starts,
        Limit::Processors,
        Limit::Cost,
    ];
    let mut all = vec![
        Refusal::Malformed(evil()),
        Refusal::Label(evil(), LabelFault::Character),
        Refusal::Class(evil(), vec!["arm64".into(), "x86_64".into()]),
        Refusal::Token(evil()),
        Refusal::RepositoryName(evil()),
        Refusal::Repository(evil()),
        Refusal::Run,
        Refusal::RunOver,
        Refusal::NotQueued,
        Refusal::OldArtifact,
        Refusal::Event(evil()),
        Refusal::NotFound,
        Refusal::NoOrder,
        Refusal::Method("GET, PUT"),
        Refusal::OtherOrder,
        Refusal::BodyTooLong(8_192),
        Refusal::HeadTooLong,
        Refusal::NotImplemented("Transfer-Encoding"),
        Refusal::NoCapacity(vec![]),
        Refusal::NoCapacity(vec![Try { candidate: 1, code: evil() }, Try { candidate: 2, code: evil() }]),
        Refusal::Stopped(evil()),
        Refusal::Paused(1),
        Refusal::Book,
        Refusal::Github(evil(), 30),
        Refusal::Busy(5),
    ];
    all.extend(limits.map(|limit| Refusal::Limit(limit, 60)));
    all
}

#[test]
fn each_refusal_is_one_sentence_with_the_way_out_whatever_strangers_wrote() {
    for refusal in all() {
        let message = refusal.explanation().message;
        assert!(message.ends_with('.') && !message.contains(char::is_control), "{message}");
        assert!(message.len() < 1_000, "{message}");
        let from_elsewhere = matches!(refusal, Refusal::Malformed(_) | Refusal::Token(_) | Refusal::RepositoryName(_));
        assert!(from_elsewhere || message.contains(": "), "{message}");
    }
}

#[test]
fn a_status_tells_whether_waiting_helps() {
    for refusal in all() {
        let (status, waits) = (refusal.code().status(), refusal.retry_after());
        let is_ever = matches!(refusal, Refusal::Limit(Limit::RunEver, _));
        assert_eq!(waits.is_some(), matches!(status, 429 | 503) && !is_ever, "{refusal:?}");
    }
}

#[test]
fn a_wait_is_neither_nothing_nor_for_ever() {
    assert_eq!(Refusal::Busy(0).retry_after(), Some(1));
    assert_eq!(Refusal::Limit(Limit::Cost, u64::MAX).retry_after(), Some(86_400));
    assert_eq!(until_midnight(1_790_035_200 - 1), 1);
}

#[test]
fn the_codes_are_those_of_the_manual() {
    let codes: std::collections::BTreeSet<Code> = all().iter().map(Refusal::code).collect();
    let words: Vec<String> = codes.iter().map(|code| serde_json::to_string(code).unwrap()).collect();
    insta::assert_snapshot!(words.join(" "), @r#""malformed" "label" "class" "token" "repository" "run-over" "not-queued" "event" "not-found" "method" "other-order" "body-too-long" "head-too-long" "limit" "not-implemented" "no-capacity" "paused" "github" "busy""#);
}
