//! What a request is about: an address of REST, the one address of rr's Lambda, or nothing. Pure.

use super::errand::Errand;
use super::http::{Method, Request};
use super::reply::Reply;
use super::{compatible, rest};
use crate::frontend::ondemand::label::Grammar;
use crate::frontend::ondemand::refusal::Refusal;

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

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
