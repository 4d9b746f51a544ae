//! What the runner asks for itself while it is configured (contract 4.2 B and 4.3).

use serde::Deserialize;
use serde_json::json;

use super::{
    access,
    answer::Answer,
    auth::Credential,
    routes::Seen,
    runner::{Label, Runner},
    shared::guid,
    state::{State, TokenKind},
};

/// Step B: who is behind this url? Only the short-lived token counts.
pub fn tenant(state: &State, seen: &Seen) -> Answer {
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

/// `POST /actions/runners/register`: adds or replaces a runner.
pub fn register(state: &mut State, seen: &Seen) -> Answer {
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
    if let Some(refusal) = access::allow(state, seen, &entity, Some(TokenKind::Registration)) {
        return refusal;
    }
    if wanted.name.len() > 64 {
        return Answer::unprocessable("Validation Failed: name is too long (maximum is 64 characters)");
    }
    let joinable = |id| state.groups.iter().any(|group| group.id == id && !group.is_hosted);
    if !joinable(wanted.group_id) {
        return Answer::not_found();
    }
    let id = match state.holder(&entity, &wanted.name) {
        None => state.next_id(),
        Some(at) if wanted.replace && wanted.runner_id == Some(state.runners[at].id) => state.runners.remove(at).id,
        Some(_) => return Answer::name_taken(&wanted.name),
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
