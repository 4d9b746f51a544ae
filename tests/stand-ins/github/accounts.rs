//! Organisations, users and repositories: as much as finding out what a name is needs. And what an account may still ask for.

use serde_json::json;

use super::{access, answer::Answer, auth::Credential, routes::Seen, state::State};

/// `GET /users/{name}`, which organisations answer as well.
pub fn user(state: &State, seen: &Seen, name: &str) -> Answer {
    refusal(state, seen).unwrap_or_else(|| {
        let kind = if state.is_user(name) {
            "User"
        } else if is_organization(state, name) {
            "Organization"
        } else {
            return Answer::not_found();
        };
        Answer::json(200, json!({ "login": name, "type": kind }))
    })
}

/// `GET /orgs/{name}`.
pub fn organization(state: &State, seen: &Seen, name: &str) -> Answer {
    refusal(state, seen).unwrap_or_else(|| {
        if is_organization(state, name) {
            Answer::json(200, json!({ "login": name, "type": "Organization" }))
        } else {
            Answer::not_found()
        }
    })
}

/// `GET /repos/{owner}/{name}`.
pub fn repository(state: &State, seen: &Seen, owner: &str, name: &str) -> Answer {
    let entity = format!("repos/{owner}/{name}");
    let visible = match &seen.credential {
        Credential::Api(secret) => {
            let pat = state.limited_pat(secret).is_none_or(|pat| pat.sees(&entity));
            let installed = state.installation_token(secret);
            let installed = installed.is_none_or(|(token, installation)| token.reaches(installation, owner, name));
            pat && installed
        }
        _ => false,
    };
    refusal(state, seen).unwrap_or_else(|| {
        if !visible || !state.knows(&entity) {
            return Answer::not_found();
        }
        let kind = if state.is_user(owner) { "User" } else { "Organization" };
        let visibility = state.visibility(&entity);
        Answer::json(
            200,
            json!({
                "name": name,
                "full_name": format!("{owner}/{name}"),
                "private": visibility != "public",
                "visibility": visibility,
                "owner": { "login": owner, "type": kind },
            }),
        )
    })
}

/// The rule for pull requests from forks. There is none for a private repository *(reported)*, nor for an enterprise here.
pub fn approval(state: &State, seen: &Seen, entity: &str) -> Answer {
    if let Some(refusal) = access::allow_rules(state, seen, entity) {
        return refusal;
    }
    if entity.starts_with("enterprises/") {
        return Answer::not_found();
    }
    if entity.starts_with("repos/") && state.visibility(entity) != "public" {
        return Answer::unprocessable("Validation Failed");
    }
    let rule = state.approval.get(entity).map_or("first_time_contributors", String::as_str);
    Answer::json(200, json!({ "approval_policy": rule }))
}

/// `GET /rate_limit`, which counts for nothing.
pub fn rate_limit(state: &State, seen: &Seen) -> Answer {
    let row = |limit: u64, used: u64| json!({ "limit": limit, "used": used, "remaining": limit.saturating_sub(used), "reset": state.rate_reset });
    let core = row(state.rate_limit, state.rate_used);
    refusal(state, seen).unwrap_or_else(|| {
        Answer::json(200, json!({ "resources": { "core": core, "search": row(30, 0) }, "rate": core }))
    })
}

/// Anybody may ask, but not with a credential that is none.
fn refusal(state: &State, seen: &Seen) -> Option<Answer> {
    let good = match &seen.credential {
        Credential::None => true,
        Credential::Remote(_) => false,
        Credential::Api(secret) => {
            let limited = state.limited_pat(secret).is_some_and(|pat| !pat.expired(state.now()));
            limited || state.pats.contains(secret) || state.installation_token(secret).is_some()
        }
    };
    (!good).then(Answer::bad_credentials)
}

/// An organisation exists by itself or by one of its repositories.
fn is_organization(state: &State, name: &str) -> bool {
    let owns = |entity: &String| {
        let mut parts = entity.split('/');
        parts.next() == Some("repos") && parts.next().is_some_and(|owner| owner.eq_ignore_ascii_case(name))
    };
    !state.is_user(name) && (state.knows(&format!("orgs/{name}")) || state.entities.iter().any(owns))
}
