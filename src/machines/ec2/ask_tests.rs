use super::super::fake::{Script, credential, good, lost, refused};
use super::*;

fn ask(script: &Script) -> (Result<Vec<u8>, Refusal>, u32) {
    let credential = credential();
    let asker = script.asker(&credential);
    let answer = asker.ask(&Form::of("RunInstances").with("ClientToken", "t"));
    (answer, asker.requests.get())
}

#[test]
fn what_passes_is_asked_again_with_the_same_bytes() {
    let script =
        Script::of([lost(), refused(503, "RequestLimitExceeded"), refused(500, "InternalError"), good("<a/>")]);
    assert_eq!(ask(&script), (Ok(b"<a/>".to_vec()), 4));
    let asked = script.asked.borrow();
    assert!(asked.iter().all(|one| one == &asked[0]), "{asked:?}");
}

#[test]
fn nothing_is_asked_for_ever() {
    for answer in [lost(), refused(503, "Throttling"), Ok((500, "<html/>".into())), Ok((200, String::new()))] {
        let is_answer = matches!(answer, Ok((200, _)));
        let script = Script::of([answer]);
        let (came, requests) = ask(&script);
        assert_eq!(matches!(came, Err(Refusal::Passing(_) | Refusal::Slower(_))), !is_answer, "{came:?}");
        assert!(requests <= ATTEMPTS);
    }
}

#[test]
fn too_many_requests_are_known_to_have_done_nothing_unless_one_of_them_is_missing() {
    let slower = || refused(503, "RequestLimitExceeded");
    assert!(matches!(ask(&Script::of([slower()])).0, Err(Refusal::Slower(_))));
    assert!(matches!(ask(&Script::of([lost(), slower()])).0, Err(Refusal::Passing(_))));
}

#[test]
fn no_room_is_said_once_whatever_its_status() {
    let script = Script::of([refused(500, "InsufficientInstanceCapacity")]);
    assert_eq!(ask(&script), (Err(Refusal::NoRoom("InsufficientInstanceCapacity: words".into())), 1));
}

#[test]
fn a_refusal_behind_an_answer_that_is_missing_proves_nothing() {
    for first in [lost(), refused(500, "InternalError"), Ok((502, String::new()))] {
        let script = Script::of([first, refused(500, "InsufficientInstanceCapacity")]);
        assert!(matches!(ask(&script), (Err(Refusal::Passing(_)), 2)));
    }
    // What was not even looked at proves nothing either way.
    let script = Script::of([refused(503, "RequestLimitExceeded"), refused(500, "InsufficientInstanceCapacity")]);
    assert!(matches!(ask(&script), (Err(Refusal::NoRoom(_)), 2)));
    let script = Script::of([lost(), refused(400, "IdempotentParameterMismatch")]);
    assert!(matches!(ask(&script), (Err(Refusal::Mismatch(_)), 2)));
}

#[test]
fn a_way_that_can_never_work_is_a_matter_of_configuration() {
    let script = Script::of([Err(Broken { why: "the certificate is of nobody".into(), lasting: true })]);
    assert_eq!(ask(&script), (Err(Refusal::Configuration("the certificate is of nobody".into())), 1));
}
