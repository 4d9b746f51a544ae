//! Which request does what: one pure step from state and request to state and answer.
//!
//! Sources: runner contract 4.2 (A and B), 4.3 (admin flow) and 4.7 (REST). A later
//! route is one more arm of [`route`].

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    auth::Credential,
    shared::{Utc, guid},
    state::{Label, Runner, State, TokenKind},
};

/// A token lives one hour, as GitHub's do.
const TOKEN_LIFETIME: u64 = 3_600;

/// A request, free of HTTP machinery.
pub struct Seen {
    /// Upper case.
    pub method: String,
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
    let path = seen.path.strip_prefix("/api/v3").unwrap_or(&seen.path);
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let method = seen.method.as_str();
    match (method, segments.as_slice()) {
        ("POST", ["actions", "runner-registration"]) => tenant(state, seen),
        ("POST", ["actions", "runners", "register"]) => register(state, seen),
        (_, [kind @ ("orgs" | "enterprises"), name, "actions", rest @ ..]) => {
            in_entity(state, seen, &format!("{kind}/{name}"), rest)
        }
        (_, ["repos", owner, name, "actions", rest @ ..]) => {
            in_entity(state, seen, &format!("repos/{owner}/{name}"), rest)
        }
        _ => Answer::not_found(),
    }
}

fn in_entity(state: &mut State, seen: &Seen, entity: &str, rest: &[&str]) -> Answer {
    let mint = |state: &mut State, kind| allow(state, seen, entity, None).unwrap_or_else(|| mint(state, entity, kind));
    let reading = Some(TokenKind::Registration);
    match (seen.method.as_str(), rest) {
        ("POST", ["runners", "registration-token"]) => mint(state, TokenKind::Registration),
        ("POST", ["runners", "remove-token"]) => mint(state, TokenKind::Remove),
        ("GET", ["runner-groups"]) => allow(state, seen, entity, reading).unwrap_or_else(|| {
            let groups = json!(state.groups);
            let count = state.groups.len();
            Answer::json(200, json!({ "total_count": count, "runner_groups": groups }))
        }),
        ("GET", ["runners"]) => allow(state, seen, entity, reading).unwrap_or_else(|| list(state, seen, entity)),
        ("GET", ["runners", id]) => allow(state, seen, entity, reading).unwrap_or_else(|| {
            let runner = id.parse().ok().and_then(|id| state.runner(entity, id));
            runner.map_or_else(Answer::not_found, |runner| Answer::json(200, runner.public()))
        }),
        ("DELETE", ["runners", id]) => {
            allow(state, seen, entity, Some(TokenKind::Remove)).unwrap_or_else(|| delete(state, entity, id))
        }
        _ => Answer::not_found(),
    }
}

/// The refusal, or nothing if the request may go on. An API token may do everything; a
/// short-lived token only what `kind` names, in its own entity. A bad short-lived
/// token is answered 404, as GitHub does (contract 4.2 B).
fn allow(state: &State, seen: &Seen, entity: &str, kind: Option<TokenKind>) -> Option<Answer> {
    match &seen.credential {
        Credential::None => Some(Answer::requires_authentication()),
        Credential::Api(secret) if !state.pats.contains(secret) => Some(Answer::bad_credentials()),
        Credential::Api(_) if !state.knows(entity) => Some(Answer::not_found()),
        Credential::Api(_) => None,
        Credential::Remote(_) if kind.is_none() => Some(Answer::bad_credentials()),
        Credential::Remote(secret) => {
            let fits = state
                .token(secret)
                .is_some_and(|token| Some(token.kind) == kind && token.entity.eq_ignore_ascii_case(entity));
            (!fits).then(Answer::not_found)
        }
    }
}

fn mint(state: &mut State, entity: &str, kind: TokenKind) -> Answer {
    let token = state.mint(entity, kind, TOKEN_LIFETIME);
    let expires = Utc::from_unix(token.expires).iso();
    Answer::json(201, json!({ "token": token.secret, "expires_at": expires }))
}

/// Step B: who is behind this url? Only the short-lived token counts.
fn tenant(state: &State, seen: &Seen) -> Answer {
    let Credential::Remote(secret) = &seen.credential else {
        return Answer::not_found();
    };
    let kind = match seen.body["runner_event"].as_str() {
        Some("register") => TokenKind::Registration,
        Some("remove") => TokenKind::Remove,
        _ => return Answer::unprocessable("Validation Failed"),
    };
    let entity = seen.body["url"].as_str().and_then(entity_of_url);
    match (state.token(secret), entity) {
        (Some(token), Some(entity)) if token.kind == kind && token.entity.eq_ignore_ascii_case(&entity) => {
            Answer::json(
                200,
                json!({
                    "url": "",
                    "token_schema": "OAuthAccessToken",
                    "token": format!("fake.jwt.{}", guid(secret)),
                    "use_v2_flow": true,
                }),
            )
        }
        _ => Answer::not_found(),
    }
}

