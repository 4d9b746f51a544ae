//! Whoever asks at the door, as nginx passes it on: HTTP over a Unix socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::times::HANGS;

/// An answer of the door.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    /// One that has this status.
    pub fn with(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "The door should have answered with {status}: {self:?}");
        Ok(self)
    }

    /// The only runner that it tells of has to be in this state.
    pub fn in_state(self, state: &str) -> Result<Self> {
        // A look tells of all runners of a label, a request of the one that it is for.
        let runner = match self.body["runners"].as_array().map(Vec::as_slice) {
            None => &self.body,
            Some([runner]) => runner,
            Some(_) => &Value::Null,
        };
        ensure!(runner["state"] == state, "The answer should tell of one runner that is {state}: {self:?}");
        Ok(self)
    }

    /// A refusal that says this.
    pub fn saying(self, sentence: &str) -> Result<Self> {
        ensure!(self.body["message"] == sentence, "The refusal should say {sentence:?}: {self:?}");
        Ok(self)
    }
}

/// Asks the door at `socket`, from an address of the network that documents use.
pub fn ask(socket: &Path, (method, target): (&str, &str), body: &str) -> Result<Reply> {
    let mut stream = UnixStream::connect(socket).context("Failed to reach the door")?;
    stream.set_read_timeout(Some(HANGS))?;
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: ci.example.org\r\nX-Real-IP: 192.0.2.1\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("The door did not answer in time")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("The door's answer is no HTTP")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("The answer has no status")?;
    Ok(Reply { status, body: serde_json::from_str(body).context("The door's answer is no JSON")? })
}
