//! Personal access tokens that may not do everything.

use serde::{Deserialize, Serialize};

use super::shared::Utc;

/// A personal access token with limits. One without limits is a plain string.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pat {
    /// The secret itself.
    pub token: String,
    /// Seconds since the epoch at which it stops working.
    #[serde(default)]
    pub expires: Option<u64>,
    /// Entities such as `orgs/octo-org` that it may see; absent means all.
    #[serde(default)]
    pub entities: Option<Vec<String>>,
    /// Whether it has the permission to manage runners.
    #[serde(default = "granted")]
    pub permission: bool,
    /// Whether the organisation wants it authorised for single sign-on first.
    #[serde(default)]
    pub sso_required: bool,
}

fn granted() -> bool {
    true
}

impl Pat {
    /// A token without any limit yet.
    pub fn new(token: &str) -> Self {
        Self { token: token.to_owned(), expires: None, entities: None, permission: true, sso_required: false }
    }

    /// Whether it has stopped working.
    pub fn expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether the entity exists for it, without regard to case.
    pub fn sees(&self, entity: &str) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|name| name.eq_ignore_ascii_case(entity));
        self.entities.as_ref().is_none_or(listed)
    }

    /// The value of `github-authentication-token-expiration`.
    pub fn expiration(&self) -> Option<String> {
        self.expires.map(|expires| Utc::from_unix(expires).with_zone())
    }
}
