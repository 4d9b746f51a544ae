//! Making and changing things, with GARM's own checks.

use serde_json::{Value, json};

use super::routes::{Answer, refusal};
use super::state::{State, text};

/// What pools and scale sets have in common.
const COMMON: &[&str] = &[
    "runner_prefix",
    "max_runners",
    "min_idle_runners",
    "image",
    "flavor",
    "os_type",
    "os_arch",
    "enabled",
    "runner_bootstrap_timeout",
    "extra_specs",
];

/// Fields that GARM would ignore.
fn foreign(body: &Value, known: &[&[&str]]) -> Option<Answer> {
    let fields = body.as_object()?;
    let foreign = fields.keys().find(|field| !known.concat().contains(&field.as_str()))?;
    Some(refusal(400, &format!("GARM would ignore {foreign}")))
}

fn merge(one: &mut Value, body: &Value) {
    for (field, value) in body.as_object().into_iter().flatten() {
        one[field] = value.clone();
    }
}

pub fn controller(state: &mut State, body: &Value) -> Answer {
    if let Some(refused) = foreign(body, &[&["metadata_url", "callback_url", "webhook_url"]]) {
        return refused;
    }
    if body.as_object().into_iter().flatten().any(|(_, url)| !url.as_str().unwrap_or_default().contains("://")) {
        return refusal(400, "invalid url");
    }
    merge(&mut state.controller, body);
    (200, state.controller.clone())
}

const URLS: &[&str] = &["base_url", "api_base_url", "upload_base_url"];

pub fn endpoint(state: &mut State, body: &Value) -> Answer {
    if let Some(refused) = foreign(body, &[URLS, &["name", "description", "ca_cert_bundle"]]) {
        return refused;
    }
    if state.find("endpoints", "name", &text(body, "name")).is_some() {
        return refusal(409, "error github endpoint already exists");
    }
    if URLS.iter().any(|url| text(body, url).is_empty()) {
        return refusal(400, "missing url");
    }
    state.list_mut("endpoints").push(body.clone());
    (200, body.clone())
}

pub fn update_endpoint(state: &mut State, name: &str, body: &Value) -> Answer {
    if let Some(refused) = foreign(body, &[URLS, &["description", "ca_cert_bundle"]]) {
        return refused;
    }
    let is_used = state.list("credentials").iter().any(|one| one["endpoint"]["name"] == name);
    if is_used && URLS.iter().any(|url| body.get(url).is_some()) {
        return refusal(400, "cannot update endpoint URLs with existing credentials");
    }
    let mut all = state.list_mut("endpoints").iter_mut();
    let Some(one) = all.find(|one| text(one, "name") == name) else { return refusal(404, "not found") };
    merge(one, body);
    (200, one.clone())
}

pub fn credentials(state: &mut State, body: &Value) -> Answer {
    if let Some(refused) = foreign(body, &[&["name", "description", "endpoint", "auth_type", "pat", "app"]]) {
        return refused;
    }
    if state.find("endpoints", "name", &text(body, "endpoint")).is_none() {
        return refusal(404, "github endpoint not found");
    }
    if state.find("credentials", "name", &text(body, "name")).is_some() {
        return refusal(409, "github credentials already exists");
    }
    let secret = &body[text(body, "auth_type").as_str()];
    if secret.is_null() {
        return refusal(400, "missing oauth2_token");
    }
    state.made += 1;
    let one = json!({
        "id": state.made, "name": body["name"], "description": body["description"], "auth-type": body["auth_type"],
        "endpoint": {"name": body["endpoint"]}, "rate_limit": {"limit": 5000},
    });
    state.secrets.insert(state.made.to_string(), secret.clone());
    state.list_mut("credentials").push(one.clone());
    (200, one)
}

pub fn update_credentials(state: &mut State, id: &str, body: &Value) -> Answer {
    if let Some(refused) = foreign(body, &[&["name", "description", "pat", "app"]]) {
        return refused;
    }
    let mut all = state.list_mut("credentials").iter_mut();
    let Some(one) = all.find(|one| text(one, "id") == id) else { return refusal(404, "not found") };
    if let Some(description) = body.get("description") {
        one["description"] = description.clone();
    }
    let (auth_type, one) = (text(one, "auth-type"), one.clone());
    let other = if auth_type == "pat" { "app" } else { "pat" };
    if body.get(other).is_some() {
        return refusal(400, "cannot update credentials of another type");
    }
    if let Some(secret) = body.get(auth_type.as_str()) {
        state.secrets.insert(id.into(), secret.clone());
    }
    (200, one)
}

