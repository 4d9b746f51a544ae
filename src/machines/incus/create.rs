//! Making an instance.
//!
//! Everything that could be wrong is looked at before anything is made. What is made carries a mark of this call, so that
//! after a lost answer it is known whether it was made, and after a failure that what is taken away is that and nothing else.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::connection::Owner;
use super::delete;
use super::instance::{Found, can_be_named, look_inside, not_ours};
use super::operation::End;
use super::power::reach;
use super::server::{Failure, Server};
use super::sight::sight;
use super::specification::{Instance, Kind, Specification, Status};
use super::times::Times;
use super::wire::{About, told};
use super::{image, profile};
use crate::http::{Call, Effect};
use crate::machines::Fault;

/// Makes an instance and waits until it runs, and for an address if it gets one soon.
pub fn run(server: &Server, owner: &Owner, specification: &Specification) -> Result<Instance, Fault> {
    let name = specification.name.as_str();
    let pool =
        owner.pool.as_deref().ok_or_else(|| Fault::Configuration("No pool was named for the instance".into()))?;
    if !can_be_named(name) {
        return Err(Fault::Configuration(format!(
            "An instance cannot be named {}: letters, digits and dashes can be used, at most 63",
            crate::model::shown(name)
        )));
    }
    let about = server.about()?;
    let devices = profile::devices(&profile::all(server)?, specification, server.project())?;
    let source = image::source(server, &specification.image, specification.kind, &specification.architecture)?;
    make_room(server, owner, pool, name)?;
    let mark = mark();
    let config = config(&about, owner, pool, &mark, specification);
    let body = json!({
        "name": name,
        "type": specification.kind.word(),
        "architecture": specification.architecture,
        "profiles": profile::names(specification),
        "description": specification.description,
        "ephemeral": false,
        "source": source,
        "config": config,
        "devices": devices,
        // Servers that do not know it ignore it.
        "start": true,
    });
    let target: Vec<(&str, &str)> = specification.target.iter().map(|target| ("target", target.as_str())).collect();
    let call = Call::post(server.path_with(&["instances"], &target), body, Effect::Once);
    make(server, name, &mark, &call).map_err(|fault| take_back(server, name, &mark, fault))
}

/// Sees to it that nothing has the name. Half-made ones of the same pool are taken away: their guests have older tokens.
fn make_room(server: &Server, owner: &Owner, pool: &str, name: &str) -> Result<(), Fault> {
    let Some(found) = sight(server, name, Duration::ZERO, Instant::now() + server.times.end)? else { return Ok(()) };
    let taken =
        |why: &str| Err(Fault::Duplicate(format!("Instance {name} exists already: {why}. Nothing was done to it")));
    if !found.is_told() {
        return Err(Fault::Unavailable(not_ours(&found)));
    }
    if !found.is_of(&owner.controller) {
        return taken("it does not carry the tag of this controller (user.runner-controller-id)");
    }
    if !found.is_in(pool) {
        return taken("it belongs to another pool (user.runner-pool-id)");
    }
    match found.status() {
        Status::Stopped | Status::Error => {
            delete::end(server, name, Duration::ZERO, |found| found.is_of(&owner.controller) && found.is_in(pool))
        }
        Status::Running | Status::Unknown => taken("it runs, or is about to"),
    }
}

