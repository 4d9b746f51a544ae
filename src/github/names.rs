//! Names of runners and of those who own them: what is the same to GitHub, how much is kept, how they are called. Pure.

use crate::model::{Scope, shown};

/// Names have 64 characters at most; nothing longer is kept.
pub const LONGEST_NAME: usize = 256;

/// Whether two names are the same to GitHub.
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// As much of a name as is kept.
#[must_use]
pub fn bounded(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// A scope as it is called in sentences.
#[must_use]
pub fn named(scope: &Scope) -> String {
    match scope {
        Scope::Organization(name) => format!("organisation {}", shown(name)),
        Scope::Repository(owner, name) => format!("repository {}", shown(&format!("{owner}/{name}"))),
        Scope::Enterprise(name) => format!("enterprise {}", shown(name)),
    }
}

/// The account that a scope belongs to.
#[must_use]
pub fn owner(scope: &Scope) -> &str {
    match scope {
        Scope::Organization(name) | Scope::Repository(name, _) | Scope::Enterprise(name) => name,
    }
}
