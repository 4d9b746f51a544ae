//! What became of machines: those that are over stay known for a while, and their tokens make no others.

use github_runners::contract::cloud::{Condition, Outcome, Refusal, Verb};

use super::harness::{Cloud, launch, placement, token};
use crate::ec2::{self, After, Rule, SUBNET_B, Settings, Then};

#[test]
fn the_token_of_a_machine_that_ended_makes_no_other_one() {
    let cloud = Cloud::new();
    cloud.make(&token(1));
    cloud.end(&token(1));
    assert_eq!(cloud.list(), [(token(1), Condition::Over)]);
    let reply = cloud.launch(&launch(&token(1), placement()));
    assert_eq!((reply.answer.outcome, reply.answer.requests), (Outcome::Launched, 1));
    assert_eq!((cloud.ec2.instances().len(), cloud.list()), (1, vec![(token(1), Condition::Over)]));
    // Also if EC2 says so behind an answer that is lost.
    cloud.ec2.inject(Rule::then("RunInstances", Then::Lost));
    assert_eq!(cloud.launch(&launch(&token(1), placement())).answer.outcome, Outcome::Launched);
    assert_eq!(cloud.ec2.instances().len(), 1);
}

#[test]
fn a_machine_that_there_was_no_room_for_after_all_is_told_from_one_that_ended() {
    let cloud = Cloud::new();
    for (candidate, code, condition) in [
        (1, "Server.InsufficientInstanceCapacity", Condition::NoRoom),
        (2, "Server.InternalError", Condition::NoRoom),
        (3, "Client.VolumeLimitExceeded", Condition::Over),
    ] {
        let rule = Rule { code: code.into(), ..Rule::then("RunInstances", Then::CapacityLater) };
        cloud.ec2.inject(rule);
        assert_eq!(cloud.launch(&launch(&token(candidate), placement())).answer.outcome, Outcome::Launched);
        assert_eq!(cloud.list().pop(), Some((token(candidate), condition)));
    }
}

#[test]
fn a_machine_is_told_as_it_is_whoever_ended_it() {
    let cloud = Cloud::new();
    let all: Vec<_> = (1..=4).map(|candidate| cloud.make(&token(candidate)).id).collect();
    assert!(cloud.ec2.interrupt(&all[0]));
    cloud.ec2.power_off(&all[1]);
    cloud.ec2.with(|state| state.instance_mut(&all[2]).unwrap().become_(ec2::Condition::Stopped, None));
    let listed = [Condition::Over, Condition::Over, Condition::Stopped, Condition::Alive];
    assert_eq!(cloud.list(), (1..=4).map(token).zip(listed).collect::<Vec<_>>());
    // What stands still costs as well.
    assert_eq!(cloud.end(&token(3)).answer.outcome, Outcome::Done);
    assert_eq!(cloud.list()[2].1, Condition::Over);
}

#[test]
fn a_machine_that_takes_long_to_end_is_alive_and_not_ended_twice() {
    let cloud = Cloud::new();
    cloud.ec2.set(&Settings { end: Some(After::Looks(3)), ..Settings::default() });
    cloud.make(&token(1));
    for _ in 0..2 {
        assert_eq!(cloud.end(&token(1)).answer.outcome, Outcome::Done);
        assert_eq!(cloud.list(), [(token(1), Condition::Alive)]);
    }
    assert_eq!((cloud.list(), cloud.ec2.count("TerminateInstances")), (vec![(token(1), Condition::Over)], 1));
}

/// Two machines of one token, as a place that was not kept makes them.
fn two_of_one_token() -> Cloud {
    let cloud = Cloud::new();
    cloud.make(&token(1));
    let elsewhere = github_runners::contract::cloud::Placement { subnet: SUBNET_B.into(), ..placement() };
    assert_eq!(cloud.launch(&launch(&token(1), elsewhere)).answer.outcome, Outcome::Launched);
    cloud.make(&token(2));
    cloud
}

fn conditions(cloud: &Cloud) -> Vec<Condition> {
    cloud.list().into_iter().map(|(_, condition)| condition).collect()
}

#[test]
fn all_machines_of_a_token_are_closed_and_end_each_by_a_request_of_its_own() {
    let cloud = two_of_one_token();
    assert_eq!(cloud.ask(&Verb::Seal { token: token(1) }).answer.outcome, Outcome::Done);
    let endpoints = cloud.ec2.instances().into_iter().map(|instance| instance.metadata.http_endpoint);
    assert_eq!(endpoints.collect::<Vec<_>>(), ["disabled", "disabled", "enabled"]);
    assert_eq!(cloud.end(&token(1)).answer.outcome, Outcome::Done);
    assert_eq!(conditions(&cloud), [Condition::Over, Condition::Over, Condition::Alive]);
    let sent = cloud.sent("TerminateInstances");
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|entry| !entry.parameters.contains_key("InstanceId.2")), "{sent:?}");
}

#[test]
fn a_machine_that_cannot_be_ended_or_closed_keeps_no_other_one() {
    let cloud = two_of_one_token();
    cloud.ec2.inject(Rule::refuse("ModifyInstanceMetadataOptions", "UnsupportedOperation"));
    let refusal = cloud.ask(&Verb::Seal { token: token(1) }).refusal();
    assert!(matches!(refusal, Refusal::Configuration(_)), "{refusal:?}");
    assert_eq!(cloud.ec2.instances()[1].metadata.http_endpoint, "disabled");
    cloud.ec2.inject(Rule::refuse("TerminateInstances", "OperationNotPermitted"));
    let refusal = cloud.end(&token(1)).refusal();
    assert!(matches!(&refusal, Refusal::Configuration(why) if why.starts_with("OperationNotPermitted")), "{refusal:?}");
    assert_eq!(conditions(&cloud), [Condition::Alive, Condition::Over, Condition::Alive]);
}
