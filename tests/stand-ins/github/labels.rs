//! The labels of one runner (contract 4.7).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    routes::Seen,
    runner::{Label, Runner},
    state::State,
};

/// Lists, adds, sets or takes labels away; the last piece of the path may name one.
pub fn labels(state: &mut State, seen: &Seen, (entity, id): (&str, &str), rest: &[&str]) -> Answer {
    let found = |runner: &&mut Runner| runner.entity.eq_ignore_ascii_case(entity) && runner.id.to_string() == id;
    let Some(runner) = state.runners.iter_mut().find(found) else {
        return Answer::not_found();
    };
    match (seen.method.as_str(), rest) {
        ("GET", []) => {}
        ("POST" | "PUT", []) => {
            let Some(wanted) = seen.body["labels"].as_array() else {
                return Answer::unprocessable("Invalid input: object is missing required key: labels");
            };
            if seen.method == "PUT" {
                runner.labels.retain(Label::read_only);
            }
            for label in wanted.iter().filter_map(Value::as_str).map(Label::custom) {
                if !runner.labels.iter().any(|known| known.name.eq_ignore_ascii_case(&label.name)) {
                    runner.labels.push(label);
                }
            }
        }
        ("DELETE", []) => runner.labels.retain(Label::read_only),
        ("DELETE", [name]) => match runner.labels.iter().position(|label| label.name.eq_ignore_ascii_case(name)) {
            None => return Answer::not_found(),
            Some(at) if runner.labels[at].read_only() => {
                return Answer::unprocessable("Read-only labels cannot be removed");
            }
            Some(at) => drop(runner.labels.remove(at)),
        },
        _ => return Answer::not_found(),
    }
    let labels = runner.public_labels();
    Answer::json(200, json!({ "total_count": labels.len(), "labels": labels }))
}
