//! What goes wrong, as tests say it.

use std::time::Duration;

use serde_json::Value;

/// Requests that are treated in another way.
#[derive(Clone, Debug)]
pub struct Rule {
    method: &'static str,
    part: String,
    left: u32,
    then: Then,
}

/// What happens in place of what should.
#[derive(Clone, Debug)]
pub enum Then {
    /// It is done, and the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks, and nothing is done.
    LoseRequest,
    /// It is done, and the server is started again before it answers. The socket is there at once.
    Restart,
    /// It is done, and the answer takes this long.
    Delay(Duration),
    /// It is taken up after this long, also if the client has gone meanwhile.
    Late(Duration),
    /// Nothing is done, and no answer comes before the client has gone.
    Hang,
    /// Nothing is done, and this is answered: a status and a body.
    Say(u16, Value),
    /// Nothing is done, and these bytes are the answer with its head.
    Raw(Vec<u8>),
    /// The operation that it begins does nothing, and fails with these words.
    FailOperation(&'static str),
    /// The operation that it begins is forgotten as soon as it has ended.
    ForgetOperation,
    /// The operation that it begins ends at once with success, and does nothing.
    Pretend,
}

impl Rule {
    /// Every request of this method whose path with its query has this part.
    pub fn new(method: &'static str, part: &str, then: Then) -> Self {
        Self { method, part: part.into(), left: u32::MAX, then }
    }

    /// Only this many of them.
    pub fn times(self, left: u32) -> Self {
        Self { left, ..self }
    }

    /// What happens with a request, if this is about it.
    pub(super) fn applies(&mut self, method: &str, path: &str) -> Option<Then> {
        if self.left == 0 || self.method != method || !path.contains(&self.part) {
            return None;
        }
        self.left -= 1;
        Some(self.then.clone())
    }
}
