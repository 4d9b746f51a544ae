//! What is read of lists. Touches nothing: the server is a list of answers.

use super::super::client::Client;
use super::super::fake::Fake;
use super::*;
use crate::contract::protocol::Secret;
use crate::model::RegistrationUrl;

const RUNNER: &str = r#"{"id":21,"name":"Runner1","os":"linux","status":"online","busy":true,"labels":[],"new":1}"#;
/// Says that there is another page, at an address that is none of GitHub's.
const MORE: (&str, &str) =
    ("link", "<https://evil.example/?page=2>; rel=\"next\", <https://evil.example/?page=9>; rel=\"last\"");

fn api<'a>(client: &'a Client<'a>, url: &str) -> Api<'a> {
    Api::new(client, Secret::new("github_pat_fake".into()), RegistrationUrl::parse(url).unwrap())
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    match result.unwrap_err() {
        Failure::Refused(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn runners_are_found_on_the_last_page_without_regard_to_case() {
    let other = RUNNER.replace("Runner1", "runner10");
    let page = |runner: &str| format!(r#"{{"total_count":2,"runners":[{runner}]}}"#);
    let fake = Fake::new().answers(200, &[MORE], &page(&other)).answers(200, &[], &page(RUNNER));
    let client = fake.client(9);
    let seen = api(&client, "https://github.com/o").find("runner1").unwrap().unwrap();
    assert_eq!(seen, RemoteRunner { id: 21, name: "Runner1".into(), online: true, busy: true });
    assert_eq!(
        fake.asked(),
        [1, 2].map(|page| format!("GET /orgs/o/actions/runners?name=runner1&per_page=100&page={page}"))
    );
}

#[test]
fn a_list_without_end_is_given_up() {
    let fake = (0..200).fold(Fake::new(), |fake, _| fake.answers(200, &[MORE], r#"{"runners":[]}"#));
    let client = fake.client(9);
    let failure = api(&client, "https://github.com/o").find("x").unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)));
    assert_eq!(fake.asked().len(), MOST_PAGES);
}

#[test]
fn groups_are_found_by_name_or_by_default() {
    let groups = r#"{"runner_groups":[{"id":1,"name":"Default","default":true},{"id":2,"name":"Hosted","is_hosted":true},{"id":3,"name":"Trusted"}]}"#;
    let ask = |url: &str, name| {
        let fake = Fake::new().answers(200, &[], groups);
        let client = fake.client(9);
        (api(&client, url).group(name), fake.asked().len())
    };
    assert_eq!(ask("https://github.com/o", None), (Ok(1), 1));
    assert_eq!(ask("https://github.com/enterprises/e", Some("trusted")), (Ok(3), 1));
    assert_eq!(ask("https://github.com/o/r", None), (Ok(1), 0));
    let text = refusal(ask("https://github.com/o", Some("hosted")).0);
    assert!(text.contains("one of \"Default\", \"Trusted\""), "{text}");
}

/// A page of the runners of these ids.
fn page(ids: impl Iterator<Item = u64>, count: u64) -> String {
    let runner = |id: u64| RUNNER.replace("21", &id.to_string());
    let runners: Vec<String> = ids.map(runner).collect();
    format!(r#"{{"total_count":{count},"runners":[{}]}}"#, runners.join(","))
}

#[test]
fn a_runner_that_two_pages_show_is_listed_once() {
    // One of the first page was deleted meanwhile, or one was registered.
    let fake = Fake::new().answers(200, &[MORE], &page(1..=100, 150)).answers(200, &[], &page(100..=150, 151));
    let client = fake.client(9);
    let listed = api(&client, "https://github.com/o").list().unwrap();
    assert_eq!(listed.iter().map(|seen| seen.id).collect::<Vec<_>>(), (1..=150).collect::<Vec<_>>());
    assert_eq!(fake.asked(), [1, 2].map(|page| format!("GET /orgs/o/actions/runners?per_page=100&page={page}")));
}

#[test]
fn ten_thousand_runners_are_listed_and_no_more() {
    let all = (0..100).fold(Fake::new(), |fake, number| {
        let link = if number < 99 { &[MORE][..] } else { &[] };
        fake.answers(200, link, &page(number * 100 + 1..=number * 100 + 100, 10_000))
    });
    let client = all.client(9);
    assert_eq!(api(&client, "https://github.com/o").list().unwrap().len(), 10_000);
    // Known from the first page on, so the others are not read.
    let more = Fake::new().answers(200, &[MORE], &page(1..=100, 10_001));
    let client = more.client(9);
    let text = refusal(api(&client, "https://github.com/o").list());
    assert!(text.contains("does not end after 100 pages of 100") && text.contains("settings"), "{text}");
    assert_eq!(more.asked().len(), 1);
    let endless = (0..200).fold(Fake::new(), |fake, _| fake.answers(200, &[MORE], &page(1..=100, 100)));
    let client = endless.client(9);
    assert!(refusal(api(&client, "https://github.com/o").list()).contains("does not end"));
    assert_eq!(endless.asked().len(), MOST_PAGES);
}

#[test]
fn a_page_of_more_than_was_asked_for_is_not_believed() {
    let fake = Fake::new().answers(200, &[], &page(1..=101, 101));
    let client = fake.client(9);
    let failure = api(&client, "https://github.com/o").list().unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable(why) if why.contains("101 entries")), "{failure:?}");
    let fake = Fake::new().answers(200, &[], &page(1..=101, 101));
    let client = fake.client(9);
    assert!(matches!(api(&client, "https://github.com/o").find("runner1"), Err(Failure::Unreachable(_))));
    let group = |id: usize| format!(r#"{{"id":{id},"name":"Group{id}"}}"#);
    let groups: Vec<String> = (1..=101).map(group).collect();
    let fake = Fake::new().answers(200, &[], &format!(r#"{{"runner_groups":[{}]}}"#, groups.join(",")));
    let client = fake.client(9);
    assert!(matches!(api(&client, "https://github.com/o").group(Some("Group7")), Err(Failure::Unreachable(_))));
}

#[test]
fn an_id_of_0_is_not_believed() {
    let (runner, runners) = (RUNNER.replace("21", "0"), page(0..=1, 2));
    let group = r#"{"runner_groups":[{"id":0,"name":"Trusted"}]}"#;
    let unreachable = |answer: &str, ask: &dyn Fn(&Api) -> Result<(), Failure>| {
        let fake = Fake::new().answers(200, &[], answer);
        let client = fake.client(9);
        let failure = ask(&api(&client, "https://github.com/o")).unwrap_err();
        assert!(matches!(failure, Failure::Unreachable(_)), "{answer}: {failure:?}");
    };
    unreachable(&runner, &|api| api.runner(21).map(drop));
    unreachable(&runners, &|api| api.list().map(drop));
    unreachable(&runners, &|api| api.find("runner1").map(drop));
    unreachable(group, &|api| api.group(Some("trusted")).map(drop));
}

#[test]
fn of_a_list_there_is_all_or_nothing() {
    let first = |fake: Fake| fake.answers(200, &[MORE], &page(1..=100, 150));
    for (second, expected) in [
        (r#"{"message":"Not Found"}"#, Failure::Refused(String::new())),
        (r#"{"total_count":1}"#, Failure::Unreachable(String::new())),
    ] {
        let status = if second.contains("message") { 403 } else { 200 };
        let fake = first(Fake::new()).answers(status, &[], second);
        let client = fake.client(9);
        let failure = api(&client, "https://github.com/o/r").list().unwrap_err();
        assert_eq!(std::mem::discriminant(&failure), std::mem::discriminant(&expected), "{failure:?}");
        assert_eq!(fake.asked().len(), 2);
    }
}
