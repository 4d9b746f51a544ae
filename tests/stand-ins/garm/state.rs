//! What it knows, each thing as GARM would show it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// Everything.
pub struct State {
    /// Name and password, once it was run first.
    pub admin: Option<(String, String)>,
    /// Those that hold.
    pub tokens: BTreeSet<String>,
    /// Itself.
    pub controller: Value,
    /// Lists by their ways.
    pub lists: BTreeMap<&'static str, Vec<Value>>,
    /// Secrets that it was given, by the id of the credentials or the entity.
    pub secrets: BTreeMap<String, Value>,
    /// By the id of the entity.
    pub webhooks: BTreeSet<String>,
    /// Whether it manages them.
    pub manages_webhooks: bool,
    /// How many ids it gave.
    pub made: u64,
}

impl Default for State {
    fn default() -> Self {
        let github = json!({
            "name": "github.com", "description": "", "base_url": "https://github.com", "endpoint_type": "github",
            "api_base_url": "https://api.github.com/", "upload_base_url": "https://uploads.github.com/",
        });
        let controller = json!({"controller_id": "0c0ffee0-0000-4000-8000-000000000001", "version": "v0.2.1"});
        let lists = BTreeMap::from([
            ("endpoints", vec![github]),
            ("providers", vec![json!({"name": "incus", "type": "external"})]),
        ]);
        Self {
            admin: None,
            tokens: BTreeSet::new(),
            controller,
            lists,
            secrets: BTreeMap::new(),
            webhooks: BTreeSet::new(),
            manages_webhooks: true,
            made: 0,
        }
    }
}

impl State {
    /// All of a kind.
    pub fn list(&self, kind: &str) -> &[Value] {
        self.lists.get(kind).map_or(&[], Vec::as_slice)
    }

    /// All of a kind, to change.
    pub fn list_mut(&mut self, kind: &'static str) -> &mut Vec<Value> {
        self.lists.entry(kind).or_default()
    }

    /// One of them, by a field.
    pub fn find(&self, kind: &str, field: &str, value: &str) -> Option<&Value> {
        self.list(kind).iter().find(|one| text(one, field).eq_ignore_ascii_case(value))
    }

    /// A new id.
    pub fn id(&mut self) -> String {
        self.made += 1;
        format!("00000000-0000-4000-8000-{:012}", self.made)
    }

    /// Makes a runner in a pool, as if GARM had.
    pub fn add_instance(&mut self, pool: &str, name: &str, status: &str) {
        let instance = json!({"id": self.id(), "name": name, "status": status, "pool_id": pool});
        self.list_mut("instances").push(instance);
    }
}

/// A field as text; of a number its digits.
pub fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
