//! The conversation with GitHub, over HTTP or without a network.

use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde_json::Value;

use super::{http::Http, offline::OfflineServer, start::Start, target::Target, terminal};

/// Attempts per step; 404 is not tried again (RunnerDotcomServer.cs:100-176).
pub const ATTEMPTS: u32 = 3;

/// Which short-lived token, and which event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Register,
    Remove,
}

impl Purpose {
    /// As in `runner_event`.
    pub fn event(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Remove => "remove",
        }
    }

    /// The last piece of the path that mints the token.
    pub fn token(self) -> &'static str {
        match self {
            Self::Register => "registration-token",
            Self::Remove => "remove-token",
        }
    }
}

/// The answer of step B (contract 4.2).
#[derive(Debug, Deserialize)]
pub struct Tenant {
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    pub use_v2_flow: bool,
}

/// A runner group.
#[derive(Debug, Deserialize)]
pub struct Group {
    pub id: u64,
    pub name: String,
    #[serde(default)]
    pub default: bool,
    #[serde(default)]
    pub is_hosted: bool,
}

/// The answer to a registration.
#[derive(Debug, Deserialize)]
pub struct Registered {
    pub id: u64,
    pub name: String,
    pub authorization: Authorization,
}

/// Where and as whom the runner will ask for its tokens.
#[derive(Debug, Deserialize)]
pub struct Authorization {
    #[serde(rename = "authorization_url")]
    pub token_url: String,
    pub server_url: String,
    pub client_id: String,
}

/// GitHub, seen from a runner that is being configured.
pub trait Server {
    /// API token to short-lived token.
    fn token(&mut self, purpose: Purpose, pat: &str) -> Result<String>;
    /// Short-lived token to tenant. Later calls use the token, too.
    fn tenant(&mut self, purpose: Purpose, token: &str) -> Result<Tenant>;
    /// All runner groups.
    fn groups(&mut self) -> Result<Vec<Group>>;
    /// The id of the runner with this name.
    fn find(&mut self, name: &str) -> Result<Option<u64>>;
    /// Adds or replaces a runner; the body is that of contract 4.3.
    fn register(&mut self, body: &Value) -> Result<Registered>;
    /// Deletes a runner.
    fn delete(&mut self, token: &str, id: u64) -> Result<()>;
}

/// The server that the script chooses.
pub fn connect(start: &Start, target: Target) -> Box<dyn Server> {
    match &start.script.github {
        Some(base) => Box::new(Http::new(base, target, &start.script.version)),
        None => Box::new(OfflineServer::new(&start.script.offline, &start.directory, target)),
    }
}

/// Prints what the runner prints for a failed attempt, the body verbatim.
pub fn print_failure(status: u16, method: &str, url: &str, request_id: &str, body: &str) {
    let name = status_name(status).replace(' ', "");
    terminal::error(&format!("Http response code: {name} from '{method} {url}' (Request Id: {request_id})"));
    terminal::error(body);
}

/// The exception that follows the last attempt.
pub fn failure(status: u16) -> anyhow::Error {
    let name = status_name(status);
    anyhow!("Response status code does not indicate success: {status} ({name}).")
}

/// Reason phrase; without blanks it is the name that .NET gives the status.
fn status_name(status: u16) -> String {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        other => return other.to_string(),
    }
    .to_owned()
}
