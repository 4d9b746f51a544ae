//! Templates for scripts: a strict subset of Go's `text/template`, with the same results. Pure.
//!
//! A pool's own script can be one, written for the Go providers. Crates that evaluate Go's templates cut the result at a
//! mistake, or print values in their errors, so this reads what such scripts use and refuses everything else: fields of a
//! fixed list, `.ExtraContext.KEY`, `index`, `if`, `else if`, `with`, `and`, `or`, `not`, `eq`, `ne`, texts, comments and trim
//! marks. An error names the line and what stands there, never a value. Results of Go for the same templates are in
//! `tests/fixtures/garm-templates.json`.

mod evaluate;
mod lex;
mod parse;
mod refusal;

pub use evaluate::{Fields, Value};
use refusal::Refusal;

/// The template with values in the place of its actions.
///
/// # Errors
///
/// What is not in the subset, does not fit together, or makes the result larger than `limit` bytes.
pub fn render(template: &str, fields: &dyn Fields, limit: usize) -> Result<String, Refusal> {
    let pieces = lex::pieces(template)?;
    let nodes = parse::parse(pieces)?;
    evaluate::evaluate(&nodes, fields, limit)
}

#[cfg(test)]
mod tests;
