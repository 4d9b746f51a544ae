//! The interface of rr's Lambda of 2024, whose workflows run unchanged: one address, JSON with an `operation`. Pure.
//!
//! Their curl says that the body is a form, so nothing is read out of `Content-Type`. Fields that are not known are passed over,
//! as there. An answer is good if its status is: `create` is answered when all runners are online.

use serde::Deserialize;
use serde_json::json;

use super::errand::{Errand, Understood, body, class, label, other, question, repository, views};
use super::http::Request;
use super::reply::{AGAIN, Reply};
use super::rest::destroyed;
use crate::frontend::ondemand::label::{Grammar, run};
use crate::frontend::ondemand::order::Reason;
use crate::frontend::ondemand::refusal::{Code, Explanation, Refusal};
use crate::frontend::ondemand::wire::{Ask, LONGEST_WAIT, MOST_NAMES, Outcome, Question, Runner, are_different};

/// The body.
#[derive(Deserialize)]
struct Call {
    operation: Operation,
    label: Option<String>,
    labels: Option<Vec<String>>,
    architecture: Option<String>,
    architectures: Option<Vec<String>>,
    repository: Option<String>,
    run_id: Option<RunId>,
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Create,
    Destroy,
}

/// As `${{ github.run_id }}` is written with quotes around it, or without.
#[derive(Deserialize)]
#[serde(untagged)]
enum RunId {
    Number(u64),
    Text(String),
}

/// What a call asks for.
///
/// # Errors
///
/// If it cannot be understood.
pub fn errand(request: &Request, grammar: &Grammar) -> Understood {
    let call: Call = serde_json::from_slice(&request.body).map_err(|error| body(&error))?;
    let token = call.token.as_deref();
    match call.operation {
        Operation::Create => {
            let text = call.label.as_deref().ok_or_else(|| missing("label"))?;
            let (label, named) = label(text, grammar)?;
            let texts = one_or_many(call.architecture, call.architectures, "architecture")?;
            let classes = texts.iter().map(|text| class(text, &label)).collect::<Result<Vec<_>, _>>()?;
            several(&classes, "architectures")?;
            let repository = call.repository.as_deref().map(repository).transpose()?;
            let given = call.run_id.map(RunId::number).transpose()?;
            if named.is_some() && given.is_some() && named != given {
                return Err(Refusal::Run);
            }
            let ask = Ask::Create { label, classes, repository, run: named.or(given) };
            Ok(Errand { question: question(request, LONGEST_WAIT, token, ask)?, reply: created })
        }
        Operation::Destroy => {
            let texts = one_or_many(call.label, call.labels, "label")?;
            let labels = texts.iter().map(|text| Ok(label(text, grammar)?.0)).collect::<Result<Vec<_>, Refusal>>()?;
            several(&labels, "labels")?;
            Ok(Errand { question: question(request, 0, token, Ask::Destroy { labels })?, reply: ended })
        }
    }
}

impl RunId {
    fn number(self) -> Result<u64, Refusal> {
        let number = match self {
            Self::Number(number) => Some(number).filter(|number| *number > 0),
            Self::Text(digits) => run(&digits),
        };
        number.ok_or_else(|| Refusal::Malformed("The `run_id` is no number of a run: send ${{ github.run_id }}".into()))
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::Malformed(format!("The field `{name}` is missing: add it"))
}

/// The value of a field that may be there under two names, for one and for many.
fn one_or_many(one: Option<String>, many: Option<Vec<String>>, name: &str) -> Result<Vec<String>, Refusal> {
    match (one, many) {
        (Some(one), None) => Ok(vec![one]),
        (None, Some(many)) => Ok(many),
        (None, None) => Err(missing(name)),
        (Some(_), Some(_)) => {
            Err(Refusal::Malformed(format!("Both `{name}` and `{name}s` are there: leave one of them out")))
        }
    }
}

fn several<T: PartialEq>(names: &[T], what: &str) -> Result<(), Refusal> {
    if are_different(names) {
        return Ok(());
    }
    Err(Refusal::Malformed(format!(
        "The `{what}` are none, too many, or one twice: name 1 to {MOST_NAMES} different ones"
    )))
}

fn created(_: &Question, outcome: Outcome) -> Reply {
    let Outcome::Runners(runners) = outcome else { return other(outcome) };
    // Only the status counts for these workflows, and their jobs would wait a day for a runner that never comes.
    if let Some(why) = runners.iter().filter_map(|runner| runner.reason.as_ref()).find_map(failure) {
        return Reply::refused(&why);
    }
    if runners.iter().all(Runner::is_settled) {
        return Reply::json(200, &json!({}));
    }
    Reply::json(202, &json!({ "runners": views(&runners) })).with("Retry-After", AGAIN)
}

/// What is said of a runner that ends for this reason; nothing if it did what it was wanted for.
fn failure(reason: &Reason) -> Option<Explanation> {
    use Reason::{Deadline, Done, GivenUp, NameTaken, NoJob, NotQueued, Operator, RunOver};
    let error = match reason {
        Done => return None,
        RunOver => Code::RunOver,
        NotQueued => Code::NotQueued,
        NoJob | Deadline | GivenUp | Operator | NameTaken => Code::OtherOrder,
        Reason::NotOnline
        | Reason::MachineLost
        | Reason::NoCapacity
        | Reason::Unavailable(_)
        | Reason::Configuration(_)
        | Reason::Registration(_) => Code::NoCapacity,
    };
    Some(Explanation { error, message: reason.to_string(), retry_after: None })
}

fn ended(question: &Question, outcome: Outcome) -> Reply {
    let reply = destroyed(question, outcome);
    // The original knows no other good status.
    if matches!(reply.status, 202 | 204) { Reply::json(200, &json!({})) } else { reply }
}
