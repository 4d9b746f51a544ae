//! The token of an App for one address: the one that another broker got, or a new one.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::contract::protocol::Secret;
use crate::github::{App, Client, Failure, Purpose, Source, installation_token};
use crate::model::RegistrationUrl;

use super::memory::Memory;

/// Where tokens for one address come from.
pub struct Installation<'a> {
    client: &'a Client<'a>,
    memory: &'a Memory<'a>,
    app: App<'a>,
    url: RegistrationUrl,
    /// Whether the latest one is of another broker.
    kept: Cell<bool>,
}

impl<'a> Installation<'a> {
    /// The installation of `app` that reaches `url`.
    pub fn new(client: &'a Client<'a>, memory: &'a Memory<'a>, app: App<'a>, url: RegistrationUrl) -> Self {
        Self { client, memory, app, url, kept: Cell::new(false) }
    }

    /// A token that GitHub should accept.
    pub fn token(&self) -> Result<Secret, Failure> {
        self.other_than(None)
    }

    fn other_than(&self, refused: Option<&Secret>) -> Result<Secret, Failure> {
        let ask = || installation_token(self.client, &self.app, &self.url);
        let known = self.memory.token(&self.place(), refused, ask)?;
        self.kept.set(known.kept);
        Ok(known.value)
    }

    /// What a token depends on besides App and host.
    fn place(&self) -> Value {
        let login = self.app.login.to_lowercase();
        let place = self.url.as_str().to_lowercase();
        match self.app.purpose {
            Purpose::Runners => json!([self.app.id, login, self.app.installation, place]),
            Purpose::Workflows => json!([self.app.id, login, self.app.installation, place, "actions"]),
        }
    }
}

impl Source for Installation<'_> {
    fn instead_of(&self, refused: &Secret) -> Result<Option<Secret>, Failure> {
        // A new one would be refused like the one that was new already.
        if !self.kept.get() {
            return Ok(None);
        }
        self.other_than(Some(refused)).map(Some)
    }

    fn doubt(&self, token: &Secret) {
        self.memory.forget_token(&self.place(), token);
    }
}
