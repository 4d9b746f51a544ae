//! Who can have code run, as it is read from answers. Touches nothing: the server is a list of answers.

use super::super::client::Client;
use super::super::fake::{Fake, NOW};
use super::*;
use crate::contract::protocol::Secret;
use crate::http::Broken;
use crate::model::RegistrationUrl;

const REPOSITORY: &str = "https://github.com/octo-org/example";
const ORGANIZATION: &str = "https://github.com/octo-org";

fn api<'a>(client: &'a Client<'a>, url: &str) -> Api<'a> {
    Api::new(client, Secret::new("github_pat_fake".into()), RegistrationUrl::parse(url).unwrap())
}

fn asked(fake: &Fake, url: &str) -> Audience {
    api(&fake.client(9), url).audience(None).unwrap()
}

fn unseen<T>(sight: Sight<T>) -> String {
    let Sight::Unseen(why) = sight else { panic!("it was seen") };
    why
}

#[test]
fn of_a_repository_that_is_not_public_nothing_more_is_asked() {
    for (body, reach) in [
        (r#"{"private":true,"visibility":"private"}"#, Reach::Private),
        (r#"{"private":true,"visibility":"internal"}"#, Reach::Internal),
        (r#"{"private":true}"#, Reach::Private),
        (r#"{"visibility":"private","private":null}"#, Reach::Private),
        (
            r#"{"private":false,"visibility":"public","pull_request_creation_policy":"collaborators_only"}"#,
            Reach::Collaborators,
        ),
    ] {
        let fake = Fake::new().answers(200, &[], body);
        assert_eq!(asked(&fake, REPOSITORY), Audience { reach: Sight::Is(reach), approval: None }, "{body}");
        assert_eq!(fake.asked(), ["GET /repos/octo-org/example"]);
    }
}

#[test]
fn of_a_public_repository_the_rule_is_read() {
    for (body, rule, approval) in [
        (r#"{"private":false,"visibility":"public"}"#, "first_time_contributors_new_to_github", Approval::NewToServer),
        (r#"{"private":false}"#, "first_time_contributors", Approval::FirstTime),
        (
            r#"{"visibility":"public","pull_request_creation_policy":"all"}"#,
            "all_external_contributors",
            Approval::AllExternal,
        ),
        // Fields that contradict each other, or of tomorrow: whoever says that it is open is believed.
        (r#"{"private":true,"visibility":"public"}"#, "all_external_contributors", Approval::AllExternal),
        (r#"{"private":false,"visibility":"private"}"#, "all_external_contributors", Approval::AllExternal),
        (r#"{"private":false,"visibility":"of tomorrow"}"#, "all_external_contributors", Approval::AllExternal),
        (r#"{"private":false,"pull_request_creation_policy":"some"}"#, "first_time_contributors", Approval::FirstTime),
    ] {
        let rule = format!(r#"{{"approval_policy":"{rule}","more":1}}"#);
        let fake = Fake::new().answers(200, &[], body).answers(200, &[], &rule);
        let expected = Audience { reach: Sight::Is(Reach::Public), approval: Some(Sight::Is(approval)) };
        assert_eq!(asked(&fake, REPOSITORY), expected, "{body}");
        let path = "GET /repos/octo-org/example/actions/permissions/fork-pr-contributor-approval";
        assert_eq!(fake.asked(), ["GET /repos/octo-org/example", path]);
    }
}

#[test]
fn odd_answers_about_a_repository_leave_it_unseen() {
    let long = format!(r#"{{"visibility":"{}","private":true}}"#, "\u{1b}x".repeat(50_000).escape_default());
    for (body, part) in [
        ("{}", "does not tell"),
        (r#"{"private":null,"visibility":null}"#, "does not tell"),
        (r#"{"private":true,"visibility":"secret"}"#, "a visibility that this program does not know: \"secret\""),
        (r#"{"private":"no"}"#, "unexpected form"),
        (r#"{"visibility":["public"]}"#, "unexpected form"),
        ("[]", "unexpected form"),
        ("{", "unexpected form"),
        (&long.replace("\\u{1b}", "\\u001b"), "does not know: \"\\u{1b}x"),
    ] {
        let fake = Fake::new().answers(200, &[], body);
        let Audience { reach, approval } = asked(&fake, REPOSITORY);
        let why = unseen(reach);
        assert!(why.contains(part) && why.len() < 1_000 && approval.is_none(), "{why}");
        assert_eq!(fake.asked().len(), 1, "{body}");
    }
}

#[test]
fn odd_rules_leave_the_rule_unseen_and_nothing_else() {
    for (status, body, part) in [
        (200, r#"{"approval_policy":"nobody"}"#, "a rule that this program does not know: \"nobody\""),
        (200, r#"{"approval_policy":null}"#, "unexpected form"),
        (200, "{}", "unexpected form"),
        (403, r#"{"message":"Resource not accessible"}"#, "(status 403); it takes \"Administration: Read-only\""),
        (404, r#"{"message":"Not Found"}"#, "(status 404)"),
        (422, r#"{"message":"Validation Failed","errors":"Fork PR approval is not allowed"}"#, "(status 422)"),
    ] {
        let needed = [("x-accepted-github-permissions", "administration=read")];
        let fake = Fake::new().answers(200, &[], r#"{"private":false}"#).answers(status, &needed, body);
        let Audience { reach, approval } = asked(&fake, REPOSITORY);
        let why = unseen(approval.unwrap());
        assert!(reach == Sight::Is(Reach::Public) && why.contains(part), "{why}");
    }
}

#[test]
fn refusals_limits_and_silence_are_parts_of_the_answer() {
    for status in [401, 403, 404, 410, 451] {
        let fake = Fake::new().answers(status, &[], r#"{"message":"no"}"#);
        let why = unseen(asked(&fake, REPOSITORY).reach);
        assert!(why.contains(&format!("does not show it to the credential (status {status})")), "{why}");
    }
    let fake = Fake::new().answers(301, &[("location", "https://evil.example/")], r#"{"message":"Moved"}"#);
    assert_eq!(unseen(asked(&fake, REPOSITORY).reach), "it has another name now");
    assert_eq!(fake.asked().len(), 1, "nobody follows");
    let fake = Fake::new().fails(Broken { why: "api.github.com has no address".into(), lasting: true });
    assert_eq!(unseen(asked(&fake, REPOSITORY).reach), "api.github.com has no address");
    let limit = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &(NOW + 600).to_string())];
    let fake = Fake::new().answers(403, &limit, r#"{"message":"limit"}"#);
    assert!(unseen(asked(&fake, REPOSITORY).reach).contains("no more requests before 2026-"));
}

#[test]
fn a_group_tells_whether_public_repositories_are_in_it() {
    let group = |more: &str| format!(r#"{{"id":4,"name":"Default","default":true{more}}}"#);
    for (more, reach) in [
        (r#","allows_public_repositories":false,"visibility":"all""#, Reach::NonePublicInGroup),
        (r#","allows_public_repositories":true,"visibility":"private""#, Reach::NonePublicInGroup),
        (r#","allows_public_repositories":true,"visibility":"all""#, Reach::PublicInGroup { selected: false }),
        (r#","allows_public_repositories":true,"visibility":"selected""#, Reach::PublicInGroup { selected: true }),
        (r#","allows_public_repositories":true,"visibility":"odd""#, Reach::PublicInGroup { selected: false }),
        (r#","allows_public_repositories":true"#, Reach::PublicInGroup { selected: false }),
    ] {
        let others = r#"{"id":2,"name":"Hosted","default":true,"is_hosted":true,"allows_public_repositories":true}"#;
        let groups = format!(r#"{{"total_count":2,"runner_groups":[{others},{}]}}"#, group(more));
        let fake = Fake::new().answers(200, &[], &groups).answers(403, &[], r#"{"message":"no"}"#);
        let Audience { reach: found, approval } = asked(&fake, ORGANIZATION);
        assert_eq!(found, Sight::Is(reach), "{more}");
        let asks = matches!(reach, Reach::PublicInGroup { .. });
        assert_eq!((approval.is_some(), fake.asked().len()), (asks, 1 + usize::from(asks)), "{more}");
    }
    for (groups, part) in [
        (r#"{"runner_groups":[{"id":4,"name":"Default","default":true}]}"#, "does not tell"),
        (r#"{"runner_groups":[{"id":4,"name":"other","allows_public_repositories":true}]}"#, "does not list"),
        (r#"{"runner_groups":[]}"#, "does not list"),
        (r#"{"runner_groups":[{"id":0,"name":"Default","default":true}]}"#, "unexpected form"),
        ("{}", "unexpected form"),
    ] {
        let why = unseen(asked(&Fake::new().answers(200, &[], groups), ORGANIZATION).reach);
        assert!(why.contains(part), "{groups}: {why}");
    }
}

#[test]
fn the_configured_group_is_meant_whatever_its_case() {
    let groups = r#"{"runner_groups":[{"id":1,"name":"Default","default":true,"allows_public_repositories":true},
        {"id":2,"name":"Big","allows_public_repositories":false}]}"#;
    let fake = Fake::new().answers(200, &[], groups);
    let audience = api(&fake.client(9), ORGANIZATION).audience(Some("BIG")).unwrap();
    assert_eq!(audience.reach, Sight::Is(Reach::NonePublicInGroup));
}

#[test]
fn nothing_is_asked_about_an_enterprise() {
    let fake = Fake::new();
    assert!(unseen(asked(&fake, "https://github.com/enterprises/e").reach).contains("about an enterprise"));
    assert!(fake.asked().is_empty());
}
