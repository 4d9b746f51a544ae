//! Instances of this host: what EC2 lists, and which of them a token means.
//!
//! The only filter is our own tag with our own value, in which no character means anything but itself. What a token names is compared
//! here, exactly.

use super::answer::{self, Element};
use super::ask::Asker;
use super::form::Form;
use super::run::TAG;
use crate::contract::cloud::{Condition, Instance, Refusal};

/// How many of one page: an instance has some kilobytes.
const PAGE: &str = "200";
/// More than a host can have had within the hour for which EC2 shows those that ended.
const MOST_PAGES: usize = 50;
/// What EC2 says of an instance that it could not keep.
const NO_ROOM: [&str; 2] = ["Server.InsufficientInstanceCapacity", "Server.InternalError"];

/// One of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// As EC2 calls it.
    pub id: String,
    /// Without that.
    pub instance: Instance,
    /// Whether it is on its way to nothing.
    pub is_ending: bool,
}

/// All instances of a host.
///
/// # Errors
///
/// If not all of them can be listed.
pub fn list(asker: &Asker<'_>, host: &str) -> Result<Vec<Found>, Refusal> {
    let mut all = vec![];
    let mut next: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let mut form = Form::of("DescribeInstances")
            .with("Filter.1.Name", &format!("tag:{TAG}"))
            .with("Filter.1.Value.1", host)
            .with("MaxResults", PAGE);
        if let Some(token) = &next {
            form = form.with("NextToken", token);
        }
        let body = asker.ask(&form)?;
        next = page(&body, &mut all).map_err(Refusal::Passing)?;
        if next.is_none() {
            return Ok(all);
        }
    }
    Err(Refusal::Passing("the list of instances has no end".into()))
}

/// Reads a page; gives the token of the next one.
fn page(body: &[u8], all: &mut Vec<Found>) -> Result<Option<String>, String> {
    let document = answer::parse(body)?;
    let root = Element(document.root_element());
    // An answer that is something else has no such element, and must not be taken for an empty list.
    let list = root.need("reservationSet").map(|_| root)?;
    for reservation in list.items("reservationSet") {
        for found in reservation.items("instancesSet") {
            all.extend(read(found)?);
        }
    }
    answer::next_page(root)
}

/// Reads one; `None` for one that was not asked for by a token, which is not ours whatever tags it has.
fn read(found: Element<'_>) -> Result<Option<Found>, String> {
    let id = answer::id(found.text("instanceId")?, "i")?.to_owned();
    let state = found.need("instanceState")?.text("name")?;
    let code = found.child("stateReason").and_then(|reason| reason.text("code").ok());
    let condition = match state {
        "stopping" | "stopped" => Condition::Stopped,
        "terminated" => match code.filter(|code| NO_ROOM.contains(code)) {
            Some(_) => Condition::NoRoom,
            None => Condition::Over,
        },
        // It boots, runs, or ends; or does something that EC2 has learned since.
        _ => Condition::Alive,
    };
    let Some(token) = found.text("clientToken").ok() else { return Ok(None) };
    let instance = Instance { token: token.into(), condition };
    Ok(Some(Found { id, instance, is_ending: state == "shutting-down" }))
}

/// Those of a token of which something stands.
fn of<'a>(all: &'a [Found], token: &'a str) -> impl Iterator<Item = &'a Found> {
    all.iter().filter(move |found| {
        found.instance.token == token && matches!(found.instance.condition, Condition::Alive | Condition::Stopped)
    })
}

/// Asks about each instance of a token that is not about to end, and gives how many there are. What is refused of one keeps none of
/// the others.
fn each(asker: &Asker<'_>, host: &str, token: &str, form: impl Fn(&str) -> Form) -> Result<usize, Refusal> {
    let all = list(asker, host)?;
    let told = of(&all, token).filter(|found| !found.is_ending).map(|found| asker.ask(&form(&found.id)).map(drop));
    // All of them, before anything is said.
    let told: Vec<_> = told.collect();
    let count = told.len();
    told.into_iter().collect::<Result<(), _>>().map(|()| count)
}

/// Ends all instances of a token. None is fine.
///
/// # Errors
///
/// If it is not known whether all of them end.
pub fn end(asker: &Asker<'_>, host: &str, token: &str) -> Result<(), Refusal> {
    // One question for each: of several ids one that is wrong would keep all of them.
    each(asker, host, token, |id| Form::of("TerminateInstances").with("InstanceId.1", id)).map(drop)
}

/// Closes the metadata service of all instances of a token.
///
/// # Errors
///
/// If it is not known whether all of them are closed; that there is none is [`Refusal::Passing`].
pub fn seal(asker: &Asker<'_>, host: &str, token: &str) -> Result<(), Refusal> {
    let form =
        |id: &str| Form::of("ModifyInstanceMetadataOptions").with("InstanceId", id).with("HttpEndpoint", "disabled");
    match each(asker, host, token, form)? {
        0 => Err(Refusal::Passing("there is no such instance in the list".into())),
        _ => Ok(()),
    }
}

/// The last text of the instance of a token, also of one that ended; empty if there is none.
///
/// # Errors
///
/// If it cannot be read.
pub fn console(asker: &Asker<'_>, host: &str, token: &str) -> Result<String, Refusal> {
    use base64::Engine as _;
    let all = list(asker, host)?;
    let Some(found) = all.iter().find(|found| found.instance.token == token) else { return Ok(String::new()) };
    let form = Form::of("GetConsoleOutput").with("InstanceId", &found.id);
    // The text of now is had from newer types only.
    let body = match asker.ask(&form.clone().with("Latest", "true")) {
        Err(Refusal::Configuration(_)) => asker.ask(&form)?,
        answered => answered?,
    };
    let text = || -> Result<String, String> {
        let document = answer::parse(&body)?;
        let Some(output) = Element(document.root_element()).child("output") else { return Ok(String::new()) };
        let encoded: String = output.0.text().unwrap_or_default().split_ascii_whitespace().collect();
        let bytes = base64::prelude::BASE64_STANDARD.decode(encoded).map_err(|_| "the console is no base64")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    text().map_err(Refusal::Passing)
}

#[cfg(test)]
#[path = "instances_tests.rs"]
mod tests;
