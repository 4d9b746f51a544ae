//! Requests about instances, and what each server says to those that it does not like.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::Flavor;
use super::answer::{Answer, begun, error, sync};
use super::operation::{Effect, taken};
use super::state::{Made, State};

/// Keys that one server knows, and another refuses.
const BOOT_MODE: &str = "boot.mode";

/// How one instance is told.
fn told(state: &State, name: &str, made: &Made, with_state: bool) -> Value {
    let mut expanded: Map<String, Value> = Map::new();
    for profile in made.body["profiles"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        expanded.extend(state.profiles.get(profile).map(|profile| profile.config.clone()).unwrap_or_default());
    }
    expanded.extend(made.body["config"].as_object().cloned().unwrap_or_default());
    if made.body["source"].is_object() {
        expanded.insert("image.os".into(), json!("Debian"));
        expanded.insert("image.release".into(), json!("trixie"));
    }
    let status = match made.status {
        102 => "Stopped",
        103 => "Running",
        _ => "Error",
    };
    let mut told = json!({
        "name": name, "status": status, "status_code": made.status, "architecture": made.body["architecture"],
        "type": made.body["type"], "config": made.body["config"], "expanded_config": expanded,
        "profiles": made.body["profiles"], "devices": made.body["devices"], "ephemeral": false, "stateful": false,
        "location": "none",
    });
    if with_state {
        told["state"] = json!({"status": status, "status_code": made.status, "network": network(state, made)});
    }
    told
}

fn network(state: &State, made: &Made) -> Value {
    if made.status != 103 {
        return Value::Null;
    }
    let mut addresses = vec![json!({"family": "inet6", "address": "fe80::1", "netmask": "64", "scope": "link"})];
    let is_up = made.started.is_some_and(|started| started.elapsed() >= state.durations.address);
    if state.has_addresses && is_up {
        addresses.push(json!({"family": "inet6", "address": "fd00::17", "netmask": "64", "scope": "global"}));
        addresses.push(json!({"family": "inet", "address": "10.213.0.10", "netmask": "24", "scope": "global"}));
    }
    addresses.extend(made.addresses.iter().cloned());
    json!({
        "eth0": {"addresses": addresses, "state": "up", "type": "broadcast"},
        "lo": {"addresses": [{"family": "inet", "address": "127.0.0.1", "netmask": "8", "scope": "local"}], "state": "up", "type": "loopback"},
    })
}

/// `GET /1.0/instances`.
pub fn list(state: &State, project: &str, recursion: u8) -> Answer {
    let all = state.instances.iter().filter(|((of, _), _)| of == project);
    sync(match recursion {
        0 => all.map(|((_, name), _)| json!(format!("/1.0/instances/{name}?project={project}"))).collect(),
        recursion => all
            .map(|((_, name), made)| {
                if state.untold.contains(name) {
                    return untold(name);
                }
                told(state, name, made, recursion == 2)
            })
            .collect(),
    })
}

/// What a list has of an instance that cannot be read.
pub fn untold(name: &str) -> Value {
    json!({
        "name": name, "status": "Error", "status_code": 112, "architecture": "", "type": "container", "config": null,
        "expanded_config": null, "profiles": null, "devices": null, "location": "away",
    })
}

/// `GET /1.0/instances/NAME`.
pub fn get(state: &State, project: &str, name: &str, recursion: u8) -> Answer {
    match state.instances.get(&(project.into(), name.into())) {
        Some(made) => sync(told(state, name, made, recursion > 0)),
        None => error(404, "Instance not found"),
    }
}

