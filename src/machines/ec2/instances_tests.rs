use super::super::fake::{Script, credential, good, refused};
use super::*;

use Condition::{Alive, NoRoom, Over, Stopped};

const TOKEN: &str = "0123456789012345678901234567890123456789-1";

fn instance(id: u32, token: &str, state: &str, code: &str) -> String {
    format!(
        "<item><instanceId>i-{id:017x}</instanceId><instanceState><name>{state}</name></instanceState><stateReason><code>{code}</code></stateReason><clientToken>{token}</clientToken></item>"
    )
}

fn answer(instances: &str, next: &str) -> String {
    format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet>{instances}</instancesSet></item></reservationSet>{next}</DescribeInstancesResponse>"
    )
}

#[test]
fn every_state_is_one_of_four() {
    let script = Script::of([good(&answer(
        &[
            instance(1, "a", "pending", "pending"),
            instance(2, "b", "shutting-down", "Client.UserInitiatedShutdown"),
            instance(3, "c", "stopped", "x"),
            instance(4, "d", "terminated", "Server.SpotInstanceTermination"),
            instance(5, "e", "terminated", "Server.InsufficientInstanceCapacity"),
            instance(6, "f", "hibernating", "x"),
        ]
        .concat(),
        "",
    ))]);
    let credential = credential();
    let found = list(&script.asker(&credential), "0123").unwrap();
    let conditions: Vec<Condition> = found.iter().map(|found| found.instance.condition).collect();
    assert_eq!(conditions, [Alive, Alive, Stopped, Over, NoRoom, Alive]);
    let asked = script.asked.borrow();
    assert!(asked[0].contains("Filter.1.Name=tag%3Agithub-runner-on-demand&Filter.1.Value.1=0123&MaxResults=200"));
}

#[test]
fn all_pages_are_read_and_a_list_without_an_end_is_none() {
    let next = "<nextToken>more/=</nextToken>";
    let script = Script::of([
        good(&answer(&instance(1, "a", "running", "x"), next)),
        good(&answer(&instance(2, "b", "running", "x"), "<nextToken/>")),
    ]);
    let credential = credential();
    assert_eq!(list(&script.asker(&credential), "0123").unwrap().len(), 2);
    assert!(script.asked.borrow()[1].ends_with("&NextToken=more%2F%3D"));
    let endless = Script::of([good(&answer("", next))]);
    assert!(matches!(list(&endless.asker(&credential), "0123"), Err(Refusal::Passing(_))));
}

#[test]
fn what_is_no_list_is_never_an_empty_one() {
    let credential = credential();
    for text in [
        "<html/>",
        "<DescribeInstancesResponse/>",
        &answer(&instance(1, "a", "running", "x").replace("instanceId", "id"), ""),
        &answer(&instance(1, "a", "running", "x").replace("i-0", "j-0"), ""),
        &answer("<item/>", ""),
    ] {
        let script = Script::of([good(text)]);
        assert!(matches!(list(&script.asker(&credential), "0123"), Err(Refusal::Passing(_))), "{text}");
    }
}

#[test]
fn only_instances_of_the_very_token_are_ended_one_question_for_each() {
    let all = [
        instance(1, TOKEN, "running", "x"),
        instance(2, &TOKEN.replace("-1", "-10"), "running", "x"),
        instance(3, TOKEN, "terminated", "x"),
        instance(4, TOKEN, "shutting-down", "x"),
        instance(5, TOKEN, "stopped", "x"),
        instance(6, "*", "running", "x"),
    ];
    let script = Script::of([good(&answer(&all.concat(), "")), good("<a/>")]);
    let credential = credential();
    end(&script.asker(&credential), "0123", TOKEN).unwrap();
    let asked = script.asked.borrow();
    let ended: Vec<&str> = asked[1..].iter().map(|one| one.rsplit('=').next().unwrap()).collect();
    assert_eq!(ended, ["i-00000000000000001", "i-00000000000000005"]);
}

#[test]
fn one_that_cannot_be_ended_is_told_and_none_is_fine() {
    let credential = credential();
    let script =
        Script::of([good(&answer(&instance(1, TOKEN, "running", "x"), "")), refused(403, "UnauthorizedOperation")]);
    assert!(matches!(end(&script.asker(&credential), "0123", TOKEN), Err(Refusal::Credential(_))));
    let script = Script::of([good(&answer("", ""))]);
    assert_eq!(end(&script.asker(&credential), "0123", TOKEN), Ok(()));
    assert!(matches!(seal(&script.asker(&credential), "0123", TOKEN), Err(Refusal::Passing(_))), "not sealed");
}

#[test]
fn a_console_is_read_of_types_old_and_new() {
    let credential = credential();
    let listed = || good(&answer(&instance(1, TOKEN, "terminated", "x"), ""));
    let output = || good("<GetConsoleOutputResponse><output>aGVs\nbG8=\n</output></GetConsoleOutputResponse>");
    let script = Script::of([listed(), output()]);
    assert_eq!(console(&script.asker(&credential), "0123", TOKEN).as_deref(), Ok("hello"));
    let script = Script::of([listed(), refused(400, "UnsupportedOperation"), output()]);
    assert_eq!(console(&script.asker(&credential), "0123", TOKEN).as_deref(), Ok("hello"));
    let script = Script::of([listed(), good("<GetConsoleOutputResponse/>")]);
    assert_eq!(console(&script.asker(&credential), "0123", TOKEN).as_deref(), Ok(""));
    let script = Script::of([listed()]);
    assert_eq!(console(&script.asker(&credential), "0123", "other").as_deref(), Ok(""));
}
