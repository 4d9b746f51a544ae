//! What passes remember: which pools are whose, and which secrets GARM was given last. Pure; [`super::store`] keeps it.
//!
//! GARM's pools have no names and GARM gives no secret back, so both would be guessed without this. A lost memory costs one update
//! of each secret, and pools are found again by what they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::TokenDigest;

/// The version of the format.
pub const VERSION: u64 = 1;

/// All of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Memory {
    /// Always [`VERSION`].
    pub version: u64,
    /// The GARM that all of this is about.
    pub controller: String,
    /// By the name of the credentials.
    pub credentials: BTreeMap<String, TokenDigest>,
    /// Secrets of webhooks, by the name of the repository or organization.
    pub webhooks: BTreeMap<String, TokenDigest>,
    /// By the name in the declaration.
    pub pools: BTreeMap<String, Remembered>,
}

/// One pool.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Remembered {
    /// Its id in GARM; none from before it is asked for until its answer is there.
    pub id: Option<String>,
}

impl Default for Memory {
    fn default() -> Self {
        let (credentials, webhooks, pools) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { version: VERSION, controller: String::new(), credentials, webhooks, pools }
    }
}

impl Memory {
    /// Makes this the memory of a GARM. What was remembered of another one is forgotten; tells whether there was one.
    pub fn is_of_another(&mut self, controller: &str) -> bool {
        if self.controller == controller {
            return false;
        }
        let had = !self.controller.is_empty();
        if had {
            *self = Self::default();
        }
        controller.clone_into(&mut self.controller);
        had
    }

    /// The id of a pool.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&str> {
        self.pools.get(name)?.id.as_deref()
    }

    /// Whether a pool was asked for, and nobody knows whether it came about.
    #[must_use]
    pub fn was_asked(&self, name: &str) -> bool {
        self.pools.get(name).is_some_and(|pool| pool.id.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_garm_has_other_pools_and_secrets() {
        let mut memory = Memory::default();
        assert!(!memory.is_of_another("a") && memory.controller == "a");
        memory.pools.insert("small".into(), Remembered { id: Some("1".into()) });
        assert!(!memory.is_of_another("a") && memory.pool("small") == Some("1"));
        assert!(memory.is_of_another("b") && memory.pools.is_empty() && memory.controller == "b");
    }
}
