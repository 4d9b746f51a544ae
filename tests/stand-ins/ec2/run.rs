//! `RunInstances`: whether it can be done, whether it was done before, and doing it.

use std::time::Instant;

use super::form::{Form, invalid};
use super::instance::{Condition, Instance};
use super::refusal::{Refusal, Result};
use super::state::{Event, State};
use super::wanted::Wanted;
use super::world::{ACCOUNT, Image, Subnet};
use super::xml::{list, text};

/// Starts an instance, or finds the one that its token has started. `later` is why it goes away again at once, if it does.
pub fn run(state: &mut State, form: &Form, later: Option<&str>) -> Result<String> {
    let wanted = Wanted::read(form)?;
    let subnet = subnet(state, &wanted)?.clone();
    let image = image(state, &wanted)?.clone();
    fits(state, &wanted, &image, &subnet)?;
    if wanted.is_dry {
        let text = "Request would have succeeded, but DryRun flag is set.";
        return Err(Refusal::new(412, "DryRunOperation", text));
    }
    // With a subnet a token counts within its zone, otherwise in the region.
    let zone = if wanted.subnet.is_some() { subnet.zone.clone() } else { String::new() };
    let key = (zone, wanted.token.clone());
    if let Some((before, id)) = state.tokens.get(&key) {
        return repeated(state, form, before, id);
    }
    if subnet.free == 0 {
        let text = format!("There are not enough free addresses in subnet '{}' to satisfy the request", subnet.id);
        return Err(Refusal::bad("InsufficientFreeAddressesInSubnet", text));
    }
    let instance = make(state, wanted, image.architecture, subnet);
    let (id, told) = (instance.id.clone(), told(&instance));
    if !key.1.is_empty() {
        state.tokens.insert(key, (form.clone(), id.clone()));
    }
    for known in &mut state.subnets {
        known.free -= u32::from(known.id == instance.subnet);
    }
    state.instances.push(instance);
    match later {
        Some(code) => state.has_failed(&id, code, "The stand-in was told to take it away at once"),
        None => state.tell(Event::Launched(id)),
    }
    Ok(told)
}

fn repeated(state: &State, form: &Form, before: &Form, id: &str) -> Result<String> {
    if form != before {
        let text = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
        return Err(Refusal::bad("IdempotentParameterMismatch", text));
    }
    match state.instance(id) {
        Some(instance) if !instance.is_over() => Ok(told(instance)),
        _ => {
            let text = format!("The instance '{id}' associated with the client token is terminated");
            Err(Refusal::bad("IdempotentInstanceTerminated", text))
        }
    }
}

fn subnet<'a>(state: &'a State, wanted: &Wanted) -> Result<&'a Subnet> {
    match &wanted.subnet {
        Some(id) => state
            .subnet(id)
            .ok_or_else(|| Refusal::bad("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))),
        None => state
            .subnets
            .iter()
            .find(|subnet| subnet.is_default)
            .ok_or_else(|| Refusal::bad("VPCIdNotSpecified", "No default VPC for this user. Specify a subnet.")),
    }
}

fn image<'a>(state: &'a State, wanted: &Wanted) -> Result<&'a Image> {
    let id = &wanted.image;
    let image = super::catalog::image(state, id)?;
    if image.state != "available" {
        return Err(Refusal::bad("InvalidAMIID.Unavailable", format!("The image ID '{id}' is not available")));
    }
    Ok(image)
}

/// Whether the parts of what is wanted fit each other.
fn fits(state: &State, wanted: &Wanted, image: &Image, subnet: &Subnet) -> Result<()> {
    let kind = state.kind(&wanted.kind).ok_or_else(|| invalid("InstanceType", &wanted.kind))?;
    if kind.architecture != image.architecture {
        let text = format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI.",
            kind.architecture, image.architecture
        );
        return Err(Refusal::bad("UnsupportedOperation", text));
    }
    if kind.absent_in.contains(&subnet.zone) {
        let text = format!("Your requested instance type ({}) is not supported in {}.", kind.name, subnet.zone);
        return Err(Refusal::bad("Unsupported", text));
    }
    if let Some(group) = wanted.groups.iter().find(|group| !state.groups.contains(group)) {
        return Err(Refusal::bad("InvalidGroup.NotFound", format!("The security group '{group}' does not exist")));
    }
    for disk in &wanted.disks {
        let name = &disk["DeviceName"];
        if *name != image.root_device {
            let text = format!("{name} is not the root device {}: it would be a second disk", image.root_device);
            return Err(Refusal::unwanted(text));
        }
        let size: u64 = disk.get("Ebs.VolumeSize").and_then(|size| size.parse().ok()).unwrap_or(image.size);
        if size < image.size {
            let text = format!("Volume of size {size}GB is smaller than snapshot, expect size >= {}GB", image.size);
            return Err(Refusal::bad("InvalidBlockDeviceMapping", text));
        }
    }
    Ok(())
}

fn make(state: &State, wanted: Wanted, architecture: &'static str, subnet: Subnet) -> Instance {
    let now = Instant::now();
    Instance {
        // Never the same again, and not one that follows from the number alone.
        id: format!("i-0{}", &super::shared::sha256(format!("instance {}", state.instances.len()))[..16]),
        token: wanted.token,
        condition: Condition::Pending,
        since: now,
        looks: 0,
        launched: now,
        launch_time: state.now(),
        age: 0,
        reason: None,
        image: wanted.image,
        kind: wanted.kind,
        architecture,
        subnet: subnet.id,
        zone: subnet.zone,
        groups: wanted.groups,
        public_address: wanted.public_address,
        is_spot: wanted.is_spot,
        shutdown: wanted.shutdown,
        metadata: wanted.metadata,
        disks: wanted.disks,
        tags: wanted.tags,
        user_data: wanted.user_data,
        console: String::new(),
        console_file: None,
    }
}

fn told(instance: &Instance) -> String {
    let reservation = instance.id.replace("i-", "r-");
    let items = list("instancesSet", [instance.xml()]);
    text("reservationId", reservation) + &text("ownerId", ACCOUNT) + "<groupSet/>" + &items
}
