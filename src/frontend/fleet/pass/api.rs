//! GARM's API, request by request: login, size and time of each answer, and what a refusal says.
//!
//! Nothing is repeated here but one login: whoever does not know whether something was done looks before the next try. The
//! password and the token are in no error, and neither is a body that was sent.

use std::cell::RefCell;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::contract::protocol::Secret;
use crate::frontend::fleet::declaration::Declaration;
use crate::frontend::fleet::refuse::host;
use crate::frontend::fleet::wire::Refusal;
use crate::http::{Broken, Form, Method, Post, Response};
use crate::model::plain;

/// Names of GARM are mostly made of these.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// A thousand runners with their messages have a quarter of it.
const LARGEST: u64 = 16 << 20;
/// GARM asks GitHub for some of it, and waits for it.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest part of what GARM says that is shown.
const LONGEST_SAID: usize = 500;

/// Why something was not done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Nobody knows whether it was, or GARM cannot do anything just now: a sentence.
    Away(String),
    /// GARM says so.
    Refused {
        /// The status of its answer.
        status: u16,
        /// The kind of it, such as `init_required`.
        error: String,
        /// A sentence.
        said: String,
    },
}

impl Failure {
    /// The sentence.
    #[must_use]
    pub fn said(&self) -> &str {
        match self {
            Self::Away(said) | Self::Refused { said, .. } => said,
        }
    }

    /// Whether GARM answered with this status.
    #[must_use]
    pub fn is(&self, status: u16) -> bool {
        matches!(self, Self::Refused { status: known, .. } if *known == status)
    }

    /// Whether GARM answered with this word.
    #[must_use]
    pub fn has_word(&self, word: &str) -> bool {
        matches!(self, Self::Refused { error, .. } if error == word)
    }
}

/// One GARM.
pub struct Garm {
    post: Post,
    base: String,
    named: String,
    user: String,
    password: Secret,
    token: RefCell<Option<Secret>>,
}

impl Garm {
    /// The way to it; asks nothing.
    ///
    /// # Errors
    ///
    /// One sentence: no certificates, or a proxy that is none.
    pub fn open(declared: &Declaration, password: Secret) -> Result<Self, String> {
        let (authority, is_secure) = host(&declared.api)?;
        let post = if is_secure { Post::secure(authority, "GARM")? } else { Post::plain("GARM") };
        let base = format!("{}://{authority}/api/v1", if is_secure { "https" } else { "http" });
        let (user, token) = (declared.admin.user.clone(), RefCell::new(None));
        Ok(Self { post: post.up_to(LARGEST), base, named: declared.api.clone(), user, password, token })
    }

