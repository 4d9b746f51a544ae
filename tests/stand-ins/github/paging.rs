//! Long lists in pages.

use serde_json::Value;

use super::{answer::Answer, routes::Seen};

/// One page of `rows` in the shape that `body` gives rows and their total count: 30
/// rows unless asked otherwise, at most 100, with a `Link` header. Only the rows of
/// the page are shown, so a long list costs by its length and not by its square.
pub fn page<T>(
    seen: &Seen,
    rows: &[T],
    show: impl Fn(&T) -> Value,
    body: impl FnOnce(Vec<Value>, usize) -> Value,
) -> Answer {
    let number = |name: &str, default: usize| {
        let asked = seen.query.get(name).and_then(|value| value.parse().ok());
        asked.unwrap_or(default).max(1)
    };
    let (size, page) = (number("per_page", 30).min(100), number("page", 1));
    let shown = rows.iter().skip((page - 1).saturating_mul(size)).take(size).map(show).collect();
    let answer = Answer::json(200, body(shown, rows.len()));
    let last = rows.len().div_ceil(size).max(1);
    if page >= last {
        return answer;
    }
    // A listing by name never has a second page, so the name needs no place here.
    let link = |page: usize, relation: &str| {
        let Seen { scheme, host, path, .. } = seen;
        format!("<{scheme}://{host}{path}?per_page={size}&page={page}>; rel=\"{relation}\"")
    };
    answer.with("link", &[link(page + 1, "next"), link(last, "last")].join(", "))
}
