//! The parameters of `RunInstances`, held against what EC2 allows, and against what this stand-in holds to be wrong. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::form::{Form, invalid};
use super::instance::MetadataOptions;
use super::refusal::{Refusal, Result};

/// The largest user data, in bytes before their encoding.
const USER_DATA: usize = 16 << 10;

/// Everything that may be in a request. The last ones are refused by name.
const ALLOWED: &[&str] = &[
    "ImageId",
    "InstanceType",
    "MinCount",
    "MaxCount",
    "SubnetId",
    "SecurityGroupId.N",
    "UserData",
    "ClientToken",
    "DryRun",
    "InstanceInitiatedShutdownBehavior",
    "NetworkInterface.N.DeviceIndex",
    "NetworkInterface.N.SubnetId",
    "NetworkInterface.N.AssociatePublicIpAddress",
    "NetworkInterface.N.SecurityGroupId.N",
    "NetworkInterface.N.DeleteOnTermination",
    "MetadataOptions.HttpTokens",
    "MetadataOptions.HttpPutResponseHopLimit",
    "MetadataOptions.HttpEndpoint",
    "MetadataOptions.InstanceMetadataTags",
    "BlockDeviceMapping.N.DeviceName",
    "BlockDeviceMapping.N.Ebs.VolumeSize",
    "BlockDeviceMapping.N.Ebs.VolumeType",
    "BlockDeviceMapping.N.Ebs.DeleteOnTermination",
    "BlockDeviceMapping.N.Ebs.Encrypted",
    "BlockDeviceMapping.N.Ebs.Iops",
    "BlockDeviceMapping.N.Ebs.Throughput",
    "TagSpecification.N.ResourceType",
    "TagSpecification.N.Tag.N.Key",
    "TagSpecification.N.Tag.N.Value",
    "InstanceMarketOptions.MarketType",
    "InstanceMarketOptions.SpotOptions.SpotInstanceType",
    "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior",
    "InstanceMarketOptions.SpotOptions.MaxPrice",
    "KeyName",
    "IamInstanceProfile.Arn",
    "IamInstanceProfile.Name",
];
/// Parts of names that no request of a client of ours has, and why.
const REFUSED: [(&str, &str); 3] = [
    ("IamInstanceProfile.", "a job could use the profile"),
    ("KeyName", "nobody logs in to a machine of a job"),
    ("InstanceMarketOptions.SpotOptions.MaxPrice", "it makes interruptions more frequent"),
];

/// What a request wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub image: String,
    pub kind: String,
    pub subnet: Option<String>,
    pub groups: Vec<String>,
    pub public_address: Option<bool>,
    pub user_data: Vec<u8>,
    pub token: String,
    pub shutdown: String,
    pub metadata: MetadataOptions,
    pub disks: Vec<BTreeMap<String, String>>,
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    pub is_spot: bool,
    pub is_dry: bool,
}

impl Wanted {
    /// Reads a request.
    pub fn read(form: &Form) -> Result<Self> {
        form.only(ALLOWED)?;
        let refused = |(name, _): &(String, String)| REFUSED.into_iter().find(|(start, _)| name.starts_with(start));
        if let Some((name, (_, why))) = form.0.iter().find_map(|pair| Some((&pair.0, refused(pair)?))) {
            return Err(Refusal::unwanted(format!("{name} is not for machines of jobs: {why}")));
        }
        for name in ["MinCount", "MaxCount"] {
            let count = form.need(name)?;
            if count != "1" {
                return Err(Refusal::unwanted(format!(
                    "{name} is {count}: one at a time, so that nothing is done in part"
                )));
            }
        }
        let is_spot = form.word("InstanceMarketOptions.MarketType", &["spot", ""], "")? == "spot";
        let (subnet, groups) = place(form)?;
        Ok(Self {
            image: form.need("ImageId")?.into(),
            kind: form.need("InstanceType")?.into(),
            subnet,
            groups,
            public_address: form.flag("NetworkInterface.1.AssociatePublicIpAddress")?,
            user_data: user_data(form)?,
            token: token(form)?,
            shutdown: form.word("InstanceInitiatedShutdownBehavior", &["stop", "terminate"], "stop")?.into(),
            metadata: metadata(form)?,
            disks: disks(form)?,
            tags: tags(form, is_spot)?,
            is_spot: spot(form, is_spot)?,
            is_dry: form.flag("DryRun")?.unwrap_or_default(),
        })
    }
}

