//! A GitHub App as a credential: who it is, where it is installed, and where its key lies.

use serde::{Deserialize, Deserializer, Serialize};

use super::TokenPath;

/// What names an App and its key. The key itself is only ever read by the broker.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GithubApp {
    /// Its client id, or its number as a text.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The account that installed it; `None` means the owner of the address.
    pub login: Option<String>,
    /// Where the private key is, as PEM.
    pub private_key_file: TokenPath,
    /// The installation; `None` has it looked up by the address.
    pub installation_id: Option<u64>,
}

fn id<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(serde::de::Error::custom(
            "`githubApp.id` is neither a client id nor a number: copy it from the page of the App",
        ));
    }
    Ok(text)
}
