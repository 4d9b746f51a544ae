//! Who may do what with the runners of an entity.
//!
//! Four kinds of credential meet here, each refused in its own way (contract 4.7):
//! plain API tokens may do everything, limited ones and tokens of an installation what
//! they were granted, and the short-lived tokens of the `RemoteAuth` scheme what the
//! runner does in its own entity.

use super::{
    answer::Answer,
    app::{Installation, InstallationToken},
    auth::Credential,
    pat::Pat,
    routes::Seen,
    state::{State, TokenKind},
};

/// The refusal, or nothing if the request may go on. A short-lived token may do only
/// what `kind` names, in its own entity; a bad one is answered 404, as GitHub does
/// (contract 4.2 B). Everything but `GET` needs to write.
pub fn allow(state: &State, seen: &Seen, entity: &str, kind: Option<TokenKind>) -> Option<Answer> {
    match &seen.credential {
        Credential::None => Some(Answer::requires_authentication()),
        Credential::Api(secret) => api(state, secret, entity, (permission(entity), seen.method != "GET")),
        Credential::Remote(_) if kind.is_none() => Some(Answer::bad_credentials()),
        Credential::Remote(secret) => {
            let fits = state
                .token(secret)
                .is_some_and(|token| Some(token.kind) == kind && token.entity.eq_ignore_ascii_case(entity));
            (!fits).then(Answer::not_found)
        }
    }
}

/// The same for reading the workflows of a repository.
pub fn allow_actions(state: &State, seen: &Seen, repository: &str) -> Option<Answer> {
    match &seen.credential {
        Credential::None => Some(Answer::not_found()),
        Credential::Api(secret) => api(state, secret, &format!("repos/{repository}"), (Some("actions"), false)),
        Credential::Remote(_) => Some(Answer::bad_credentials()),
    }
}

/// The same for reading the rules of an entity for Actions.
pub fn allow_rules(state: &State, seen: &Seen, entity: &str) -> Option<Answer> {
    let permission = if entity.starts_with("orgs/") { "organization_administration" } else { "administration" };
    match &seen.credential {
        Credential::None => Some(Answer::requires_authentication()),
        Credential::Api(secret) => api(state, secret, entity, (Some(permission), false)),
        Credential::Remote(_) => Some(Answer::bad_credentials()),
    }
}

/// `needed` is the permission, and whether writing is.
fn api(state: &State, secret: &str, entity: &str, needed: (Option<&str>, bool)) -> Option<Answer> {
    let full = state.pats.iter().any(|pat| pat == secret);
    let pat = state.limited_pat(secret).filter(|pat| !pat.expired(state.now()));
    let installation = state.installation_token(secret);
    if !full && pat.is_none() && installation.is_none() {
        return Some(Answer::bad_credentials());
    }
    if !state.knows(entity) {
        return Some(Answer::not_found());
    }
    match (pat, installation) {
        (Some(pat), _) => limited(pat, entity),
        (None, Some((token, installation))) => installed(token, installation, entity, needed),
        (None, None) => None,
    }
}

fn limited(pat: &Pat, entity: &str) -> Option<Answer> {
    if !pat.sees(entity) {
        return Some(Answer::not_found());
    }
    if pat.sso_required {
        let owner = entity.split('/').nth(1).unwrap_or_default();
        let url = format!("https://github.com/orgs/{owner}/sso?authorization_request=fake");
        let text = "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.";
        return Some(Answer::error(403, text).with("x-github-sso", &format!("required; url={url}")));
    }
    let refusal = || lacking("Resource not accessible by personal access token", entity);
    (!pat.permission).then(refusal)
}

fn installed(
    token: &InstallationToken,
    installation: &Installation,
    entity: &str,
    (permission, write): (Option<&str>, bool),
) -> Option<Answer> {
    if installation.suspended {
        return Some(Answer::suspended());
    }
    let in_reach = match entity.split('/').collect::<Vec<_>>()[..] {
        ["orgs", name] => name.eq_ignore_ascii_case(&installation.account),
        ["repos", owner, name] => token.reaches(installation, owner, name),
        _ => false,
    };
    let granted = permission.and_then(|name| token.permissions.get(name)).map(String::as_str);
    let enough = granted == Some("write") || (!write && granted == Some("read"));
    (!in_reach || !enough).then(|| lacking("Resource not accessible by integration", entity))
}

/// The permission that managing runners needs; none opens an enterprise to an App.
fn permission(entity: &str) -> Option<&'static str> {
    match entity.split('/').next() {
        Some("orgs") => Some("organization_self_hosted_runners"),
        Some("repos") => Some("administration"),
        _ => None,
    }
}

fn lacking(text: &str, entity: &str) -> Answer {
    let answer = Answer::error(403, text);
    match permission(entity) {
        Some(name) => answer.with("x-accepted-github-permissions", &format!("{name}=write")),
        None => answer,
    }
}