/// Subnet and groups: at the top, or within the interface.
fn place(form: &Form) -> Result<(Option<String>, Vec<String>)> {
    let inside = form.structures("NetworkInterface");
    let list = if inside == 0 { "SecurityGroupId" } else { "NetworkInterface.1.SecurityGroupId" };
    let subnet = if inside == 0 { "SubnetId" } else { "NetworkInterface.1.SubnetId" };
    if inside > 0 {
        if form.has("SubnetId") || form.has("SecurityGroupId.") {
            let text = "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request";
            return Err(Refusal::bad("InvalidParameterCombination", text));
        }
        if inside > 1 || form.need("NetworkInterface.1.DeviceIndex")? != "0" {
            return Err(Refusal::unwanted("a machine of a job has one network interface, whose DeviceIndex is 0"));
        }
    }
    Ok((form.get(subnet).map(Into::into), form.list(list).into_iter().map(Into::into).collect()))
}

fn user_data(form: &Form) -> Result<Vec<u8>> {
    let encoded = form.get("UserData").unwrap_or_default();
    let bytes = STANDARD.decode(encoded);
    let bytes =
        bytes.map_err(|_| Refusal::bad("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
    if bytes.len() > USER_DATA {
        return Err(Refusal::bad("InvalidParameterValue", "User data is limited to 16384 bytes"));
    }
    Ok(bytes)
}

fn token(form: &Form) -> Result<String> {
    let token = form.get("ClientToken").unwrap_or_default();
    let is_good = token.len() <= 64 && token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !is_good || (token.is_empty() && form.has("ClientToken")) {
        return Err(invalid("ClientToken", token));
    }
    Ok(token.into())
}

fn metadata(form: &Form) -> Result<MetadataOptions> {
    let word = |name: &str, words: &[&str], otherwise: &'static str| {
        Ok(form
            .get(&format!("MetadataOptions.{name}"))
            .map_or(Ok(otherwise), |word| if words.contains(&word) { Ok(word) } else { Err(invalid(name, word)) })?
            .to_owned())
    };
    let hops = form.number("MetadataOptions.HttpPutResponseHopLimit")?.unwrap_or(1);
    if !(1..=64).contains(&hops) {
        return Err(invalid("MetadataOptions.HttpPutResponseHopLimit", &hops.to_string()));
    }
    Ok(MetadataOptions {
        http_tokens: word("HttpTokens", &["required", "optional"], "optional")?,
        http_put_response_hop_limit: hops,
        http_endpoint: word("HttpEndpoint", &["enabled", "disabled"], "enabled")?,
        instance_metadata_tags: word("InstanceMetadataTags", &["enabled", "disabled"], "disabled")?,
    })
}

fn disks(form: &Form) -> Result<Vec<BTreeMap<String, String>>> {
    let mut disks = Vec::new();
    for number in 1..=form.structures("BlockDeviceMapping") {
        let prefix = format!("BlockDeviceMapping.{number}.");
        form.need(&format!("{prefix}DeviceName"))?;
        for name in ["VolumeSize", "Iops", "Throughput"] {
            form.number(&format!("{prefix}Ebs.{name}"))?;
        }
        for name in ["DeleteOnTermination", "Encrypted"] {
            form.flag(&format!("{prefix}Ebs.{name}"))?;
        }
        form.word(&format!("{prefix}Ebs.VolumeType"), &["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"], "gp2")?;
        let fields =
            form.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?.into(), value.clone())));
        disks.push(fields.collect());
    }
    Ok(disks)
}

fn tags(form: &Form, is_spot: bool) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut resources = vec!["instance", "volume", "network-interface"];
    resources.extend(is_spot.then_some("spot-instances-request"));
    for number in 1..=form.structures("TagSpecification") {
        let name = format!("TagSpecification.{number}.ResourceType");
        form.need(&name)?;
        let of = form.word(&name, &resources, "")?;
        let prefix = format!("TagSpecification.{number}.Tag");
        let mut tags = BTreeMap::new();
        for tag in 1..=form.structures(&prefix) {
            let key = form.need(&format!("{prefix}.{tag}.Key"))?;
            let value = form.get(&format!("{prefix}.{tag}.Value")).unwrap_or_default();
            if key.chars().count() > 128 || value.chars().count() > 256 || key.starts_with("aws:") {
                return Err(invalid(&prefix, key));
            }
            if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(Refusal::bad("InvalidParameterValue", format!("Duplicate tag key '{key}' specified.")));
            }
        }
        if all.insert(of.into(), tags).is_some() {
            return Err(Refusal::bad("InvalidParameterValue", format!("'{of}' has two tag specifications")));
        }
    }
    Ok(all)
}

/// Whether it is a spot instance, one that is asked for once and goes when it is taken away.
fn spot(form: &Form, is_spot: bool) -> Result<bool> {
    let prefix = "InstanceMarketOptions.SpotOptions.";
    if !is_spot && form.has(prefix) {
        let text = "SpotOptions is only for the market type spot";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    for (name, word) in [("SpotInstanceType", "one-time"), ("InstanceInterruptionBehavior", "terminate")] {
        let said = form.get(&format!("{prefix}{name}")).unwrap_or(word);
        if said != word {
            return Err(Refusal::unwanted(format!("{name} is {said}: nothing of a machine of a job comes back")));
        }
    }
    Ok(is_spot)
}
