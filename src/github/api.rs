//! What can be asked about the runners of one address, with typed answers.
//!
//! Fields that GitHub adds are ignored; a missing one is an error. Every refusal is explained here, because only here
//! it is known what was asked for.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::app::account;
use super::base::entity;
use super::client::{Client, Failure};
use super::explain::{Account, Question, explain};
use super::jit::{self, Creation, JitRequest};
use super::kind::{CredentialKind, needed};
use super::names::{bounded, named};
use super::reasons::known;
use crate::contract::protocol::{Release, RemoteRunner, Secret};
use crate::http::time;
use crate::http::{Call, Effect, Response};
use crate::model::{RegistrationUrl, Scope, id, numbers};

/// So long, one after another, GitHub is given to know everywhere what it has just made or said.
pub const SETTLING: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// So many releases take more than half a year; their descriptions are long.
const RELEASES: usize = 10;

/// Where a credential comes from that GitHub may stop accepting, or that does not reach as far as it should any more.
pub trait Source {
    /// Another one, because GitHub does not accept `refused`. `None` if there is no sense in trying another.
    ///
    /// # Errors
    ///
    /// There should be one, but it could not be had.
    fn instead_of(&self, refused: &Secret) -> Result<Option<Secret>, Failure>;

    /// GitHub refused something that `bearer` should be good for: nobody should rely on it any more.
    fn doubt(&self, bearer: &Secret);
}

/// The runners of one address, asked for with one credential.
pub struct Api<'a> {
    client: &'a Client<'a>,
    bearer: RefCell<Secret>,
    source: Option<Box<dyn Source + 'a>>,
    renewed: Cell<bool>,
    /// Whether a token of an App did what it is for: until then a refusal may only mean that it is not known everywhere.
    proven: Cell<bool>,
    pub(super) url: RegistrationUrl,
}

/// What came of a deletion.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deletion {
    /// It was deleted now.
    Now,
    /// There was none.
    Gone,
    /// It runs a job.
    Busy,
}

#[derive(Deserialize)]
pub(super) struct Runner {
    #[serde(deserialize_with = "id")]
    pub(super) id: u64,
    pub(super) name: String,
    status: String,
    busy: bool,
}

impl From<Runner> for RemoteRunner {
    fn from(runner: Runner) -> Self {
        Self { id: runner.id, name: bounded(&runner.name), online: runner.status == "online", busy: runner.busy }
    }
}

impl<'a> Api<'a> {
    /// Asks about `url` with `bearer`.
    #[must_use]
    pub fn new(client: &'a Client<'a>, bearer: Secret, url: RegistrationUrl) -> Self {
        Self {
            client,
            bearer: RefCell::new(bearer),
            source: None,
            renewed: Cell::default(),
            proven: Cell::default(),
            url,
        }
    }

    /// The same, with another credential from `source` if GitHub does not accept this one; but only once.
    #[must_use]
    pub fn renewed_by(self, source: Box<dyn Source + 'a>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// A token with which runners can register for an hour.
    ///
    /// # Errors
    ///
    /// As all of these: no final answer, or a refusal in words.
    pub fn registration_token(&self) -> Result<Secret, Failure> {
        #[derive(Deserialize)]
        struct Answer {
            token: String,
        }
        let response = self.send(&Call::post(self.path("/registration-token"), json!({}), Effect::None))?;
        let answer: Answer = self.expect(201, &response)?.json().map_err(Failure::Unreachable)?;
        Ok(Secret::new(answer.token))
    }

    /// Has the server make a runner. Never repeated by itself.
    ///
    /// # Errors
    ///
    /// Also [`Failure::Lost`], when it may have been made.
    pub fn make(&self, request: &JitRequest) -> Result<Creation, Failure> {
        let body = serde_json::to_value(request).map_err(|error| Failure::Unreachable(error.to_string()))?;
        let call = Call::post(self.path("/generate-jitconfig"), body, Effect::Once);
        // What a 404 means, whoever asked for it finds out.
        let response = self.send_until_settled(&call, &[401, 403])?;
        match response.status {
            409 => return Ok(Creation::NameTaken),
            404 | 422 => return Ok(Creation::Refused(response)),
            _ => {}
        }
        jit::read(self.expect(201, &response)?, &request.name).map(Creation::New).map_err(Failure::Lost)
    }

    /// Makes sure that the credential sees the runners of the address at all.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn check(&self) -> Result<(), Failure> {
        let response = self.send(&Call::get(format!("{}?per_page=1", self.path(""))))?;
        self.expect(200, &response).map(drop)
    }

