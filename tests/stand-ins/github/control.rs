//! The interface for tests in other processes, below `/_stand-in/`.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET records` · `DELETE records` | what was seen · forget it |
//! | `GET runners` · `POST runners` | all runners · add one (a [`Runner`]; id 0 means the next one) |
//! | `DELETE runners/{id}` | GitHub forgets the runner, busy or not |
//! | `POST runners/{id}/busy` · `…/status` | body: `true`/`false` · `"online"`/`"offline"` |
//! | `POST pats` · `DELETE pats` | accept a token: a string, or a [`Pat`] with limits · accept none any more |
//! | `POST apps` · `DELETE apps` | add an [`App`], or replace the one with its id · forget all and their tokens |
//! | `POST users` · `DELETE users` | the name in the body is a plain user · there are none |
//! | `POST tokens` | `{"entity", "kind", "lifetime"}`; answers with the token |
//! | `POST faults` · `GET faults` · `DELETE faults` | inject a [`Fault`] · list · drop all |
//! | `POST jit` · `DELETE jit` | what is wrong with JIT configurations ([`JitChanges`]) · nothing |
//! | `POST runs` · `DELETE runs` | add a [`Run`] of a workflow, or replace the one of its id · there are none |
//! | `POST id-tokens` | the body are the claims; answers with `{"value"}`, as GitHub does to a job |
//! | `POST clock-skew` | seconds by which GitHub's clock is ahead |
//! | `POST down` | close every connection without an answer: `true`, `false` or for so many seconds |
//! | `POST rate-limit` | how many requests more are answered within the hour |
//!
//! Nothing of it is recorded, and none of it exists at GitHub. It works while GitHub is
//! down.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    app::App,
    faults::Fault,
    issuer,
    jit::JitChanges,
    pat::Pat,
    record::Record,
    runner::Runner,
    shared::unix_now,
    state::{State, TokenKind},
    workflows::Run,
};

/// What a test can change.
pub struct Controlled<'a> {
    pub state: &'a mut State,
    pub faults: &'a mut Vec<Fault>,
    pub records: &'a mut Vec<Record>,
}

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

/// A number of seconds, or for ever, or not at all.
#[derive(Deserialize)]
#[serde(untagged)]
enum Down {
    Switch(bool),
    Seconds(u64),
}

type Outcome = Result<Answer, serde_json::Error>;

/// Answers a request to `/_stand-in/<path>`.
pub fn control((method, path): (&str, &str), body: Value, controlled: Controlled) -> Answer {
    let Controlled { state, faults, records } = controlled;
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let answer = match (method, segments.as_slice()) {
        ("GET", ["records"]) => Ok(Answer::json(200, json!(records))),
        ("DELETE", ["records"]) => Ok(forget(records)),
        ("GET", ["runners"]) => Ok(Answer::json(200, json!(state.runners))),
        ("POST", ["runners"]) => add_runner(state, body),
        ("DELETE", ["runners", id]) => {
            state.runners.retain(|runner| runner.id.to_string() != *id);
            Ok(Answer::no_content())
        }
        ("POST", ["runners", id, field]) => change_runner(state, id, field, body),
        ("POST", ["pats"]) if body.is_string() => with(body, |pat| state.pats.push(pat)),
        ("POST", ["pats"]) => with(body, |pat: Pat| state.limited_pats.push(pat)),
        ("DELETE", ["pats"]) => {
            state.limited_pats.clear();
            Ok(forget(&mut state.pats))
        }
        ("POST", ["apps"]) => with(body, |app: App| {
            state.apps.retain(|known| known.id != app.id);
            state.apps.push(app);
        }),
        ("DELETE", ["apps"]) => {
            state.installation_tokens.clear();
            Ok(forget(&mut state.apps))
        }
        ("POST", ["users"]) => with(body, |name| state.users.push(name)),
        ("DELETE", ["users"]) => Ok(forget(&mut state.users)),
        ("POST", ["tokens"]) => serde_json::from_value(body).map(|wanted: NewToken| {
            let lifetime = wanted.lifetime.unwrap_or(3_600);
            let token = state.mint(&wanted.entity, wanted.kind, lifetime);
            Answer::json(201, json!(token))
        }),
        ("GET", ["faults"]) => Ok(Answer::json(200, json!(faults))),
        ("POST", ["faults"]) => with(body, |fault| faults.push(fault)),
        ("DELETE", ["faults"]) => Ok(forget(faults)),
        ("POST", ["jit"]) => with(body, |changes| state.jit = changes),
        ("DELETE", ["jit"]) => {
            state.jit = JitChanges::default();
            Ok(Answer::no_content())
        }
        ("POST", ["runs"]) => with(body, |run: Run| {
            state.runs.retain(|known| known.id != run.id);
            state.runs.push(run);
        }),
        ("DELETE", ["runs"]) => Ok(forget(&mut state.runs)),
        ("POST", ["id-tokens"]) => Ok(match issuer::id_token(&body) {
            Ok(token) => Answer::json(200, json!({ "value": token })),
            Err(error) => Answer::error(400, &error.to_string()),
        }),
        ("POST", ["clock-skew"]) => with(body, |skew| state.clock_skew = skew),
        ("POST", ["down"]) => with(body, |down| {
            state.down_until = match down {
                Down::Switch(false) => 0,
                Down::Switch(true) => u64::MAX,
                Down::Seconds(seconds) => unix_now() + seconds,
            };
        }),
        ("POST", ["rate-limit"]) => with(body, |more: u64| state.rate_limit = state.rate_used + more),
        _ => Ok(Answer::not_found()),
    };
    answer.unwrap_or_else(|error| Answer::error(400, &format!("Body not understood: {error}")))
}

fn with<T: DeserializeOwned>(body: Value, change: impl FnOnce(T)) -> Outcome {
    serde_json::from_value(body).map(change)?;
    Ok(Answer::no_content())
}

fn forget<T>(list: &mut Vec<T>) -> Answer {
    list.clear();
    Answer::no_content()
}

fn add_runner(state: &mut State, body: Value) -> Outcome {
    let mut runner: Runner = serde_json::from_value(body)?;
    if runner.id == 0 {
        runner.id = state.next_id();
    }
    state.last_id = state.last_id.max(runner.id);
    let answer = Answer::json(201, json!(runner));
    state.runners.push(runner);
    Ok(answer)
}

fn change_runner(state: &mut State, id: &str, field: &str, body: Value) -> Outcome {
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
