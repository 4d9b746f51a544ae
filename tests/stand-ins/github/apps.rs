//! What a GitHub App can ask: who it is, where it is installed, and for tokens.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    app::{Installation, InstallationToken, Permissions},
    auth::Credential,
    jwt, paging,
    routes::Seen,
    shared::{Utc, sha256},
    state::State,
};

/// A token of an installation lives one hour, as GitHub's do.
const LIFETIME: u64 = 3_600;

/// `GET /app`.
pub fn this(state: &State, seen: &Seen) -> Answer {
    jwt::app(state, &seen.credential).map_or_else(|refusal| refusal, |app| Answer::json(200, app.public()))
}

/// `GET /app/installations`.
pub fn installations(state: &State, seen: &Seen) -> Answer {
    match jwt::app(state, &seen.credential) {
        Err(refusal) => refusal,
        Ok(app) => {
            paging::page(seen, &app.installations, |installation| installation.public(app.id), |rows, _| json!(rows))
        }
    }
}

/// `GET /orgs/O/installation` and its siblings for users and repositories.
pub fn installation(state: &State, seen: &Seen, kind: &str, account: &str, repository: Option<&str>) -> Answer {
    let fits = |installation: &&Installation| {
        let kind_fits = match kind {
            "orgs" => installation.account_type == "Organization",
            "users" => installation.account_type == "User",
            _ => true,
        };
        let reached = repository.is_none_or(|name| installation.reaches(name));
        kind_fits && reached && installation.account.eq_ignore_ascii_case(account)
    };
    let exists = repository.is_none_or(|name| state.knows(&format!("repos/{account}/{name}")));
    match jwt::app(state, &seen.credential) {
        Err(refusal) => refusal,
        Ok(app) => match app.installations.iter().find(fits) {
            Some(installation) if exists => Answer::json(200, installation.public(app.id)),
            _ => Answer::not_found(),
        },
    }
}

/// What a token is to be narrowed to.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Narrowing {
    repositories: Option<Vec<String>>,
    repository_ids: Option<Vec<u64>>,
    permissions: Option<Permissions>,
}

/// `POST /app/installations/{id}/access_tokens`.
pub fn access_token(state: &mut State, seen: &Seen, id: &str) -> Answer {
    let made = jwt::app(state, &seen.credential).and_then(|app| {
        let installation = app.installations.iter().find(|installation| installation.id.to_string() == id);
        narrow(installation.ok_or_else(Answer::not_found)?, state, seen)
    });
    let (mut token, selection, account) = match made {
        Ok(made) => made,
        Err(refusal) => return refusal,
    };
    let digest = sha256(format!("{id}{}{}", state.next_id(), token.expires));
    token.secret = format!("ghs_fake{}", &digest[..32]);
    let mut answer = json!({
        "token": token.secret,
        "expires_at": Utc::from_unix(token.expires).iso(),
        "permissions": token.permissions,
        "repository_selection": selection,
    });
    if let Some(names) = &token.repositories {
        let row = |name: &String| json!({ "name": name, "full_name": format!("{account}/{name}") });
        answer["repositories"] = names.iter().map(row).collect();
    }
    state.installation_tokens.push(token);
    Answer::json(201, answer)
}

/// The token without its secret, the selection of repositories, and the account.
fn narrow(
    installation: &Installation,
    state: &State,
    seen: &Seen,
) -> Result<(InstallationToken, &'static str, String), Answer> {
    if installation.suspended {
        return Err(Answer::suspended());
    }
    let wanted = match &seen.body {
        Value::Null => Narrowing::default(),
        body => Narrowing::deserialize(body).map_err(|_| Answer::unprocessable("Validation Failed"))?,
    };
    // To ignore them would make a token that reaches more than was asked for.
    if wanted.repository_ids.is_some() {
        return Err(Answer::unprocessable("The stand-in knows repositories by name only"));
    }
    let unreachable =
        |name: &String| !installation.reaches(name) || !state.knows(&format!("repos/{}/{name}", installation.account));
    if wanted.repositories.iter().flatten().any(unreachable) {
        let text =
            "There is at least one repository that does not exist or is not accessible to the parent installation.";
        return Err(Answer::unprocessable(text));
    }
    let permissions = match wanted.permissions {
        None => installation.permissions.clone(),
        Some(wanted) => narrowed(wanted, &installation.permissions)
            .ok_or_else(|| Answer::unprocessable("The permissions requested are not granted to this installation."))?,
    };
    let selection = if wanted.repositories.is_some() { "selected" } else { installation.selection() };
    let token = InstallationToken {
        secret: String::new(),
        installation: installation.id,
        permissions,
        repositories: wanted.repositories,
        expires: state.now() + LIFETIME,
    };
    Ok((token, selection, installation.account.clone()))
}

/// What was asked for, if all of it was granted. `metadata` comes with every token.
fn narrowed(wanted: Permissions, granted: &Permissions) -> Option<Permissions> {
    let covered = |(name, level): (&String, &String)| match granted.get(name) {
        Some(granted) => granted == level || (granted == "write" && level == "read"),
        None => false,
    };
    let metadata = granted.get_key_value("metadata").map(|(name, level)| (name.clone(), level.clone()));
    wanted.iter().all(covered).then(|| wanted.into_iter().chain(metadata).collect())
}

/// `DELETE /installation/token`: the token ends itself.
pub fn revoke(state: &mut State, seen: &Seen) -> Answer {
    match &seen.credential {
        Credential::None => Answer::requires_authentication(),
        Credential::Api(secret) if state.installation_token(secret).is_some() => {
            state.installation_tokens.retain(|token| token.secret != *secret);
            Answer::no_content()
        }
        Credential::Api(secret) if state.pats.contains(secret) || state.limited_pat(secret).is_some() => {
            Answer::error(403, "Resource not accessible by personal access token")
        }
        _ => Answer::bad_credentials(),
    }
}
