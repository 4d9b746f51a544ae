//! One question's view: the manifest, the credential, the ledger, what other brokers know, and GitHub.
//!
//! The only place that makes something to ask GitHub with, so that the credential goes nowhere but to the host of the
//! manifest's address.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::contract::manifest::Manifest;
use crate::contract::protocol::Secret;
use crate::github::{Api, App, Client, Failure, Purpose};
use crate::ledger::{Entry, NameHolder, Runner};
use crate::model::{Registration, RegistrationUrl, Repository, RunnerGroup, RunnerName, Scope, shown};

use super::credential::Credential;
use super::installation::Installation;
use super::memory::{Fact, Memory};
use super::shared::SharedLock;

/// What the attempt in the ledger asked for, as far as it is needed to find it.
#[derive(Deserialize)]
pub struct AttemptTarget {
    /// The name; without one, that of the host.
    pub name: Option<RunnerName>,
    /// The address.
    pub url: RegistrationUrl,
}

/// What a verb works with.
pub struct Session<'a> {
    /// The runner, as configured.
    pub manifest: &'a Manifest,
    credential: &'a Credential,
    ledger: &'a Result<Option<Entry>, String>,
    client: &'a Client<'a>,
    memory: &'a Memory<'a>,
}

impl<'a> Session<'a> {
    /// Puts these together.
    pub fn new(
        manifest: &'a Manifest,
        credential: &'a Credential,
        ledger: &'a Result<Option<Entry>, String>,
        client: &'a Client<'a>,
        memory: &'a Memory<'a>,
    ) -> Self {
        Self { manifest, credential, ledger, client, memory }
    }

