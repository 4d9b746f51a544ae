//! From a request to its answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::{Answer, error, failed, sync, told, waited};
use super::http::Request;
use super::state::State;
use super::{Flavor, Shared, instances};

/// Answers a request. `allowed` is the only project of a client with a certificate.
pub fn answer(shared: &Shared, request: &Request, allowed: Option<&str>) -> Answer {
    let words: Vec<String> = request.path.split('/').filter(|word| !word.is_empty()).map(decoded).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let project = request.query("project").unwrap_or_else(|| "default".into());
    let asked = if let ["1.0", "projects", name] = words[..] { name } else { &project };
    if allowed.is_some_and(|allowed| allowed != asked && words.len() > 1) {
        return error(403, "Certificate is restricted");
    }
    if let ["1.0", "operations", id, "wait"] = words[..] {
        return wait(shared, id, request.query("timeout").and_then(|text| text.parse().ok()));
    }
    let recursion = request.query("recursion").and_then(|text| text.parse().ok()).unwrap_or(0);
    let flavor = shared.flavor;
    let mut state = shared.lock();
    state.settle(flavor);
    let answer = match (request.method.as_str(), &words[..]) {
        ("GET", ["1.0"]) => about(&state, flavor),
        ("GET", ["1.0", "projects", name]) => match state.projects.iter().find(|known| known == name) {
            Some(name) => sync(json!({"name": name, "config": {}})),
            None => error(404, "Project not found"),
        },
        // Of a project that does not exist as well.
        ("GET", ["1.0", "instances"]) => instances::list(&state, &project, recursion),
        ("GET", ["1.0", "profiles"]) => {
            let told = |(name, profile): (&String, &super::Profile)| json!({"name": name, "config": profile.config, "devices": profile.devices});
            sync(state.profiles.iter().map(told).collect())
        }
        ("GET", ["1.0", "images", "aliases"]) => {
            let told = |image: &super::Image| -> Vec<Value> {
                let alias = |name| json!({"name": name, "target": image.fingerprint, "type": image.kind});
                image.aliases.iter().map(alias).collect()
            };
            sync(state.images.iter().flat_map(told).collect())
        }
        ("GET", ["1.0", "images", "aliases", name]) => {
            match state.images.iter().find(|image| image.aliases.iter().any(|alias| alias == name)) {
                Some(image) => sync(json!({"name": name, "target": image.fingerprint, "type": image.kind})),
                None => error(404, "Image alias not found"),
            }
        }
        ("GET", ["1.0", "images", start]) => {
            match state.images.iter().find(|image| image.fingerprint.starts_with(start)) {
                Some(image) => sync(json!({
                    "fingerprint": image.fingerprint, "architecture": image.architecture, "type": image.kind,
                })),
                None => error(404, "Image not found"),
            }
        }
        ("GET", ["1.0", "operations"]) => {
            let running: Vec<Value> = state.operations.iter().filter(|one| one.ended.is_none()).map(told).collect();
            sync(if running.is_empty() { json!({}) } else { json!({"running": running}) })
        }
        ("GET", ["1.0", "operations", id]) => match state.operation(id) {
            Some(operation) => sync(told(operation)),
            None => error(404, "Operation not found"),
        },
        (_, ["1.0", "instances", ..]) if !state.projects.contains(&project) => error(404, "Project not found"),
        ("GET", ["1.0", "instances", name]) => instances::get(&state, &project, name, recursion),
        ("GET", ["1.0", "instances", _, "console"]) => sync(json!(state.console)),
        ("POST", ["1.0", "instances"]) => instances::create(&mut state, flavor, &project, &request.body),
        ("PUT", ["1.0", "instances", name, "state"]) => {
            instances::change(&mut state, flavor, &project, name, &request.body)
        }
        ("DELETE", ["1.0", "instances", name]) => instances::delete(&mut state, &project, name),
        _ => error(404, "not found"),
    };
    shared.changed.notify_all();
    answer
}

fn about(state: &State, flavor: Flavor) -> Answer {
    let (server, version) = match flavor {
        Flavor::Incus => ("incus", "6.0.4"),
        Flavor::Lxd => ("lxd", "5.0.2"),
    };
    let mut extensions = vec!["projects", "instances", "api_filtering"];
    if flavor == Flavor::Incus {
        extensions.push("instance_create_start");
    }
    extensions.extend(&state.extensions);
    sync(json!({
        "api_extensions": extensions, "api_status": "stable", "api_version": "1.0", "auth": "trusted", "public": false,
        "environment": {"server": server, "server_version": version},
    }))
}

fn wait(shared: &Shared, id: &str, timeout: Option<u64>) -> Answer {
    let start = Instant::now();
    let mut state = shared.lock();
    loop {
        state.settle(shared.flavor);
        let Some(operation) = state.operation(id) else { return error(404, "Operation not found") };
        match &operation.ended {
            Some((_, Ok(()))) => return sync(told(operation)),
            Some((_, Err(why))) => return failed(shared.flavor, operation, why),
            None => {}
        }
        if timeout.is_some_and(|seconds| start.elapsed() >= Duration::from_secs(seconds)) {
            return waited(shared.flavor, operation);
        }
        let until_due = operation.due.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let turn = until_due.min(Duration::from_millis(50));
        // Whoever is started again meanwhile has forgotten it.
        state = shared.changed.wait_timeout(state, turn).unwrap_or_else(std::sync::PoisonError::into_inner).0;
    }
}

/// Takes the encoding of an address away.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
