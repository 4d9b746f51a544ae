//! Everything that GARM has, as one look saw it. Pure.

use std::collections::BTreeMap;

use super::declaration::{Declaration, GITHUB};
use super::step::Kind;
use super::wire::{Controller, Credentials, Endpoint, Entity, Named, Pool};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Itself.
    pub controller: Controller,
    /// Servers of GitHub's kind.
    pub endpoints: Vec<Endpoint>,
    /// For GitHub's kind.
    pub credentials: Vec<Credentials>,
    /// All of them.
    pub repositories: Vec<Entity>,
    /// All of them.
    pub organizations: Vec<Entity>,
    /// With their extra specs.
    pub pools: Vec<Pool>,
    /// With their extra specs.
    pub scale_sets: Vec<Pool>,
    /// Those of its configuration.
    pub providers: Vec<Named>,
    /// Of the entities that want one and that GARM has.
    pub webhooks: BTreeMap<(Kind, String), Webhook>,
}

/// Whether GitHub has GARM's webhook.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Webhook {
    /// It calls.
    Active,
    /// It is there, and GitHub does not call it.
    Inactive,
    /// There is none.
    Missing,
    /// Nobody knows: the end of a sentence.
    Unknown(String),
}

impl Seen {
    /// The repositories or the organizations.
    #[must_use]
    pub fn entities(&self, kind: Kind) -> &[Entity] {
        if kind == Kind::Repository { &self.repositories } else { &self.organizations }
    }

    /// A declared entity: the one of its name at the endpoint of its credentials.
    #[must_use]
    pub fn entity(&self, declared: &Declaration, kind: Kind, name: &str) -> Option<&Entity> {
        let endpoint = endpoint_of(declared, kind, name);
        self.entities(kind).iter().find(|entity| {
            entity.full_name().eq_ignore_ascii_case(name) && entity.endpoint.name.eq_ignore_ascii_case(endpoint)
        })
    }
}

/// The kind of the declared entity of a pool.
#[must_use]
pub fn kind_of(entity: &str) -> Kind {
    if entity.contains('/') { Kind::Repository } else { Kind::Organization }
}

/// The endpoint at which a declared entity stands.
#[must_use]
pub fn endpoint_of<'a>(declared: &'a Declaration, kind: Kind, name: &str) -> &'a str {
    let entities = if kind == Kind::Repository { &declared.repositories } else { &declared.organizations };
    let credentials = entities.get(name).and_then(|entity| declared.credentials.get(&entity.credentials));
    credentials.map_or(GITHUB, |credentials| &credentials.endpoint)
}
