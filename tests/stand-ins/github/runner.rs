//! Runners and the groups they are in.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// Which repositories may use it: `all`, `selected` or `private`.
    #[serde(default = "all")]
    pub visibility: String,
    /// Whether public ones may.
    #[serde(default)]
    pub allows_public: bool,
}

fn all() -> String {
    "all".to_owned()
}

impl Group {
    /// A group for self-hosted runners of all repositories that are not public. The first one is the default.
    pub fn new(id: u64, name: &str) -> Self {
        let name = name.to_owned();
        Self { id, name, default: id == 1, is_hosted: false, visibility: all(), allows_public: false }
    }

    /// The group as REST shows it.
    pub fn public(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "default": self.default,
            "is_hosted": self.is_hosted,
            "visibility": self.visibility,
            "inherited": false,
            "allows_public_repositories": self.allows_public,
            "restricted_to_workflows": false,
            "selected_workflows": [],
            "workflow_restrictions_read_only": false,
        })
    }
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

impl Label {
    /// A label that somebody gave; it is kept in lower case.
    pub fn custom(name: &str) -> Self {
        Self { name: name.to_lowercase(), kind: "custom".to_owned() }
    }

    /// Whether it is one of the runner's own, which cannot be taken from it.
    pub fn read_only(&self) -> bool {
        self.kind == "read-only"
    }
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
    /// The labels as REST shows them.
    pub fn public_labels(&self) -> Vec<Value> {
        let label = |(id, label): (u64, &Label)| json!({ "id": id, "name": label.name, "type": label.kind });
        (1..).zip(&self.labels).map(label).collect()
    }

    /// The runner as REST shows it.
    pub fn public(&self) -> Value {
        json!({
            "id": self.id,
            "runner_group_id": self.group,
            "name": self.name,
            "os": "linux",
            "status": self.status,
            "busy": self.busy,
            "ephemeral": self.ephemeral,
            "labels": self.public_labels(),
        })
    }
}
