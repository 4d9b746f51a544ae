//! What can be had: `DescribeImages`, `DescribeSubnets`, `DescribeInstanceTypes`.

use super::change::dry;
use super::filters::{self, COMMON, Filter};
use super::form::Form;
use super::refusal::{Refusal, Result};
use super::state::State;
use super::world::{ACCOUNT, Image, Kind, Subnet, VPC};
use super::xml::{list, tag, text};

/// An image by its id.
pub fn image<'a>(state: &'a State, id: &str) -> Result<&'a Image> {
    let digits = id.strip_prefix("ami-").unwrap_or_default();
    if ![8, 17].contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::bad("InvalidAMIID.Malformed", format!("Invalid id: \"{id}\"")));
    }
    state
        .image(id)
        .ok_or_else(|| Refusal::bad("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")))
}

/// `DescribeImages`.
pub fn images(state: &mut State, form: &Form) -> Result<String> {
    form.only(&[&["ImageId.N", "Owner.N", "IncludeDeprecated", "IncludeDisabled"], COMMON.as_slice()].concat())?;
    let (ids, owners) = (form.list("ImageId"), form.list("Owner"));
    for id in &ids {
        image(state, id)?;
    }
    let is_owned = |image: &&Image| {
        owners.is_empty()
            || owners.iter().any(|owner| *owner == image.owner || (*owner == "self" && image.owner == ACCOUNT))
    };
    let wanted =
        state.images.iter().filter(|image| ids.is_empty() || ids.contains(&image.id.as_str())).filter(is_owned);
    let known = ["name", "architecture", "state", "virtualization-type", "root-device-type", "image-id"];
    let items = fitting(form, &known, wanted, |image, name| match name {
        "name" => image.name.clone(),
        "architecture" => image.architecture.into(),
        "state" => image.state.into(),
        "virtualization-type" => "hvm".into(),
        "root-device-type" => "ebs".into(),
        _ => image.id.clone(),
    })?;
    let items = items.into_iter().map(told_image).collect();
    page(state, form, "DescribeImages", "imagesSet", items)
}

fn told_image(image: &Image) -> String {
    let disk = text("deviceName", &image.root_device)
        + &tag("ebs", &(text("volumeSize", image.size) + &text("deleteOnTermination", true)));
    let parts = [
        text("imageId", &image.id),
        text("imageLocation", format!("{}/{}", image.owner, image.name)),
        text("imageState", image.state),
        text("imageOwnerId", &image.owner),
        text("creationDate", &image.created),
        text("isPublic", false),
        text("architecture", image.architecture),
        text("imageType", "machine"),
        text("name", &image.name),
        text("rootDeviceType", "ebs"),
        text("rootDeviceName", &image.root_device),
        list("blockDeviceMapping", [disk]),
        text("virtualizationType", "hvm"),
        text("hypervisor", "xen"),
    ];
    parts.concat()
}

/// `DescribeSubnets`.
pub fn subnets(state: &mut State, form: &Form) -> Result<String> {
    form.only(&[&["SubnetId.N"], COMMON.as_slice()].concat())?;
    let ids = form.list("SubnetId");
    if let Some(id) = ids.iter().find(|id| state.subnet(id).is_none()) {
        return Err(Refusal::bad("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist")));
    }
    let wanted = state.subnets.iter().filter(|subnet| ids.is_empty() || ids.contains(&subnet.id.as_str()));
    let items = fitting(form, &["subnet-id", "availability-zone"], wanted, |subnet, name| match name {
        "subnet-id" => subnet.id.clone(),
        _ => subnet.zone.clone(),
    })?;
    let items = items.into_iter().map(told_subnet).collect();
    page(state, form, "DescribeSubnets", "subnetSet", items)
}

fn told_subnet(subnet: &Subnet) -> String {
    text("subnetId", &subnet.id)
        + &text("state", "available")
        + &text("vpcId", VPC)
        + &text("availableIpAddressCount", subnet.free)
        + &text("availabilityZone", &subnet.zone)
        + &text("defaultForAz", subnet.is_default)
        + &text("ownerId", ACCOUNT)
}

/// `DescribeInstanceTypes`.
pub fn kinds(state: &mut State, form: &Form) -> Result<String> {
    form.only(&[&["InstanceType.N"], COMMON.as_slice()].concat())?;
    let names = form.list("InstanceType");
    let unknown: Vec<&str> = names.iter().copied().filter(|name| state.kind(name).is_none()).collect();
    if !unknown.is_empty() {
        let text = format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
        return Err(Refusal::bad("InvalidInstanceType", text));
    }
    let wanted = state.kinds.iter().filter(|kind| names.is_empty() || names.contains(&kind.name.as_str()));
    let known = ["instance-type", "processor-info.supported-architecture"];
    let items = fitting(form, &known, wanted, |kind, name| match name {
        "instance-type" => kind.name.clone(),
        _ => kind.architecture.into(),
    })?;
    let items = items.into_iter().map(told_kind).collect();
    page(state, form, "DescribeInstanceTypes", "instanceTypeSet", items)
}

fn told_kind(kind: &Kind) -> String {
    text("instanceType", &kind.name)
        + &text("currentGeneration", true)
        + &list("supportedUsageClasses", ["on-demand", "spot"].map(String::from))
        + &tag("processorInfo", &list("supportedArchitectures", [kind.architecture.to_owned()]))
        + &tag("vCpuInfo", &text("defaultVCpus", kind.cpus))
        + &tag("memoryInfo", &text("sizeInMiB", kind.memory))
}

/// Those that fit the filters, of which only these are known.
fn fitting<'a, T>(
    form: &Form,
    known: &[&str],
    items: impl Iterator<Item = &'a T>,
    value: impl Fn(&T, &str) -> String,
) -> Result<Vec<&'a T>> {
    let filters: Vec<Filter> = filters::read(form)?;
    dry(form)?;
    filters::fit(&filters, |name| known.contains(&name).then(Vec::new))?;
    let mut fitting = Vec::new();
    for item in items {
        if filters::fit(&filters, |name| Some(vec![value(item, name)]))? {
            fitting.push(item);
        }
    }
    Ok(fitting)
}

fn page(state: &mut State, form: &Form, action: &str, name: &str, items: Vec<String>) -> Result<String> {
    let page = match filters::further(state, form, action) {
        Some(page) => page,
        None => filters::first(state, form, action, items),
    };
    page.map(|(items, next)| list(name, items) + &next)
}
