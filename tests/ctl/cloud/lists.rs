//! Which machines are ours, and lists that are not complete.

use std::collections::BTreeSet;

use github_runners::contract::cloud::{Condition, Outcome, Refusal, Verb};

use super::harness::{Cloud, HOST, TAG, token};
use crate::ec2::{self, After, Rule, Settings, Then};

#[test]
fn a_list_has_every_page() {
    let cloud = Cloud::new();
    cloud.ec2.set(&Settings { page_size: Some(5), ..Settings::default() });
    let one = cloud.make(&token(1));
    // As if there were as many orders.
    cloud.ec2.with(|state| {
        for number in 2..=12 {
            let mut other = one.clone();
            (other.id, other.token) = (format!("i-{number:017x}"), format!("{number:040x}-1"));
            state.instances.push(other);
        }
    });
    let reply = cloud.ask(&Verb::List);
    let Outcome::Listed(all) = &reply.answer.outcome else { panic!("{reply:?}") };
    let tokens: BTreeSet<_> = all.iter().map(|instance| &instance.token).collect();
    assert_eq!((all.len(), tokens.len(), reply.answer.requests), (12, 12, 3));
    // Also one of the last page is found, and closed, and ends.
    let last = format!("{:040x}-1", 12);
    assert_eq!(cloud.ask(&Verb::Seal { token: last.clone() }).answer.outcome, Outcome::Done);
    assert_eq!(cloud.end(&last).answer.outcome, Outcome::Done);
    let ended = cloud.ec2.instances().into_iter().filter(|instance| instance.condition != ec2::Condition::Running);
    assert_eq!(ended.map(|instance| instance.token).collect::<Vec<_>>(), [last]);
}

#[test]
fn a_list_that_is_not_complete_is_none() {
    let cloud = Cloud::new();
    cloud.make(&token(1));
    for then in [Then::Lost, Then::LostRequest, Then::Html500] {
        cloud.ec2.inject(Rule::then("DescribeInstances", then));
        let refusal = cloud.ask_for(&Verb::List, 0).refusal();
        assert!(matches!(refusal, Refusal::Passing(_)), "{then:?}: {refusal:?}");
        // Asked again, it is there.
        cloud.ec2.inject(Rule::then("DescribeInstances", then));
        assert_eq!(cloud.list(), [(token(1), Condition::Alive)]);
    }
    cloud.ec2.inject(Rule::refuse("DescribeInstances", "UnauthorizedOperation").times(2));
    assert!(matches!(cloud.ask(&Verb::List).refusal(), Refusal::Credential(_)));
    // Whoever cannot list ends nothing, and does not say that it did.
    assert!(matches!(cloud.end(&token(1)).refusal(), Refusal::Credential(_)));
    assert_eq!(cloud.ec2.count("TerminateInstances"), 0);
}

#[test]
fn a_machine_that_is_not_listed_yet_is_not_closed_and_comes() {
    let cloud = Cloud::new();
    cloud.ec2.set(&Settings { lag: Some(After::Looks(2)), ..Settings::default() });
    cloud.make(&token(1));
    assert_eq!(cloud.list(), []);
    let refusal = cloud.ask(&Verb::Seal { token: token(1) }).refusal();
    assert!(matches!(refusal, Refusal::Passing(_)), "{refusal:?}");
    assert_eq!(cloud.list(), [(token(1), Condition::Alive)]);
    assert_eq!(cloud.ask(&Verb::Seal { token: token(1) }).answer.outcome, Outcome::Done);
}

#[test]
fn what_others_made_is_neither_listed_nor_touched() {
    let cloud = Cloud::new();
    let ours = cloud.make(&token(1));
    cloud.ec2.with(|state| {
        let tags = [
            Some((TAG, "f".repeat(64))),
            Some((TAG, format!("{HOST}0"))),
            Some((TAG, String::new())),
            Some(("Name", HOST.into())),
            None,
        ];
        for (tag, number) in tags.into_iter().zip(0x10..) {
            let mut other = ours.clone();
            other.id = format!("i-{number:017x}");
            other.tags.insert("instance".into(), tag.map(|(key, value)| (key.into(), value)).into_iter().collect());
            state.instances.push(other);
        }
        // Ours by its tag, but asked for by no token.
        let mut other = ours.clone();
        (other.id, other.token) = ("i-00000000000000fff".into(), String::new());
        state.instances.push(other);
    });
    assert_eq!(cloud.list(), [(token(1), Condition::Alive)]);
    assert_eq!(cloud.ask(&Verb::Seal { token: token(1) }).answer.outcome, Outcome::Done);
    assert_eq!(cloud.end(&token(1)).answer.outcome, Outcome::Done);
    for instance in cloud.ec2.instances() {
        let is_ours = instance.id == ours.id;
        let is_touched =
            instance.metadata.http_endpoint == "disabled" || instance.condition == ec2::Condition::ShuttingDown;
        assert_eq!(is_touched, is_ours, "{}", instance.id);
    }
    assert_eq!(cloud.ec2.count("TerminateInstances"), 1);
}

#[test]
fn a_token_means_itself_and_no_pattern() {
    let cloud = Cloud::new();
    let instance = cloud.make(&token(1));
    cloud.ec2.set_console(&instance.id, "its words");
    let digits = "0".repeat(40);
    for token in ["*", "", &"?".repeat(42), &format!("{digits}-?"), &format!("{digits}-*"), &digits, &instance.id] {
        assert_eq!(cloud.end(token).answer.outcome, Outcome::Done, "{token}");
        let refusal = cloud.ask(&Verb::Seal { token: token.into() }).refusal();
        assert!(matches!(refusal, Refusal::Passing(_)), "{token}: {refusal:?}");
        let console = cloud.ask(&Verb::Console { token: token.into() }).answer.outcome;
        assert_eq!(console, Outcome::Console(String::new()), "{token}");
    }
    assert_eq!((cloud.ec2.count("TerminateInstances"), cloud.ec2.count("GetConsoleOutput")), (0, 0));
    assert_eq!(cloud.ec2.count("ModifyInstanceMetadataOptions"), 0);
    assert_eq!(cloud.list(), [(token(1), Condition::Alive)]);
}

#[test]
fn a_console_of_an_older_type_is_had_without_what_it_wrote_just_now() {
    let cloud = Cloud::new();
    let instance = cloud.make(&token(1));
    cloud.ec2.set_console(&instance.id, &"line\n".repeat(1_000));
    cloud.ec2.inject(Rule::refuse("GetConsoleOutput", "UnsupportedOperation"));
    let console = cloud.ask(&Verb::Console { token: token(1) }).answer.outcome;
    assert_eq!(console, Outcome::Console("line\n".repeat(1_000)));
    let [first, second] = &cloud.sent("GetConsoleOutput")[..] else { panic!("{:?}", cloud.ec2.log()) };
    assert_eq!(
        (first.parameters.get("Latest").map(String::as_str), second.parameters.get("Latest")),
        (Some("true"), None)
    );
}
