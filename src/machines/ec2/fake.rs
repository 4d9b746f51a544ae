//! A server with a script, and a clock that passes only while somebody waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use super::ask::{Asker, Service, Way};
use super::credential::Credential;
use super::sign::Scope;
use crate::contract::protocol::Secret;
use crate::http::{self, Broken, Response, Surroundings};

/// Status and body, or none.
type Answered = Result<(u16, String), Broken>;

/// What is answered next; the last one also to whatever comes after.
#[derive(Default)]
pub struct Script {
    answers: RefCell<VecDeque<Answered>>,
    /// Method, address and body of each request.
    pub asked: RefCell<Vec<String>>,
    passed: Cell<Duration>,
}

impl Script {
    pub fn of<const N: usize>(answers: [Answered; N]) -> Self {
        Self { answers: RefCell::new(answers.into()), ..Self::default() }
    }

    pub fn asker<'a>(&'a self, credential: &'a Credential) -> Asker<'a> {
        let scope = Scope { region: "eu-central-1", service: "ec2" };
        Asker {
            service: Service { endpoint: "https://ec2.example", scope },
            credential,
            way: self,
            surroundings: self,
            patience: Duration::from_secs(40),
            requests: Cell::new(0),
        }
    }
}

pub fn credential() -> Credential {
    Credential { access: "AKIDEXAMPLE".into(), secret: Secret::new("fake".into()), session: None }
}

pub fn lost() -> Answered {
    Err(Broken { why: "the connection was closed without an answer".into(), lasting: false })
}

#[allow(clippy::unnecessary_wraps, reason = "one of the answers of a script")]
pub fn refused(status: u16, code: &str) -> Answered {
    let body =
        format!("<Response><Errors><Error><Code>{code}</Code><Message>words</Message></Error></Errors></Response>");
    Ok((status, body))
}

#[allow(clippy::unnecessary_wraps, reason = "one of the answers of a script")]
pub fn good(body: &str) -> Answered {
    Ok((200, body.into()))
}

impl Way for Script {
    fn send(&self, form: &http::Form<'_>, _: Duration) -> Result<Response, Broken> {
        self.asked.borrow_mut().push(format!("{} {} {}", form.method.word(), form.address, form.body));
        let mut answers = self.answers.borrow_mut();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let (status, body) = next.unwrap_or_else(lost)?;
        Ok(Response { status, headers: vec![], body: body.into_bytes() })
    }
}

impl Surroundings for Script {
    fn now(&self) -> u64 {
        1_795_947_072
    }

    fn passed(&self) -> Duration {
        self.passed.get()
    }

    fn asker_stays(&self, wait: Duration) -> bool {
        self.passed.set(self.passed.get() + wait);
        true
    }

    fn sleep(&self, wait: Duration) {
        self.passed.set(self.passed.get() + wait);
    }

    fn jitter(&self) -> u32 {
        500
    }
}
