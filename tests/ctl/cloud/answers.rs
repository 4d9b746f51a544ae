//! Answers that are missing, and requests that are repeated: there is one machine, or it is said that nobody knows.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Instant;

use github_runners::contract::cloud::{Condition, Outcome, Placement, Refusal, Verb};
use serde_json::json;

use super::harness::{Cloud, finish, launch, placement, token};
use crate::ec2::{Rule, SUBNET_A, SUBNET_B, SUBNET_C, Then};
use crate::times::{AT_ONCE, FOREVER, millis};

/// Asks for the machine of most tests, without a second attempt.
fn once(cloud: &Cloud) -> Outcome {
    cloud.ask_for(&Verb::Launch(Box::new(launch(&token(1), placement()))), 0).answer.outcome
}

fn is_passing(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Refusal::Passing(_)))
}

#[test]
fn an_answer_that_is_lost_makes_no_second_machine() {
    for then in [Then::Lost, Then::LostRequest, Then::Html500] {
        let cloud = Cloud::new();
        cloud.ec2.inject(Rule::then("RunInstances", then));
        let reply = cloud.launch(&launch(&token(1), placement()));
        assert_eq!((reply.answer.outcome, reply.answer.requests), (Outcome::Launched, 2), "{then:?}");
        assert_eq!((cloud.ec2.instances().len(), cloud.list().len()), (1, 1), "{then:?}");
        let [first, second] = &cloud.sent("RunInstances")[..] else { panic!("{then:?}") };
        assert_eq!(first.parameters, second.parameters);
    }
}

#[test]
fn a_question_that_is_asked_again_makes_no_second_machine() {
    for (then, made) in [(Then::Lost, 1), (Then::LostRequest, 0), (Then::Html500, 0)] {
        let cloud = Cloud::new();
        cloud.ec2.inject(Rule::then("RunInstances", then));
        assert!(is_passing(&once(&cloud)), "{then:?}");
        assert_eq!((cloud.ec2.instances().len(), cloud.ec2.count("RunInstances")), (made, 1), "{then:?}");
        assert_eq!(once(&cloud), Outcome::Launched, "{then:?}");
        assert_eq!(once(&cloud), Outcome::Launched, "{then:?}");
        assert_eq!(cloud.ec2.instances().len(), 1, "{then:?}");
    }
}

#[test]
fn a_refusal_behind_an_answer_that_is_lost_is_not_believed() {
    for (then, made) in [(Then::Lost, 1), (Then::LostRequest, 0), (Then::Html500, 0)] {
        for code in ["InsufficientInstanceCapacity", "VcpuLimitExceeded", "UnauthorizedOperation"] {
            let cloud = Cloud::new();
            cloud.ec2.inject(Rule::then("RunInstances", then));
            cloud.ec2.inject(Rule::refuse("RunInstances", code));
            let reply = cloud.launch(&launch(&token(1), placement()));
            assert_eq!(reply.answer.requests, 2);
            let refusal = reply.refusal();
            assert!(matches!(&refusal, Refusal::Passing(why) if why.starts_with(code)), "{then:?}: {refusal:?}");
            assert_eq!(cloud.ec2.instances().len(), made);
            assert_eq!(once(&cloud), Outcome::Launched);
            assert_eq!(cloud.ec2.instances().len(), 1);
        }
    }
}

#[test]
fn whoever_asks_too_often_waits_and_asks_again() {
    let cloud = Cloud::new();
    cloud.ec2.inject(Rule::refuse("RunInstances", "RequestLimitExceeded").times(2));
    let reply = cloud.launch(&launch(&token(1), placement()));
    assert_eq!((reply.answer.outcome, reply.answer.requests), (Outcome::Launched, 3));
    // Nothing was done by what was refused so, so that what follows is believed.
    cloud.ec2.inject(Rule::refuse("RunInstances", "Throttling"));
    cloud.ec2.inject(Rule::refuse("RunInstances", "InsufficientInstanceCapacity"));
    let refusal = cloud.launch(&launch(&token(2), placement())).refusal();
    assert!(matches!(refusal, Refusal::NoRoom(_)), "{refusal:?}");
    // There is an end to it.
    cloud.ec2.inject(Rule::refuse("RunInstances", "RequestLimitExceeded").times(99));
    let reply = cloud.ask_for(&Verb::Launch(Box::new(launch(&token(3), placement()))), 2);
    let is_slower = matches!(reply.answer.outcome, Outcome::Refused(Refusal::Slower(_)));
    assert!(reply.answer.requests >= 2 && is_slower, "{reply:?}");
    assert_eq!(cloud.ec2.instances().len(), 1);
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let cloud = Cloud::new();
    cloud.ec2.inject(Rule::then("RunInstances", Then::Delay(millis(FOREVER))));
    let reply = cloud.ask_for(&Verb::Launch(Box::new(launch(&token(1), placement()))), 1);
    assert!(is_passing(&reply.answer.outcome) && reply.took < AT_ONCE, "{reply:?}");
    assert_eq!(once(&cloud), Outcome::Launched);
    assert_eq!(cloud.ec2.instances().len(), 1);
}

