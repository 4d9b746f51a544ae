//! Reading the `Authorization` header.
//!
//! Two kinds of credential reach GitHub here: API tokens (as a bearer, or as the
//! password of basic authentication, which is how the runner sends `--pat`) and the
//! short-lived tokens of the `RemoteAuth` scheme. They are never interchangeable.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{record::Authorization, shared::sha256};

/// What a request proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing, or something unreadable.
    None,
    /// A personal access token, an App's token or the like.
    Api(String),
    /// A registration token or a remove token.
    Remote(String),
}

/// Reads a header value. Schemes are compared without case: the runner sends `basic`.
pub fn read(header: Option<&str>) -> (Credential, Option<Authorization>) {
    let Some(header) = header else {
        return (Credential::None, None);
    };
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    let (user, secret) = match scheme.to_ascii_lowercase().as_str() {
        "basic" => user_and_password(value).unzip(),
        "bearer" | "token" | "remoteauth" => (None, Some(value.to_owned())),
        _ => (None, None),
    };
    let seen = Authorization { scheme: scheme.to_owned(), user, sha256: sha256(secret.as_deref().unwrap_or(value)) };
    let credential = match secret {
        None => Credential::None,
        Some(secret) if scheme.eq_ignore_ascii_case("remoteauth") => Credential::Remote(secret),
        Some(secret) => Credential::Api(secret),
    };
    (credential, Some(seen))
}

fn user_and_password(value: &str) -> Option<(String, String)> {
    let bytes = BASE64_STANDARD.decode(value).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
