use super::*;

fn key() -> Key {
    Key::from_stem("od-19283746-1-build.x86_64").unwrap()
}

fn text() -> String {
    include_str!("../../../tests/fixtures/order-v1.json").into()
}

#[test]
fn the_file_keeps_its_form() {
    let order = Order::parse(text().as_bytes(), &key()).unwrap();
    assert_eq!(order.state, State::Launching);
    let compact: serde_json::Value = serde_json::from_str(&text()).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&order.to_text().unwrap()).unwrap();
    assert_eq!(written, compact);
    assert_eq!(Order::parse(&order.to_text().unwrap(), &key()).unwrap(), order);
}

#[test]
fn a_file_that_says_nothing_good_is_an_error_and_no_order() {
    for (old, new, part) in [
        ("{", "", "no JSON object"),
        ("\"version\": 1", "\"version\": 2", "version 2"),
        ("\"fork\"", "\"spoon\"", "unknown field"),
        ("\"attempt\": 1,", "", "missing field `attempt`"),
        ("\"x86_64\"", "\"arm64\"", "another order"),
        ("\"od-19283746-1-build\"", "\"../etc\"", "never taken"),
        ("octo-org/example", "octo-org/../x", "character"),
        ("\"run\": 19283746", "\"run\": null", "no run"),
        ("\"deadline\": 1790003600", "\"deadline\": 1", "before it began"),
        ("\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-2\"", "null", "without a token"),
        ("\"launchedAt\": 1790000003", "\"launchedAt\": null", "never used"),
        ("\"askedAt\": 1790000004", "\"askedAt\": null", "never used"),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-2", "9F-2", "token that no order has"),
        ("\"launching\"", "\"ending\"", "without a reason"),
        ("\"reason\": null", "\"reason\": \"done\"", "goes on"),
        ("\"endedAt\": null", "\"endedAt\": 1790000001", "not over"),
        ("\"launching\"", "\"flying\"", "unknown variant"),
    ] {
        let wrong = text().replacen(old, new, 1);
        assert_ne!(wrong, text(), "{old}");
        let error = Order::parse(wrong.as_bytes(), &key()).unwrap_err();
        assert!(error.contains(part), "{old} → {new}: {error}");
    }
}

#[test]
fn a_file_that_ends_early_is_no_order() {
    let text = text();
    let end = text.trim_end().len();
    for length in 0..end {
        assert!(Order::parse(&text.as_bytes()[..length], &key()).is_err(), "{length}");
    }
    assert!(Order::parse(&text.as_bytes()[..end], &key()).is_ok());
}

#[test]
fn every_state_is_told_by_the_word_that_its_file_has() {
    for state in State::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.word());
    }
}

#[test]
fn a_token_differs_by_host_order_attempt_and_candidate_and_is_short() {
    let other = Key::from_stem("od-19283746-1-build.arm64").unwrap();
    let token = Token::new("host", &key(), 1, 1);
    for another in [
        Token::new("tsoh", &key(), 1, 1),
        Token::new("host", &other, 1, 1),
        Token::new("host", &key(), 2, 1),
        Token::new("host", &key(), 1, 2),
    ] {
        assert_ne!(token, another);
        assert_ne!(token.number(), another.number());
    }
    assert_eq!(token, Token::new("host", &key(), 1, 1));
    let longest = Token::new("host", &key(), u32::MAX, u32::MAX);
    assert!(longest.as_str().len() <= 64 && longest.as_str().is_ascii());
    assert_eq!(Token::try_from(longest.as_str().to_owned()).unwrap(), longest);
    for text in
        ["", "-", "a-1", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-x"]
    {
        assert!(Token::try_from(text.to_owned()).is_err(), "{text}");
    }
}

#[test]
fn a_reason_is_a_sentence_that_cannot_steer_a_terminal() {
    for reason in [
        Reason::Done,
        Reason::NoJob,
        Reason::NotQueued,
        Reason::Unavailable("a\n\u{1b}[2J".into()),
        Reason::Configuration("x".repeat(10_000)),
        Reason::Registration("no".into()),
        Reason::NotOnline,
        Reason::Deadline,
        Reason::RunOver,
        Reason::GivenUp,
        Reason::Operator,
        Reason::MachineLost,
        Reason::NoCapacity,
        Reason::NameTaken,
    ] {
        let said = reason.to_string();
        assert!(said.ends_with('.') && said.len() < 500 && !said.contains(char::is_control), "{said}");
        // The word of an answer is the one of a file.
        let written = serde_json::to_value(&reason).unwrap();
        let written = written.as_str().or_else(|| written.as_object()?.keys().next().map(String::as_str));
        assert_eq!(written, Some(reason.word()));
    }
}

#[test]
fn amounts_are_shown_in_the_operators_unit() {
    for (cost, shown) in [(0, "0.00"), (16_000, "1.60"), (125, "0.0125"), (1_230, "0.123"), (400_000, "40.00")] {
        assert_eq!(Cost(cost).to_string(), shown);
    }
}
