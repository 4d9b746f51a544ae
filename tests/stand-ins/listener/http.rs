//! The conversation over HTTP: admin flow of contract 4.2 and 4.3, paths and headers as
//! the runner sends them, but to the base address of the script.
//!
//! Between attempts the runner waits one to five seconds; tests have no time for that.

use anyhow::{Context as _, Result, anyhow};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::{
    Agent, RequestExt as _,
    http::{Request, header},
};

use super::{
    server::{ATTEMPTS, Group, Purpose, Registered, Server, Tenant, failure, print_failure},
    target::Target,
};

/// A connection to the GitHub stand-in.
pub struct Http {
    agent: Agent,
    base: String,
    target: Target,
    user_agent: String,
    remote: String,
}

/// One call, without its credential.
struct Call<'a> {
    method: &'a str,
    /// How the runner spells the method in its messages: `POST` or `Post`.
    shown: &'a str,
    path: String,
    body: Option<String>,
}

impl Http {
    /// Talks to `base` as if it were the API host of `target`.
    pub fn new(base: &str, target: Target, version: &str) -> Self {
        let agent = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(crate::times::HANGS))
            .build()
            .into();
        Self {
            agent,
            base: base.trim_end_matches('/').to_owned(),
            target,
            user_agent: format!("GitHubActionsRunner-linux-x64/{version}"),
            remote: String::new(),
        }
    }

    fn call(&self, call: &Call, authorization: &str) -> Result<Value> {
        let mut last = anyhow!("No attempt was made.");
        for _ in 0..ATTEMPTS {
            match self.attempt(call, authorization) {
                Ok((200..300, _, body)) if body.is_empty() => return Ok(Value::Null),
                Ok((200..300, _, body)) => {
                    return serde_json::from_str(&body).context("Unexpected answer.");
                }
                Ok((status, request_id, body)) => {
                    let url = self.target.shown(&call.path);
                    print_failure(status, call.shown, &url, &request_id, &body);
                    last = failure(status);
                    if status == 404 {
                        break;
                    }
                }
                Err(error) => {
                    last = anyhow!("{error:#} ({}:443)", self.target.api_host);
                }
            }
        }
        Err(last)
    }

    fn attempt(&self, call: &Call, authorization: &str) -> Result<(u16, String, String)> {
        let request = Request::builder()
            .method(call.method)
            .uri(format!("{}{}", self.base, call.path))
            .header(header::HOST, &self.target.api_host)
            .header(header::USER_AGENT, &self.user_agent)
            .header(header::AUTHORIZATION, authorization);
        let kind = match call.body {
            Some(_) => "application/json; charset=utf-8",
            None => "text/plain; charset=utf-8",
        };
        let mut response = if call.method == "POST" {
            request
                .header(header::CONTENT_TYPE, kind)
                .header(header::ACCEPT, "application/vnd.github.v3+json")
                .body(call.body.clone().unwrap_or_default())?
                .with_agent(&self.agent)
                .run()?
        } else {
            request.body(())?.with_agent(&self.agent).run()?
        };
        let id = response.headers().get("x-github-request-id");
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let body = response.body_mut().read_to_string()?;
        Ok((response.status().as_u16(), id, body))
    }

    fn remote(&self, shown: &str, path: String, body: Option<&Value>) -> Result<Value> {
        let method = shown.to_uppercase();
        let call = Call { method: &method, shown, path, body: body.map(Value::to_string) };
        self.call(&call, &format!("RemoteAuth {}", self.remote))
    }
}

impl Server for Http {
    fn token(&mut self, purpose: Purpose, pat: &str) -> Result<String> {
        let path = format!("actions/runners/{}", purpose.token());
        let call = Call { method: "POST", shown: "POST", path: self.target.entity(&path, "repository")?, body: None };
        let encoded = BASE64_STANDARD.encode(format!("github:{pat}"));
        let answer = self.call(&call, &format!("basic {encoded}"))?;
        let token = answer["token"].as_str().context("The answer holds no token.")?;
        Ok(token.to_owned())
    }

    fn tenant(&mut self, purpose: Purpose, token: &str) -> Result<Tenant> {
        token.clone_into(&mut self.remote);
        let body = json!({ "url": self.target.url, "runner_event": purpose.event() });
        let path = self.target.api("actions/runner-registration");
        let answer = self.remote("POST", path, Some(&body))?;
        match answer["token_schema"].as_str() {
            Some("OAuthAccessToken") => Ok(Tenant::deserialize(&answer)?),
            other => Err(anyhow!("Not supported token schema: {}", other.unwrap_or_default())),
        }
    }

    fn groups(&mut self) -> Result<Vec<Group>> {
        let path = self.target.entity("actions/runner-groups", "enterprise")?;
        let answer = self.remote("Get", path, None)?;
        Ok(Vec::deserialize(&answer["runner_groups"])?)
    }

    fn find(&mut self, name: &str) -> Result<Option<u64>> {
        let path = format!("actions/runners?name={}", escape(name));
        let path = self.target.entity(&path, "enterprise")?;
        let answer = self.remote("Get", path, None)?;
        // The first one is taken, whatever its name is.
        Ok(answer["runners"][0]["id"].as_u64())
    }

    fn register(&mut self, body: &Value) -> Result<Registered> {
        let path = self.target.api("actions/runners/register");
        let answer = self.remote("Post", path, Some(body))?;
        Ok(Registered::deserialize(&answer)?)
    }

    fn delete(&mut self, token: &str, id: u64) -> Result<()> {
        token.clone_into(&mut self.remote);
        let path = format!("actions/runners/{id}");
        let path = self.target.entity(&path, "enterprise")?;
        self.remote("Delete", path, None).map(drop)
    }
}

/// `Uri.EscapeDataString`: all but the unreserved characters.
fn escape(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}
