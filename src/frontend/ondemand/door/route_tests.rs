use serde_json::{Value, json};

use super::super::http::Incoming;
use super::*;
use crate::frontend::ondemand::order::{Reason, State};
use crate::frontend::ondemand::wire::{Answer, LONGEST_WAIT, Outcome, Question, Runner, Status};

fn grammar() -> Grammar {
    let prefix = |text: &str| text.to_owned().try_into().unwrap();
    Grammar { prefix: prefix("od"), compatible: Some(prefix("rr_runner_")) }
}

/// The request with these fields and this body, as bytes make it.
fn request(line: &str, fields: &str, body: &str) -> Request {
    let text = format!("{line} HTTP/1.0\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len());
    Incoming::default().add(text.as_bytes()).unwrap().unwrap()
}

fn way(line: &str, body: &str) -> Way {
    route(&request(line, "X-Real-IP: 2001:db8::1\r\n", body), &grammar())
}

/// What the desk is asked, as it is sent.
fn asked(line: &str, body: &str) -> Value {
    match way(line, body) {
        Way::Ask(errand) => {
            let line = errand.question.line().unwrap();
            assert_eq!(Question::of_line(&line).unwrap(), errand.question, "the desk refuses what the door asks");
            serde_json::from_slice(&line).unwrap()
        }
        Way::Say(reply) => panic!("{line} {body}: {reply:?}"),
    }
}

/// Status and code of a refusal.
fn refused(way: Way) -> (u16, String) {
    let Way::Say(reply) = way else { panic!("{way:?}") };
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert!(body["message"].as_str().unwrap().ends_with('.'), "{body}");
    (reply.status, body["error"].as_str().unwrap().into())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

fn runner(state: State, reason: Option<Reason>) -> Runner {
    let (label, class) = ("od-1-a".to_owned().try_into().unwrap(), "x86_64".to_owned().try_into().unwrap());
    Runner { label, class, state, since: 1, deadline: 2, market: None, reason }
}

/// What is replied to a request whose question gets this answer.
fn replied(line: &str, body: &str, outcome: Outcome) -> Reply {
    let Way::Ask(errand) = way(line, body) else { panic!("{line}") };
    let answer = Answer::of_line(&Answer::new(outcome).line().unwrap()).unwrap();
    (errand.reply)(&errand.question, answer.outcome)
}

const PUT: &str = "PUT /v1/runners/od-1-a";
const CLASS: &str = r#"{"class":"x86_64"}"#;

#[test]
fn a_put_asks_for_one_runner() {
    let whole = asked(&format!("{PUT}?wait=20"), r#"{"class":"x86_64","repository":"octo-org/example"}"#);
    let ask = json!({"create": {"label": "od-1-a", "classes": ["x86_64"], "repository": "octo-org/example", "run": 1}});
    assert_eq!(whole, json!({"version": 1, "source": "2001:db8::", "wait": 20, "token": null, "ask": ask}));
    assert_eq!(asked(PUT, CLASS)["wait"], 0);
    assert_eq!(asked(PUT, CLASS)["ask"]["create"]["repository"], Value::Null);
    let compatible = asked("PUT /v1/runners/RR_runner_A", CLASS);
    assert_eq!(
        compatible["ask"]["create"],
        json!({"label": "rr_runner_a", "classes": ["x86_64"], "repository": null, "run": null})
    );
}

#[test]
fn looks_ends_and_status_are_asked_for() {
    assert_eq!(asked("GET /v1/runners/od-1-a?wait=300", "")["ask"], json!({"look": {"label": "od-1-a"}}));
    assert_eq!(asked("DELETE /v1/runners/od-1-a", "")["ask"], json!({"destroy": {"labels": ["od-1-a"]}}));
    assert_eq!(asked("GET /v1/status", "")["ask"], json!("status"));
    let Way::Say(people) = way("GET /", "") else { panic!("the desk is asked") };
    assert!(people.status == 200 && people.kind.starts_with("text/plain") && people.body.contains("/v1/runners/LABEL"));
}

#[test]
fn the_token_of_a_request_goes_along_and_another_kind_is_refused() {
    let with = |field: &str| {
        let fields = format!("X-Real-IP: 192.0.2.1\r\nAuthorization: {field}\r\n");
        route(&request(PUT, &fields, CLASS), &grammar())
    };
    for good in ["Bearer a.b.c", "bearer a.b.c", "Bearer  a.b.c"] {
        let Way::Ask(errand) = with(good) else { panic!("{good}") };
        assert_eq!(errand.question.token.unwrap().expose(), "a.b.c");
    }
    for bad in ["Basic YTpi", "Bearer", "Bearer ", "Bearer a.b", "Bearer a.b.c d", "a.b.c", ""] {
        let way = with(bad);
        let Way::Say(reply) = &way else { panic!("{bad}") };
        assert!(reply.fields.contains(&("WWW-Authenticate", "Bearer".into())), "{bad}");
        assert_eq!(refused(way), is(401, "token"), "{bad}");
    }
}

#[test]
fn nobody_asks_without_an_address() {
    for fields in [
        "",
        "X-Real-IP:\r\n",
        "X-Real-IP: unix:\r\n",
        "X-Real-IP: 192.0.2.1, 192.0.2.2\r\n",
        "X-Real-IP: 192.0.2.1:80\r\n",
    ] {
        assert_eq!(refused(route(&request(PUT, fields, CLASS), &grammar())), is(400, "malformed"), "{fields}");
    }
}

#[test]
fn what_rest_does_not_know_is_refused() {
    for (line, body, status, code) in [
        ("PUT /v1/runners/", CLASS, 404, "not-found"),
        ("PUT /v1/runner/od-1-a", CLASS, 404, "not-found"),
        ("GET /v1/runners", "", 404, "not-found"),
        ("GET /v2/status", "", 404, "not-found"),
        ("GET //", "", 404, "not-found"),
        ("GET /v1/status/", "", 404, "not-found"),
        ("GET /../v1/status", "", 404, "not-found"),
        ("POST /v1/runners/od-1-a", CLASS, 405, "method"),
        ("DELETE /v1/status", "", 405, "method"),
        ("PUT /", "{}", 405, "method"),
        ("PUT /v1/runners/od-1-a/x", CLASS, 400, "label"),
        ("PUT /v1/runners/od-1-a/", CLASS, 400, "label"),
        ("PUT /v1/runners/od%2D1-a", CLASS, 400, "label"),
        ("PUT /v1/runners/%6fd-1-a", CLASS, 400, "label"),
        ("PUT /v1/runners/od-1-a%00", CLASS, 400, "label"),
        ("PUT /v1/runners/od-1-*", CLASS, 400, "label"),
        ("PUT /v1/runners/ubuntu-latest", CLASS, 400, "label"),
        ("PUT /v1/runners/od-1-a;curl", CLASS, 400, "label"),
        ("PUT /v1/runners/rr_runner_*", CLASS, 400, "label"),
        ("PUT /v1/runners/..", CLASS, 400, "label"),
        ("DELETE /v1/runners/od-0-a", "", 400, "label"),
        (&format!("PUT /v1/runners/od-1-{}", "a".repeat(53)), CLASS, 400, "label"),
        (PUT, "", 400, "malformed"),
        (PUT, "{}", 400, "malformed"),
        (PUT, "[]", 400, "malformed"),
        (PUT, r#"{"class":"x86-64"}"#, 400, "malformed"),
        (PUT, r#"{"class":["x86_64"]}"#, 400, "malformed"),
        (PUT, r#"{"class":"x86_64","class":"arm64"}"#, 400, "malformed"),
        (PUT, r#"{"class":"x86_64","clas":"arm64"}"#, 400, "malformed"),
        (PUT, r#"{"class":"x86_64"} {}"#, 400, "malformed"),
        (PUT, r#"{"class":"x86_64","repository":"octo-org"}"#, 403, "repository"),
        (PUT, r#"{"class":"x86_64","repository":"octo-org/../example"}"#, 403, "repository"),
        ("PUT /v1/runners/od-1-a?wait=301", CLASS, 400, "malformed"),
        ("PUT /v1/runners/od-1-a?wait=", CLASS, 400, "malformed"),
        ("PUT /v1/runners/od-1-a?wait=+1", CLASS, 400, "malformed"),
        ("PUT /v1/runners/od-1-a?wait=1&wait=2", CLASS, 400, "malformed"),
        ("PUT /v1/runners/od-1-a?wait=99999999999999999999", CLASS, 400, "malformed"),
        ("PUT /v1/runners/od-1-a?", CLASS, 400, "malformed"),
        ("GET /v1/runners/od-1-a?class=x86_64", "", 400, "malformed"),
        ("DELETE /v1/runners/od-1-a?wait=1", "", 400, "malformed"),
        ("GET /v1/status?x", "", 400, "malformed"),
    ] {
        assert_eq!(refused(way(line, body)), is(status, code), "{line} {body}");
    }
    let Way::Say(reply) = way("DELETE /v1/status", "") else { panic!("the desk is asked") };
    assert!(reply.fields.contains(&("Allow", "GET".into())));
}

#[test]
fn a_body_of_the_deepest_kind_is_refused() {
    let deep = |open: &str| format!(r#"{{"operation":"destroy","label":"od-1-a","x":{}"#, open.repeat(1_500));
    for body in [deep("["), deep(r#"{"a":"#)] {
        assert_eq!(refused(way("POST /", &body)), is(400, "malformed"));
    }
}

#[test]
fn the_original_calls_are_understood() {
    let label = "rr_runner_0123456789abcdef0123456789abcdef";
    let one = asked("POST /", &json!({"operation": "create", "label": label, "architecture": "x86_64"}).to_string());
    assert_eq!(one["ask"]["create"], json!({"label": label, "classes": ["x86_64"], "repository": null, "run": null}));
    assert_eq!(one["wait"], LONGEST_WAIT);
    let body =
        json!({"operation": "create", "label": label, "architectures": ["x86_64", "arm64"], "unknown": {"a": [1]}});
    assert_eq!(asked("POST /", &body.to_string())["ask"]["create"]["classes"], json!(["x86_64", "arm64"]));
    let destroy = asked("POST /", &json!({"operation": "destroy", "labels": [label, "od-1-a"]}).to_string());
    assert_eq!((&destroy["ask"], &destroy["wait"]), (&json!({"destroy": {"labels": [label, "od-1-a"]}}), &json!(0)));
    let destroy = asked("POST /", &json!({"operation": "destroy", "label": label}).to_string());
    assert_eq!(destroy["ask"], json!({"destroy": {"labels": [label]}}));
}

#[test]
fn a_call_can_say_for_which_run_it_is() {
    let call = |more: Value| {
        let mut body = json!({"operation": "create", "label": "rr_runner_a", "architecture": "x86_64"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    for run in [json!(19), json!("19")] {
        let body = call(json!({"run_id": run, "repository": "octo-org/example", "token": "a.b.c"}));
        let question = asked("POST /", &body);
        let create = &question["ask"]["create"];
        assert_eq!((&create["run"], &create["repository"]), (&json!(19), &json!("octo-org/example")));
        assert_eq!(question["token"], "a.b.c");
    }
    for (more, code) in [
        (json!({"run_id": 0}), is(400, "malformed")),
        (json!({"run_id": "0x13"}), is(400, "malformed")),
        (json!({"run_id": -1}), is(400, "malformed")),
        (json!({"run_id": 1.5}), is(400, "malformed")),
        (json!({"token": "no token"}), is(401, "token")),
        (json!({"repository": "octo-org"}), is(403, "repository")),
        (json!({"label": "od-1-a", "run_id": 2}), is(400, "label")),
    ] {
        assert_eq!(refused(way("POST /", &call(more.clone()))), code, "{more}");
    }
}

#[test]
fn a_call_that_is_none_is_refused() {
    for (body, code) in [
        (json!({}), is(400, "malformed")),
        (json!({"operation": "stop", "label": "rr_runner_a"}), is(400, "malformed")),
        (json!({"operation": "create", "architecture": "x86_64"}), is(400, "malformed")),
        (json!({"operation": "create", "label": "rr_runner_a"}), is(400, "malformed")),
        (json!({"operation": "create", "label": "rr_runner_a", "architectures": []}), is(400, "malformed")),
        (json!({"operation": "create", "label": "rr_runner_a", "architectures": ["a", "a"]}), is(400, "malformed")),
        (
            json!({"operation": "create", "label": "rr_runner_a", "architecture": "a", "architectures": ["a"]}),
            is(400, "malformed"),
        ),
        (json!({"operation": "create", "label": "rr_runner_abc; curl evil|sh", "architecture": "a"}), is(400, "label")),
        (json!({"operation": "create", "label": "rr_runner_a\n--token x", "architecture": "a"}), is(400, "label")),
        (json!({"operation": "create", "label": "rr_runner_".repeat(31), "architecture": "a"}), is(400, "label")),
        (json!({"operation": "destroy"}), is(400, "malformed")),
        (json!({"operation": "destroy", "labels": []}), is(400, "malformed")),
        (json!({"operation": "destroy", "labels": ["rr_runner_a", "RR_RUNNER_A"]}), is(400, "malformed")),
        (json!({"operation": "destroy", "labels": ["rr_runner_a*"]}), is(400, "label")),
        (json!({"operation": "destroy", "labels": vec!["rr_runner_a"; 9]}), is(400, "malformed")),
    ] {
        assert_eq!(refused(way("POST /", &body.to_string())), code, "{body}");
    }
}

#[test]
fn a_put_says_whether_to_ask_again() {
    for state in State::ALL {
        let reply = replied(PUT, CLASS, Outcome::Runners(vec![runner(state, None)]));
        let is_settled = state >= State::Online;
        assert_eq!(reply.status, if is_settled { 200 } else { 202 }, "{state:?}");
        let again = [("Location", "/v1/runners/od-1-a".to_owned()), ("Retry-After", "5".to_owned())];
        assert_eq!(reply.fields.as_slice(), if is_settled { &[] } else { &again[..] });
        assert_eq!(serde_json::from_str::<Value>(&reply.body).unwrap()["state"], state.word());
    }
    let over = replied(PUT, CLASS, Outcome::Runners(vec![runner(State::Ended, Some(Reason::NoJob))]));
    insta::assert_snapshot!(over.body, @r#"{"cause":"noJob","class":"x86_64","deadline":2,"label":"od-1-a","market":null,"reason":"No job came in time: ask for a runner only when its job is about to be queued.","since":1,"state":"ended"}"#);
}

#[test]
fn a_look_and_an_end_say_what_there_is() {
    let (get, delete) = ("GET /v1/runners/od-1-a", "DELETE /v1/runners/od-1-a");
    assert_eq!(replied(get, "", Outcome::Runners(vec![])).status, 404);
    let both = Outcome::Runners(vec![runner(State::Busy, None), runner(State::Ending, Some(Reason::RunOver))]);
    let look = replied(get, "", both.clone());
    assert_eq!((look.status, look.body.matches("\"state\"").count()), (200, 2));
    assert_eq!(replied(delete, "", Outcome::Runners(vec![])), Reply::empty(204));
    let ends = replied(delete, "", both);
    assert!(ends.status == 202 && ends.body.contains("It will end by itself"), "{ends:?}");
    let ends = replied(delete, "", Outcome::Runners(vec![runner(State::Ending, Some(Reason::GivenUp))]));
    assert!(ends.status == 202 && ends.body.contains("It ends"), "{ends:?}");
}

#[test]
fn the_original_hears_by_the_status_whether_all_runners_are_there() {
    let create =
        json!({"operation": "create", "label": "rr_runner_a", "architectures": ["x86_64", "arm64"]}).to_string();
    let status = |runners| replied("POST /", &create, Outcome::Runners(runners)).status;
    let (online, launched) = (runner(State::Online, None), runner(State::Launched, None));
    let over = |reason| runner(State::Ended, Some(reason));
    assert_eq!(replied("POST /", &create, Outcome::Runners(vec![online.clone(), over(Reason::Done)])).body, "{}\n");
    assert_eq!(status(vec![online.clone(), launched.clone()]), 202);
    assert_eq!(status(vec![online.clone(), over(Reason::NoCapacity)]), 503);
    assert_eq!(status(vec![launched, over(Reason::RunOver)]), 403);
    assert_eq!(status(vec![online, over(Reason::NoJob)]), 409);
    let destroy = json!({"operation": "destroy", "label": "rr_runner_a"}).to_string();
    for runners in [vec![], vec![runner(State::Busy, None)]] {
        assert_eq!(replied("POST /", &destroy, Outcome::Runners(runners)).status, 200);
    }
}

#[test]
fn refusals_of_the_desk_and_answers_to_another_question_are_told() {
    let refusal = || Outcome::Refused(Refusal::Paused(90).explanation());
    let destroy = json!({"operation": "destroy", "label": "rr_runner_a"}).to_string();
    let create = json!({"operation": "create", "label": "rr_runner_a", "architecture": "x86_64"}).to_string();
    for (line, body) in [
        (PUT, CLASS),
        ("GET /v1/runners/od-1-a", ""),
        ("DELETE /v1/runners/od-1-a", ""),
        ("GET /v1/status", ""),
        ("POST /", &create),
        ("POST /", &destroy),
    ] {
        let reply = replied(line, body, refusal());
        assert_eq!((reply.status, reply.fields.as_slice()), (503, &[("Retry-After", "90".to_owned())][..]), "{line}");
        assert!(reply.body.starts_with(r#"{"error":"paused","message":""#), "{}", reply.body);
        let status = Status { open: 0, paused: None, classes: [].into() };
        let other = if line.contains("status") { Outcome::Runners(vec![]) } else { Outcome::Status(status) };
        assert_eq!(replied(line, body, other).status, 503, "{line}");
    }
    assert_eq!(replied(PUT, CLASS, Outcome::Runners(vec![])).status, 503);
}
