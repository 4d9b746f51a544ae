//! What a refusal of EC2 means, so that the desk goes on with the right candidate, or stops.

use github_runners::contract::cloud::{Condition, Market, Outcome, Placement, Refusal};
use serde_json::json;

use super::harness::{Cloud, keys, launch, placement, token};
use crate::ec2::{ACCESS_KEY, IMAGE_ARM, Rule, SECRET_KEY, SUBNET_A, SUBNET_B, Settings};

/// A refusal by its kind and the first word of its text.
fn told(refusal: &Refusal) -> String {
    let json = json!(refusal);
    let code = json["why"].as_str().unwrap().split(':').next().unwrap();
    format!("{} {code}", json["kind"].as_str().unwrap())
}

#[test]
fn spot_that_one_zone_has_no_room_for_is_had_in_the_next_or_at_the_list_price() {
    let cloud = Cloud::new();
    let nothing = Rule::refuse("RunInstances", "InsufficientInstanceCapacity").market("spot").subnet(SUBNET_A);
    cloud.ec2.inject(nothing.times(9));
    let reply = cloud.launch(&launch(&token(1), cloud.place(1)));
    assert_eq!(reply.answer.requests, 1, "the status is that of a fault which another attempt could mend");
    assert_eq!(told(&reply.refusal()), "noRoom InsufficientInstanceCapacity");
    assert_eq!(cloud.ec2.instances().len(), 0);

    assert_eq!(cloud.launch(&launch(&token(2), cloud.place(2))).answer.outcome, Outcome::Launched);
    assert_eq!(cloud.launch(&launch(&token(5), cloud.place(5))).answer.outcome, Outcome::Launched);
    let made = cloud.ec2.instances();
    let made: Vec<_> = made.iter().map(|instance| (instance.is_spot, instance.subnet.as_str())).collect();
    assert_eq!(made, [(true, SUBNET_B), (false, SUBNET_A)]);
    assert_eq!(cloud.list(), [(token(2), Condition::Alive), (token(5), Condition::Alive)]);
}

#[test]
fn each_limit_is_told_from_the_others_at_once() {
    let cloud = Cloud::new();
    for (code, wanted) in [
        ("MaxSpotInstanceCountExceeded", "noSpot"),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "noSpot"),
        ("VcpuLimitExceeded", "quota"),
        ("InstanceLimitExceeded", "quota"),
        ("UnfulfillableCapacity", "noRoom"),
        ("UnauthorizedOperation", "credential"),
        ("OptInRequired", "credential"),
        ("InvalidParameterValue", "configuration"),
    ] {
        cloud.ec2.inject(Rule::refuse("RunInstances", code));
        let reply = cloud.launch(&launch(&token(1), placement()));
        assert_eq!(reply.answer.requests, 1, "{code}");
        assert_eq!(told(&reply.refusal()), format!("{wanted} {code}"));
    }
    assert_eq!(cloud.ec2.instances().len(), 0);
    cloud.make(&token(1));
}

#[test]
fn a_zone_without_the_type_and_a_subnet_without_an_address_have_no_room() {
    let cloud = Cloud::new();
    cloud.ec2.with(|state| {
        let kind = state.kinds.iter_mut().find(|kind| kind.name == "m7i.large").unwrap();
        kind.absent_in = vec!["eu-central-1b".into()];
    });
    cloud.ec2.set(&Settings { addresses: [(SUBNET_A.to_owned(), 0)].into(), ..Settings::default() });
    let refused = |candidate| told(&cloud.launch(&launch(&token(candidate), cloud.place(candidate))).refusal());
    assert_eq!(refused(4), "noRoom Unsupported");
    assert_eq!(refused(1), "noRoom InsufficientFreeAddressesInSubnet");
    assert_eq!(cloud.launch(&launch(&token(2), cloud.place(2))).answer.outcome, Outcome::Launched);
}

#[test]
fn what_does_not_exist_is_a_fault_of_the_configuration() {
    let unknown = "subnet-00000000000000fff";
    let with_image = |id: &str| {
        let mut placement = placement();
        placement.image.id = id.into();
        placement
    };
    for (field, value, placement, code) in [
        ("subnets", json!([unknown]), Placement { subnet: unknown.into(), ..placement() }, "InvalidSubnetID.NotFound"),
        ("securityGroups", json!(["sg-00000000000000fff"]), placement(), "InvalidGroup.NotFound"),
        ("volume", json!(40), with_image("ami-00000000000000fff"), "InvalidAMIID.NotFound"),
        ("volume", json!(40), with_image(IMAGE_ARM), "UnsupportedOperation"),
        ("volume", json!(1), placement(), "InvalidBlockDeviceMapping"),
    ] {
        let mut cloud = Cloud::new();
        // The rest of it contradicts nothing.
        (cloud.manifest["spot"], cloud.manifest["candidates"]) = (json!(1), json!(2));
        cloud.set(field, value);
        let refusal = cloud.launch(&launch(&token(1), placement)).refusal();
        assert_eq!(told(&refusal), format!("configuration {code}"));
        assert_eq!(cloud.ec2.instances().len(), 0);
    }
}

#[test]
fn there_are_no_more_candidates_than_configured() {
    let cloud = Cloud::new();
    assert_eq!(cloud.place(8).market, Market::OnDemand);
    for token in [token(9), token(0), "no token".into(), String::new(), format!("{}-1", "z".repeat(40))] {
        let verb = github_runners::contract::cloud::Verb::Place { token, image: Some(placement().image) };
        let reply = cloud.ask(&verb);
        assert_eq!(reply.refusal(), Refusal::Configuration("there is no such candidate".into()));
    }
}

#[test]
fn whoever_is_not_believed_is_told_so_and_asks_once() {
    let (good, other) = (SECRET_KEY, "fakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE");
    for (access, secret, region, offset, code) in [
        (ACCESS_KEY, other, "eu-central-1", 0, "SignatureDoesNotMatch"),
        ("AKIDOTHER", good, "eu-central-1", 0, "InvalidClientTokenId"),
        (ACCESS_KEY, good, "eu-west-1", 0, "AuthFailure"),
        (ACCESS_KEY, good, "eu-central-1", 1_200, "RequestExpired"),
        (ACCESS_KEY, good, "eu-central-1", -1_200, "RequestExpired"),
    ] {
        let mut cloud = Cloud::new();
        cloud.credential = Some(keys(access, secret, None));
        cloud.set("region", json!(region));
        cloud.ec2.set(&Settings { clock_offset: Some(offset), ..Settings::default() });
        let reply = cloud.launch(&launch(&token(1), placement()));
        assert_eq!((reply.answer.requests, cloud.ec2.instances().len()), (1, 0));
        assert!(!reply.journal.contains(secret) && !reply.journal.contains(access), "{}", reply.journal);
        assert_eq!(told(&reply.refusal()), format!("credential {code}"));
    }
    // A clock that is off by less does no harm.
    let cloud = Cloud::new();
    cloud.ec2.set(&Settings { clock_offset: Some(600), ..Settings::default() });
    cloud.make(&token(1));
}
