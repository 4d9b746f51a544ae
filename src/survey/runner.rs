//! One runner of a host, with everything that is read about it.

use super::situation::Situation;
use crate::contract::fleet::Declaration;
use crate::contract::manifest::{CredentialPlace, Manifest};
use crate::ledger::{Entry, Lease, Owner};
use crate::model::{InstanceName, RegistrationUrl};
use crate::registration::credential::Credential;

/// One runner and everything known about it.
pub struct HostRunner {
    /// Its name on this host.
    pub instance: InstanceName,
    /// The name of its unit.
    pub unit: String,
    /// What is configured; `None` if it is not any more.
    pub configured: Option<Configuration>,
    /// What the ledger has.
    pub entry: Option<Entry>,
    /// What a decision depends on.
    pub situation: Situation,
}

impl HostRunner {
    /// By what something else owns it at this time.
    #[must_use]
    pub fn lease(&self, now: u64) -> Option<&Lease> {
        self.entry.as_ref()?.owner.lease(now)
    }

    /// How a sentence about it begins once nobody wants it any more.
    #[must_use]
    pub fn gone(&self) -> String {
        self.entry.as_ref().map_or(&Owner::Declared, |entry| &entry.owner).gone()
    }

    /// Where its credential is: as configured, or as it was when it ran last.
    #[must_use]
    pub fn credential_place(&self) -> Option<CredentialPlace> {
        match &self.configured {
            Some(configured) => Some(configured.manifest.credential_place()),
            None => self.entry.as_ref()?.credential.clone(),
        }
    }

    /// What the standing of that credential is known by.
    #[must_use]
    pub fn credential_key(&self) -> Option<String> {
        match (&self.configured, &self.entry) {
            (Some(configured), _) => Some(configured.credential_key()),
            (None, entry) => entry.as_ref().and_then(key_of),
        }
    }
}

/// What is configured about a runner.
pub struct Configuration {
    /// Its line in the fleet file.
    pub declared: Declaration,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its credential, or what is wrong with it.
    pub credential: Result<Credential, String>,
}

impl Configuration {
    /// What the standing of its credential is known by, see [`CredentialPlace::key`].
    #[must_use]
    pub fn credential_key(&self) -> String {
        self.manifest.credential_place().key(&self.manifest.registration.url).unwrap_or_default()
    }

    /// Whether the server can be asked about it.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.credential.as_ref().is_ok_and(Credential::is_of_api)
    }
}

/// What the standing of an entry's credential is known by.
pub fn key_of(entry: &Entry) -> Option<String> {
    let url = RegistrationUrl::parse(entry.registration.get("url")?.as_str()?).ok()?;
    entry.credential.as_ref()?.key(&url)
}