/// Keys of the configuration, those of the profiles besides.
fn config(
    about: &About,
    owner: &Owner,
    pool: &str,
    mark: &str,
    specification: &Specification,
) -> BTreeMap<&'static str, Value> {
    let Specification { user_data, os_type, os_arch, limits, .. } = specification;
    let mut config: BTreeMap<&'static str, Value> = BTreeMap::from([
        ("user.user-data", json!(user_data)),
        ("user.os-type", json!(os_type)),
        ("user.os-arch", json!(os_arch)),
        ("user.runner-controller-id", json!(owner.controller)),
        ("user.runner-pool-id", json!(pool)),
        ("user.runner-create-id", json!(mark)),
    ]);
    if specification.kind == Kind::VirtualMachine {
        // Of these two a server knows one and refuses the other.
        if about.api_extensions.iter().any(|known| known == "instance_boot_mode") {
            let mode = if specification.secure_boot { "uefi-secureboot" } else { "uefi-nosecureboot" };
            config.insert("boot.mode", json!(mode));
        } else {
            config.insert("security.secureboot", json!(specification.secure_boot.to_string()));
        }
    }
    let limits = [("limits.cpu", &limits.cpu), ("limits.memory", &limits.memory)];
    config.extend(limits.into_iter().filter_map(|(key, value)| Some((key, json!(value.as_ref()?)))));
    config
}

/// Names this call. Nobody has to be kept from guessing it: it only has to be another one each time.
fn mark() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Has the instance made, and waits until it runs.
fn make(server: &Server, name: &str, mark: &str, call: &Call) -> Result<Instance, Fault> {
    let what = format!("create instance {name}");
    let deadline = Instant::now() + server.times.create;
    let doubt = match server.change(call, server.times.accept) {
        Ok(Some(operation)) => match server.wait(&operation, deadline) {
            End::Done => None,
            End::Failed(why) => return Err(Fault::Other(format!("Failed to {what}: the server says: {}", told(&why)))),
            End::Unknown(why) => {
                Some(Fault::Other(format!("Failed to {what}: nothing is there of it: {}", told(&why))))
            }
        },
        Ok(None) => None,
        Err(Failure::Refused(refusal)) => return Err(server.fault(&what, Failure::Refused(refusal))),
        // It may be on its way still.
        Err(lost) => Some(server.fault(&what, lost)),
    };
    let until = if doubt.is_none() { Instant::now() + server.times.power } else { deadline };
    if let Some(fault) = doubt {
        sight(server, name, server.times.lost, deadline)?.ok_or(fault)?;
    }
    // Started already by a server that can do both at once.
    let found = reach(server, name, Status::Running, until, |found| found.is_marked(mark))?;
    Ok(with_address(server, found, mark)?.told())
}

/// Waits for an address, of either kind. Networks without any are somebody's wish, and a server that does not answer now has
/// said already that the instance runs.
fn with_address(server: &Server, started: Found, mark: &str) -> Result<Found, Fault> {
    let deadline = Instant::now() + server.times.address;
    let mut pause = server.times.pause;
    let mut newest = started;
    loop {
        match look_inside(server, &newest.name, deadline) {
            Ok(Some(found)) if found.is_marked(mark) => newest = found,
            Ok(Some(found)) if !found.is_told() => {}
            Ok(_) => return Err(Fault::Other(format!("Instance {} vanished while it started", newest.name))),
            Err(_) => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || !newest.addresses().is_empty() {
            return Ok(newest);
        }
        sleep(pause.min(left));
        pause = Times::longer(pause);
    }
}

/// Takes away what this call made, and tells why it failed.
fn take_back(server: &Server, name: &str, mark: &str, fault: Fault) -> Fault {
    server.allow(server.times.whole_end());
    let taken = match sight(server, name, Duration::ZERO, Instant::now() + server.times.end) {
        Ok(None) => return fault,
        Ok(Some(found)) if !found.is_told() => Err(Fault::Unavailable(not_ours(&found))),
        Ok(Some(found)) if !found.is_marked(mark) => {
            return Fault::Duplicate(format!(
                "{fault}. Another call made an instance {name} meanwhile; nothing was done to it"
            ));
        }
        Ok(Some(_)) => delete::end(server, name, Duration::ZERO, |found| found.is_marked(mark)),
        Err(fault) => Err(fault),
    };
    match taken {
        Ok(()) => fault,
        Err(more) => Fault::Other(format!("{fault}. What was made of it may be left: {more}")),
    }
}
