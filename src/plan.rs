//! Deciding what a start does, as a pure function of what was read before.
//!
//! Nothing here reads, writes, asks the clock or logs: the caller shows the reasons and carries out the plan.

use std::fmt;

use serde_json::{Map, Value};

use crate::ledger::{Ledger, LeftBehind, Runner};
use crate::manifest::Manifest;
use crate::model::{Change, RegistrationUrl, Token, changes};
use crate::state::{Found, NIXPKGS_CONFIG, NIXPKGS_TOKEN, Snapshot};

/// Everything that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The configuration.
    pub manifest: &'a Manifest,
    /// The same as the ledger writes it.
    pub registration: &'a Map<String, Value>,
    /// The present token.
    pub token: &'a Token,
    /// What the host remembers.
    pub ledger: Option<&'a Ledger>,
    /// What lies in the state directory.
    pub state: &'a Snapshot,
    /// Seconds since 1970.
    pub now: u64,
}

/// What a start does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Leave the registration as it is.
    Keep,
    /// Keep a registration that nixpkgs' module made, and write it into the ledger.
    Adopt,
    /// Purge the state directory and register anew.
    Register,
}

/// A decision with its reasons, of which there is at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is to be done.
    pub action: Action,
    /// Why, in the order in which it was found.
    pub reasons: Vec<Reason>,
    /// The registration that this start gives up while GitHub still knows it.
    pub gives_up: Option<GivenUp>,
    /// Everything that the ledger must say about former registrations from now on.
    pub left_behind: Vec<LeftBehind>,
    /// The runner that the ledger must name from now on.
    pub runner: Option<Runner>,
}

/// A registration that stays on the server without a runner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GivenUp {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The page on which it can be removed, if its address is known and well-formed.
    pub page: Option<String>,
    /// Whether the new registration will replace it, so that nobody needs to remove it.
    pub taken_over: bool,
}

/// One reason for a decision; `Display` makes a sentence of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Nothing is there and nothing is remembered.
    FirstStart,
    /// Everything is as it was.
    Unchanged(Runner),
    /// The listener registered, but `record` never ran.
    NotRecorded(u64),
    /// nixpkgs' module registered with the same configuration and token.
    SameAsNixpkgs(u64),
    /// Ephemeral runners register at every start.
    Ephemeral,
    /// A field is not what it was.
    Changed(Change),
    /// The token is not the one from before.
    TokenChanged,
    /// The state is gone although the ledger names a runner.
    StateLost(u64),
    /// An earlier start did not come to its end.
    Interrupted,
    /// A file cannot be used or says something else than the configuration; the text says what about it.
    Unfit(&'static str, String),
    /// A file of the registration is missing.
    Missing(&'static str),
    /// A settings file names another runner than the ledger.
    OtherRunner(&'static str, u64, u64),
    /// State that neither this module nor nixpkgs' accounts for.
    Unaccounted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstStart => f.write_str("this is the first start"),
            Self::Unchanged(runner) => {
                write!(f, "configuration, token and state are those of runner {:?}, id {}", runner.name, runner.id)
            }
            Self::NotRecorded(id) => {
                write!(f, "an earlier start registered id {id} as configured, but was cut off before recording it")
            }
            Self::SameAsNixpkgs(id) => {
                write!(f, "nixpkgs' module registered id {id} with the same configuration and token")
            }
            Self::Ephemeral => f.write_str("an ephemeral runner registers at every start"),
            Self::Changed(change) => change.fmt(f),
            Self::TokenChanged => f.write_str("the content of the token file changed"),
            Self::StateLost(id) => write!(f, "the state directory is empty although id {id} was registered"),
            Self::Interrupted => f.write_str("an earlier registration did not come to its end"),
            Self::Unfit(file, why) => write!(f, "{file} {why}"),
            Self::Missing(file) => write!(f, "{file} is missing"),
            Self::OtherRunner(file, found, known) => {
                write!(f, "{file} names id {found}, but id {known} was registered")
            }
            Self::Unaccounted => f.write_str("the state directory holds something that this module did not make"),
        }
    }
}

/// Decides what this start does.
#[must_use]
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let Inputs { manifest, ledger, state, .. } = *inputs;
    let obstacles = if manifest.registration.ephemeral {
        let changed = ledger.map(|ledger| changed(inputs, ledger)).unwrap_or_default();
        [vec![Reason::Ephemeral], changed].concat()
    } else if state.empty {
        vec![match ledger {
            None => Reason::FirstStart,
            Some(Ledger { runner: Some(runner), .. }) => Reason::StateLost(runner.id),
            Some(Ledger { runner: None, .. }) => Reason::Interrupted,
        }]
    } else {
        match ledger {
            Some(ledger) => against_ledger(inputs, ledger),
            None => against_nixpkgs(inputs),
        }
    };
    if !obstacles.is_empty() {
        return register(inputs, obstacles);
    }
    let kept = |action, reason, runner| Plan {
        action,
        reasons: vec![reason],
        gives_up: None,
        left_behind: ledger.map(|ledger| ledger.left_behind.clone()).unwrap_or_default(),
        runner,
    };
    // Without an obstacle the settings are there.
    let Some(settings) = state.identity() else {
        return register(inputs, vec![Reason::Missing(crate::state::SETTINGS)]);
    };
    match ledger {
        Some(Ledger { runner: Some(runner), .. }) => {
            kept(Action::Keep, Reason::Unchanged(runner.clone()), Some(runner.clone()))
        }
        Some(_) => kept(Action::Keep, Reason::NotRecorded(settings.id), None),
        None => {
            let runner = Runner {
                id: settings.id,
                name: settings.name.clone(),
                url: manifest.registration.url.as_str().into(),
                recorded_at: inputs.now,
            };
            kept(Action::Adopt, Reason::SameAsNixpkgs(settings.id), Some(runner))
        }
    }
}

