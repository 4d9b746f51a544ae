//! What this GitHub knows: credentials, runner groups and runners.
//!
//! The same shape is the configuration of an embedded stand-in and the content of the
//! state file of the program, so a test can write one by hand.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shared::{sha256, unix_now};

/// Everything the stand-in remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct State {
    /// API tokens that are accepted.
    pub pats: Vec<String>,
    /// Entities such as `orgs/octo-org` that exist; empty means that all do.
    pub entities: Vec<String>,
    /// Runner groups, the same for every entity.
    pub groups: Vec<Group>,
    /// Registration and remove tokens.
    pub tokens: Vec<Token>,
    /// All runners of all entities.
    pub runners: Vec<Runner>,
    /// The number given out last, to runners and tokens alike.
    pub last_id: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            pats: Vec::new(),
            entities: Vec::new(),
            groups: vec![Group { id: 1, name: "Default".to_owned(), default: true, is_hosted: false }],
            tokens: Vec::new(),
            runners: Vec::new(),
            last_id: 0,
        }
    }
}

/// A runner group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Number of the group.
    pub id: u64,
    /// Name of the group.
    pub name: String,
    /// Whether runners without a wish land here.
    #[serde(default)]
    pub default: bool,
    /// Whether the group is for GitHub's own runners; self-hosted ones cannot join it.
    #[serde(default)]
    pub is_hosted: bool,
}

/// What a short-lived token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// Adding runners.
    Registration,
    /// Deleting runners.
    Remove,
}

/// A short-lived token of one entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The secret itself.
    #[serde(rename = "token")]
    pub secret: String,
    /// The entity it was made for.
    pub entity: String,
    /// What it is good for.
    pub kind: TokenKind,
    /// Seconds since the epoch at which it stops working.
    pub expires: u64,
}

/// A label of a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The label.
    pub name: String,
    /// `read-only` or `custom`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A registered runner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Runner {
    /// Number of the runner.
    pub id: u64,
    /// Name, unique within the entity without regard to case.
    pub name: String,
    /// `orgs/O`, `repos/O/R` or `enterprises/E`.
    pub entity: String,
    /// Number of its group.
    #[serde(default)]
    pub group: u64,
    /// Labels in the order of registration.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Whether it is gone after one job.
    #[serde(default)]
    pub ephemeral: bool,
    /// Whether self-update was refused.
    #[serde(default)]
    pub updates_disabled: bool,
    /// Whether it runs a job now; a busy runner cannot be deleted.
    #[serde(default)]
    pub busy: bool,
    /// `online` or `offline`.
    #[serde(default = "offline")]
    pub status: String,
    /// The public key it registered with; a test can tell a fresh identity from an old one.
    #[serde(default)]
    pub public_key: String,
}

fn offline() -> String {
    "offline".to_owned()
}

impl Runner {
    /// The runner as REST shows it.
    pub fn public(&self) -> Value {
        let labels: Vec<Value> = (1_u64..)
            .zip(&self.labels)
            .map(|(id, label)| json!({ "id": id, "name": label.name, "type": label.kind }))
            .collect();
        json!({
            "id": self.id,
            "runner_group_id": self.group,
            "name": self.name,
            "os": "linux",
            "status": self.status,
            "busy": self.busy,
            "ephemeral": self.ephemeral,
            "labels": labels,
        })
    }
}

impl State {
    /// Whether such an organisation, repository or enterprise exists.
    pub fn knows(&self, entity: &str) -> bool {
        let known = |name: &String| name.eq_ignore_ascii_case(entity);
        self.entities.is_empty() || self.entities.iter().any(known)
    }

    /// The next number.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Makes a token in GitHub's form: 29 upper-case characters without a prefix.
    pub fn mint(&mut self, entity: &str, kind: TokenKind, lifetime: u64) -> Token {
        let number = self.next_id();
        let digest = sha256(format!("{entity}{kind:?}{number}{}", unix_now())).to_uppercase();
        let token = Token {
            secret: format!("AFAKE{}", &digest[..24]),
            entity: entity.to_owned(),
            kind,
            expires: unix_now() + lifetime,
        };
        self.tokens.push(token.clone());
        token
    }

    /// A token that is known and still valid.
    pub fn token(&self, secret: &str) -> Option<&Token> {
        let now = unix_now();
        self.tokens.iter().find(|token| token.secret == secret && token.expires > now)
    }

    /// The runner with this number in this entity.
    pub fn runner(&self, entity: &str, id: u64) -> Option<&Runner> {
        self.runners.iter().find(|runner| runner.id == id && runner.entity.eq_ignore_ascii_case(entity))
    }

    /// Every secret that must not appear in a record.
    pub fn secrets(&self) -> Vec<String> {
        let tokens = self.tokens.iter().map(|token| &token.secret);
        self.pats.iter().chain(tokens).cloned().collect()
    }
}
