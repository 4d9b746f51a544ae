//! A GitHub App as the credential: it signs a short-lived proof with its key, and gets a token for one of its
//! installations, narrowed to what runners need. The key itself is never sent.

use std::borrow::Cow;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::base::{encoded, entity};
use super::client::{Client, Failure};
use super::explain::{Account, Question, explain, skew};
use super::kind::{CredentialKind, needed};
use super::names::owner;
use super::reasons::{known, suspended, words};
use crate::contract::protocol::Secret;
use crate::http::time;
use crate::http::{Call, Effect, Response};
use crate::model::{RegistrationUrl, Scope, id, shown};

/// The proof is valid from one minute ago, for clocks that are a little ahead.
const BEFORE: u64 = 60;
/// GitHub accepts ten minutes at most, counted by its own clock.
const AFTER: u64 = 9 * 60;

/// An App, and where it should be installed.
pub struct App<'a> {
    /// Its client id or number.
    pub id: &'a str,
    /// Its private key, as PEM.
    pub key: &'a Secret,
    /// The account that must have installed it.
    pub login: Cow<'a, str>,
    /// The installation; `None` has it looked up.
    pub installation: Option<u64>,
    /// What its token is for.
    pub purpose: Purpose,
}

/// What the token of an App is for; it is good for nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// To administer runners.
    Runners,
    /// To look up runs of workflows in one repository.
    Workflows,
}

/// What an App asks with.
#[derive(Debug)]
pub struct InstallationToken {
    /// The token itself.
    pub token: Secret,
    /// When it ends, in seconds since 1970, if GitHub said so.
    pub expires: Option<u64>,
}

/// Gets a token that can do at `url` what the App is asked for and nothing else.
///
/// # Errors
///
/// No final answer, or the step that GitHub refuses, in words.
pub fn installation_token(client: &Client, app: &App, url: &RegistrationUrl) -> Result<InstallationToken, Failure> {
    #[derive(Deserialize)]
    struct TokenAnswer {
        token: Secret,
        expires_at: Option<String>,
    }
    let narrowed = narrowed(url.scope(), app.purpose).ok_or_else(|| {
        Failure::Refused("GitHub lets no App administer the runners of an enterprise: use `tokenFile`.".into())
    })?;
    let proof = proof(app.id, app.key, client.now()).map_err(Failure::Refused)?;
    let id = installation(client, app, url, &proof)?;
    let call = Call::post(format!("/app/installations/{id}/access_tokens"), narrowed, Effect::None);
    let response = client.send(&call, &proof)?;
    if response.status != 201 {
        return Err(Failure::Refused(token_refused(&response, app, url, client.now())));
    }
    let made: TokenAnswer = response.json().map_err(Failure::Unreachable)?;
    Ok(InstallationToken { token: made.token, expires: made.expires_at.as_deref().and_then(time::instant) })
}

/// What the token is to be limited to.
fn narrowed(scope: &Scope, purpose: Purpose) -> Option<Value> {
    match scope {
        Scope::Repository(_, name) if purpose == Purpose::Workflows => {
            Some(json!({ "repositories": [name], "permissions": { "actions": "read" } }))
        }
        Scope::Organization(_) => Some(json!({ "permissions": { "organization_self_hosted_runners": "write" } })),
        Scope::Repository(_, name) => {
            Some(json!({ "repositories": [name], "permissions": { "administration": "write" } }))
        }
        Scope::Enterprise(_) => None,
    }
}

/// Finds the installation, and makes sure that it is one of the expected account.
fn installation(client: &Client, app: &App, url: &RegistrationUrl, proof: &Secret) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Login {
        login: String,
    }
    #[derive(Deserialize)]
    struct Installation {
        #[serde(deserialize_with = "id")]
        id: u64,
        account: Login,
        suspended_at: Option<String>,
    }
    let path = match app.installation {
        Some(id) => format!("/app/installations/{id}"),
        None => format!("{}/installation", entity(url.scope())),
    };
    let response = client.send(&Call::get(path), proof)?;
    if response.status != 200 {
        return Err(Failure::Refused(look_up_refused(&response, app, url, client.now())));
    }
    let found: Installation = response.json().map_err(Failure::Unreachable)?;
    if !found.account.login.eq_ignore_ascii_case(&app.login) {
        return Err(Failure::Refused(format!(
            "Installation {} of App {} belongs to the account {}, not to {}: correct `githubApp.installationId` or `githubApp.login`.",
            found.id,
            shown(app.id),
            shown(&found.account.login),
            shown(&app.login)
        )));
    }
    if found.suspended_at.is_some() {
        return Err(Failure::Refused(suspended(url)));
    }
    Ok(found.id)
}

