//! The interface for tests in other processes, below `/_stand-in/`.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET records` · `DELETE records` | what was seen · forget it |
//! | `GET runners` · `POST runners` | all runners · add one (a [`Runner`]; id 0 means the next one) |
//! | `DELETE runners/{id}` | GitHub forgets the runner, busy or not |
//! | `POST runners/{id}/busy` · `…/status` | body: `true`/`false` · `"online"`/`"offline"` |
//! | `POST pats` · `DELETE pats` | accept the token in the body (a string) · accept none any more |
//! | `POST tokens` | `{"entity", "kind", "lifetime"}`; answers with the token |
//! | `POST faults` · `GET faults` · `DELETE faults` | inject a [`Fault`] · list · drop all |
//!
//! Nothing of it is recorded, and none of it exists at GitHub.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    faults::Fault,
    record::Record,
    state::{Runner, State, TokenKind},
};

/// What a test asks for.
#[derive(Deserialize)]
struct NewToken {
    entity: String,
    #[serde(default = "registration")]
    kind: TokenKind,
    #[serde(default)]
    lifetime: Option<u64>,
}

fn registration() -> TokenKind {
    TokenKind::Registration
}

/// Answers a request to `/_stand-in/<path>`.
pub fn control(
    (method, path): (&str, &str),
    body: Value,
    state: &mut State,
    faults: &mut Vec<Fault>,
    records: &mut Vec<Record>,
) -> Answer {
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let answer = match (method, segments.as_slice()) {
        ("GET", ["records"]) => Ok(Answer::json(200, json!(records))),
        ("DELETE", ["records"]) => {
            records.clear();
            Ok(Answer::no_content())
        }
        ("GET", ["runners"]) => Ok(Answer::json(200, json!(state.runners))),
        ("POST", ["runners"]) => add_runner(state, body),
        ("DELETE", ["runners", id]) => {
            state.runners.retain(|runner| runner.id.to_string() != *id);
            Ok(Answer::no_content())
        }
        ("POST", ["runners", id, field]) => change_runner(state, id, field, body),
        ("POST", ["pats"]) => serde_json::from_value(body).map(|pat| {
            state.pats.push(pat);
            Answer::no_content()
        }),
        ("DELETE", ["pats"]) => {
            state.pats.clear();
            Ok(Answer::no_content())
        }
        ("POST", ["tokens"]) => serde_json::from_value(body).map(|wanted: NewToken| {
            let lifetime = wanted.lifetime.unwrap_or(3_600);
            let token = state.mint(&wanted.entity, wanted.kind, lifetime);
            Answer::json(201, json!(token))
        }),
        ("GET", ["faults"]) => Ok(Answer::json(200, json!(faults))),
        ("POST", ["faults"]) => serde_json::from_value(body).map(|fault| {
            faults.push(fault);
            Answer::no_content()
        }),
        ("DELETE", ["faults"]) => {
            faults.clear();
            Ok(Answer::no_content())
        }
        _ => Ok(Answer::not_found()),
    };
    answer.unwrap_or_else(|error| Answer::error(400, &format!("Body not understood: {error}")))
}

fn add_runner(state: &mut State, body: Value) -> Result<Answer, serde_json::Error> {
    let mut runner: Runner = serde_json::from_value(body)?;
    if runner.id == 0 {
        runner.id = state.next_id();
    }
    state.last_id = state.last_id.max(runner.id);
    let answer = Answer::json(201, json!(runner));
    state.runners.push(runner);
    Ok(answer)
}

fn change_runner(state: &mut State, id: &str, field: &str, body: Value) -> Result<Answer, serde_json::Error> {
    let found = |runner: &&mut Runner| runner.id.to_string() == id;
    let Some(runner) = state.runners.iter_mut().find(found) else {
        return Ok(Answer::not_found());
    };
    match field {
        "busy" => runner.busy = serde_json::from_value(body)?,
        "status" => runner.status = serde_json::from_value(body)?,
        _ => return Ok(Answer::not_found()),
    }
    Ok(Answer::json(200, json!(runner)))
}
