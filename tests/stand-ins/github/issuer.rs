//! The issuer of ID tokens of jobs: its description, its keys, and tokens for tests.
//!
//! It signs with the key of the tests' App, so that there is only one key that is known not to be a secret.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{APP_KEY, answer::Answer, routes::Seen, state::State};

/// What its first key is called.
pub const KEY_ID: &str = "stand-in-1";

/// The public halves: the one that signs, and one that does not.
const KEYS: &str = include_str!("issuer-keys.json");

/// The address of the issuer that `seen` was sent to, if it was sent to one.
fn issuer(seen: &Seen) -> Option<(String, &str)> {
    let host = seen.host.split(':').next().unwrap_or_default();
    match seen.path.strip_prefix("/_services/token") {
        Some(path) => Some((format!("https://{host}/_services/token"), path)),
        None if host.starts_with("token.actions.") => Some((format!("https://{host}"), &seen.path)),
        None => None,
    }
}

/// Answers what everybody may ask; `None` if it is no question to an issuer.
pub fn route(state: &State, seen: &Seen) -> Option<Answer> {
    let (issuer, path) = issuer(seen)?;
    Some(match (seen.method.as_str(), path) {
        ("GET", "/.well-known/openid-configuration") => Answer::json(
            200,
            json!({
                "issuer": issuer,
                "jwks_uri": format!("{issuer}/.well-known/jwks"),
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["id_token"],
            }),
        ),
        ("GET", "/.well-known/jwks") => Answer::json(200, state.issuer_keys.clone().unwrap_or_else(keys)),
        _ => Answer::not_found(),
    })
}

/// Its keys, as RFC 7517 has them.
///
/// # Panics
///
/// The file beside this one is no JSON.
#[allow(clippy::expect_used, reason = "the file is part of the program")]
pub fn keys() -> Value {
    serde_json::from_str(KEYS).expect("keys in JSON")
}

/// A token with these claims, signed by the first key.
///
/// # Errors
///
/// The claims are no object.
pub fn id_token(claims: &Value) -> Result<String, jsonwebtoken::errors::Error> {
    let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &EncodingKey::from_rsa_pem(APP_KEY.as_bytes())?)
}
