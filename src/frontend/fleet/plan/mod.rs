//! What has to be done so that GARM has what is declared: from what is declared, seen and remembered to steps. Pure.
//!
//! Nothing is ever deleted here, and nothing that is not declared is touched. Steps stand in the order in which one needs the
//! other, so that a pass that ends between two of them leaves a beginning, which the next one goes on with. What GARM cannot change
//! is refused with the way out.

#[cfg(test)]
mod claims_tests;
mod difference;
mod entities;
mod inputs;
mod pairing;
mod pools;
mod servers;
#[cfg(test)]
mod world_tests;

use super::step::{Kind, Plan};

pub use inputs::Inputs;
pub use pairing::{Pairing, pair};

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
