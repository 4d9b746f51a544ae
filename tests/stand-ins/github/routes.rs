//! Which request does what: one pure step from state and request to state and answer.
//!
//! Sources: runner contract 4.2 (A and B), 4.3 (admin flow) and 4.7 (REST). A later
//! route is one more arm of [`route`].

use std::collections::HashMap;

use serde_json::Value;

use super::{
    access::allow,
    accounts,
    answer::Answer,
    apps,
    auth::Credential,
    issuer, jit, labels, register, runners,
    state::{State, TokenKind},
    workflows,
};

/// A request, free of HTTP machinery.
pub struct Seen {
    /// Upper case.
    pub method: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Path without query.
    pub path: String,
    /// Decoded query.
    pub query: HashMap<String, String>,
    /// Host as the client named it.
    pub host: String,
    /// What the client proves itself with.
    pub credential: Credential,
    /// Decoded JSON body, or null.
    pub body: Value,
}

/// Answers `seen`. A leading `/api/v3`, the prefix on GitHub Enterprise Server, is accepted.
pub fn route(state: &mut State, seen: &Seen) -> Answer {
    if let Some(answer) = issuer::route(state, seen) {
        return answer;
    }
    let path = seen.path.strip_prefix("/api/v3").unwrap_or(&seen.path);
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let method = seen.method.as_str();
    match (method, segments.as_slice()) {
        ("POST", ["actions", "runner-registration"]) => register::tenant(state, seen),
        ("POST", ["actions", "runners", "register"]) => register::register(state, seen),
        ("GET", ["repos", "actions", "runner", "releases"]) => runners::releases(state),
        ("GET", ["repos", owner, name, "actions", "runs", rest @ ..]) => {
            workflows::route(state, seen, &format!("{owner}/{name}"), rest)
        }
        (_, [kind @ ("orgs" | "enterprises"), name, "actions", rest @ ..]) => {
            in_entity(state, seen, &format!("{kind}/{name}"), rest)
        }
        (_, ["repos", owner, name, "actions", rest @ ..]) => {
            in_entity(state, seen, &format!("repos/{owner}/{name}"), rest)
        }
        ("GET", ["app"]) => apps::this(state, seen),
        ("GET", ["app", "installations"]) => apps::installations(state, seen),
        ("POST", ["app", "installations", id, "access_tokens"]) => apps::access_token(state, seen, id),
        ("GET", [kind @ ("orgs" | "users"), name, "installation"]) => apps::installation(state, seen, kind, name, None),
        ("GET", ["repos", owner, name, "installation"]) => apps::installation(state, seen, "repos", owner, Some(name)),
        ("DELETE", ["installation", "token"]) => apps::revoke(state, seen),
        ("GET", ["rate_limit"]) => accounts::rate_limit(state, seen),
        ("GET", ["users", name]) => accounts::user(state, seen, name),
        ("GET", ["orgs", name]) => accounts::organization(state, seen, name),
        ("GET", ["repos", owner, name]) => accounts::repository(state, seen, owner, name),
        _ => Answer::not_found(),
    }
}

fn in_entity(state: &mut State, seen: &Seen, entity: &str, rest: &[&str]) -> Answer {
    let reading = Some(TokenKind::Registration);
    match (seen.method.as_str(), rest) {
        ("POST", ["runners", "registration-token"]) => runners::mint(state, seen, entity, TokenKind::Registration),
        ("POST", ["runners", "remove-token"]) => runners::mint(state, seen, entity, TokenKind::Remove),
        ("POST", ["runners", "generate-jitconfig"]) => jit::generate(state, seen, entity),
        ("GET", ["runner-groups"]) => {
            allow(state, seen, entity, reading).unwrap_or_else(|| runners::groups(state, seen, entity))
        }
        ("GET", ["permissions", "fork-pr-contributor-approval"]) => accounts::approval(state, seen, entity),
        ("GET", ["runners"]) => {
            allow(state, seen, entity, reading).unwrap_or_else(|| runners::list(state, seen, entity))
        }
        ("GET", ["runners", "downloads"]) => allow(state, seen, entity, None).unwrap_or_else(runners::downloads),
        ("GET", ["runners", id]) => {
            allow(state, seen, entity, reading).unwrap_or_else(|| runners::get(state, entity, id))
        }
        ("DELETE", ["runners", id]) => {
            let removing = Some(TokenKind::Remove);
            allow(state, seen, entity, removing).unwrap_or_else(|| runners::delete(state, entity, id))
        }
        (_, ["runners", id, "labels", rest @ ..]) => {
            allow(state, seen, entity, None).unwrap_or_else(|| labels::labels(state, seen, (entity, id), rest))
        }
        _ => Answer::not_found(),
    }
}
