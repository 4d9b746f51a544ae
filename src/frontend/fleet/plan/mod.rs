//! What has to be done so that GARM has what is declared: from what is declared, seen and remembered to steps. Pure.
//!
//! Nothing is ever deleted here, and nothing that is not declared is touched. Steps stand in the order in which one needs the
//! other, so that a pass that ends between two of them leaves a beginning, which the next one goes on with. What GARM cannot change
//! is refused with the way out.

mod entities;
mod pairing;
mod pools;
mod servers;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

use serde_json::{Map, Value, json};

use super::declaration::Declaration;
use super::material::Material;
use super::memory::Memory;
use super::seen::Seen;
use super::step::{Action, Kind, Plan, Step};

pub use pairing::{Pairing, pair};

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What should be.
    pub declared: &'a Declaration,
    /// What is.
    pub seen: &'a Seen,
    /// What earlier passes knew.
    pub memory: &'a Memory,
    /// What stands in files.
    pub material: &'a Material,
}

/// Makes the plan.
#[must_use]
pub fn plan(inputs: Inputs<'_>) -> Plan {
    let mut plan = Plan::default();
    servers::controller(inputs, &mut plan);
    servers::endpoints(inputs, &mut plan);
    servers::credentials(inputs, &mut plan);
    entities::plan(inputs, Kind::Repository, &mut plan);
    entities::plan(inputs, Kind::Organization, &mut plan);
    pools::pools(inputs, &mut plan);
    pools::scale_sets(inputs, &mut plan);
    plan
}

impl Step {
    fn new(action: Action, kind: Kind, name: &str) -> Self {
        let (entity, id, body) = (None, None, Map::new());
        Self { action, kind, name: name.into(), entity, id, body, with_secret: false }
    }

    /// An update of what has this id, if there is something to update.
    fn update(kind: Kind, name: &str, id: &str, body: Map<String, Value>, with_secret: bool) -> Option<Self> {
        let is_needed = with_secret || !body.is_empty();
        is_needed.then(|| Self { id: Some(id.into()), body, with_secret, ..Self::new(Action::Update, kind, name) })
    }
}

/// Adds a field if it differs.
fn differs<T: PartialEq + Into<Value> + Clone>(body: &mut Map<String, Value>, field: &str, declared: &T, seen: &T) {
    if declared != seen {
        body.insert(field.into(), json!(declared.clone().into()));
    }
}
