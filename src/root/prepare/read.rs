//! Everything that a start decides by, read without changing anything, and the decision itself.
//!
//! Shared by the start and by whoever wants to know what it would do. Must not write, wait or ask anybody.

use std::path::Path;

use anyhow::{Result, bail};
use nix::unistd::{Gid, Uid};
use serde_json::{Map, Value};

use super::apart;
use crate::contract::manifest::Manifest;
use crate::ledger::Entry;
use crate::model::Token;
use crate::registration::credential::Credential;
use crate::registration::plan::{Inputs, Plan, plan};
use crate::state::Snapshot;
use crate::state::start::{Start, host_name, now, walk};
use crate::sys::{Dir, NOBODY, Place};

/// What a start is told: the configuration and the credential.
pub(super) struct Instructions {
    pub(super) manifest: Manifest,
    pub(super) credential: Credential,
    /// The configuration as the ledger writes it.
    pub(super) registration: Map<String, Value>,
}

impl Instructions {
    /// Reads both.
    pub(super) fn read(start: &Start) -> Result<Self> {
        let manifest = start.manifest()?;
        let credential = Credential::read(&manifest)?;
        let registration = manifest.registration.to_object().map_err(anyhow::Error::msg)?;
        Ok(Self { manifest, credential, registration })
    }

    /// Everything by which a person can tell a start to do something else than the one before.
    pub(super) fn text(&self, start: &Start) -> String {
        let registration = Value::Object(self.registration.clone());
        let token = self.credential.token().map(Token::expose).unwrap_or_default();
        format!("{}\n{registration}\n{token}", start.manifest.display())
    }
}

/// Whether a start is told something else than the last one was.
pub(super) fn is_news(text: &str, stored: Option<&Entry>) -> bool {
    !stored.and_then(|entry| entry.tried.as_ref()).is_some_and(|tried| tried.is_of(text))
}

/// Refuses a start whose ledger entry something else than the configuration owns at this time.
pub(super) fn check_owner(stored: Option<&Entry>, now: u64) -> Result<()> {
    let Some((entry, lease)) = stored.and_then(|entry| Some((entry, entry.owner.lease(now)?))) else { return Ok(()) };
    bail!(
        "The ledger entry of runner {} belongs to {lease}, so nothing was changed: end that one first, or give the declared runner another name; the unit tries again by itself",
        entry.instance
    )
}

/// The directories of a start.
pub(super) struct StartDirectories<T> {
    pub(super) state: T,
    pub(super) work: Place,
    pub(super) logs: Place,
}

/// Walks to the directories and refuses a work directory that must not be emptied. `open` says what becomes of the state
/// directory, which systemd makes, if it is missing.
pub(super) fn reach<T>(
    start: &Start,
    manifest: &Manifest,
    ledger: &Place,
    open: impl Fn(&str, &Path) -> Result<(Place, T)>,
) -> Result<StartDirectories<T>> {
    let (state_place, state) = open("state", &start.state_directory)?;
    let logs = walk("logs", &start.logs_directory)?;
    let work = walk("work", &start.work_directory)?;
    apart::check(manifest, &work, &state_place, &logs, Some(ledger))?;
    Ok(StartDirectories { state, work, logs })
}

/// Everything that a decision depends on.
pub(super) struct Reading<'a> {
    told: &'a Instructions,
    stored: Option<&'a Entry>,
    pub(super) snapshot: Snapshot,
    host: String,
    pub(super) now: u64,
}

impl<'a> Reading<'a> {
    /// Reads the rest. Without a state directory there is nothing in it.
    pub(super) fn new(told: &'a Instructions, stored: Option<&'a Entry>, state: Option<&Dir>) -> Result<Self> {
        let snapshot = state.map_or_else(|| Ok(Snapshot::nothing()), Snapshot::read)?;
        Ok(Self { told, stored, snapshot, host: host_name()?, now: now()? })
    }

    /// Decides; `gone` is the runner that the server was asked for and does not know any more.
    pub(super) fn decide(&self, gone: Option<u64>) -> Plan {
        let Instructions { manifest, credential, registration } = self.told;
        plan(&Inputs {
            manifest,
            registration,
            token: credential.token(),
            api: credential.is_of_api(),
            gone,
            entry: self.stored,
            state: &self.snapshot,
            host: &self.host,
            now: self.now,
        })
    }
}

/// The numeric owner of the state directory, which systemd gave to the service user.
pub(in crate::root) fn service_user(state: &Dir) -> Result<(Uid, Gid)> {
    let owner = state.owner()?;
    if owner.0.as_raw() == NOBODY {
        bail!(
            "The state directory belongs to nobody, as it does outside of the unit if its user is a dynamic one: start the helper from its unit"
        );
    }
    Ok(owner)
}
