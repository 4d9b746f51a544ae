//! One question's view: the manifest, the credential, the ledger, and GitHub.
//!
//! The only place that makes something to ask GitHub with, so that the credential goes nowhere but to the host of the
//! manifest's address.

use crate::github::{Api, App, Client, Failure, installation_token};
use crate::ledger::{Ledger, Runner};
use crate::manifest::Manifest;
use crate::model::{RegistrationUrl, Scope, shown};
use crate::protocol::Secret;

use super::credential::Credential;

/// What a verb works with.
pub struct Session<'a> {
    /// The runner, as configured.
    pub manifest: &'a Manifest,
    credential: &'a Credential,
    ledger: Result<Option<Ledger>, String>,
    client: &'a Client<'a>,
}

impl<'a> Session<'a> {
    /// Puts these together.
    pub fn new(
        manifest: &'a Manifest,
        credential: &'a Credential,
        ledger: Result<Option<Ledger>, String>,
        client: &'a Client<'a>,
    ) -> Self {
        Self { manifest, credential, ledger, client }
    }

    /// The runners of the configured address.
    pub fn home(&self) -> Result<Api<'a>, Failure> {
        self.api(&self.manifest.registration.url)
    }

    /// The runners of `url`, which must be on the host of the configured address.
    pub fn api(&self, url: &RegistrationUrl) -> Result<Api<'a>, Failure> {
        let home = &self.manifest.registration.url;
        if url.host() != home.host() {
            return Err(Failure::Refused(format!(
                "The credential is for {}, and the runner was registered at {}: remove it on {} by hand.",
                home.host(),
                url.host(),
                url.settings_page()
            )));
        }
        let bearer = match self.credential {
            Credential::Token(token) => Secret::new(token.expose().into()),
            Credential::App(app, key) => {
                let at_home = owner(url).eq_ignore_ascii_case(owner(home));
                let app = App {
                    id: &app.id,
                    key,
                    // What is configured is about the owner of the configured address.
                    login: app.login.as_deref().filter(|_| at_home).unwrap_or(owner(url)),
                    installation: app.installation_id.filter(|_| at_home),
                };
                installation_token(self.client, &app, url)?
            }
        };
        Ok(Api::new(self.client, bearer, url.clone()))
    }

    /// The runners of this id in the ledger, and their one address. `None` if there are none.
    pub fn known(&self, id: u64) -> Result<Option<(Vec<&Runner>, RegistrationUrl)>, Failure> {
        let ledger = self.ledger.as_ref().map_err(|fault| Failure::Refused(fault.clone()))?;
        let Some(ledger) = ledger else { return Ok(None) };
        let left_behind = ledger.left_behind.iter().map(|left| &left.runner);
        let runners: Vec<&Runner> = ledger.runner.iter().chain(left_behind).filter(|runner| runner.id == id).collect();
        let Some(first) = runners.first() else { return Ok(None) };
        let address = |runner: &Runner| RegistrationUrl::parse(&runner.url).map_err(Failure::Refused);
        let url = address(first)?;
        for other in &runners[1..] {
            let other = address(other)?;
            // Ids are unique within an address only.
            if other != url {
                return Err(Failure::Refused(format!(
                    "The ledger knows runner {id} at two addresses: remove those that are not needed by hand, on {} and {}.",
                    url.settings_page(),
                    other.settings_page()
                )));
            }
        }
        Ok(Some((runners, url)))
    }

    /// Waits before something is tried once more; fails with `why` if there is no time for it.
    pub fn pause(&self, attempt: u32, why: String) -> Result<(), Failure> {
        self.client.pause(attempt, why)
    }
}

/// Whether two names are the same to GitHub.
pub fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
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
