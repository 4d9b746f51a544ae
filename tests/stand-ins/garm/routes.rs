//! Ways and what is done there.

use serde_json::{Value, json};

use super::http::Request;
use super::make;
use super::state::{State, text};

/// Status and body.
pub type Answer = (u16, Value);

/// A refusal as GARM writes it.
pub fn refusal(status: u16, details: &str) -> Answer {
    let error = match status {
        400 => "Bad Request",
        401 => "Authentication failed",
        404 => "Not Found",
        409 => "Conflict",
        _ => "Server error",
    };
    (status, json!({"error": error, "details": details}))
}

pub fn answer(state: &mut State, request: &Request) -> Answer {
    let words: Vec<String> = request.path.split('/').skip(1).map(decoded).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let body = &request.body;
    if request.path == "/first-run" {
        return first_run(state, body);
    }
    let Some((user, password)) = state.admin.clone() else {
        return (409, json!({"error": "init_required", "details": "Missing superuser"}));
    };
    if request.path == "/auth/login" {
        if (text(body, "username"), text(body, "password")) != (user, password) {
            return (401, json!({"error": "Not Authorized", "details": ""}));
        }
        let token = format!("token-{}", state.id());
        state.tokens.insert(token.clone());
        return (200, json!({"token": token}));
    }
    let is_set = |field: &str| !text(&state.controller, field).is_empty();
    if request.path != "/controller" && !(is_set("metadata_url") && is_set("callback_url")) {
        return (409, json!({"error": "urls_required", "details": "Missing required URLs."}));
    }
    if !request.token.as_ref().is_some_and(|token| state.tokens.contains(token)) {
        return (401, json!({"error": "Authentication failed", "details": ""}));
    }
    match (request.method.as_str(), &words[..]) {
        ("GET", ["controller"]) => (200, state.controller.clone()),
        ("PUT", ["controller"]) => make::controller(state, body),
        (method, ["github", kind @ ("endpoints" | "credentials"), rest @ ..]) => plain(state, method, kind, rest, body),
        (method, [kind @ ("repositories" | "organizations"), rest @ ..]) => entity(state, method, kind, rest, body),
        (method, [kind @ ("pools" | "scalesets"), rest @ ..]) => pool(state, method, kind, rest, body),
        ("GET", [kind @ ("providers" | "instances")]) => (200, json!(state.list(kind))),
        _ => (404, json!({"error": "Not found", "details": "Resource not found"})),
    }
}

fn first_run(state: &mut State, body: &Value) -> Answer {
    if state.admin.is_some() {
        return refusal(409, "already initialized");
    }
    if text(body, "password").len() < 16 {
        return refusal(400, "password is too weak");
    }
    if !text(body, "email").contains('@') {
        return refusal(400, "invalid email address");
    }
    state.admin = Some((text(body, "username"), text(body, "password")));
    (200, json!({"username": body["username"]}))
}

fn decoded(word: &str) -> String {
    word.replace("%2f", "/").replace("%20", " ")
}

/// As Go writes a list that may be nil.
fn listed(list: &[Value]) -> Answer {
    (200, if list.is_empty() { Value::Null } else { json!(list) })
}

/// Endpoints by name, credentials by number.
fn plain(state: &mut State, method: &str, kind: &str, rest: &[&str], body: &Value) -> Answer {
    let (kind, field) = if kind == "endpoints" { ("endpoints", "name") } else { ("credentials", "id") };
    match (method, rest) {
        ("GET", []) => listed(state.list(kind)),
        ("POST", []) if kind == "endpoints" => make::endpoint(state, body),
        ("POST", []) => make::credentials(state, body),
        ("PUT", [id]) if kind == "endpoints" => make::update_endpoint(state, id, body),
        ("PUT", [id]) => make::update_credentials(state, id, body),
        ("DELETE", [id]) => {
            let users: &[&str] =
                if kind == "endpoints" { &["credentials"] } else { &["repositories", "organizations"] };
            let name = state.find(kind, field, id).map(|one| text(one, "name")).unwrap_or_default();
            let of = if kind == "endpoints" { "endpoint" } else { "credentials" };
            if users.iter().any(|user| state.list(user).iter().any(|one| one[of]["name"] == name.as_str())) {
                return refusal(400, "cannot delete it with associated entities");
            }
            state.list_mut(kind).retain(|one| text(one, field) != *id);
            (200, Value::Null)
        }
        _ => refusal(404, "no such way"),
    }
}