#[test]
fn nobody_at_the_endpoint_is_no_answer() {
    let mut cloud = Cloud::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    cloud.set("endpoint", json!(format!("http://127.0.0.1:{port}")));
    let question = Cloud::question(&Verb::List, 0);
    let reply = finish(cloud.start(&question), Instant::now());
    assert!(is_passing(&reply.answer.outcome), "{reply:?}");
}

/// Answers each request with this, and never asks who it is.
fn stranger(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Lives as long as the process of all tests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = vec![];
            // A request's body ends with the last of its tags, or with its only parameters.
            while !request.ends_with(b"od-1-build.pmu") && !request.ends_with(b"MaxResults=200") {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&part[..read]);
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn an_answer_of_somebody_else_is_neither_a_machine_nor_a_list() {
    let mut cloud = Cloud::new();
    for body in [
        "<!DOCTYPE html><html><body>Welcome</body></html>",
        "<html><body>Welcome</body></html>",
        "",
        "{}",
        "<RunInstancesResponse><instancesSet/></RunInstancesResponse>",
        "<R><instancesSet><item><instanceId>x</instanceId></item></instancesSet></R>",
    ] {
        cloud.set("endpoint", json!(stranger(body)));
        for verb in [Verb::Launch(Box::new(launch(&token(1), placement()))), Verb::List] {
            let reply = finish(cloud.start(&Cloud::question(&verb, 5)), Instant::now());
            assert!(is_passing(&reply.answer.outcome), "{body}: {reply:?}");
        }
    }
}

#[test]
fn a_machine_stays_the_same_one_whatever_is_configured_by_then() {
    let mut cloud = Cloud::new();
    cloud.ec2.inject(Rule::then("RunInstances", Then::Lost));
    assert!(is_passing(&once(&cloud)));
    // A place that is made anew would be in another zone now, of another type, by another market.
    cloud.set("subnets", json!([SUBNET_B, SUBNET_A]));
    cloud.set("instanceTypes", json!(["m7i.large", "c7i.xlarge"]));
    (cloud.manifest["spot"], cloud.manifest["candidates"]) = (json!(0), json!(4));
    cloud.set("image", json!({ "id": "ami-00000000000000001" }));
    let other = cloud.place(1);
    assert_ne!(
        (&other.subnet, &other.image, other.market),
        (&placement().subnet, &placement().image, placement().market)
    );
    assert_eq!(once(&cloud), Outcome::Launched);
    assert_eq!((cloud.ec2.instances().len(), cloud.list()), (1, vec![(token(1), Condition::Alive)]));
}

#[test]
fn a_token_with_another_place_would_be_another_machine_or_none() {
    let cloud = Cloud::new();
    cloud.make(&token(1));
    // Here is why a place is kept: in another zone, EC2 knows nothing of the token.
    let elsewhere = Placement { subnet: SUBNET_B.into(), ..placement() };
    assert_eq!(cloud.launch(&launch(&token(1), elsewhere)).answer.outcome, Outcome::Launched);
    assert_eq!(cloud.ec2.instances().len(), 2);
}

#[test]
fn a_token_for_something_else_is_told_from_one_for_nothing() {
    let mut cloud = Cloud::new();
    cloud.set("subnets", json!([SUBNET_A, SUBNET_C]));
    cloud.make(&token(1));
    let mismatch = |cloud: &Cloud, subnet: &str| {
        let placement = Placement { subnet: subnet.into(), ..placement() };
        let refusal = cloud.launch(&launch(&token(1), placement)).refusal();
        assert!(matches!(refusal, Refusal::Mismatch(_)), "{refusal:?}");
    };
    mismatch(&cloud, SUBNET_C);
    cloud.set("volume", json!(41));
    mismatch(&cloud, SUBNET_A);
    // Also behind an answer that is lost: what was asked for before may be there.
    cloud.ec2.inject(Rule::then("RunInstances", Then::LostRequest));
    mismatch(&cloud, SUBNET_A);
    assert_eq!(cloud.list(), [(token(1), Condition::Alive)]);
}
