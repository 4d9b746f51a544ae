//! Making an instance: one, of one placement, under one token, so that the same request makes no second one. Pure.
//!
//! It has no profile and no key, tells its user data once and only to whoever asks for a token first, and is gone with its disks when
//! it powers off.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::answer::{self, Element};
use super::form::Form;
use crate::contract::cloud::{Launch, Market, Placement, Refusal};

/// The tag of every instance of this program, whose value is its host. The only one that filters go by.
pub const TAG: &str = "github-runner-on-demand";
/// What EC2 takes as user data, in bytes before their encoding.
pub const MOST_USER_DATA: usize = 16 << 10;

/// What instances of a class have in common.
#[derive(Clone, Debug)]
pub struct Shape<'a> {
    /// What tells this host from all others.
    pub host: &'a str,
    /// Security groups.
    pub groups: &'a [String],
    /// Whether it gets a public address; `None` leaves that to the subnet.
    pub public_address: Option<bool>,
    /// Gibibytes of its root disk.
    pub volume: u32,
}

/// The request for an instance.
#[must_use]
pub fn run(launch: &Launch, shape: &Shape<'_>) -> Form {
    let form = placed(&launch.placement, shape)
        .with("ClientToken", &launch.token)
        .with("UserData", &BASE64_STANDARD.encode(launch.user_data.expose()));
    tagged(form, shape.host, &launch.name)
}

/// The question whether such an instance might be made. Nothing is.
#[must_use]
pub fn might_run(placement: &Placement, shape: &Shape<'_>) -> Form {
    tagged(placed(placement, shape), shape.host, "nothing").with("DryRun", "true")
}

/// Whether an answer to [`run`] says that there is an instance.
///
/// # Errors
///
/// [`Refusal::Passing`]: it is the answer of somebody else.
pub fn is_made(body: &[u8]) -> Result<(), Refusal> {
    let read = || -> Result<(), String> {
        let document = answer::parse(body)?;
        let made = Element(document.root_element()).need("instancesSet")?.need("item")?;
        answer::id(made.text("instanceId")?, "i").map(drop)
    };
    read().map_err(Refusal::Passing)
}

