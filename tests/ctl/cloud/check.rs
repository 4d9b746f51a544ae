//! What the doctor learns: each fault with the way out, and nothing is made.

use github_runners::contract::cloud::Checked;
use serde_json::json;

use super::harness::Cloud;
use crate::ec2::{IMAGE_ARM, Rule, SUBNET_A, Settings};

/// What was looked at, in one line each.
fn told(all: &[Checked]) -> String {
    let word = |good| match good {
        Some(true) => "good",
        Some(false) => "bad",
        None => "unknown",
    };
    let lines = all.iter().map(|checked| format!("{} {}: {}", checked.what, word(checked.good), checked.words));
    lines.collect::<Vec<_>>().join("\n")
}

/// What is not good, in a cloud that was changed so.
fn faults(change: impl FnOnce(&mut Cloud)) -> String {
    let mut cloud = Cloud::new();
    change(&mut cloud);
    let mut all = cloud.looked();
    assert!(cloud.ec2.instances().is_empty());
    // What was asked for was asked for on trial.
    assert!(cloud.sent("RunInstances").iter().all(|entry| entry.parameters["DryRun"] == "true"));
    all.retain(|checked| checked.good != Some(true));
    told(&all)
}

#[test]
fn where_nothing_is_wrong_all_of_it_is_told() {
    let cloud = Cloud::new();
    insta::assert_snapshot!(told(&cloud.looked()), @r"
    types good: all of them are of x86_64
    subnets good: subnet-0000000000000000a has 250 free addresses
    subnets good: subnet-0000000000000000b has 250 free addresses
    image good: ami-0123456789abcdef0 is available for x86_64
    rights good: spot instances may be made
    rights good: on-demand instances may be made
    quota good: 64 processors of spot instances may run at once (L-34B43A08): 16 machines
    quota good: 64 processors of on-demand instances may run at once (L-1216C47A): 16 machines
    ");
    assert!(cloud.ec2.instances().is_empty());
    // The trial asks for what a machine of both markets would be.
    let markets = cloud.sent("RunInstances").into_iter().map(|entry| {
        assert_eq!((entry.code.as_str(), entry.parameters.contains_key("ClientToken")), ("DryRunOperation", false));
        entry.parameters.contains_key("InstanceMarketOptions.MarketType")
    });
    assert_eq!(markets.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn each_fault_is_told_with_its_way_out() {
    insta::assert_snapshot!(faults(|cloud| cloud.set("image", json!({ "id": IMAGE_ARM }))), @r"
    image bad: image ami-0fedcba9876543210 is not there, is not available, or is none of x86_64: correct `image`, or the `architecture` of the class
    ");
    insta::assert_snapshot!(faults(|cloud| cloud.set("image", json!({ "id": "ami-00000000000000fff" }))), @r"
    image bad: InvalidAMIID.NotFound: The image id '[ami-00000000000000fff]' does not exist: correct `image`, or the `architecture` of the class
    ");
    insta::assert_snapshot!(faults(|cloud| cloud.set("instanceTypes", json!(["c7i.xlarge", "c7i.nothing"]))), @r"
    types bad: InvalidInstanceType: The following supplied instance types do not exist: [c7i.nothing]: correct `types`
    ");
    insta::assert_snapshot!(faults(|cloud| cloud.set("instanceTypes", json!(["c7i.xlarge", "c7g.large"]))), @r"
    types bad: c7g.large does not exist here, or is none of x86_64: correct `types`
    ");
    insta::assert_snapshot!(faults(|cloud| cloud.set("subnets", json!([SUBNET_A, "subnet-00000000000000fff"]))), @r"
    subnets bad: InvalidSubnetID.NotFound: The subnet ID 'subnet-00000000000000fff' does not exist: correct `subnets`
    ");
    insta::assert_snapshot!(
        faults(|cloud| cloud.ec2.set(&Settings { addresses: [(SUBNET_A.to_owned(), 0)].into(), ..Settings::default() })), @r"
    subnets bad: subnet-0000000000000000a has no free address: use a larger one
    ");
}

#[test]
fn rights_that_are_missing_are_told_of_each_market() {
    insta::assert_snapshot!(
        faults(|cloud| cloud.ec2.inject(Rule::refuse("RunInstances", "UnauthorizedOperation").market("spot"))), @r"
    rights bad: UnauthorizedOperation: The stand-in was told to refuse this: correct the credential, or its policy
    ");
    let nothing = faults(|cloud| cloud.ec2.inject(Rule::refuse("", "UnauthorizedOperation").times(9)));
    insta::assert_snapshot!(nothing, @r"
    types bad: UnauthorizedOperation: The stand-in was told to refuse this: correct the credential, or its policy
    subnets bad: UnauthorizedOperation: The stand-in was told to refuse this: correct the credential, or its policy
    image bad: UnauthorizedOperation: The stand-in was told to refuse this: correct the credential, or its policy
    ");
    // A group that is not there shows here.
    insta::assert_snapshot!(faults(|cloud| cloud.set("securityGroups", json!(["sg-00000000000000fff"]))), @r"
    rights bad: InvalidGroup.NotFound: The security group 'sg-00000000000000fff' does not exist: correct the class
    rights bad: InvalidGroup.NotFound: The security group 'sg-00000000000000fff' does not exist: correct the class
    ");
}

#[test]
fn a_quota_that_is_too_small_for_one_machine_is_told_and_one_that_nobody_may_read_is_no_fault() {
    let quota = |code: &str, value| Settings { quotas: [(code.to_owned(), value)].into(), ..Settings::default() };
    insta::assert_snapshot!(faults(|cloud| cloud.ec2.set(&quota("L-34B43A08", 3.0))), @r"
    quota bad: 3 processors of spot instances may run at once (L-34B43A08), and one has 4: have it raised
    ");
    insta::assert_snapshot!(faults(|cloud| cloud.ec2.set(&quota("L-1216C47A", 0.0))), @r"
    quota bad: 0 processors of on-demand instances may run at once (L-1216C47A), and one has 4: have it raised
    ");
    let refused = Settings { quotas_refused: Some(true), ..Settings::default() };
    insta::assert_snapshot!(faults(|cloud| cloud.ec2.set(&refused)), @r"
    quota unknown: this credential may not read the quota L-34B43A08 of spot instances
    quota unknown: this credential may not read the quota L-1216C47A of on-demand instances
    ");
    // A market without candidates needs none.
    let none_of_spot = faults(|cloud| {
        (cloud.manifest["spot"], cloud.manifest["candidates"]) = (json!(0), json!(4));
        cloud.ec2.set(&quota("L-34B43A08", 0.0));
    });
    assert_eq!(none_of_spot, "");
}
