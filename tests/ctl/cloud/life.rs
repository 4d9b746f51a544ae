//! The life of a machine, and what it is made with.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use github_runners::contract::cloud::{Condition, Market, Outcome, Placement, Refusal, Verb};
use github_runners::contract::protocol::Secret;
use serde_json::{Value, json};

use super::harness::{Cloud, HIDDEN, HOST, TAG, USER_DATA, launch, placement, token};
use crate::ec2::{self, IMAGE, SUBNET_A, SUBNET_B};

/// What a machine gets for a request to its metadata service: status and body.
fn asked(address: SocketAddr, request: &str, header: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: metadata\r\nconnection: close\r\n{header}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.into())
}

#[test]
fn a_machine_lives_from_its_place_to_its_end() {
    let cloud = Cloud::new();
    let token = token(1);
    let placed = cloud.place(1);
    assert_eq!(placed, placement());
    assert_eq!(cloud.list(), []);

    let reply = cloud.launch(&launch(&token, placed));
    assert_eq!((reply.answer.outcome, reply.answer.requests), (Outcome::Launched, 1));
    let [instance] = &cloud.ec2.instances()[..] else { panic!("{:?}", cloud.ec2.instances()) };
    assert_eq!((instance.token.as_str(), instance.is_spot), (token.as_str(), true));
    assert_eq!(cloud.list(), [(token.clone(), Condition::Alive)]);

    // The machine is told what it has to know, once.
    let metadata = cloud.ec2.serve_metadata(&instance.id, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let (status, session) =
        asked(metadata.address(), "PUT /latest/api/token", "x-aws-ec2-metadata-token-ttl-seconds: 60");
    assert_eq!(status, 200);
    let user_data = |header: &str| asked(metadata.address(), "GET /latest/user-data", header);
    let shown = format!("x-aws-ec2-metadata-token: {session}");
    assert_eq!(user_data("accept: */*").0, 401, "whoever asks as of old is told nothing");
    assert_eq!(user_data(&shown), (200, USER_DATA.into()));
    assert_eq!(cloud.ask(&Verb::Seal { token: token.clone() }).answer.outcome, Outcome::Done);
    assert_eq!(user_data(&shown).0, 403);

    cloud.ec2.set_console(&instance.id, "login: \u{e9}\n");
    let console = || cloud.ask(&Verb::Console { token: token.clone() }).answer.outcome;
    assert_eq!(console(), Outcome::Console("login: \u{e9}\n".into()));

    assert_eq!(cloud.end(&token).answer.outcome, Outcome::Done);
    assert_eq!(cloud.list(), [(token.clone(), Condition::Over)]);
    // Once more, nothing is left to end or to close, and its last words are still there.
    assert_eq!(cloud.end(&token).answer.outcome, Outcome::Done);
    assert!(matches!(cloud.ask(&Verb::Seal { token: token.clone() }).refusal(), Refusal::Passing(_)));
    assert_eq!(console(), Outcome::Console("login: \u{e9}\n".into()));
    assert_eq!((cloud.ec2.count("TerminateInstances"), cloud.ec2.instances().len()), (1, 1));
}

/// What was sent for the last machine, but for its user data.
fn sent(cloud: &Cloud) -> String {
    let entry = cloud.sent("RunInstances").pop().unwrap();
    let lines: Vec<_> = entry.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.join("\n").replace(HOST, "HOST")
}

#[test]
fn a_machine_has_nothing_worth_stealing_and_leaves_nothing() {
    let cloud = Cloud::new();
    let instance = cloud.make(&token(1));
    let metadata = &instance.metadata;
    assert_eq!((metadata.http_tokens.as_str(), metadata.http_put_response_hop_limit), ("required", 1));
    assert_eq!((metadata.http_endpoint.as_str(), metadata.instance_metadata_tags.as_str()), ("enabled", "disabled"));
    assert_eq!((instance.shutdown.as_str(), instance.public_address), ("terminate", Some(true)));
    let [disk] = &instance.disks[..] else { panic!("{:?}", instance.disks) };
    assert_eq!(
        json!(disk),
        json!({
            "DeviceName": "/dev/sda1", "Ebs.VolumeSize": "40", "Ebs.VolumeType": "gp3", "Ebs.Encrypted": "true",
            "Ebs.DeleteOnTermination": "true",
        })
    );
    let tags = json!({ (TAG): HOST, "Name": "od-1-build.pmu" });
    assert_eq!(json!(instance.tags), json!({ "instance": tags, "volume": tags }));
    // No profile, no key, no price, and nothing that is not here.
    insta::assert_snapshot!(sent(&cloud), @r"
    Action=RunInstances
    BlockDeviceMapping.1.DeviceName=/dev/sda1
    BlockDeviceMapping.1.Ebs.DeleteOnTermination=true
    BlockDeviceMapping.1.Ebs.Encrypted=true
    BlockDeviceMapping.1.Ebs.VolumeSize=40
    BlockDeviceMapping.1.Ebs.VolumeType=gp3
    ClientToken=0000000000000000000000000000000000000000-1
    ImageId=ami-0123456789abcdef0
    InstanceInitiatedShutdownBehavior=terminate
    InstanceMarketOptions.MarketType=spot
    InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=terminate
    InstanceMarketOptions.SpotOptions.SpotInstanceType=one-time
    InstanceType=c7i.xlarge
    MaxCount=1
    MetadataOptions.HttpEndpoint=enabled
    MetadataOptions.HttpPutResponseHopLimit=1
    MetadataOptions.HttpTokens=required
    MetadataOptions.InstanceMetadataTags=disabled
    MinCount=1
    NetworkInterface.1.AssociatePublicIpAddress=true
    NetworkInterface.1.DeleteOnTermination=true
    NetworkInterface.1.DeviceIndex=0
    NetworkInterface.1.SecurityGroupId.1=sg-0123456789abcdef0
    NetworkInterface.1.SubnetId=subnet-0000000000000000a
    TagSpecification.1.ResourceType=instance
    TagSpecification.1.Tag.1.Key=github-runner-on-demand
    TagSpecification.1.Tag.1.Value=HOST
    TagSpecification.1.Tag.2.Key=Name
    TagSpecification.1.Tag.2.Value=od-1-build.pmu
    TagSpecification.2.ResourceType=volume
    TagSpecification.2.Tag.1.Key=github-runner-on-demand
    TagSpecification.2.Tag.1.Value=HOST
    TagSpecification.2.Tag.2.Key=Name
    TagSpecification.2.Tag.2.Value=od-1-build.pmu
    Version=2016-11-15
    ");
}

#[test]
fn a_machine_at_the_list_price_in_a_subnet_that_gives_addresses_has_no_market_and_no_interface_of_its_own() {
    let mut cloud = Cloud::new();
    cloud.set("publicAddress", Value::Null);
    let placement = Placement { market: Market::OnDemand, ..placement() };
    assert_eq!(cloud.launch(&launch(&token(5), placement)).answer.outcome, Outcome::Launched);
    let instance = cloud.ec2.instances().pop().unwrap();
    assert_eq!((instance.is_spot, instance.public_address, instance.subnet.as_str()), (false, None, SUBNET_A));
    assert_eq!(instance.groups, [ec2::GROUP]);
    let sent = sent(&cloud);
    assert!(!sent.contains("InstanceMarketOptions") && !sent.contains("NetworkInterface"), "{sent}");
}

#[test]
fn user_data_arrives_byte_for_byte() {
    let cloud = Cloud::new();
    let strange = format!("\u{0}\t\r\n +&=%*~'\"\\ <x> \u{e9}\u{1f980} {HIDDEN}\u{7f}\n\n");
    let longest = format!("#!/bin/sh\n{}", "x".repeat((16 << 10) - 10));
    for (text, candidate) in [(String::new(), 1), (strange, 2), (longest, 3)] {
        let mut launch = launch(&token(candidate), placement());
        launch.user_data = Secret::new(text.clone());
        assert_eq!(cloud.launch(&launch).answer.outcome, Outcome::Launched);
        assert_eq!(cloud.ec2.instances().pop().unwrap().user_data, text.as_bytes());
    }
}

#[test]
fn a_place_has_the_newest_image_of_its_owner_and_makes_nothing() {
    let mut cloud = Cloud::new();
    cloud.set("image", json!({ "newest": { "owner": "123456789012", "name": "github-runner-x86_64-*" } }));
    assert_eq!(cloud.place(1).image.id, IMAGE);
    // An older one that was looked up is taken without a look, and without a credential that works.
    let mut image = placement().image;
    image.id = "ami-00000000000000001".into();
    cloud.ec2.with(|state| state.keys.clear());
    let reply = cloud.ask(&Verb::Place { token: token(2), image: Some(image.clone()) });
    let wanted = Placement { subnet: SUBNET_B.into(), image, ..placement() };
    assert_eq!((reply.answer.outcome, reply.answer.requests), (Outcome::Placed(wanted), 0));
    assert_eq!((cloud.ec2.instances().len(), cloud.ec2.count("DescribeImages"), cloud.ec2.log().len()), (0, 1, 1));
}

#[test]
fn an_image_of_somebody_else_or_of_another_architecture_is_none() {
    let mut cloud = Cloud::new();
    let name = "github-runner-*";
    for (owner, architecture, found) in
        [("123456789012", "x86_64", true), ("999999999999", "x86_64", false), ("123456789012", "riscv64", false)]
    {
        cloud.set("image", json!({ "newest": { "owner": owner, "name": name } }));
        cloud.set("architecture", json!(architecture));
        let answer = cloud.ask(&Verb::Place { token: token(1), image: None }).answer;
        match answer.outcome {
            Outcome::Placed(placement) if found => assert_eq!(placement.image.id, IMAGE),
            Outcome::Refused(Refusal::Configuration(why)) if !found => assert!(why.contains(owner), "{why}"),
            other => panic!("{owner} {architecture}: {other:?}"),
        }
    }
}