fn placed(placement: &Placement, shape: &Shape<'_>) -> Form {
    let Placement { market, instance_type, subnet, image } = placement;
    let groups = || shape.groups.iter().map(String::as_str);
    let mut form = Form::of("RunInstances")
        .with("ImageId", &image.id)
        .with("InstanceType", instance_type)
        .with("MinCount", "1")
        .with("MaxCount", "1")
        // By default it stays, with its disk and its cost.
        .with("InstanceInitiatedShutdownBehavior", "terminate")
        .with("MetadataOptions.HttpEndpoint", "enabled")
        .with("MetadataOptions.HttpTokens", "required")
        .with("MetadataOptions.HttpPutResponseHopLimit", "1")
        .with("MetadataOptions.InstanceMetadataTags", "disabled")
        .with("BlockDeviceMapping.1.DeviceName", &image.root_device)
        .with("BlockDeviceMapping.1.Ebs.VolumeSize", &shape.volume.to_string())
        .with("BlockDeviceMapping.1.Ebs.VolumeType", "gp3")
        .with("BlockDeviceMapping.1.Ebs.Encrypted", "true")
        .with("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true");
    for (device, at) in image.other_devices.iter().zip(2..) {
        form = form
            .with(&format!("BlockDeviceMapping.{at}.DeviceName"), device)
            .with(&format!("BlockDeviceMapping.{at}.Ebs.DeleteOnTermination"), "true");
    }
    form = match shape.public_address {
        None => form.with("SubnetId", subnet).with_list("SecurityGroupId", groups()),
        // With an interface of its own, all of the network stands there.
        Some(is_public) => form
            .with("NetworkInterface.1.DeviceIndex", "0")
            .with("NetworkInterface.1.DeleteOnTermination", "true")
            .with("NetworkInterface.1.AssociatePublicIpAddress", if is_public { "true" } else { "false" })
            .with("NetworkInterface.1.SubnetId", subnet)
            .with_list("NetworkInterface.1.SecurityGroupId", groups()),
    };
    match market {
        Market::OnDemand => form,
        // Without a price of our own: that would only have it interrupted more often.
        Market::Spot => form
            .with("InstanceMarketOptions.MarketType", "spot")
            .with("InstanceMarketOptions.SpotOptions.SpotInstanceType", "one-time")
            .with("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "terminate"),
    }
}

/// The instance and its disks say whose they are.
fn tagged(mut form: Form, host: &str, name: &str) -> Form {
    for (at, kind) in [(1, "instance"), (2, "volume")] {
        form = form.with(&format!("TagSpecification.{at}.ResourceType"), kind);
        for (tag, (key, value)) in [(TAG, host), ("Name", name)].iter().enumerate() {
            let place = format!("TagSpecification.{at}.Tag.{}", tag + 1);
            form = form.with(&format!("{place}.Key"), key).with(&format!("{place}.Value"), value);
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::cloud::Image;
    use crate::contract::protocol::Secret;

    fn launch(market: Market) -> Launch {
        Launch {
            token: format!("{}-1", "0".repeat(40)),
            name: "od-1-build.pmu".into(),
            placement: Placement {
                market,
                instance_type: "c7i.xlarge".into(),
                subnet: "subnet-0000000000000000a".into(),
                image: Image {
                    id: "ami-00000000000000001".into(),
                    root_device: "/dev/sda1".into(),
                    other_devices: vec!["/dev/sdb".into()],
                },
            },
            user_data: Secret::new("#!/bin/sh\n".into()),
        }
    }

    fn shape(public_address: Option<bool>, groups: &[String]) -> Shape<'_> {
        Shape { host: "0123", groups, public_address, volume: 40 }
    }

    #[test]
    fn an_instance_has_nothing_worth_stealing_and_is_gone_when_it_powers_off() {
        let groups = ["sg-00000000000000001".to_owned()];
        let body = run(&launch(Market::Spot), &shape(None, &groups)).body().replace('&', "\n");
        insta::assert_snapshot!(body, @r"
        Action=RunInstances
        Version=2016-11-15
        ImageId=ami-00000000000000001
        InstanceType=c7i.xlarge
        MinCount=1
        MaxCount=1
        InstanceInitiatedShutdownBehavior=terminate
        MetadataOptions.HttpEndpoint=enabled
        MetadataOptions.HttpTokens=required
        MetadataOptions.HttpPutResponseHopLimit=1
        MetadataOptions.InstanceMetadataTags=disabled
        BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsda1
        BlockDeviceMapping.1.Ebs.VolumeSize=40
        BlockDeviceMapping.1.Ebs.VolumeType=gp3
        BlockDeviceMapping.1.Ebs.Encrypted=true
        BlockDeviceMapping.1.Ebs.DeleteOnTermination=true
        BlockDeviceMapping.2.DeviceName=%2Fdev%2Fsdb
        BlockDeviceMapping.2.Ebs.DeleteOnTermination=true
        SubnetId=subnet-0000000000000000a
        SecurityGroupId.1=sg-00000000000000001
        InstanceMarketOptions.MarketType=spot
        InstanceMarketOptions.SpotOptions.SpotInstanceType=one-time
        InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=terminate
        ClientToken=0000000000000000000000000000000000000000-1
        UserData=IyEvYmluL3NoCg%3D%3D
        TagSpecification.1.ResourceType=instance
        TagSpecification.1.Tag.1.Key=github-runner-on-demand
        TagSpecification.1.Tag.1.Value=0123
        TagSpecification.1.Tag.2.Key=Name
        TagSpecification.1.Tag.2.Value=od-1-build.pmu
        TagSpecification.2.ResourceType=volume
        TagSpecification.2.Tag.1.Key=github-runner-on-demand
        TagSpecification.2.Tag.1.Value=0123
        TagSpecification.2.Tag.2.Key=Name
        TagSpecification.2.Tag.2.Value=od-1-build.pmu
        ");
        for never in ["IamInstanceProfile", "KeyName"] {
            assert!(!body.contains(never));
        }
    }

    #[test]
    fn whoever_says_what_address_it_has_says_all_of_the_network_there() {
        let groups = ["sg-00000000000000001".to_owned()];
        for (public, word) in [(true, "true"), (false, "false")] {
            let body = run(&launch(Market::OnDemand), &shape(Some(public), &groups)).body().to_owned();
            assert!(body.contains(&format!("AssociatePublicIpAddress={word}&NetworkInterface.1.SubnetId=subnet-")));
            assert!(!body.contains("&SubnetId=") && !body.contains("&SecurityGroupId") && !body.contains("Market"));
        }
    }
}
