//! Requests and answers as values, and the two doors to the world outside, so that everything else can be tested
//! without network and without waiting.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::time;
use crate::contract::protocol::Secret;

/// What is done with a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Read.
    Get,
    /// Make.
    Post,
    /// Replace, or have something done with what is there.
    Put,
    /// Delete.
    Delete,
}

/// What a request does at the server, which decides whether it may be sent twice, or at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Nothing that anybody would have to undo.
    None,
    /// Something, and nothing more when repeated.
    Repeatable,
    /// Something that must not happen twice: after an answer that was lost, find out first.
    Once,
}

/// One request, without the credential and without the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is done.
    pub method: Method,
    /// Path and query, both encoded.
    pub path: String,
    /// The body, sent as JSON.
    pub body: Option<Value>,
    /// What it does.
    pub effect: Effect,
}

impl Method {
    /// As it is sent.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl Call {
    /// Reads `path`.
    #[must_use]
    pub fn get(path: String) -> Self {
        Self { method: Method::Get, path, body: None, effect: Effect::None }
    }

    /// Posts `body`.
    #[must_use]
    pub fn post(path: String, body: Value, effect: Effect) -> Self {
        Self { method: Method::Post, path, body: Some(body), effect }
    }

    /// Puts `body`.
    #[must_use]
    pub fn put(path: String, body: Value) -> Self {
        Self { method: Method::Put, path, body: Some(body), effect: Effect::Repeatable }
    }

    /// Deletes `path`.
    #[must_use]
    pub fn delete(path: String) -> Self {
        Self { method: Method::Delete, path, body: None, effect: Effect::Repeatable }
    }
}

/// One complete answer.
#[derive(Clone, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Not the body, which can hold secrets.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Response {
    /// The value of a header, whose name is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The time at the server, in seconds since 1970.
    #[must_use]
    pub fn server_time(&self) -> Option<u64> {
        time::http_date(self.header("date")?)
    }

    /// What the server says about an error.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Fault {
            message: String,
        }
        serde_json::from_slice::<Fault>(&self.body).ok().map(|fault| fault.message)
    }

    /// The body, read as JSON; fields that nobody asked for are ignored.
    ///
    /// # Errors
    ///
    /// Where the body is not what was expected. Nothing of it is repeated.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        // The text of the error could repeat a value; its place cannot.
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("the answer has an unexpected form at column {}", error.column()))
    }
}

/// Why there is no complete answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// The end of a sentence.
    pub why: String,
    /// Whether the next attempt would end the same way, and this one cannot have reached the server.
    pub lasting: bool,
}

/// Sends one request.
pub trait Transport {
    /// Sends `call` to `address`, with the credential `bearer` if there is one, and waits at most `limit` for the complete
    /// answer. Follows no redirect.
    ///
    /// # Errors
    ///
    /// No complete answer. It never contains the credential.
    fn send(&self, address: &str, call: &Call, bearer: Option<&Secret>, limit: Duration) -> Result<Response, Broken>;
}

/// Clocks, and whoever asked.
pub trait Surroundings {
    /// Seconds since 1970.
    fn now(&self) -> u64;
    /// How long the request has been worked on.
    fn passed(&self) -> Duration;
    /// Waits, and tells whether the asker was there all the time; returns at once when it is not.
    fn asker_stays(&self, wait: Duration) -> bool;
    /// Waits, whoever is there.
    fn sleep(&self, wait: Duration);
    /// Any number from 0 to 1000, so that many hosts do not repeat at the same moment.
    fn jitter(&self) -> u32;
}
