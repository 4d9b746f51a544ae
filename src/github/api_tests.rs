//! What is made of GitHub's answers. Touches nothing: the server is a list of answers.

use super::super::fake::Fake;
use super::super::names::LONGEST_NAME;
use super::*;

const RUNNER: &str = r#"{"id":21,"name":"Runner1","os":"linux","status":"online","busy":true,"labels":[],"new":1}"#;

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
fn of_a_name_without_end_only_the_beginning_is_kept() {
    let fake = Fake::new().answers(200, &[], &RUNNER.replace("Runner1", &"ü".repeat(100_000)));
    let client = fake.client(9);
    let seen = api(&client, "https://github.com/o/r").runner(21).unwrap().unwrap();
    assert_eq!(seen.name, "ü".repeat(LONGEST_NAME));
}

#[test]
fn what_was_made_is_what_was_asked_for() {
    let made = |runner: &str| {
        let config = "eyIucnVubmVyIjoiZTMwPSJ9";
        let fake = Fake::new().answers(201, &[], &format!(r#"{{"runner":{runner},"encoded_jit_config":"{config}"}}"#));
        let client = fake.client(9);
        let (name, labels, work_folder) = ("runner1".into(), vec![], "/work".into());
        api(&client, "https://github.com/o/r").make(&JitRequest { name, runner_group_id: 1, labels, work_folder })
    };
    let new = |runner: &str| match made(runner) {
        Ok(Creation::New(jit)) => jit,
        other => panic!("{other:?}"),
    };
    assert!(new(RUNNER).files.is_ok());
    let other = made(&RUNNER.replace("Runner1", &"x".repeat(100_000)));
    assert!(matches!(other, Err(Failure::Lost(why)) if why.contains("another name") && !why.contains("xx")));
    assert!(new(&RUNNER.replace("21", "0")).files.unwrap_err().contains("no id"));
}

#[test]
fn gone_is_said_only_by_a_credential_that_would_see_it() {
    let fake = Fake::new().answers(404, &[], "{}").answers(200, &[], r#"{"runners":[]}"#);
    let client = fake.client(9);
    assert_eq!(api(&client, "https://github.com/o/r").runner(21), Ok(None));
    assert_eq!(fake.asked(), ["GET /repos/o/r/actions/runners/21", "GET /repos/o/r/actions/runners?per_page=1"]);
    let fake = Fake::new().answers(404, &[], "{}").answers(404, &[], "{}");
    let client = fake.client(9);
    assert!(refusal(api(&client, "https://github.com/o/r").runner(21)).contains("may not see"));
}

#[test]
fn the_account_behind_an_organisation_is_looked_up() {
    let fake = Fake::new().answers(404, &[], "{}").answers(200, &[], r#"{"login":"o","type":"User"}"#);
    let client = fake.client(9);
    assert!(refusal(api(&client, "https://github.com/o").check()).contains("account of a user"));
    assert_eq!(fake.asked()[1], "GET /users/o");
}

#[test]
fn the_newest_version_is_compared_by_numbers() {
    let file = |version: &str| format!(r#"{{"filename":"actions-runner-linux-x64-{version}.tar.gz"}}"#);
    let body = format!(r#"[{},{},{{"filename":"x.zip"}}]"#, file("2.99.10"), file("2.336.0"));
    let fake = Fake::new().answers(200, &[], &body);
    let client = fake.client(9);
    assert_eq!(api(&client, "https://github.com/o/r").newest_runner(), Ok(Some("2.336.0".into())));
}

#[test]
fn an_unexpected_form_is_no_answer_and_is_not_repeated() {
    let fake = Fake::new().answers(201, &[], r#"{"token":["AFAKETOKEN"]}"#);
    let client = fake.client(9);
    let failure = format!("{:?}", api(&client, "https://github.com/o").registration_token().unwrap_err());
    assert!(failure.contains("unexpected form") && !failure.contains("AFAKETOKEN"), "{failure}");
}