/// Why the state is not the one that the ledger and the configuration ask for.
fn against_ledger(inputs: &Inputs<'_>, ledger: &Ledger) -> Vec<Reason> {
    let mut reasons = changed(inputs, ledger);
    let no_settings = inputs.state.settings == Found::Absent && inputs.state.settings_migrated == Found::Absent;
    if inputs.state.staged || (ledger.runner.is_none() && no_settings) {
        // Which files such a registration still lacks is no news.
        reasons.push(Reason::Interrupted);
    } else {
        reasons.extend(incomplete(inputs.state));
    }
    for (file, settings) in inputs.state.all_settings() {
        let unfit = match &ledger.runner {
            Some(runner) if runner.id != settings.id => {
                reasons.push(Reason::OtherRunner(file, settings.id, runner.id));
                None
            }
            // GitHub may have renamed a runner since; its address cannot change.
            Some(runner) => settings
                .url
                .as_ref()
                .filter(|url| **url != runner.url)
                .map(|url| format!("has the url {url:?} instead of {:?}", runner.url)),
            None => settings.mismatch(&inputs.manifest.registration),
        };
        reasons.extend(unfit.map(|why| Reason::Unfit(file, why)));
    }
    reasons
}

/// What in configuration and token is not as the ledger has it.
fn changed(inputs: &Inputs<'_>, ledger: &Ledger) -> Vec<Reason> {
    let fields = changes(&ledger.registration, inputs.registration).into_iter().map(Reason::Changed);
    let token = (!ledger.token.matches(inputs.token)).then_some(Reason::TokenChanged);
    fields.chain(token).collect()
}

/// Why the state is not one that nixpkgs' module made with the present configuration.
fn against_nixpkgs(inputs: &Inputs<'_>) -> Vec<Reason> {
    let state = inputs.state;
    let mut reasons = Vec::new();
    match (&state.nixpkgs_config, &state.nixpkgs_token) {
        (Found::Absent, Found::Absent) => reasons.push(Reason::Unaccounted),
        (config, token) => {
            match config {
                Found::Good(old) => {
                    reasons.extend(changes(old, inputs.registration).into_iter().map(Reason::Changed));
                }
                Found::Absent => reasons.push(Reason::Missing(NIXPKGS_CONFIG)),
                Found::Bad(why) => reasons.push(Reason::Unfit(NIXPKGS_CONFIG, why.clone())),
            }
            match token {
                Found::Good(old) if old == inputs.token => {}
                Found::Good(_) => reasons.push(Reason::TokenChanged),
                Found::Absent => reasons.push(Reason::Missing(NIXPKGS_TOKEN)),
                Found::Bad(why) => reasons.push(Reason::Unfit(NIXPKGS_TOKEN, why.clone())),
            }
        }
    }
    reasons.extend(incomplete(state));
    for (file, settings) in state.all_settings() {
        reasons.extend(settings.mismatch(&inputs.manifest.registration).map(|why| Reason::Unfit(file, why)));
    }
    reasons
}

fn incomplete(state: &Snapshot) -> Vec<Reason> {
    let unusable = state.unusable().into_iter().map(|(file, why)| Reason::Unfit(file, why.into()));
    let missing = state.missing().into_iter().map(Reason::Missing);
    unusable.chain(missing).collect()
}

fn register(inputs: &Inputs<'_>, reasons: Vec<Reason>) -> Plan {
    let Inputs { manifest, ledger, state, now, .. } = *inputs;
    let asked = &manifest.registration;
    let mut left_behind: Vec<LeftBehind> = ledger.map(|ledger| ledger.left_behind.clone()).unwrap_or_default();
    left_behind.retain(|left| !left.is_reaped(now));
    let former_ephemeral =
        ledger.is_some_and(|ledger| ledger.registration.get("ephemeral") == Some(&Value::Bool(true)));
    // An ephemeral listener removes its settings when its job is done, and the server its registration.
    let used_up = former_ephemeral && state.settings == Found::Absent && state.settings_migrated == Found::Absent;
    let known = ledger.and_then(|ledger| ledger.runner.as_ref()).filter(|_| !used_up);
    if let Some(runner) = known {
        left_behind.retain(|left| left.runner.id != runner.id || left.runner.url != runner.url);
        left_behind.push(LeftBehind { runner: runner.clone(), ephemeral: former_ephemeral, since: now });
    }
    let unknown = state.identity().filter(|settings| known.is_none_or(|runner| runner.id != settings.id));
    let gives_up = known
        .map(|runner| GivenUp {
            id: runner.id,
            name: runner.name.clone(),
            page: page(&runner.url),
            taken_over: manifest.replace
                && asked.url.as_str() == runner.url
                && asked.name.as_ref().is_some_and(|name| name.as_str() == runner.name),
        })
        .or_else(|| {
            // Without a record only the files say who it was, and jobs can have written them.
            unknown.filter(|_| ledger.is_none_or(|ledger| ledger.runner.is_none())).map(|settings| GivenUp {
                id: settings.id,
                name: settings.name.clone(),
                page: settings.url.as_deref().and_then(page),
                taken_over: false,
            })
        });
    Plan { action: Action::Register, reasons, gives_up, left_behind, runner: None }
}

fn page(url: &str) -> Option<String> {
    RegistrationUrl::parse(url).ok().map(|url| url.settings_page())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
