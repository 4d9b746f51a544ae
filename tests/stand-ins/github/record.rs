//! What the stand-in saw, in a form that a test can assert on and that is safe to keep.
//!
//! Secrets appear as digests: a test knows the secret and compares digests; whoever
//! reads a record file later learns nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shared::sha256;

/// One request and the status of its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The request method, upper case.
    pub method: String,
    /// Path and query as sent. A known secret in it is replaced, see [`redact`].
    pub path: String,
    /// True if path or query held a known secret, which nobody may ever send there.
    pub secret_in_path: bool,
    /// The host that the client believed to talk to.
    pub host: String,
    /// Whether it came over TLS.
    pub secure: bool,
    /// The `User-Agent`, if there was one.
    pub user_agent: Option<String>,
    /// The `Accept`, if there was one.
    pub accept: Option<String>,
    /// The `X-GitHub-Api-Version`, if there was one.
    pub api_version: Option<String>,
    /// Header names in lower case, sorted.
    pub headers: Vec<String>,
    /// Scheme and digest of the credential, if there was one.
    pub authorization: Option<Authorization>,
    /// The JSON body, secrets replaced; null if there was none.
    pub body: Value,
    /// The status that was answered; 0 if the connection was closed without an answer.
    pub status: u16,
}

/// An `Authorization` header without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// As sent, so that a test can see `basic` in lower case.
    pub scheme: String,
    /// User name of basic authentication.
    pub user: Option<String>,
    /// Digest of the password or token.
    pub sha256: String,
}

/// Replaces every known secret in `text` with `sha256:<digest>`.
pub fn redact(text: &str, secrets: &[String]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), &format!("sha256:{}", sha256(secret))))
}

/// As [`redact`], in every string of a JSON value; `token` and `pat` values always.
pub fn redact_json(value: &Value, secrets: &[String]) -> Value {
    match value {
        Value::String(text) => redact(text, secrets).into(),
        Value::Array(items) => items.iter().map(|item| redact_json(item, secrets)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| match field {
                Value::String(secret) if name == "token" || name == "pat" => {
                    let digest = format!("sha256:{}", sha256(secret));
                    (name.clone(), digest.into())
                }
                other => (name.clone(), redact_json(other, secrets)),
            })
            .collect(),
        other => other.clone(),
    }
}
