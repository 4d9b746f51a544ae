//! What GARM answers, as far as it is looked at. Pure.
//!
//! Fields that nobody asks for are ignored, and those that GARM leaves out when they are empty are empty. Names and forms are those
//! of its `params/params.go`. Ids are shown and become part of addresses, so one of another form than GARM's is no answer.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// GARM itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Controller {
    #[serde(rename = "controller_id", deserialize_with = "id")]
    pub id: String,
    pub metadata_url: String,
    pub callback_url: String,
    pub webhook_url: String,
    pub version: String,
}

/// A server of GitHub's kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    pub name: String,
    pub description: String,
    pub base_url: String,
    pub api_base_url: String,
    pub upload_base_url: String,
    /// PEM as base64.
    pub ca_cert_bundle: Option<String>,
}

/// What GARM speaks to a server with; never the secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Credentials {
    pub id: u64,
    pub name: String,
    pub description: String,
    /// `pat` or `app`.
    #[serde(rename = "auth-type")]
    pub auth_type: String,
    pub endpoint: Named,
    /// There once GitHub has answered to them.
    pub rate_limit: Option<Value>,
}

/// Something of which the name alone is of interest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    pub name: String,
}

/// A repository or an organization, which has no owner.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Entity {
    #[serde(deserialize_with = "id")]
    pub id: String,
    pub owner: String,
    pub name: String,
    pub credentials_name: String,
    pub credentials: Named,
    pub endpoint: Named,
    pub pool_balancing_type: String,
    pub pool_manager_status: Manager,
}

/// How the part of GARM is doing that looks after one entity.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Manager {
    pub running: bool,
    pub failure_reason: String,
}

/// A webhook at GitHub.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hook {
    pub active: bool,
}

/// Whose a pool or a scale set is; all but one are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Whose {
    #[serde(deserialize_with = "id")]
    pub repo_id: String,
    pub repo_name: String,
    #[serde(deserialize_with = "id")]
    pub org_id: String,
    pub org_name: String,
    pub enterprise_name: String,
}

/// A pool, or a scale set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pool {
    /// A number with scale sets.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// With scale sets only.
    pub name: String,
    #[serde(flatten)]
    pub whose: Whose,
    pub provider_name: String,
    #[serde(deserialize_with = "maybe")]
    pub tags: Vec<Named>,
    pub priority: u64,
    pub max_runners: u64,
    pub min_idle_runners: u64,
    pub image: String,
    pub flavor: String,
    pub os_type: String,
    pub os_arch: String,
    pub enabled: bool,
    pub runner_bootstrap_timeout: u64,
    pub runner_prefix: String,
    #[serde(rename = "github-runner-group")]
    pub runner_group: String,
    pub extra_specs: Value,
}

/// A runner with its instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Instance {
    /// Its name, at the provider as well.
    pub name: String,
    /// Of the instance, such as `running` or `error`.
    pub status: String,
    /// Of the runner, such as `idle` or `active`.
    pub runner_status: String,
    /// Of its pool; empty with a scale set.
    #[serde(deserialize_with = "id")]
    pub pool_id: String,
    /// Of its scale set; empty with a pool.
    #[serde(deserialize_with = "id")]
    pub scale_set_id: String,
}

/// What GARM says when it does not do something.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    pub error: String,
    pub details: String,
}

impl Entity {
    /// `OWNER/NAME`, or the name of an organization.
    #[must_use]
    pub fn full_name(&self) -> String {
        if self.owner.is_empty() { self.name.clone() } else { format!("{}/{}", self.owner, self.name) }
    }

    /// The name of its credentials, which older and newer GARM tell in different places.
    #[must_use]
    pub fn credentials_name(&self) -> &str {
        if self.credentials_name.is_empty() { &self.credentials.name } else { &self.credentials_name }
    }
}

impl Whose {
    /// The id of the repository or organization; empty for anything else.
    #[must_use]
    pub fn entity_id(&self) -> &str {
        if self.repo_id.is_empty() { &self.org_id } else { &self.repo_id }
    }

    /// For people.
    #[must_use]
    pub fn shown(&self) -> &str {
        let names = [&self.repo_name, &self.org_name, &self.enterprise_name];
        names.into_iter().find(|name| !name.is_empty()).map_or("something else", String::as_str)
    }
}

/// A list that Go writes as null when there is nothing in it.
fn maybe<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

/// Whether a text is an id of GARM: a UUID, or a number.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// An id or none; as a number none is 0.
fn id<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Either::deserialize(from)? {
        Either::Text(text) if text.is_empty() || is_id(&text) => text,
        Either::Text(_) => return Err(D::Error::custom("an id that is none of GARM's")),
        Either::Number(0) => String::new(),
        Either::Number(number) => number.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_go_leaves_out_or_writes_as_null_is_empty() {
        let pool: Pool = serde_json::from_value(json!({"id": "a-b", "tags": null, "future": {"x": 1}})).unwrap();
        assert!(pool.id == "a-b" && pool.tags.is_empty() && !pool.enabled && pool.extra_specs.is_null());
        let set: Pool = serde_json::from_value(json!({"id": 7, "org_id": "o", "org_name": "octo-org"})).unwrap();
        assert_eq!((set.id.as_str(), set.whose.entity_id(), set.whose.shown()), ("7", "o", "octo-org"));
        let bare: Pool = serde_json::from_value(json!({"id": "a", "repo_id": "", "org_id": ""})).unwrap();
        assert_eq!(bare.whose.entity_id(), "");
        let runner: Instance = serde_json::from_value(json!({"name": "r", "scale_set_id": 3})).unwrap();
        assert_eq!((runner.scale_set_id.as_str(), runner.pool_id.as_str()), ("3", ""));
    }

    #[test]
    fn an_id_that_a_terminal_would_obey_is_no_answer_and_not_repeated() {
        let long = "a".repeat(65);
        for id in ["\u{1b}[2Jhidden", "hidden/../x", "hidden id", "hidden\n", "hídden", long.as_str()] {
            for error in [
                serde_json::from_value::<Pool>(json!({"id": id})).unwrap_err(),
                serde_json::from_value::<Pool>(json!({"id": "a", "repo_id": id})).unwrap_err(),
                serde_json::from_value::<Pool>(json!({"id": "a", "org_id": id})).unwrap_err(),
                serde_json::from_value::<Entity>(json!({"id": id})).unwrap_err(),
                serde_json::from_value::<Controller>(json!({"controller_id": id})).unwrap_err(),
                serde_json::from_value::<Instance>(json!({"pool_id": id})).unwrap_err(),
                serde_json::from_value::<Instance>(json!({"scale_set_id": id})).unwrap_err(),
            ] {
                assert_eq!(error.to_string(), "an id that is none of GARM's", "{id:?}");
            }
        }
        let uuid = "0b6b1ff5-6a1b-4a4b-8f2c-0f2f6a1d7c11";
        assert_eq!(serde_json::from_value::<Entity>(json!({"id": uuid})).unwrap().id, uuid);
    }
}
