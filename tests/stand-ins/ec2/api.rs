//! A request from its signature to its answer, and its place in the log.

use std::collections::BTreeMap;
use std::time::Duration;

use super::form::Form;
use super::http::{Request, Response};
use super::refusal::{Refusal, Result};
use super::rules::{self, Rule, Then};
use super::state::{Entry, State};
use super::{VERSION, auth, catalog, change, describe, quotas, run, xml};

/// What is sent.
pub enum Reply {
    Now(Response),
    Late(Duration, Response),
    /// The connection breaks.
    Never,
}

/// Answers a request of the interface.
pub fn answer(state: &mut State, request: &Request) -> Reply {
    state.requests += 1;
    let id = super::shared::guid(&format!("request {}", state.requests));
    if request.header(quotas::TARGET).is_some() {
        return Reply::Now(quota(state, request));
    }
    let form = match auth::check(state, request, "ec2").and_then(|()| form(request)) {
        Ok(form) => form,
        Err(refusal) => {
            note(state, "", &Form(vec![]), refusal.status, &refusal.code);
            return Reply::Now(refusal.xml(&id));
        }
    };
    let action = form.get("Action").unwrap_or_default().to_owned();
    let rule = rules::take(&mut state.rules, &action, &form);
    let then = rule.as_ref().map(|rule| rule.answer);
    let done = match (&rule, then) {
        (Some(rule), Some(Then::Refuse)) => Err(rule.refusal()),
        (_, Some(Then::LostRequest | Then::Html500)) => Err(Refusal::new(500, "", "")),
        _ => act(state, &action, &form, rule.as_ref().filter(|_| then == Some(Then::CapacityLater))),
    };
    let (response, code) = match done {
        Ok(inner) => (Response::xml(200, xml::answer(&action, &id, &inner)), String::new()),
        Err(refusal) => (refusal.xml(&id), refusal.code),
    };
    let is_lost = matches!(then, Some(Then::Lost | Then::LostRequest));
    note(state, &action, &form, if is_lost { 0 } else { response.status }, &code);
    match then {
        Some(Then::Lost | Then::LostRequest) => Reply::Never,
        Some(Then::Html500) => Reply::Now(Response {
            status: 500,
            kind: "text/html",
            body: "<!DOCTYPE html><html><body><h1>500 Internal Server Error</h1><br></body></html>".into(),
        }),
        Some(Then::Delay(time)) => Reply::Late(Duration::from_millis(time), response),
        _ => Reply::Now(response),
    }
}

/// The form of a request that is signed.
fn form(request: &Request) -> Result<Form> {
    if request.method != "POST" || request.path != "/" || !request.query.is_empty() {
        return Err(Refusal::unwanted("the interface is POST / with a form"));
    }
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Refusal::unwanted(format!("the content type is '{kind}', which is no form")));
    }
    let form = Form::read(&request.body)?;
    form.need("Action")?;
    if form.need("Version")? != VERSION {
        return Err(Refusal::bad("NoSuchVersion", format!("The stand-in has version {VERSION} alone")));
    }
    Ok(form)
}

fn act(state: &mut State, action: &str, form: &Form, later: Option<&Rule>) -> Result<String> {
    match action {
        "RunInstances" => run::run(state, form, later.map(Rule::reason)),
        "DescribeInstances" => describe::instances(state, form),
        "TerminateInstances" => change::terminate(state, form),
        "ModifyInstanceMetadataOptions" => change::metadata(state, form),
        "GetConsoleOutput" => change::console(state, form),
        "DescribeImages" => catalog::images(state, form),
        "DescribeSubnets" => catalog::subnets(state, form),
        "DescribeInstanceTypes" => catalog::kinds(state, form),
        _ => Err(Refusal::bad("InvalidAction", format!("The action {action} is not valid for this web service."))),
    }
}

fn quota(state: &mut State, request: &Request) -> Response {
    let action = "GetServiceQuota";
    let is_get = request.header(quotas::TARGET) == Some(quotas::GET)
        && request.header("content-type") == Some("application/x-amz-json-1.1");
    let answer = auth::check(state, request, "servicequotas").and_then(|()| {
        if !is_get {
            return Err(Refusal::bad("UnknownOperationException", "The stand-in knows GetServiceQuota alone"));
        }
        quotas::get(state, &request.body)
    });
    match answer {
        Ok(body) => {
            note(state, action, &Form(vec![]), 200, "");
            Response { status: 200, kind: "application/x-amz-json-1.1", body: body.into() }
        }
        Err(refusal) => {
            note(state, action, &Form(vec![]), refusal.status, &refusal.code);
            refusal.json()
        }
    }
}

/// Writes a request down. User data holds secrets.
fn note(state: &mut State, action: &str, form: &Form, status: u16, code: &str) {
    let shown = form.0.iter().filter(|(name, _)| name != "UserData").cloned();
    let parameters: BTreeMap<String, String> = shown.collect();
    state.log.push(Entry { action: action.into(), status, code: code.into(), parameters });
}
