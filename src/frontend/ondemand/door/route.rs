//! What a request is about: an address of REST, the one address of rr's Lambda, or nothing. Pure.

use core::net::IpAddr;

use super::super::label::{Grammar, Label, Run};
use super::super::refusal::Refusal;
use super::super::source::Source;
use super::super::wire::{Ask, Outcome, Question, VERSION, is_token};
use super::http::{Method, Request};
use super::reply::Reply;
use super::{compatible, rest};
use crate::contract::protocol::Secret;

/// For whoever looks at the address with a browser.
const PARAGRAPH: &str = "This service gives a workflow of GitHub Actions a runner of its own, for one job. Workflows ask for it with \
                         PUT /v1/runners/LABEL; it needs no secret from them, and there is nothing here for others.\n";

/// What is done with a request.
#[derive(Debug)]
pub enum Way {
    /// It is answered without the desk.
    Say(Reply),
    /// The desk is asked.
    Ask(Errand),
}

/// A question for the desk, and how its answer is told.
#[derive(Debug)]
pub struct Errand {
    /// The question.
    pub question: Question,
    /// Makes a reply of its answer.
    pub reply: fn(&Question, Outcome) -> Reply,
}

/// What was understood of a request.
pub type Understood = Result<Errand, Refusal>;

/// Finds out what a request is about.
#[must_use]
pub fn route(request: &Request, grammar: &Grammar) -> Way {
    let understood = match (request.path.as_str(), request.method) {
        ("/", Method::Get) => return Way::Say(Reply::text(PARAGRAPH)),
        ("/", Method::Post) => compatible::errand(request, grammar),
        ("/", _) => Err(Refusal::Method("GET, POST")),
        ("/v1/status", Method::Get) => rest::status(request),
        ("/v1/status", _) => Err(Refusal::Method("GET")),
        (path, _) => match path.strip_prefix("/v1/runners/").filter(|label| !label.is_empty()) {
            None => Err(Refusal::NotFound),
            Some(label) => rest::runner(request, label, grammar),
        },
    };
    match understood {
        Ok(errand) => Way::Ask(errand),
        Err(why) => Way::Say(Reply::refusal(&why)),
    }
}

/// A question of a request.
///
/// # Errors
///
/// If the proxy does not say who asks, or the ID token is none.
pub fn question(request: &Request, wait: u16, token: Option<&str>, ask: Ask) -> Result<Question, Refusal> {
    let address = request.source.as_ref().and_then(|text| text.parse::<IpAddr>().ok());
    let source = address.map(Source::of).ok_or_else(|| {
        Refusal::Malformed("The proxy in front does not say who asks: its operator has to have it set X-Real-IP".into())
    })?;
    let token = match token {
        Some(text) if is_token(text) => Some(Secret::new(text.into())),
        Some(_) => {
            return Err(Refusal::Token(
                "This is no ID token: send the `value` of GitHub's answer and nothing else".into(),
            ));
        }
        None => None,
    };
    Ok(Question { version: VERSION, source, wait, token, ask })
}

/// Label and run of a text.
///
/// # Errors
///
/// If it is no label.
pub fn label(text: &str, grammar: &Grammar) -> Result<(Label, Option<Run>), Refusal> {
    grammar.parse(text).map_err(|fault| Refusal::Label(text.into(), fault))
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
