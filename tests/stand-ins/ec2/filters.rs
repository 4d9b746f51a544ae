//! Filters with EC2's wildcards, and pages.

use super::form::{Form, invalid};
use super::refusal::{Refusal, Result};
use super::state::State;
use super::xml::text;

/// Names of parameters that every list takes.
pub const COMMON: [&str; 5] = ["Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken", "DryRun"];

/// A filter: its name, and the patterns of which one has to fit.
#[derive(Debug)]
pub struct Filter {
    pub name: String,
    patterns: Vec<String>,
}

/// The filters of a request.
pub fn read(form: &Form) -> Result<Vec<Filter>> {
    let filters = (1..=form.structures("Filter")).map(|number| {
        let name = form.need(&format!("Filter.{number}.Name"))?.to_owned();
        let patterns: Vec<String> =
            form.list(&format!("Filter.{number}.Value")).into_iter().map(str::to_owned).collect();
        if patterns.is_empty() {
            return Err(Refusal::bad("InvalidParameterValue", format!("The filter '{name}' has no value")));
        }
        Ok(Filter { name, patterns })
    });
    filters.collect()
}

/// Whether an item fits all filters. `values` are what it has for a name, and `None` for names that no item has.
pub fn fit(filters: &[Filter], values: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool> {
    let mut fits = true;
    for filter in filters {
        let text = || Refusal::bad("InvalidParameterValue", format!("The filter '{}' is invalid", filter.name));
        let values = values(&filter.name).ok_or_else(text)?;
        let is_one = |value: &String| filter.patterns.iter().any(|pattern| is_like(pattern, value));
        fits &= values.iter().any(is_one);
    }
    Ok(fits)
}

/// Whether a value is like a pattern: `*` is anything, `?` one character, and `\` takes their meaning away.
pub fn is_like(pattern: &str, value: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    match pattern_rest.next() {
        None => value.is_empty(),
        Some('*') => {
            let tails = value.char_indices().map(|(at, _)| &value[at..]).chain([""]);
            tails.into_iter().any(|tail| is_like(pattern_rest.as_str(), tail))
        }
        Some(first) => {
            let mut value_rest = value.chars();
            let Some(character) = value_rest.next() else { return false };
            let wanted = if first == '\\' { pattern_rest.next().unwrap_or('\\') } else { first };
            (first == '?' || wanted == character) && is_like(pattern_rest.as_str(), value_rest.as_str())
        }
    }
}

/// Whether a request wants a further page, which was made with the first one.
pub fn further(state: &mut State, form: &Form, action: &str) -> Option<Result<(Vec<String>, String)>> {
    let token = form.get("NextToken")?;
    let Some((of, items)) = state.pages.get(token).filter(|(of, _)| of == action).cloned() else {
        return Some(Err(Refusal::bad("InvalidPaginationToken", "The specified pagination token is not valid")));
    };
    // A page may be asked for again: the answer may have got lost.
    Some(size(state, form).map(|size| cut(state, &of, items, size, token)))
}

/// The first page of these items, and what names the next one.
pub fn first(state: &mut State, form: &Form, action: &str, items: Vec<String>) -> Result<(Vec<String>, String)> {
    let size = size(state, form)?;
    let start = format!("{action} {}", state.requests);
    Ok(cut(state, action, items, size, &start))
}

fn size(state: &State, form: &Form) -> Result<usize> {
    let Some(wanted) = form.number("MaxResults")? else { return Ok(state.page_size) };
    if !(5..=1_000).contains(&wanted) {
        return Err(invalid("MaxResults", &wanted.to_string()));
    }
    Ok(usize::try_from(wanted).unwrap_or(usize::MAX).min(state.page_size))
}

fn cut(state: &mut State, action: &str, mut items: Vec<String>, size: usize, before: &str) -> (Vec<String>, String) {
    if items.len() <= size {
        return (items, String::new());
    }
    let rest = items.split_off(size.max(1));
    // Of all characters that have to be encoded in a form.
    let token = format!("{}+/=", super::shared::sha256(before));
    state.pages.insert(token.clone(), (action.into(), rest));
    let next = text("nextToken", &token);
    (items, next)
}
