//! The step of the action, `request/request.sh`: run as GitHub's runner does, against the door.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use github_runners::frontend::ondemand::order::{Reason, State};
use github_runners::frontend::ondemand::refusal::{Code, Explanation};
use github_runners::frontend::ondemand::wire::{Outcome, Question};

use crate::host::{Act, Host, all, online};
use crate::proxy::{Fate, Proxy, TOKEN};
use crate::step::{Done, INPUTS, ROOT, Step};

/// What the desk says to one question.
type Say = Box<dyn Fn(&Question) -> Act + Send>;

/// A desk that says these things one after the other, and nothing more.
fn script<const N: usize>(says: [Say; N]) -> impl Fn(&Question) -> Act {
    let says: Mutex<VecDeque<Say>> = Mutex::new(says.into_iter().collect());
    move |question| {
        let say = says.lock().unwrap().pop_front();
        say.expect("nothing more is asked")(question)
    }
}

fn runner(state: State, reason: Option<Reason>) -> Say {
    Box::new(move |question| all(question, state, reason.as_ref()))
}

fn refusal(error: Code, message: &str, retry_after: Option<u64>) -> Say {
    let explanation = Explanation { error, message: message.into(), retry_after };
    Box::new(move |_| Act::Answer(Outcome::Refused(explanation.clone())))
}

/// What comes of a step whose desk says these things.
fn step<const N: usize>(says: [Say; N]) -> (Host, Done) {
    let host = Host::with_program(script(says));
    let proxy = Proxy::before(&host.socket, []);
    let done = Step::before(&proxy).run();
    (host, done)
}

