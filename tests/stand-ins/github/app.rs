//! GitHub Apps, where they are installed, and the tokens of their installations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shared::Utc;

/// Permission by name, to `read` or `write`.
pub type Permissions = BTreeMap<String, String>;

/// A GitHub App.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct App {
    /// Number of the App.
    pub id: u64,
    /// Its client id; either of the two is accepted as the issuer of a JWT.
    pub client_id: String,
    /// PEM of the public half of its key.
    pub public_key: String,
    /// Where it is installed.
    #[serde(default)]
    pub installations: Vec<Installation>,
}

/// An App in an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Installation {
    /// Number of the installation.
    pub id: u64,
    /// Name of the account.
    pub account: String,
    /// `Organization` or `User`.
    #[serde(default = "organization")]
    pub account_type: String,
    /// Names of the repositories that were selected; absent means all.
    #[serde(default)]
    pub repositories: Option<Vec<String>>,
    /// What was granted.
    #[serde(default)]
    pub permissions: Permissions,
    /// Whether the account has suspended it.
    #[serde(default)]
    pub suspended: bool,
}

fn organization() -> String {
    "Organization".to_owned()
}

impl App {
    /// The App as REST shows it.
    pub fn public(&self) -> Value {
        json!({
            "id": self.id,
            "client_id": self.client_id,
            "slug": format!("app-{}", self.id),
            "name": format!("App {}", self.id),
            "installations_count": self.installations.len(),
        })
    }
}

impl Installation {
    /// Whether the repository of this account is within reach, without regard to case.
    pub fn reaches(&self, repository: &str) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|name| name.eq_ignore_ascii_case(repository));
        self.repositories.as_ref().is_none_or(listed)
    }

    /// `all` or `selected`.
    pub fn selection(&self) -> &'static str {
        if self.repositories.is_some() { "selected" } else { "all" }
    }

    /// The installation of the App with this number, as REST shows it.
    pub fn public(&self, app: u64) -> Value {
        json!({
            "id": self.id,
            "app_id": app,
            "account": { "login": self.account, "type": self.account_type },
            "target_type": self.account_type,
            "repository_selection": self.selection(),
            "permissions": self.permissions,
            "suspended_at": self.suspended.then(|| Utc::from_unix(0).iso()),
        })
    }
}

/// A token of an installation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InstallationToken {
    /// The secret itself.
    #[serde(rename = "token")]
    pub secret: String,
    /// Number of the installation.
    pub installation: u64,
    /// What it may do, perhaps less than the installation.
    pub permissions: Permissions,
    /// Names of the repositories it was narrowed to; absent means all of the installation.
    pub repositories: Option<Vec<String>>,
    /// Seconds since the epoch at which it stops working.
    pub expires: u64,
}

impl InstallationToken {
    /// Whether it may touch the repository; `installation` is its own.
    pub fn reaches(&self, installation: &Installation, owner: &str, repository: &str) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|name| name.eq_ignore_ascii_case(repository));
        let selected = self.repositories.as_ref().is_none_or(listed);
        selected && installation.account.eq_ignore_ascii_case(owner) && installation.reaches(repository)
    }
}