    /// Logs in.
    ///
    /// # Errors
    ///
    /// [`Failure::has_word`] `init_required` if there is no administrator yet.
    pub fn login(&self) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let body = json!({"username": self.user, "password": self.password.expose()});
        let answer: Token = self.read(&self.send(Method::Post, "/auth/login", Some(&body), None)?)?;
        *self.token.borrow_mut() = Some(Secret::new(answer.token));
        Ok(())
    }

    /// Makes the administrator.
    ///
    /// # Errors
    ///
    /// If there is one already, or GARM does not like its name or password.
    pub fn first_run(&self, email: &str) -> Result<(), Failure> {
        let body = json!({
            "username": self.user, "password": self.password.expose(), "email": email, "full_name": self.user,
        });
        self.send(Method::Post, "/first-run", Some(&body), None).map(drop)
    }

    /// Reads something.
    ///
    /// # Errors
    ///
    /// No answer, another one, or one of another form.
    pub fn get<T: DeserializeOwned>(&self, words: &[&str]) -> Result<T, Failure> {
        self.read(&self.ask(Method::Get, words, None)?)
    }

    /// Reads a list, of which Go writes an empty one as null.
    ///
    /// # Errors
    ///
    /// As [`Garm::get`].
    pub fn list<T: DeserializeOwned>(&self, words: &[&str]) -> Result<Vec<T>, Failure> {
        self.get::<Option<Vec<T>>>(words).map(Option::unwrap_or_default)
    }

    /// Makes something, and reads what became of it.
    ///
    /// # Errors
    ///
    /// As [`Garm::get`].
    pub fn create(&self, words: &[&str], body: &Value) -> Result<Value, Failure> {
        self.read(&self.ask(Method::Post, words, Some(body))?)
    }

    /// Changes something.
    ///
    /// # Errors
    ///
    /// As [`Garm::get`].
    pub fn update(&self, words: &[&str], body: &Value) -> Result<(), Failure> {
        self.ask(Method::Put, words, Some(body)).map(drop)
    }

    /// Deletes something.
    ///
    /// # Errors
    ///
    /// As [`Garm::get`].
    pub fn delete(&self, words: &[&str]) -> Result<(), Failure> {
        self.ask(Method::Delete, words, None).map(drop)
    }

    /// Sends with the token. One that has ended is renewed once: GARM did nothing for it.
    fn ask(&self, method: Method, words: &[&str], body: Option<&Value>) -> Result<Response, Failure> {
        let path = words.iter().fold(String::new(), |mut path, word| {
            path.push('/');
            path.extend(utf8_percent_encode(word, ENCODED));
            path
        });
        let token = self.token.borrow().clone();
        match self.send(method, &path, body, token.as_ref()) {
            Err(failure) if failure.is(401) => {
                self.login()?;
                let token = self.token.borrow().clone();
                self.send(method, &path, body, token.as_ref())
            }
            answer => answer,
        }
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&Secret>,
    ) -> Result<Response, Failure> {
        let address = format!("{}{path}", self.base);
        let mut headers = vec![("accept", "application/json".to_owned())];
        if let Some(token) = token {
            headers.push(("authorization", format!("Bearer {}", token.expose())));
        }
        let text = body.map(Value::to_string).unwrap_or_default();
        if body.is_some() {
            headers.push(("content-type", "application/json".into()));
        }
        let form = Form { method, address: &address, headers: &headers, body: &text };
        let sent = self.post.send(&form, LIMIT);
        let answer =
            sent.map_err(|Broken { why, .. }| self.away(&format!("{why}; is it running, and is `api` its address?")))?;
        match answer.status {
            200..=299 => Ok(answer),
            502..=504 => Err(self.away(&format!("what stands before it answers with status {}", answer.status))),
            status => Err(self.refused(status, &answer)),
        }
    }

    fn away(&self, why: &str) -> Failure {
        Failure::Away(format!("GARM at {} does not answer: {why}", plain(&self.named)))
    }

    fn refused(&self, status: u16, answer: &Response) -> Failure {
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = if refusal.details.is_empty() { &refusal.error } else { &refusal.details };
        // It repeats what it was sent, which can hold everything but a secret; whoever stands in its place can do more.
        let text: String = plain(text).replace(self.password.expose(), "…").chars().take(LONGEST_SAID).collect();
        let said = match (status, refusal.error.as_str()) {
            (401, _) => format!(
                "GARM does not accept {} with the password of `admin.passwordFile`: it has to be the one of the first run",
                plain(&self.user)
            ),
            (409, "init_required") => "GARM has no administrator yet: `github-runnerctl fleet apply` makes it".into(),
            (409, "urls_required") => "GARM has no addresses yet: `github-runnerctl fleet apply` sets them".into(),
            (500, _) => "GARM answers with an error of its own (status 500); its log has the reason".into(),
            (_, "") => format!("GARM answers with status {status} and says nothing"),
            _ => format!("GARM says (status {status}): {text}"),
        };
        Failure::Refused { status, error: refusal.error, said }
    }

    fn read<T: DeserializeOwned>(&self, answer: &Response) -> Result<T, Failure> {
        answer.json().map_err(|why| self.away(&why))
    }
}