    /// The runner of an id. `None` only if the credential could see it.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn runner(&self, id: u64) -> Result<Option<RemoteRunner>, Failure> {
        let call = Call::get(self.path(&format!("/{id}")));
        let known = self.source.is_none() || self.proven.get();
        let mut response = self.send_until_settled(&call, &[401, 403])?;
        if response.status == 404 {
            // The same answer as to a credential that may see nothing.
            self.check()?;
            if !known {
                // Or as to a token that was too new.
                response = self.send(&call)?;
            }
        }
        if response.status == 404 {
            return Ok(None);
        }
        let runner: Runner = self.expect(200, &response)?.json().map_err(Failure::Unreachable)?;
        Ok(Some(runner.into()))
    }

    /// Deletes the runner of an id; whoever calls must know that it may.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn delete(&self, id: u64) -> Result<Deletion, Failure> {
        let response = self.send(&Call::delete(self.path(&format!("/{id}"))))?;
        match response.status {
            204 => Ok(Deletion::Now),
            404 => Ok(Deletion::Gone),
            422 => Ok(Deletion::Busy),
            _ => Err(self.refused(&response)),
        }
    }

    /// The newest version of the runner that the server offers.
    ///
    /// # Errors
    ///
    /// As all of these.
    pub fn newest_runner(&self) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        struct Download {
            filename: String,
        }
        let response = self.send(&Call::get(self.path("/downloads")))?;
        let downloads: Vec<Download> = self.expect(200, &response)?.json().map_err(Failure::Unreachable)?;
        Ok(downloads
            .iter()
            .filter_map(|download| version(&download.filename))
            .max()
            .map(|(a, b, c)| format!("{a}.{b}.{c}")))
    }

    /// The latest releases of the runner, where the server has them: that they can be read with any credential is a guess,
    /// so a refusal only means that they are not known.
    ///
    /// # Errors
    ///
    /// As all of these, but for refusals.
    pub fn releases(&self) -> Result<Vec<Release>, Failure> {
        #[derive(Deserialize)]
        struct Row {
            tag_name: String,
            published_at: Option<String>,
            #[serde(default)]
            draft: bool,
            #[serde(default)]
            prerelease: bool,
        }
        if self.url.host() != "github.com" {
            return Ok(vec![]);
        }
        let response = self.send(&Call::get(format!("/repos/actions/runner/releases?per_page={RELEASES}")))?;
        let published: Vec<Row> = if response.status == 200 { response.json().unwrap_or_default() } else { vec![] };
        let release = |published: Row| {
            let (a, b, c) = numbers(published.tag_name.strip_prefix('v')?)?;
            let at = time::instant(published.published_at.as_deref()?)?;
            Some(Release { version: format!("{a}.{b}.{c}"), at })
        };
        let are_out = published.into_iter().filter(|published| !published.draft && !published.prerelease);
        Ok(are_out.filter_map(release).collect())
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/actions/runners{rest}", entity(self.url.scope()))
    }

    pub(super) fn send(&self, call: &Call) -> Result<Response, Failure> {
        self.send_until_settled(call, &[401, 403, 404])
    }

    /// Sends, and again for some seconds while the answer has one of these statuses only because the token is new. Nothing
    /// was done then, so this is no repetition whatever the call does.
    fn send_until_settled(&self, call: &Call, statuses: &[u16]) -> Result<Response, Failure> {
        let mut response = self.send_renewing(call)?;
        for wait in SETTLING {
            let says_why = response.message().is_some_and(|message| known(&message, &self.url).is_some());
            let may_pass = self.source.is_some() && !self.proven.get() && statuses.contains(&response.status);
            if says_why || !may_pass || !self.client.spends(wait)? {
                break;
            }
            response = self.send_renewing(call)?;
        }
        if response.status < 300 {
            self.proven.set(true);
        }
        Ok(response)
    }

    fn send_renewing(&self, call: &Call) -> Result<Response, Failure> {
        let bearer = self.bearer.borrow().clone();
        let response = self.client.send(call, &bearer)?;
        if response.status != 401 || self.renewed.get() {
            return Ok(response);
        }
        let source = self.source.as_ref();
        let Some(other) = source.map_or(Ok(None), |source| source.instead_of(&bearer))? else { return Ok(response) };
        self.renewed.set(true);
        self.bearer.replace(other.clone());
        // GitHub did nothing for somebody whom it does not know, so this is no repetition whatever the call does.
        self.client.send(call, &other)
    }

    pub(super) fn expect<'r>(&self, status: u16, response: &'r Response) -> Result<&'r Response, Failure> {
        if response.status == status { Ok(response) } else { Err(self.refused(response)) }
    }

    /// What it means that GitHub shows runners to the credential and knows nothing of making one.
    #[must_use]
    pub fn makes_none(&self) -> Failure {
        let (scope, kind) = (self.url.scope(), CredentialKind::of(self.bearer.borrow().expose()));
        Failure::Refused(format!(
            "GitHub shows the credential the runners of {}, but lets it make none (status 404): give it {}, or set `registration.method` to \"configure\".",
            named(scope),
            needed(scope, kind)
        ))
    }

    /// Whether it asks with a token of an App, which is narrowed to what runners need.
    pub(super) fn is_of_app(&self) -> bool {
        self.source.is_some()
    }

    /// Nobody should rely on the credential any more, because GitHub refused what it should be good for.
    pub(super) fn doubt(&self) {
        if let Some(source) = &self.source {
            source.doubt(&self.bearer.borrow());
        }
    }

    /// What a refusal means.
    pub fn refused(&self, response: &Response) -> Failure {
        if matches!(response.status, 401 | 403 | 404) {
            self.doubt();
        }
        let bearer = self.bearer.borrow().clone();
        let account = match self.url.scope() {
            // The explanation is worth one more question, but its failure must not hide the refusal.
            Scope::Organization(name) if response.status == 404 => {
                account(self.client, &bearer, name).unwrap_or(Account::Unknown)
            }
            _ => Account::Unknown,
        };
        Failure::Refused(explain(
            response,
            &Question {
                url: &self.url,
                kind: CredentialKind::of(bearer.expose()),
                app: self.source.is_some(),
                account,
                now: self.client.now(),
                expires: self.client.credential_expires(),
            },
        ))
    }
}

/// The version in a name such as `actions-runner-linux-x64-2.336.0.tar.gz`.
fn version(file: &str) -> Option<(u32, u32, u32)> {
    let version = file.rsplit_once('-')?.1;
    let version = version.strip_suffix(".tar.gz").or_else(|| version.strip_suffix(".zip"))?;
    numbers(version)
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