/// `POST /1.0/instances`.
pub fn create(state: &mut State, flavor: Flavor, project: &str, body: &Value) -> Answer {
    let Some(name) = body["name"].as_str() else { return error(400, "No name provided") };
    let profiles: Vec<&str> = body["profiles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(unknown) = profiles.iter().find(|profile| !state.profiles.contains_key(**profile)) {
        return error(500, &format!("Requested profile {unknown:?} doesn't exist"));
    }
    if profiles.iter().enumerate().any(|(at, profile)| profiles[..at].contains(profile)) {
        return error(400, "Duplicate profile found in request");
    }
    let config = body["config"].as_object().cloned().unwrap_or_default();
    if config.contains_key(BOOT_MODE) && !state.extensions.contains(&"instance_boot_mode") {
        return error(400, "Unknown configuration key: boot.mode");
    }
    let source = &body["source"];
    let is_local = source["server"].is_null();
    let knows = |image: &super::Image| {
        let fingerprint = source["fingerprint"].as_str().is_some_and(|start| image.fingerprint.starts_with(start));
        fingerprint || source["alias"].as_str().is_some_and(|alias| image.aliases.iter().any(|known| known == alias))
    };
    let target = (project, name);
    if is_local && !state.images.iter().any(knows) {
        return match flavor {
            Flavor::Lxd => error(404, "Image alias not found"),
            Flavor::Incus => {
                let why = Effect::Fail("Image not provided for instance creation".into());
                begun(state.begin("Creating instance", target, why, Duration::ZERO))
            }
        };
    }
    if state.instances.contains_key(&(project.to_owned(), name.to_owned())) {
        let why = taken(flavor);
        return begun(state.begin("Creating instance", target, Effect::Fail(why.into()), Duration::ZERO));
    }
    let made = Made { body: body.clone(), status: 102, started: None, addresses: Vec::new() };
    let download = state.durations.download;
    let mut takes = download + state.durations.create;
    let start = body["start"] == json!(true);
    if start && flavor == Flavor::Incus {
        takes += state.durations.start;
    }
    let operation = state.begin("Creating instance", target, Effect::Create { start }, takes);
    operation.record = Some((Instant::now() + download, made));
    let answer = begun(operation);
    state.show(flavor, Instant::now());
    answer
}

/// `PUT /1.0/instances/NAME/state`.
pub fn change(state: &mut State, flavor: Flavor, project: &str, name: &str, body: &Value) -> Answer {
    let Some(made) = state.instances.get(&(project.into(), name.into())) else {
        return error(404, "Instance not found");
    };
    let target = (project, name);
    let is_running = made.runs();
    let busy = state.busy(project, name).map(|operation| (operation.effect.clone(), operation.due));
    let left = busy.as_ref().map_or(Duration::ZERO, |(_, due)| due.saturating_duration_since(Instant::now()));
    let durations = state.durations;
    let (description, effect, takes) = match (body["action"].as_str(), busy) {
        (Some("stop"), Some((Effect::Stop, _))) => match flavor {
            Flavor::Lxd => ("Stopping instance", Effect::Fail("The instance is already stopped".into()), left),
            Flavor::Incus => ("Stopping instance", Effect::Nothing, left),
        },
        (_, Some((effect, _))) => (
            "Changing instance",
            Effect::Fail(format!("Instance is busy running a {:?} operation", word(&effect))),
            Duration::ZERO,
        ),
        (Some("start"), None) if is_running => {
            ("Starting instance", Effect::Fail("The instance is already running".into()), Duration::ZERO)
        }
        (Some("start"), None) => ("Starting instance", Effect::Start, durations.start),
        (Some("stop"), None) if !is_running => {
            ("Stopping instance", Effect::Fail("The instance is already stopped".into()), Duration::ZERO)
        }
        (Some("stop"), None) => ("Stopping instance", Effect::Stop, durations.stop),
        _ => return error(400, "Unknown action"),
    };
    begun(state.begin(description, target, effect, takes))
}

/// `DELETE /1.0/instances/NAME`.
pub fn delete(state: &mut State, project: &str, name: &str) -> Answer {
    let Some(made) = state.instances.get(&(project.into(), name.into())) else {
        return error(404, "Instance not found");
    };
    if made.runs() {
        return error(400, "Instance is running");
    }
    let target = (project, name);
    let busy = state.busy(project, name).map(|operation| (operation.effect.clone(), operation.due));
    let (effect, takes) = match busy {
        Some((Effect::Delete, due)) => (
            Effect::Fail("A matching non-reusable operation has now succeeded".into()),
            due.saturating_duration_since(Instant::now()),
        ),
        Some((effect, _)) => {
            (Effect::Fail(format!("Instance is busy running a {:?} operation", word(&effect))), Duration::ZERO)
        }
        None => (Effect::Delete, state.durations.delete),
    };
    begun(state.begin("Deleting instance", target, effect, takes))
}

fn word(effect: &Effect) -> &'static str {
    match effect {
        Effect::Start => "start",
        Effect::Stop => "stop",
        Effect::Delete => "delete",
        _ => "create",
    }
}
