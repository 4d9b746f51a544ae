//! Texts between programs keep their form, and another form is refused.

use super::*;

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn request(verb: Verb) -> String {
    let instance = "runner1".to_string().try_into().unwrap();
    line(&Request { version: VERSION, instance, patience: 5, verb })
}

#[test]
fn requests_keep_their_form() {
    insta::assert_snapshot!(request(Verb::Issue(Issue::Token)), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"issue":"token"}}"#);
    insta::assert_snapshot!(request(Verb::Issue(Issue::Jit { work_folder: "/work".into() })), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"issue":{"jit":{"workFolder":"/work"}}}}"#);
    insta::assert_snapshot!(request(Verb::Retire { id: 21, url: "u".into() }), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"retire":{"id":21,"url":"u"}}}"#);
    insta::assert_snapshot!(request(Verb::Observe(Whom::Name)), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"observe":"name"}}"#);
    insta::assert_snapshot!(request(Verb::Observe(Whom::Attempt)), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"observe":"attempt"}}"#);
    insta::assert_snapshot!(request(Verb::Observe(Whom::Id { id: 21, url: "u".into() })), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"observe":{"id":{"id":21,"url":"u"}}}}"#);
    insta::assert_snapshot!(request(Verb::List), @r#"{"version":2,"instance":"runner1","patience":5,"verb":"list"}"#);
    insta::assert_snapshot!(request(Verb::Preflight), @r#"{"version":2,"instance":"runner1","patience":5,"verb":"preflight"}"#);
    insta::assert_snapshot!(request(Verb::Audience), @r#"{"version":2,"instance":"runner1","patience":5,"verb":"audience"}"#);
}

#[test]
fn questions_about_workflows_keep_their_form() {
    let repository = || Repository::parse("octo-org/example").unwrap();
    insta::assert_snapshot!(request(Verb::Run { repository: repository(), run: 7 }), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"run":{"repository":"octo-org/example","run":7}}}"#);
    insta::assert_snapshot!(request(Verb::Jobs { repository: repository(), run: 7 }), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"jobs":{"repository":"octo-org/example","run":7}}}"#);
    insta::assert_snapshot!(request(Verb::Artifact { repository: repository(), run: 7, name: "od".into() }), @r#"{"version":2,"instance":"runner1","patience":5,"verb":{"artifact":{"repository":"octo-org/example","run":7,"name":"od"}}}"#);
    insta::assert_snapshot!(request(Verb::Keys), @r#"{"version":2,"instance":"runner1","patience":5,"verb":"keys"}"#);
    for text in [r#"{"run":{"repository":"octo-org/example/..","run":7}}"#, r#"{"jobs":{"repository":"o/r","run":0}}"#]
    {
        assert!(serde_json::from_str::<Verb>(text).is_err(), "{text}");
    }
}

#[test]
fn answers_keep_their_form_and_hide_their_secrets() {
    let files = BTreeMap::from([(".runner".into(), Secret::new("{}".into()))]);
    let answer = Answer {
        version: VERSION,
        credential_expires: Some(1_800_000_000),
        requests: 2,
        rate_limit_remaining: Some(4_998),
        clock_ahead: Some(-2),
        outcome: Outcome::Jit { id: 21, name: "runner1".into(), files },
    };
    insta::assert_snapshot!(line(&answer), @r#"{"version":2,"credentialExpires":1800000000,"requests":2,"rateLimitRemaining":4998,"clockAhead":-2,"outcome":{"jit":{"id":21,"name":"runner1","files":{".runner":"{}"}}}}"#);
    assert_eq!(serde_json::from_str::<Answer>(&line(&answer)).unwrap(), answer);
    assert_eq!(format!("{:?}", Secret::new("ghs_fake".into())), "Secret(redacted)");
}

#[test]
fn lists_keep_their_form_and_answers_of_before_are_still_read() {
    let seen = RemoteRunner { id: 21, name: "runner1".into(), online: true, busy: false };
    insta::assert_snapshot!(line(&Outcome::Listed(vec![seen])), @r#"{"listed":[{"id":21,"name":"runner1","online":true,"busy":false}]}"#);
    let before = r#"{"version":1,"credentialExpires":null,"outcome":"gone"}"#;
    let answer = Answer { version: ONE_QUESTION, ..Answer::unasked(Outcome::Gone) };
    assert_eq!(serde_json::from_str::<Answer>(before).unwrap(), answer);
}

#[cfg(feature = "ctl")]
#[test]
fn what_is_told_of_who_can_have_code_run_keeps_its_form() {
    use super::super::audience::{Approval, Reach, Sight};
    let audience = |reach, approval| Outcome::Audience(Audience { reach, approval });
    let public = audience(Sight::Is(Reach::Public), Some(Sight::Is(Approval::AllExternal)));
    insta::assert_snapshot!(line(&public), @r#"{"audience":{"reach":{"is":"public"},"approval":{"is":"allExternal"}}}"#);
    let group = audience(Sight::Is(Reach::PublicInGroup { selected: true }), Some(Sight::Unseen("why".into())));
    insta::assert_snapshot!(line(&group), @r#"{"audience":{"reach":{"is":{"publicInGroup":{"selected":true}}},"approval":{"unseen":"why"}}}"#);
    insta::assert_snapshot!(line(&audience(Sight::Unseen("why".into()), None)), @r#"{"audience":{"reach":{"unseen":"why"},"approval":null}}"#);
    assert_eq!(serde_json::from_str::<Outcome>(&line(&group)).unwrap(), group);
}

#[test]
fn no_runner_has_the_id_0() {
    for text in [r#"{"retire":{"id":0,"url":"u"}}"#, r#"{"observe":{"id":{"id":0,"url":"u"}}}"#] {
        assert!(serde_json::from_str::<Verb>(&text.replace('0', "1")).is_ok(), "{text}");
        assert!(serde_json::from_str::<Verb>(text).is_err(), "{text}");
    }
    let seen = r#"{"id":0,"name":"n","online":true,"busy":false}"#;
    for text in [
        format!(r#"{{"seen":{seen}}}"#),
        format!(r#"{{"listed":[{seen}]}}"#),
        format!(r#"{{"nameTaken":{seen}}}"#),
        r#"{"jit":{"id":0,"name":"n","files":{}}}"#.into(),
    ] {
        assert!(serde_json::from_str::<Outcome>(&text.replace('0', "1")).is_ok(), "{text}");
        assert!(serde_json::from_str::<Outcome>(&text).is_err(), "{text}");
    }
}

#[test]
fn another_form_is_refused() {
    assert!(serde_json::from_str::<Request>(r#"{"version":1,"instance":"a","patience":5,"verb":"destroy"}"#).is_err());
    assert!(
        serde_json::from_str::<Request>(r#"{"version":1,"instance":"a","patience":5,"verb":"preflight","url":"x"}"#)
            .is_err()
    );
}
