//! Refusals of GitHub in words: what is wrong and the way out. Pure.
//!
//! GitHub answers 404 where it does not want to tell more, so an answer alone is not enough: scope and kind of
//! credential say what it most likely means.

use super::kind::{CredentialKind, classic_scope, needed, translated};
use super::names::{named, owner};
use super::reasons::{is_telling, known, words};
use crate::http::Response;
use crate::model::{RegistrationUrl, Scope, date_and_time, shown};

/// What an account is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Account {
    /// An organisation.
    Organization,
    /// A person, whose account has no runners of its own.
    User,
    /// There is none of that name.
    Missing,
    /// It could not be found out.
    Unknown,
}

/// What was asked for, by whom and when.
pub struct Question<'a> {
    /// What the request was about.
    pub url: &'a RegistrationUrl,
    /// With what.
    pub kind: CredentialKind,
    /// Whether a GitHub App asks, so that there is no access token in any file.
    pub app: bool,
    /// What the organisation of `url` is, if the answer is a 404 about one.
    pub account: Account,
    /// Seconds since 1970, by this host.
    pub now: u64,
    /// When the credential expires, if GitHub ever said so.
    pub expires: Option<u64>,
}

/// Two clocks may differ by this many seconds.
const SKEW: u64 = 60;

/// Sentences about an answer that is not what was asked for.
#[must_use]
pub fn explain(response: &Response, question: &Question) -> String {
    let message = response.message().unwrap_or_default();
    // The reason comes before any advice.
    if let Some(sentences) = known(&message, question.url) {
        return sentences;
    }
    match response.status {
        301 | 302 | 307 | 308 => moved(question.url),
        401 => unauthorized(question),
        403 => forbidden(response, question),
        404 => not_found(response, question),
        status => {
            let said = if message.is_empty() { "without a reason".into() } else { words(&message, question.url) };
            format!("GitHub refuses with status {status}: {said}.")
        }
    }
}

fn moved(url: &RegistrationUrl) -> String {
    format!("{} has another address now, as after a renaming: set `url` to the present one.", named(url.scope()))
}

/// What is wrong with the clocks of this host and of GitHub, if they differ.
#[must_use]
pub fn skew(response: &Response, now: u64) -> Option<String> {
    let server = response.server_time()?;
    (server.abs_diff(now) > SKEW).then(|| {
        format!(
            "The clock of this host says {}, the one of GitHub {}: set the clock of this host.",
            date_and_time(now),
            date_and_time(server)
        )
    })
}

fn unauthorized(question: &Question) -> String {
    if question.app {
        return format!(
            "GitHub does not accept the token that it gave to the App just before: see whether the App is still installed, under \"GitHub Apps\" in the settings of the account {}. It is tried again at the next start.",
            shown(owner(question.url.scope()))
        );
    }
    let needs = needed(question.url.scope(), question.kind);
    let remedy = format!("make a new one with {needs} and put it into the file of `tokenFile`.");
    if question.kind == CredentialKind::Unknown {
        return format!(
            "GitHub does not accept the credential, which does not look like an access token either: a registration token or a password is none. Instead, {remedy}"
        );
    }
    let what = match question.expires.filter(|end| *end <= question.now) {
        Some(end) => format!("it expired at {}", date_and_time(end)),
        None => "it has expired, was revoked, or was not copied whole".into(),
    };
    format!("GitHub does not accept the credential: {what}. Repair: {remedy}")
}

fn forbidden(response: &Response, question: &Question) -> String {
    let message = response.message().unwrap_or_default();
    if let Some(header) = response.header("x-github-sso") {
        return single_sign_on(header, question.url);
    }
    let what = named(question.url.scope());
    if let Some(lacking) = lacking_scope(response, question) {
        return format!("The credential may not administer the runners of {what}: {lacking}");
    }
    let needs = match response.header("x-accepted-github-permissions").map(translated) {
        Some(needs) if !needs.is_empty() => format!("the permission {needs}"),
        _ => needed(question.url.scope(), question.kind),
    };
    if is_telling(&message) {
        // Perhaps it is something else than permissions.
        return format!(
            "GitHub refuses to let the credential administer the runners of {what} and says {}. If that does not tell the way out, give it {needs}.",
            words(&message, question.url)
        );
    }
    let said = if message.is_empty() { String::new() } else { format!(" GitHub says {}.", shown(&message)) };
    format!("The credential may not administer the runners of {what}: give it {needs}.{said}")
}

fn single_sign_on(header: &str, url: &RegistrationUrl) -> String {
    let address = header.split(';').find_map(|part| part.trim().strip_prefix("url="));
    // Nobody is sent to a page of another host.
    let ours = address.filter(|address| {
        address.starts_with(&format!("https://{}/", url.host())) && address.bytes().all(|b| b.is_ascii_graphic())
    });
    let way = ours.map_or_else(|| "choose \"Configure SSO\" beside the token".into(), |url| format!("open {url}"));
    format!(
        "Organisation {} wants the token authorised for its single sign-on: {way} and authorise it.",
        shown(owner(url.scope()))
    )
}

/// For tokens with scopes: what they have and what they need.
fn lacking_scope(response: &Response, question: &Question) -> Option<String> {
    let has = response.header("x-oauth-scopes")?;
    let wanted = classic_scope(question.url.scope());
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect()
    };
    let accepted = list(response.header("x-accepted-oauth-scopes").unwrap_or_default());
    let scopes = list(has);
    let enough = |scope: &String| scope == wanted || accepted.contains(scope);
    if question.kind != CredentialKind::Classic || scopes.iter().any(enough) {
        return None;
    }
    let has = if scopes.is_empty() { "no scope at all".into() } else { format!("the scopes {}", shown(has)) };
    Some(format!("the token has {has}; add the scope `{wanted}` to it."))
}

fn not_found(response: &Response, question: &Question) -> String {
    let scope = question.url.scope();
    let what = named(scope);
    let host = question.url.host();
    match (scope, question.account) {
        (Scope::Organization(name), Account::User) => {
            return format!(
                "{} is the account of a user, which has no runners of its own: set `url` to one of its repositories, such as https://{host}/{name}/REPOSITORY.",
                shown(name)
            );
        }
        (Scope::Organization(name), Account::Missing) => {
            return format!("There is no organisation {} on {host}: correct `url`.", shown(name));
        }
        _ => {}
    }
    if let Some(lacking) = lacking_scope(response, question) {
        return format!("GitHub shows the credential no runners of {what}: {lacking}");
    }
    let needs = needed(scope, question.kind);
    match scope {
        Scope::Organization(_) | Scope::Enterprise(_) => {
            format!("The credential may not see the runners of {what}: give it {needs}, or correct `url`.")
        }
        Scope::Repository(..) => format!(
            "There is no {what} on {host}, or the credential may not see or not administer it: correct `url`, or let the credential reach this repository with {needs}."
        ),
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
