//! What a plan is made from, and how a difference is told. Pure.

use serde_json::{Map, Value};

use crate::frontend::fleet::declaration::Declaration;
use crate::frontend::fleet::material::Material;
use crate::frontend::fleet::memory::Memory;
use crate::frontend::fleet::seen::Seen;

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

/// Adds a field if it differs.
pub fn differs<T: PartialEq + Into<Value> + Clone>(body: &mut Map<String, Value>, field: &str, declared: &T, seen: &T) {
    if declared != seen {
        body.insert(field.into(), declared.clone().into());
    }
}
