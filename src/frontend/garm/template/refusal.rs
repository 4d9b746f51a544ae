//! Why a template has no result. Pure.

use std::fmt;

/// Why there is no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Where, from 1.
    pub line: usize,
    /// What stands there, and the way out.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for Refusal {}