fn entity(state: &mut State, method: &str, kind: &str, rest: &[&str], body: &Value) -> Answer {
    let (kind, owner) = if kind == "repositories" { ("repositories", "repo_id") } else { ("organizations", "org_id") };
    let id = rest.first().copied().unwrap_or_default().to_owned();
    if !rest.is_empty() && state.find(kind, "id", &id).is_none() {
        return refusal(404, "error fetching entity: not found");
    }
    match (method, rest) {
        ("GET", []) => (200, json!(state.list(kind))),
        ("POST", []) => make::entity(state, kind, body),
        ("PUT", [_]) => make::update_entity(state, kind, &id, body),
        ("DELETE", [_]) => {
            for pools in ["pools", "scalesets"] {
                if state.list(pools).iter().any(|pool| text(pool, owner) == id) {
                    return refusal(400, "it has pools defined");
                }
            }
            state.list_mut(kind).retain(|one| text(one, "id") != id);
            (200, Value::Null)
        }
        ("POST", [_, "pools"]) => make::pool(state, "pools", owner, &id, body),
        ("POST", [_, "scalesets"]) => make::pool(state, "scalesets", owner, &id, body),
        (_, [_, "webhook"]) if !state.manages_webhooks => {
            (404, json!({"error": "Not found", "details": "Resource not found"}))
        }
        ("GET", [_, "webhook"]) if state.webhooks.contains(&id) => (200, json!({"active": true, "url": "u"})),
        ("GET", [_, "webhook"]) => refusal(404, "hook not found"),
        ("POST", [_, "webhook"]) if state.webhooks.insert(id) => (200, json!({"active": true})),
        ("POST", [_, "webhook"]) => refusal(409, "hook already exists"),
        _ => refusal(404, "no such way"),
    }
}

fn pool(state: &mut State, method: &str, kind: &str, rest: &[&str], body: &Value) -> Answer {
    let (kind, field) = if kind == "pools" { ("pools", "pool_id") } else { ("scalesets", "scale_set_id") };
    let id = rest.first().copied().unwrap_or_default().to_owned();
    let instances: Vec<Value> = state.list("instances").iter().filter(|one| text(one, field) == id).cloned().collect();
    match (method, rest) {
        ("GET", []) => {
            let without = |pool: &Value| {
                let mut pool = pool.clone();
                pool.as_object_mut().expect("an object").remove("extra_specs");
                pool
            };
            (200, json!(state.list(kind).iter().map(without).collect::<Vec<_>>()))
        }
        ("GET", [_, "instances"]) => (200, json!(instances)),
        ("DELETE", [_]) if !instances.is_empty() => refusal(400, "pool has runners"),
        ("DELETE", [_])
            if kind == "scalesets" && state.find(kind, "id", &id).is_some_and(|set| set["enabled"] == true) =>
        {
            refusal(400, "scale set is enabled; disable it first")
        }
        ("DELETE", [_]) => {
            state.list_mut(kind).retain(|one| text(one, "id") != id);
            (200, Value::Null)
        }
        ("GET", [_]) => state.find(kind, "id", &id).map_or(refusal(404, "not found"), |one| (200, one.clone())),
        ("PUT", [_]) => make::update_pool(state, kind, &id, body),
        _ => refusal(404, "no such way"),
    }
}