/// `https://github.com/octo-org` is `orgs/octo-org`, and so on (contract 1.5).
fn entity_of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    match path.trim_end_matches('/').split('/').collect::<Vec<_>>()[..] {
        [organisation] if !organisation.is_empty() => Some(format!("orgs/{organisation}")),
        [kind, name] if kind.eq_ignore_ascii_case("enterprises") => Some(format!("enterprises/{name}")),
        [owner, name] => Some(format!("repos/{owner}/{name}")),
        _ => None,
    }
}

/// The body of a registration as the runner sends it (contract 4.3).
#[derive(Deserialize)]
struct Registration {
    url: String,
    #[serde(default)]
    group_id: u64,
    name: String,
    #[serde(default)]
    updates_disabled: bool,
    #[serde(default)]
    ephemeral: bool,
    #[serde(default)]
    labels: Vec<Label>,
    public_key: String,
    #[serde(default)]
    runner_id: Option<u64>,
    #[serde(default)]
    replace: bool,
}

fn register(state: &mut State, seen: &Seen) -> Answer {
    let Ok(wanted) = Registration::deserialize(&seen.body) else {
        return Answer::unprocessable("Validation Failed");
    };
    let Some(entity) = entity_of_url(&wanted.url) else {
        return Answer::not_found();
    };
    // Here an API token is worth nothing.
    if !matches!(seen.credential, Credential::Remote(_)) {
        return Answer::not_found();
    }
    if let Some(refusal) = allow(state, seen, &entity, Some(TokenKind::Registration)) {
        return refusal;
    }
    if wanted.name.len() > 64 {
        return Answer::unprocessable("Validation Failed: name is too long (maximum is 64 characters)");
    }
    let joinable = |id| state.groups.iter().any(|group| group.id == id && !group.is_hosted);
    if !joinable(wanted.group_id) {
        return Answer::not_found();
    }
    let holder = state.runners.iter().position(|runner| {
        runner.entity.eq_ignore_ascii_case(&entity) && runner.name.eq_ignore_ascii_case(&wanted.name)
    });
    let id = match holder {
        None => state.next_id(),
        Some(at) if wanted.replace && wanted.runner_id == Some(state.runners[at].id) => state.runners.remove(at).id,
        Some(_) => {
            let name = &wanted.name;
            let text = format!("Already exists - A runner with the name {name} already exists.");
            return Answer::error(409, &text);
        }
    };
    let labels = wanted
        .labels
        .into_iter()
        .map(|label| Label { kind: if label.kind == "system" { "read-only" } else { "custom" }.to_owned(), ..label });
    let runner = Runner {
        id,
        name: wanted.name,
        entity,
        group: wanted.group_id,
        labels: labels.collect(),
        ephemeral: wanted.ephemeral,
        updates_disabled: wanted.updates_disabled,
        busy: false,
        status: "offline".to_owned(),
        public_key: wanted.public_key,
    };
    let answer = json!({
        "id": id,
        "name": runner.name,
        "authorization": {
            "authorization_url": "https://token.actions.example/_apis/oauth2/token",
            "server_url": "https://broker.actions.example/",
            "client_id": guid(&runner.public_key),
        },
    });
    state.runners.push(runner);
    Answer::json(200, answer)
}

/// 30 rows a page unless asked otherwise, at most 100, with a `Link` header.
fn list(state: &State, seen: &Seen, entity: &str) -> Answer {
    let number = |name: &str, default: usize| {
        let asked = seen.query.get(name).and_then(|value| value.parse().ok());
        asked.unwrap_or(default).max(1)
    };
    let (size, page) = (number("per_page", 30).min(100), number("page", 1));
    let wanted = seen.query.get("name");
    let matching: Vec<Value> = state
        .runners
        .iter()
        .filter(|runner| runner.entity.eq_ignore_ascii_case(entity))
        .filter(|runner| wanted.is_none_or(|name| name.eq_ignore_ascii_case(&runner.name)))
        .map(Runner::public)
        .collect();
    let rows: Vec<&Value> = matching.iter().skip((page - 1).saturating_mul(size)).take(size).collect();
    let count = matching.len();
    let mut answer = Answer::json(200, json!({ "total_count": count, "runners": rows }));
    let last = count.div_ceil(size).max(1);
    if page < last {
        // A listing by name never has a second page, so the name needs no place here.
        let link = |page: usize, relation: &str| {
            let (host, path) = (&seen.host, &seen.path);
            format!("<http://{host}{path}?per_page={size}&page={page}>; rel=\"{relation}\"")
        };
        let links = [link(page + 1, "next"), link(last, "last")].join(", ");
        answer.headers.push(("link".to_owned(), links));
    }
    answer
}

fn delete(state: &mut State, entity: &str, id: &str) -> Answer {
    let Some(runner) = id.parse().ok().and_then(|id| state.runner(entity, id)) else {
        return Answer::not_found();
    };
    if runner.busy {
        let name = &runner.name;
        let text = format!("Runner \"{name}\" is currently running a job and cannot be deleted");
        return Answer::unprocessable(&text);
    }
    let id = runner.id;
    state.runners.retain(|runner| runner.id != id);
    Answer::no_content()
}
