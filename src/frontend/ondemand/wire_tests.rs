use core::net::IpAddr;

use proptest::prelude::*;

use super::super::refusal::Refusal;
use super::*;

fn label(text: &str) -> Label {
    text.to_owned().try_into().unwrap()
}

fn class(text: &str) -> Class {
    text.to_owned().try_into().unwrap()
}

fn question(ask: Ask) -> Question {
    let source = Source::of("192.0.2.1".parse::<IpAddr>().unwrap());
    Question { version: VERSION, source, wait: 300, token: None, ask }
}

fn create(classes: &[&str]) -> Ask {
    let classes = classes.iter().copied().map(class).collect();
    let repository = Some(Repository::parse("octo-org/example").unwrap());
    Ask::Create { label: label("od-1-a"), classes, repository, run: Some(1) }
}

fn runner() -> Runner {
    Runner {
        label: label("od-1-a"),
        class: class("x86_64"),
        state: State::Ended,
        since: 2,
        deadline: 3,
        market: Some("spot".into()),
        reason: Some(Reason::Unavailable("busy".into())),
    }
}

fn text(line: Result<Vec<u8>>) -> String {
    String::from_utf8(line.unwrap()).unwrap()
}

#[test]
fn questions_keep_their_form() {
    let with_token = Question { token: Some(Secret::new("a.b.c".into())), ..question(create(&["x86_64", "arm64"])) };
    insta::assert_snapshot!(text(with_token.line()), @r#"{"version":1,"source":"192.0.2.1","wait":300,"token":"a.b.c","ask":{"create":{"label":"od-1-a","classes":["x86_64","arm64"],"repository":"octo-org/example","run":1}}}"#);
    insta::assert_snapshot!(text(question(Ask::Look { label: label("od-1-a") }).line()), @r#"{"version":1,"source":"192.0.2.1","wait":300,"token":null,"ask":{"look":{"label":"od-1-a"}}}"#);
    insta::assert_snapshot!(text(question(Ask::Destroy { labels: vec![label("od-1-a")] }).line()), @r#"{"version":1,"source":"192.0.2.1","wait":300,"token":null,"ask":{"destroy":{"labels":["od-1-a"]}}}"#);
    insta::assert_snapshot!(text(question(Ask::Status).line()), @r#"{"version":1,"source":"192.0.2.1","wait":300,"token":null,"ask":"status"}"#);
    assert_eq!(Question::of_line(&with_token.line().unwrap()).unwrap(), with_token);
    assert!(!format!("{with_token:?}").contains("a.b.c"));
}

#[test]
fn answers_keep_their_form() {
    let answers = [
        Answer::new(Outcome::Runners(vec![runner()])),
        Answer::new(Outcome::Refused(Refusal::Busy(5).explanation())),
        Answer::new(Outcome::Status(Status {
            open: 3,
            paused: None,
            classes: [(class("x86_64"), Use { open: 1, max: 4 })].into(),
        })),
    ];
    let lines: String = answers.iter().map(|answer| text(answer.line())).collect();
    insta::assert_snapshot!(lines, @r#"
    {"version":1,"outcome":{"runners":[{"label":"od-1-a","class":"x86_64","state":"ended","since":2,"deadline":3,"market":"spot","reason":{"unavailable":"busy"}}]}}
    {"version":1,"outcome":{"refused":{"error":"busy","message":"There is too much to do at the moment: ask again later.","retryAfter":5}}}
    {"version":1,"outcome":{"status":{"open":3,"paused":null,"classes":{"x86_64":{"open":1,"max":4}}}}}
    "#);
    for answer in answers {
        assert_eq!(Answer::of_line(&answer.line().unwrap()).unwrap(), answer);
    }
}

#[test]
fn a_question_that_the_door_never_puts_is_refused() {
    let good = text(question(create(&["x86_64"])).line());
    assert!(Question::of_line(good.trim_end().as_bytes()).is_ok());
    for (from, to) in [
        (r#""version":1"#, r#""version":2"#),
        (r#""version":1,"#, ""),
        (r#""wait":300"#, r#""wait":301"#),
        (r#""wait":300"#, r#""wait":-1"#),
        (r#""token":null"#, r#""token":"a.b""#),
        (r#""token":null"#, r#""token":"a.b.c\n""#),
        (r#""192.0.2.1""#, r#""everywhere""#),
        ("od-1-a", "od-1-a/.."),
        ("od-1-a", "OD-1-A"),
        (r#"["x86_64"]"#, "[]"),
        (r#"["x86_64"]"#, r#"["x86_64","x86_64"]"#),
        (r#"["x86_64"]"#, r#"["a","b","c","d","e","f","g","h","i"]"#),
        (r#"["x86_64"]"#, r#"["x86-64"]"#),
        ("octo-org/example", "octo-org"),
        (r#""run":1"#, r#""run":1,"machine":"other""#),
        (r#""wait":300"#, r#""wait":300,"wait":1"#),
        ("create", "end"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        assert!(Question::of_line(changed.as_bytes()).is_err(), "{changed}");
    }
    let two = format!("{good}{good}");
    assert!(Question::of_line(two.as_bytes()).is_err());
}

#[test]
fn what_is_too_long_is_neither_written_nor_read() {
    let mut long = question(Ask::Status);
    long.token = Some(Secret::new(format!("a.{}.c", "b".repeat(LONGEST_TOKEN - 4))));
    assert!(Question::of_line(&long.line().unwrap()).is_ok());
    long.token = Some(Secret::new("b".repeat(LONGEST_QUESTION)));
    assert!(long.line().unwrap_err().to_string().contains("more than 24576"));
    let blanks = [text(question(Ask::Status).line()).trim_end(), &" ".repeat(LONGEST_QUESTION)].concat();
    assert!(Question::of_line(blanks.as_bytes()).unwrap_err().to_string().contains("more than 24576"));
    let many = Answer::new(Outcome::Runners(vec![runner(); 1_000]));
    assert!(many.line().is_err());
}

#[test]
fn a_token_has_three_parts_of_base64() {
    for good in ["a.b.c", "eyJ0-_.eyJ1.c2ln"] {
        assert!(is_token(good), "{good}");
    }
    for bad in ["", "a", "a.b", "a..c", "a.b.", ".b.c", "a.b.c.d", "a.b.c ", "a.b.c=", "a.b.\u{e4}", "a.b.c\0"] {
        assert!(!is_token(bad), "{bad}");
    }
    assert!(!is_token(&format!("a.b.{}", "c".repeat(LONGEST_TOKEN))));
}

proptest! {
    #[test]
    fn no_line_is_a_danger(line in prop::collection::vec(any::<u8>(), 0..300)) {
        _ = Question::of_line(&line);
        _ = Answer::of_line(&line);
    }

    #[test]
    fn a_part_of_a_line_is_none(end in 0_usize..200) {
        let line = question(create(&["x86_64"])).line().unwrap();
        let end = end.min(line.len() - 2);
        prop_assert!(Question::of_line(&line[..end]).is_err());
    }
}