    /// The runners of the configured address.
    pub fn home(&self) -> Result<Api<'a>, Failure> {
        self.api(&self.manifest.registration.url)
    }

    /// The runners of `url`, which must be on the host of the configured address.
    pub fn api(&self, url: &RegistrationUrl) -> Result<Api<'a>, Failure> {
        self.api_for(url, Purpose::Runners)
    }

    /// The workflows of a repository, which must be one of the manifest, and the id that the manifest has for it.
    pub fn workflows(&self, repository: &Repository) -> Result<(Api<'a>, u64), Failure> {
        let Some(served) = self.manifest.repositories.iter().find(|served| served.name.is(repository)) else {
            return Err(Failure::Refused(format!(
                "Repository {} is not one that this broker serves: add it to `repositories`, or ask the broker that serves it.",
                shown(repository.as_str())
            )));
        };
        let place = format!("https://{}/{}", self.manifest.registration.url.host(), served.name.as_str());
        let url = RegistrationUrl::parse(&place).map_err(Failure::Refused)?;
        Ok((self.api_for(&url, Purpose::Workflows)?, served.id))
    }

    /// The issuer of ID tokens, which gets no credential.
    pub fn issuer(&self) -> &'a Client<'a> {
        self.client
    }

    fn api_for(&self, url: &RegistrationUrl, purpose: Purpose) -> Result<Api<'a>, Failure> {
        let home = &self.manifest.registration.url;
        if url.host() != home.host() {
            return Err(Failure::Refused(format!(
                "The credential is for {}, and the runner was registered at {}: remove it on {} by hand.",
                home.host(),
                url.host(),
                url.settings_page()
            )));
        }
        match self.credential {
            Credential::Token(token) => Ok(Api::new(self.client, Secret::new(token.expose().into()), url.clone())),
            Credential::App(app, key) => {
                let at_home = owner(url).eq_ignore_ascii_case(owner(home));
                let app = App {
                    id: &app.id,
                    key,
                    // What is configured is about the owner of the configured address.
                    login: app.login.clone().filter(|_| at_home).unwrap_or_else(|| owner(url).into()).into(),
                    installation: app.installation_id.filter(|_| at_home),
                    purpose,
                };
                let source = Installation::new(self.client, self.memory, app, url.clone());
                Ok(Api::new(self.client, source.token()?, url.clone()).renewed_by(Box::new(source)))
            }
        }
    }

    /// The id of the configured runner group, but not `refused`, which GitHub does not know any more.
    pub fn group(&self, api: &Api, refused: Option<u64>) -> Result<Fact<u64>, Failure> {
        let Registration { url, runner_group, .. } = &self.manifest.registration;
        let name = runner_group.as_ref().map(RunnerGroup::as_str);
        if matches!(url.scope(), Scope::Repository(..)) {
            // Known without asking.
            return api.group(name).map(|value| Fact { value, kept: false });
        }
        let place = json!([url.as_str().to_lowercase(), name.map(str::to_lowercase)]);
        self.memory.group(&place, refused, || api.group(name))
    }

    /// The turn to register something: GitHub wants such requests one after another.
    pub fn turn(&self) -> Result<Option<SharedLock>, Failure> {
        self.memory.turn()
    }

    /// The runners of this id and this address in the ledger, and the address. `None` if there are none: ids are unique
    /// within an address only, so that another one of the same id is another runner.
    pub fn known(&self, id: u64, url: &str) -> Result<Option<(Vec<&Runner>, RegistrationUrl)>, Failure> {
        let Some(ledger) = self.ledger()? else { return Ok(None) };
        let debts = ledger.debts.iter().map(|left| &left.runner);
        let runners = ledger.runner.iter().chain(debts);
        let runners: Vec<&Runner> = runners.filter(|runner| runner.id == id && runner.url == url).collect();
        if runners.is_empty() {
            return Ok(None);
        }
        Ok(Some((runners, RegistrationUrl::parse(url).map_err(Failure::Refused)?)))
    }

    /// What the attempt in the ledger asked for. `None` if there is no attempt.
    pub fn attempted(&self) -> Result<Option<AttemptTarget>, Failure> {
        let Some(ledger) = self.ledger()?.filter(|ledger| ledger.attempt.is_some()) else { return Ok(None) };
        let asked = AttemptTarget::deserialize(Value::Object(ledger.registration.clone()));
        asked.map(Some).map_err(|error| {
            Failure::Refused(format!("What the attempt in the ledger asked for cannot be read: {error}."))
        })
    }

    /// The runner that had the name before the attempt in the ledger, which is the one that is being made.
    pub fn held_before(&self) -> Option<u64> {
        let ledger = self.ledger.as_ref().ok()?.as_ref()?;
        let home = self.manifest.registration.url.as_str();
        match ledger.attempt.as_ref()?.before {
            NameHolder::Runner(id) if ledger.registration.get("url")?.as_str()? == home => Some(id),
            _ => None,
        }
    }

    /// Whether whoever asked is still there.
    pub fn asker_is_there(&self) -> bool {
        self.client.asker_is_there()
    }

    /// From now on what was done is undone, for nobody in particular.
    pub fn undo(&self) {
        self.client.undo();
    }

    fn ledger(&self) -> Result<Option<&Entry>, Failure> {
        self.ledger.as_ref().map(Option::as_ref).map_err(|fault| Failure::Refused(fault.clone()))
    }

    /// Waits for something that takes its time at GitHub; `false` if there is no time for that.
    pub fn spends(&self, time: Duration) -> Result<bool, Failure> {
        self.client.spends(time)
    }

    /// Waits before something is tried once more; fails with `why` if there is no time for it.
    pub fn pause(&self, attempt: u32, why: String) -> Result<(), Failure> {
        self.client.pause(attempt, why)
    }
}

/// A runner as sentences name it.
pub fn called(name: &str, id: u64) -> String {
    format!("{} (id {id})", shown(name))
}

fn owner(url: &RegistrationUrl) -> &str {
    match url.scope() {
        Scope::Organization(name) | Scope::Repository(name, _) | Scope::Enterprise(name) => name,
    }
}