#[test]
fn a_runner_that_takes_its_time_is_asked_for_until_it_is_online() {
    let (host, done) =
        step([runner(State::Accepted, None), runner(State::Launched, None), runner(State::Online, None)]);
    assert!(done.succeeded, "{done:?}");
    assert_eq!((done.output.as_str(), done.pauses), ("runs-on=od-1-a\n", vec!["5".into(); 2]));
    let lines = host.desk.lines();
    assert!(lines[0].contains(r#""wait":300"#) && lines[0].contains(r#""repository":"octo-org/example""#), "{lines:?}");
    assert!(lines.len() == 3 && lines.iter().all(|line| *line == lines[0]), "{lines:?}");
}

#[test]
fn a_refusal_fails_with_its_sentence_in_one_command() {
    let message = "Not this:\n::add-path::/evil\r\n##[add-path]/evil is 50% of \"C:\\x\".";
    let (_host, done) = step([refusal(Code::Repository, message, None)]);
    assert!(!done.succeeded && done.output.is_empty() && done.pauses.is_empty(), "{done:?}");
    let expected = r#"::error::Not this:\n::add-path::/evil\r\n##[add-path]/evil is 50%25 of "C:\x"."#;
    assert_eq!(done.commands(), [expected]);
}

#[test]
fn a_service_that_is_busy_is_asked_again_when_it_says() {
    let says = [
        refusal(Code::Busy, "Wait.\n::add-path::/evil ##[add-path]/evil", Some(7)),
        refusal(Code::Limit, "Wait.", Some(3)),
        runner(State::Busy, None),
    ];
    let (_host, done) = step(says);
    assert!(done.succeeded, "{done:?}");
    assert_eq!(done.pauses, ["7", "3"]);
    assert!(done.said.lines().all(|line| !line.starts_with("::") && !line.contains("##[")), "{done:?}");
}

#[test]
fn nobody_waits_for_a_time_that_is_longer_than_what_is_left() {
    let (_host, done) = step([refusal(Code::Limit, "Ask tomorrow.", Some(80_000))]);
    assert!(!done.succeeded && done.pauses.is_empty(), "{done:?}");
    assert_eq!(done.commands(), ["::error::Ask tomorrow. There is no time left to ask again in 80000 s."]);
}

#[test]
fn a_runner_that_has_ended_is_a_refusal_unless_it_did_its_job() {
    let (_host, done) = step([runner(State::Ended, Some(Reason::NoJob))]);
    assert!(!done.succeeded && done.commands()[0].contains("has ended. No job came in time"), "{done:?}");
    let (_host, done) = step([runner(State::Ended, Some(Reason::Done))]);
    assert!(done.succeeded && done.output == "runs-on=od-1-a\n", "{done:?}");
}

#[test]
fn with_a_fall_back_every_refusal_succeeds_and_says_why() {
    for (say, part) in [
        (refusal(Code::Paused, "The operator makes no runners.", Some(3_000)), "The operator makes no runners."),
        (refusal(Code::NotQueued, "No job waits.", None), "No job waits. The fall-back is used: ubuntu-latest."),
        // A job that waits for this step has not been done.
        (runner(State::Ended, Some(Reason::Done)), "Its job is done."),
        (runner(State::Ended, Some(Reason::NoCapacity)), "There was no room"),
    ] {
        let host = Host::with_program(script([say, runner(State::Ending, None)]));
        let proxy = Proxy::before(&host.socket, []);
        let done = Step::before(&proxy).with("INPUT_FALLBACK", "ubuntu-latest").run();
        assert!(done.succeeded && done.output == "runs-on=ubuntu-latest\n", "{done:?}");
        assert!(done.commands().len() == 1 && done.commands()[0].starts_with("::warning::"), "{done:?}");
        assert!(done.said.contains(part), "{done:?}");
        let lines = host.desk.lines();
        assert!(lines.len() == 2 && lines[1].contains("destroy"), "{lines:?}");
    }
}

#[test]
fn inputs_that_are_none_are_refused_before_anything_is_asked_and_run_nothing() {
    let host = Host::with_program(online);
    let proxy = Proxy::before(&host.socket, []);
    let hostile = [
        "$(touch x)",
        "`touch x`",
        "a\nb",
        "a\"b",
        "a'b",
        "a b",
        "a;touch x",
        "-K/etc/passwd",
        "a\r",
        "%0a",
        "é",
        "a{1,2}",
    ];
    for name in ["ADDRESS", "LABEL", "CLASS", "REPOSITORY", "WAIT", "FALLBACK"] {
        let others = match name {
            "ADDRESS" => ["http://ci.example.org", "https://a@b", "https://a/?b", "https://a/#b"].as_slice(),
            "LABEL" => &["", "../x", "a/b", "a?wait=1", "od-1-a.", "{a,b}"],
            "CLASS" => &["", "X", "abcdefghijklmnopq"],
            "REPOSITORY" => &["", "a", "a/b/c", "a/"],
            "WAIT" => &["", "0", "-1", "a[$(touch x)]", "100000", "08"],
            _ => &["[\"a\"]", "a\nruns-on=b"],
        };
        // A `-` at the beginning is a good one where it is never an option.
        for value in hostile.iter().filter(|value| name != "FALLBACK" || !value.starts_with('-')).chain(others) {
            let done = Step::before(&proxy)
                .with("INPUT_FALLBACK", "ubuntu-latest")
                .with(&format!("INPUT_{name}"), value)
                .run();
            assert!(
                !done.succeeded && done.output.is_empty() && done.arguments.is_empty(),
                "{name} {value:?}: {done:?}"
            );
            let input = format!("::error::The input {} is none: ", name.to_lowercase());
            assert!(done.commands().len() == 1 && done.said.starts_with(&input), "{name} {value:?}: {done:?}");
        }
    }
    assert!(host.desk.lines().is_empty());
}

/// As a proxy writes it that has nobody behind it.
const PAGE: &str = "<html>\r\n<h1>\"message\": none</h1>\r\n</html>";

#[test]
fn an_answer_that_is_lost_is_asked_for_again_and_is_the_same_order() {
    let host = Host::with_program(online);
    let proxy = Proxy::before(&host.socket, [Fate::Lost, Fate::Own(502, PAGE), Fate::Lost, Fate::Own(503, PAGE)]);
    let done = Step::before(&proxy).run();
    assert!(done.succeeded && done.output == "runs-on=od-1-a\n", "{done:?}");
    assert_eq!(done.pauses, ["5"; 4]);
    let lines = host.desk.lines();
    assert!(lines.len() == 3 && lines.iter().all(|line| *line == lines[0]), "{lines:?}");
}

#[test]
fn an_answer_of_something_else_commands_nothing() {
    let host = Host::with_program(online);
    let evil = "{\"message\":\"a\n::add-path::/evil\r##[add-path]/evil\",\"state\":\"x\n::add-path::/evil\"}";
    for (status, body, said) in [
        (404, PAGE, "::error::The service answers with status 404 and without a reason: is its address right?"),
        (403, evil, "::error::a%0A::add-path::/evil%0D##[add-path]/evil"),
        (200, evil, "::error::a%0A::add-path::/evil%0D##[add-path]/evil"),
        (200, PAGE, "::error::The service answers with status 200 and without a reason: is its address right?"),
    ] {
        let proxy = Proxy::before(&host.socket, [Fate::Own(status, body)]);
        let done = Step::before(&proxy).run();
        assert!(!done.succeeded && done.output.is_empty(), "{done:?}");
        assert_eq!(done.said, format!("{said}\n"));
    }
    for status in [202, 429] {
        let proxy = Proxy::before(&host.socket, [Fate::Own(status, evil)]);
        let done = Step::before(&proxy).run();
        assert!(done.succeeded, "{done:?}");
        assert!(done.said.lines().all(|line| !line.starts_with("::") && !line.contains("##[")), "{done:?}");
    }
}

#[test]
fn who_cannot_be_trusted_or_reached_gets_no_token_and_no_patience() {
    let host = Host::with_program(online);
    let proxy = Proxy::before(&host.socket, []);
    let other = Proxy::before(&host.socket, []);
    let done = Step::before(&proxy).with("INPUT_ADDRESS", &other.address).run();
    assert!(!done.succeeded && done.pauses.is_empty() && done.said.contains("curl: (60)"), "{done:?}");
    // Nobody has this port.
    let done = Step::new("https://localhost:1").with("INPUT_WAIT", "4").run();
    assert!(!done.succeeded && done.commands()[0].starts_with("::error::There was no answer: curl: (7)"), "{done:?}");
    assert!(host.desk.lines().is_empty());
}

#[test]
fn an_id_token_is_made_for_each_request_and_stands_on_no_command_line() {
    let host = Host::with_program(script([runner(State::Launched, None), runner(State::Online, None)]));
    let proxy = Proxy::before(&host.socket, []);
    let done = Step::before(&proxy)
        .with("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{}/token?api-version=2.0", proxy.address))
        .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "FAKE.REQUEST.TOKEN")
        .run();
    assert!(done.succeeded, "{done:?}");
    let audience = proxy.address.replace(':', "%3A").replace('/', "%2F");
    let asked =
        format!("GET /token?api-version=2.0&audience={audience} HTTP/1.1 Authorization: Bearer FAKE.REQUEST.TOKEN");
    // Which case its digits have is curl's to say.
    let tokens: Vec<String> = proxy.tokens().iter().map(|token| token.to_lowercase()).collect();
    assert_eq!(tokens, [asked.to_lowercase(), asked.to_lowercase()]);
    assert!(host.desk.lines().iter().all(|line| line.contains(&format!(r#""token":"{TOKEN}""#))));
    for secret in [TOKEN, "FAKE.REQUEST.TOKEN"] {
        assert!(!done.arguments.contains(secret) && !done.said.contains(secret), "{done:?}");
    }
    assert!(done.arguments.contains("/v1/runners/od-1-a?wait=300"), "{done:?}");
}

#[test]
fn inputs_reach_scripts_by_the_environment_only() {
    let read = |name: &str| fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
    let (action, script) = (read("request/action.yml"), read("request/request.sh"));
    let names: Vec<&str> =
        action.lines().filter_map(|line| line.trim().strip_prefix("INPUT_")?.split(':').next()).collect();
    assert_eq!(names.len(), INPUTS.len() + 1);
    for name in &names {
        let input = name.to_lowercase();
        assert!(action.contains(&format!("\n  {input}:\n")) && action.contains(&format!("${{{{ inputs.{input} }}}}")));
        assert!(script.contains(&format!("INPUT_{name}")), "{name}");
    }
    for text in [&action, &read(".github/workflows/on-demand.yml")] {
        let scripts: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("run:")).collect();
        assert!(
            !scripts.is_empty() && scripts.iter().all(|line| !line.contains("${{") && !line.ends_with('|')),
            "{scripts:?}"
        );
    }
}
