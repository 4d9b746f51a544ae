//! What is not done, and why: a status and a code, in XML or in JSON.

use serde_json::json;

use super::http::Response;
use super::xml;

/// A request that is refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// The code, by which clients decide.
    pub code: String,
    /// For people.
    pub message: String,
}

/// The result of an action.
pub type Result<T> = std::result::Result<T, Refusal>;

impl Refusal {
    /// With a status of its own.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// What the client did wrong.
    pub fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// What EC2 would do, and this stand-in holds to be a fault of the client.
    pub fn unwanted(message: impl Into<String>) -> Self {
        Self::bad("StandInRefuses", message)
    }

    /// As EC2 says it.
    pub fn xml(&self, request: &str) -> Response {
        let error = xml::text("Code", &self.code) + &xml::text("Message", &self.message);
        let errors = xml::tag("Errors", &xml::tag("Error", &error));
        let body = xml::tag("Response", &(errors + &xml::text("RequestID", request)));
        Response::xml(self.status, format!("{}{body}", xml::DECLARATION))
    }

    /// As Service Quotas says it.
    pub fn json(&self) -> Response {
        let body = json!({"__type": self.code, "Message": self.message});
        Response { status: self.status, kind: "application/x-amz-json-1.1", body: body.to_string().into() }
    }
}