pub fn entity(state: &mut State, kind: &'static str, body: &Value) -> Answer {
    let known = ["owner", "name", "credentials_name", "webhook_secret", "pool_balancer_type", "forge_type"];
    if let Some(refused) = foreign(body, &[&known]) {
        return refused;
    }
    if text(body, "webhook_secret").is_empty() {
        return refusal(400, "missing secret");
    }
    let Some(credentials) = state.find("credentials", "name", &text(body, "credentials_name")).cloned() else {
        return refusal(400, "credentials are not defined");
    };
    let is_same = |one: &Value| {
        one["name"] == body["name"] && one["owner"] == body["owner"] && one["endpoint"] == credentials["endpoint"]
    };
    if state.list(kind).iter().any(is_same) {
        return refusal(409, "it already exists");
    }
    let id = state.id();
    let mut one = json!({
        "id": id, "name": body["name"], "credentials_name": credentials["name"], "credentials": credentials,
        "endpoint": credentials["endpoint"], "pool_balancing_type": body["pool_balancer_type"],
        "pool_manager_status": {"running": true},
    });
    if let Some(owner) = body.get("owner") {
        one["owner"] = owner.clone();
    }
    state.secrets.insert(id, body["webhook_secret"].clone());
    state.list_mut(kind).push(one.clone());
    (200, one)
}

pub fn update_entity(state: &mut State, kind: &'static str, id: &str, body: &Value) -> Answer {
    if let Some(refused) = foreign(body, &[&["credentials_name", "webhook_secret", "pool_balancer_type"]]) {
        return refused;
    }
    let credentials = state.find("credentials", "name", &text(body, "credentials_name")).cloned();
    let Some(one) = state.list_mut(kind).iter_mut().find(|one| text(one, "id") == id) else {
        return refusal(404, "not found");
    };
    if let Some(credentials) = credentials {
        if credentials["endpoint"] != one["endpoint"] {
            return refusal(400, "endpoint mismatch");
        }
        one["credentials_name"] = credentials["name"].clone();
        one["credentials"] = credentials;
    }
    if let Some(balancer) = body.get("pool_balancer_type") {
        one["pool_balancing_type"] = balancer.clone();
    }
    let one = one.clone();
    if let Some(secret) = body.get("webhook_secret") {
        state.secrets.insert(id.into(), secret.clone());
    }
    (200, one)
}

pub fn pool(state: &mut State, kind: &'static str, owner: &str, entity: &str, body: &Value) -> Answer {
    let own: &[&str] = if kind == "pools" { &["tags", "priority"] } else { &["name", "labels"] };
    if let Some(refused) = foreign(body, &[COMMON, own, &["provider_name", "github-runner-group"]]) {
        return refused;
    }
    if state.find("providers", "name", &text(body, "provider_name")).is_none() {
        return refusal(400, &format!("no such provider {}", text(body, "provider_name")));
    }
    let needed = ["image", "flavor", "os_type", "os_arch"].iter().any(|field| text(body, field).is_empty());
    let is_empty = |field: &str| body[field].as_array().is_none_or(Vec::is_empty);
    if needed || body["max_runners"].as_u64().unwrap_or(0) == 0 || (kind == "pools" && is_empty("tags")) {
        return refusal(400, "failed to validate params");
    }
    let mut one = body.clone();
    let id = if kind == "pools" { json!(state.id()) } else { json!(state.list(kind).len() + 1) };
    one["id"] = id;
    one[owner] = json!(entity);
    let labels = if kind == "pools" { &body["tags"] } else { &body["labels"] };
    one["tags"] = labels.as_array().into_iter().flatten().map(|tag| json!({"name": tag})).collect();
    if one["runner_bootstrap_timeout"] == 0 {
        one["runner_bootstrap_timeout"] = json!(20);
    }
    state.list_mut(kind).push(one.clone());
    (200, one)
}

pub fn update_pool(state: &mut State, kind: &'static str, id: &str, body: &Value) -> Answer {
    let own: &[&str] =
        if kind == "pools" { &["tags", "priority", "github-runner-group"] } else { &["name", "runner_group"] };
    if let Some(refused) = foreign(body, &[COMMON, own]) {
        return refused;
    }
    let Some(one) = state.list_mut(kind).iter_mut().find(|one| text(one, "id") == id) else {
        return refusal(404, "not found");
    };
    let mut new = one.clone();
    merge(&mut new, body);
    if let Some(group) = body.get("runner_group") {
        new["github-runner-group"] = group.clone();
    }
    if let Some(tags) = body["tags"].as_array() {
        new["tags"] = tags.iter().map(|tag| json!({"name": tag})).collect();
    }
    if new["min_idle_runners"].as_u64() > new["max_runners"].as_u64() {
        return refusal(400, "min_idle_runners cannot be larger than max_runners");
    }
    *one = new.clone();
    (200, new)
}
