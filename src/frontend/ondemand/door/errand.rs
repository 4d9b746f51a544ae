//! A question for the desk that was understood, whoever's words it came in, and what both interfaces check and say alike. Pure.

use core::net::IpAddr;

use serde_json::{Value, json};

use super::http::Request;
use super::reply::Reply;
use crate::contract::protocol::Secret;
use crate::frontend::ondemand::label::{Class, Grammar, Key, Label, Run};
use crate::frontend::ondemand::order::Reason;
use crate::frontend::ondemand::refusal::Refusal;
use crate::frontend::ondemand::source::Source;
use crate::frontend::ondemand::wire::{Ask, Outcome, Question, Runner, VERSION, is_token};
use crate::model::{Repository, shown};

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

/// The name of a class that a runner with this label is to have.
///
/// # Errors
///
/// If no class could have it, or no runner both.
pub fn class(text: &str, label: &Label) -> Result<Class, Refusal> {
    let class = Class::try_from(text.to_owned());
    let class = class.map_err(|why| Refusal::Malformed(format!("The class {} is none: {why}", shown(text))))?;
    let key = Key::new(label.clone(), class).map_err(|fault| Refusal::Label(label.as_str().into(), fault))?;
    Ok(key.class)
}

/// The name of a repository.
///
/// # Errors
///
/// If no repository could have it.
pub fn repository(text: &str) -> Result<Repository, Refusal> {
    Repository::parse(text).map_err(Refusal::RepositoryName)
}

/// What is said of a body that is not the one that is wanted.
#[must_use]
pub fn body(error: &serde_json::Error) -> Refusal {
    Refusal::Malformed(format!("The body is not what this address takes: {error}"))
}

/// What is said of every other answer.
#[must_use]
pub fn other(outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Refused(why) => Reply::refused(&why),
        // It answers another question.
        Outcome::Runners(_) | Outcome::Status(_) => Reply::busy(),
    }
}

/// Runners as their caller sees them.
#[must_use]
pub fn views(runners: &[Runner]) -> Vec<Value> {
    runners.iter().map(view).collect()
}

/// A runner as its caller sees it: why it ends is a word for programs and a sentence for people.
#[must_use]
pub fn view(runner: &Runner) -> Value {
    let Runner { label, class, state, since, deadline, market, reason } = runner;
    let (cause, reason) = (reason.as_ref().map(Reason::word), reason.as_ref().map(ToString::to_string));
    json!({
        "label": label, "class": class, "state": state, "since": since, "deadline": deadline, "market": market,
        "cause": cause, "reason": reason,
    })
}
