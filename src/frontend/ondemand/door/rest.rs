//! The interface of REST: one address for each label. Pure.
//!
//! | request | answers |
//! | --- | --- |
//! | `PUT /v1/runners/LABEL?wait=SECONDS` with `{"class": …}` | 200 settled, 202 ask again, with `Location` and `Retry-After` |
//! | `GET /v1/runners/LABEL?wait=SECONDS` | 200, 404 |
//! | `DELETE /v1/runners/LABEL` | 202, 204 if there is nothing to end |
//! | `GET /v1/status` | 200 |
//!
//! What is not known is refused: a field that is misspelled would otherwise mean something else than was meant.

use serde::Deserialize;
use serde_json::json;

use super::errand::{Errand, Understood, body, class, label, other, question, repository, view, views};
use super::http::{Method, Request};
use super::reply::{AGAIN, Reply};
use crate::frontend::ondemand::label::Grammar;
use crate::frontend::ondemand::refusal::Refusal;
use crate::frontend::ondemand::wire::{Ask, LONGEST_WAIT, Outcome, Question};

/// The body of a PUT.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    class: String,
    repository: Option<String>,
}

/// A request about the runners of a label.
///
/// # Errors
///
/// If it cannot be understood.
pub fn runner(request: &Request, text: &str, grammar: &Grammar) -> Understood {
    let (label, run) = label(text, grammar)?;
    let token = bearer(request)?;
    let (wait, ask, reply): (_, _, fn(&Question, Outcome) -> Reply) = match request.method {
        Method::Put => {
            let wish: Wish = serde_json::from_slice(&request.body).map_err(|error| body(&error))?;
            let classes = vec![class(&wish.class, &label)?];
            let repository = wish.repository.as_deref().map(repository).transpose()?;
            (wait(request)?, Ask::Create { label, classes, repository, run }, created)
        }
        Method::Get => (wait(request)?, Ask::Look { label }, looked),
        Method::Delete => {
            no_query(request)?;
            (0, Ask::Destroy { labels: vec![label] }, destroyed)
        }
        Method::Post => return Err(Refusal::Method("GET, PUT, DELETE")),
    };
    Ok(Errand { question: question(request, wait, token, ask)?, reply })
}

/// A request about all.
///
/// # Errors
///
/// If it cannot be understood.
pub fn status(request: &Request) -> Understood {
    no_query(request)?;
    Ok(Errand { question: question(request, 0, None, Ask::Status)?, reply: told })
}

/// The ID token of a request.
fn bearer(request: &Request) -> Result<Option<&str>, Refusal> {
    let Some(field) = &request.authorization else { return Ok(None) };
    match field.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim_start())),
        _ => Err(Refusal::Token("The field Authorization is of another kind: send `Bearer` and the ID token".into())),
    }
}

/// How long a request waits, in seconds.
fn wait(request: &Request) -> Result<u16, Refusal> {
    let Some(query) = &request.query else { return Ok(0) };
    let digits = query.strip_prefix("wait=").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = digits.and_then(|digits| digits.parse().ok()).filter(|seconds| *seconds <= LONGEST_WAIT);
    seconds.ok_or_else(|| Refusal::Malformed(format!("The query is none: use ?wait= with 0 to {LONGEST_WAIT} seconds")))
}

fn no_query(request: &Request) -> Result<(), Refusal> {
    match request.query {
        None => Ok(()),
        Some(_) => Err(Refusal::Malformed("This address takes no query: leave out what follows the `?`".into())),
    }
}

fn created(question: &Question, outcome: Outcome) -> Reply {
    let Outcome::Runners(runners) = outcome else { return other(outcome) };
    let [runner] = runners.as_slice() else { return Reply::busy() };
    if runner.is_settled() {
        return Reply::json(200, &view(runner));
    }
    let Ask::Create { label, .. } = &question.ask else { return Reply::busy() };
    let location = format!("/v1/runners/{}", label.as_str());
    Reply::json(202, &view(runner)).with("Location", location).with("Retry-After", AGAIN)
}

fn looked(_: &Question, outcome: Outcome) -> Reply {
    let Outcome::Runners(runners) = outcome else { return other(outcome) };
    if runners.is_empty() {
        return Reply::refusal(&Refusal::NoOrder);
    }
    Reply::json(200, &json!({ "runners": views(&runners) }))
}

/// Says of runners that their end was asked for.
#[must_use]
pub fn destroyed(_: &Question, outcome: Outcome) -> Reply {
    let Outcome::Runners(runners) = outcome else { return other(outcome) };
    if runners.is_empty() {
        return Reply::empty(204);
    }
    let ends = runners.iter().all(|runner| runner.reason.is_some());
    let message =
        if ends { "It ends, or has ended." } else { "It will end by itself: a job of its run may still want it." };
    Reply::json(202, &json!({ "message": message, "runners": views(&runners) }))
}

fn told(_: &Question, outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Status(status) => Reply::json(200, &json!(status)),
        outcome => other(outcome),
    }
}