/// A JSON web token, signed with RS256.
fn proof(id: &str, key: &Secret, now: u64) -> Result<Secret, String> {
    let told = |what: &str| format!("The file of `githubApp.privateKeyFile` {what}.");
    let text = key.expose();
    // What `openssl` writes with a passphrase, in its newer and its older form.
    if text.contains("-----BEGIN ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(told(
            "holds a key that is encrypted with a passphrase, which nobody could enter: write it without one, for example with `openssl rsa -in ENCRYPTED -out FILE`",
        ));
    }
    if text.contains("-----BEGIN") && text.contains("\\n") {
        return Err(told(
            "holds a key whose line breaks are written as `\\n`, as in JSON or in a variable: write real line breaks, for example with `printf '%b' \"$KEY\" > FILE`",
        ));
    }
    let no_key = |what: &str| {
        format!(
            "The file of `githubApp.privateKeyFile` {what}: put the private key into it that the page of the App gave, from `-----BEGIN` on."
        )
    };
    if !text.contains("-----BEGIN") {
        return Err(no_key("holds no key in PEM form"));
    }
    let unusable = |_| no_key("holds no RSA key, or one that cannot be read");
    let key = EncodingKey::from_rsa_pem(text.as_bytes()).map_err(unusable)?;
    let claims = json!({ "iat": now.saturating_sub(BEFORE), "exp": now + AFTER, "iss": id });
    encode(&Header::new(Algorithm::RS256), &claims, &key).map(Secret::new).map_err(unusable)
}

fn look_up_refused(response: &Response, app: &App, url: &RegistrationUrl, now: u64) -> String {
    match (response.status, app.installation) {
        (404, _) if response.message().is_some_and(|message| message.contains("Integration")) => {
            format!(
                "GitHub knows no App {}: copy its client id to `githubApp.id` from the page of the App.",
                shown(app.id)
            )
        }
        (404, Some(id)) => format!(
            "App {} has no installation {id}: correct `githubApp.installationId`, or remove it to have it looked up.",
            shown(app.id)
        ),
        (404, None) => {
            let which = match url.scope() {
                Scope::Repository(_, name) => format!(" with access to repository {}", shown(name)),
                _ => String::new(),
            };
            format!(
                "App {} is not installed in the account {}{which}: install it there under \"Install App\" on the page of the App.",
                shown(app.id),
                shown(owner(url.scope()))
            )
        }
        _ => otherwise(response, app, url, now),
    }
}

fn token_refused(response: &Response, app: &App, url: &RegistrationUrl, now: u64) -> String {
    let message = response.message().unwrap_or_default();
    if response.status != 422 || known(&message, url).is_some() {
        return otherwise(response, app, url, now);
    }
    let account = shown(owner(url.scope()));
    let app_name = shown(app.id);
    if message.contains("repositor") {
        return format!(
            "The installation of App {app_name} in the account {account} does not reach this repository: select it under \"GitHub Apps\" in the settings of the account. GitHub says {}.",
            words(&message, url)
        );
    }
    format!(
        "The installation of App {app_name} in the account {account} lacks {}: add it under \"Permissions & events\" on the page of the App, and have the owner of the account accept it. GitHub says {}.",
        match app.purpose {
            Purpose::Runners => needed(url.scope(), CredentialKind::App),
            Purpose::Workflows => "the permission \"Actions: Read-only\" of the repository".into(),
        },
        words(&message, url)
    )
}

fn otherwise(response: &Response, app: &App, url: &RegistrationUrl, now: u64) -> String {
    if response.status == 401 {
        let id = shown(app.id);
        return skew(response, now).unwrap_or_else(|| {
            format!(
                "GitHub does not accept what App {id} signed: the key was deleted there, or belongs to another App. Make a new private key on the page of App {id} and put it into the file of `githubApp.privateKeyFile`."
            )
        });
    }
    let question =
        Question { url, kind: CredentialKind::Jwt, app: true, account: Account::Unknown, now, expires: None };
    explain(response, &question)
}

/// What kind of account a name stands for.
///
/// # Errors
///
/// No final answer.
pub fn account(client: &Client, bearer: &Secret, name: &str) -> Result<Account, Failure> {
    #[derive(Deserialize)]
    struct Profile {
        #[serde(rename = "type")]
        kind: String,
    }
    let response = client.send(&Call::get(format!("/users/{}", encoded(name))), bearer)?;
    let found: Option<Profile> = response.json().ok();
    Ok(match (response.status, found.as_ref().map(|found| found.kind.as_str())) {
        (200, Some("User")) => Account::User,
        (200, Some("Organization")) => Account::Organization,
        (404, _) => Account::Missing,
        _ => Account::Unknown,
    })
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
