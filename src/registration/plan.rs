//! Deciding what a start does, as a pure function of what was read before.
//!
//! Nothing here reads, writes, asks the clock or logs: the caller shows the reasons and carries out the plan.

mod reason;

use serde_json::{Map, Value};

use crate::contract::manifest::Manifest;
use crate::ledger::{Debt, Entry, ExitKind, Registrations, Runner};
use crate::model::{RegistrationUrl, Token, changes};
use crate::state::{Content, NIXPKGS_CONFIG, NIXPKGS_TOKEN, Snapshot};

pub use reason::Reason;

/// The field of a registration that says where its token is.
const TOKEN_FILE: &str = "tokenFile";

/// How many former registrations the ledger keeps. GitHub's own clean-up keeps the number far below, unless
/// something is very wrong; without a limit the ledger would grow until it could not be read any more.
const MOST_DEBTS: usize = 500;

/// How often the listener may give up or meet another session before it gets a fresh identity.
const PATIENCE: u32 = 3;

/// Everything that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The configuration.
    pub manifest: &'a Manifest,
    /// The same as the ledger writes it.
    pub registration: &'a Map<String, Value>,
    /// The present token; `None` if a GitHub App is the credential.
    pub token: Option<&'a Token>,
    /// Whether the credential is one of the API, so that the server can be asked to look and to delete.
    pub api: bool,
    /// The runner that the server was asked for and does not know any more.
    pub gone: Option<u64>,
    /// What the host remembers.
    pub entry: Option<&'a Entry>,
    /// What lies in the state directory.
    pub state: &'a Snapshot,
    /// The name of this host, by which a runner without a name goes.
    pub host: &'a str,
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
    pub gives_up: Option<Orphan>,
    /// Everything that the ledger must say about former registrations from now on.
    pub debts: Vec<Debt>,
    /// The oldest ones, for which it has no room any more.
    pub forgotten: Vec<Debt>,
    /// The runner that the ledger must name from now on.
    pub runner: Option<Runner>,
    /// The runner that only the state names, because the ledger is lost or never was: as long as the server shows that
    /// very runner under the configured name, and nobody uses it, it is this one's.
    pub claimed: Option<u64>,
    /// Whether token or token file are not those of the ledger, although that alone may change nothing.
    pub new_credential: bool,
}

/// A registration that stays on the server without a runner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Orphan {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The page on which it can be removed, if its address is known and well-formed.
    pub page: Option<String>,
    /// Whether the new registration will replace it, so that nobody needs to remove it.
    pub taken_over: bool,
}

/// Decides what this start does.
#[must_use]
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let Inputs { manifest, entry, state, .. } = *inputs;
    let changed = entry.map(|entry| changed(inputs, entry)).unwrap_or_default();
    if let Some(id) = inputs.gone {
        return register(inputs, [vec![Reason::DeletedOnServer(id)], changed].concat());
    }
    if manifest.registration.ephemeral {
        return register(inputs, [vec![Reason::Ephemeral], changed].concat());
    }
    if state.empty {
        let reason = match entry {
            None => Reason::FirstStart,
            Some(Entry { runner: Some(runner), .. }) => Reason::StateLost(runner.id),
            Some(Entry { runner: None, registrations: Registrations { total: 0, .. }, attempt: None, .. }) => {
                Reason::FirstStart
            }
            Some(Entry { runner: None, .. }) => Reason::Interrupted,
        };
        return register(inputs, [vec![reason], changed].concat());
    }
    // Before the ledger, which can be older than a time with nixpkgs' module. Nobody forges this without the token; where
    // there is none, only before the ledger knows anything, and the server has to show that runner.
    let from_nixpkgs = against_nixpkgs(inputs);
    if from_nixpkgs.is_empty()
        && let Some(settings) = state.identity()
    {
        let runner = Runner {
            id: settings.id,
            name: settings.name.clone(),
            url: manifest.registration.url.as_str().into(),
            recorded_at: inputs.now,
        };
        let reason = match inputs.token {
            Some(_) => Reason::SameAsNixpkgs(settings.id),
            None => Reason::SameAsNixpkgsApp(settings.id),
        };
        return keep(inputs, Action::Adopt, reason, Some(runner));
    }
    let Some(entry) = entry else { return register(inputs, from_nixpkgs) };
    let obstacles = [changed, failing(inputs, entry).into_iter().collect(), against_ledger(inputs, entry)].concat();
    match (&entry.runner, state.identity()) {
        (Some(runner), _) if obstacles.is_empty() => {
            keep(inputs, Action::Keep, Reason::Unchanged(runner.clone()), Some(runner.clone()))
        }
        (None, Some(settings)) if obstacles.is_empty() && entry.attempt.is_some() => {
            keep(inputs, Action::Keep, Reason::NotRecorded(settings.id), None)
        }
        _ if obstacles.is_empty() => register(inputs, vec![Reason::Interrupted]),
        _ => register(inputs, obstacles),
    }
}

fn keep(inputs: &Inputs<'_>, action: Action, reason: Reason, runner: Option<Runner>) -> Plan {
    let mut debts = former(inputs);
    if action == Action::Adopt
        && let Some(old) = inputs.entry.and_then(|entry| entry.runner.as_ref())
    {
        add(&mut debts, old, false, inputs.now);
    }
    // A start that was cut off just before its purge noted the living runner as a debt.
    let living = runner.as_ref().map(|runner| runner.id).or(inputs.state.identity().map(|settings| settings.id));
    let url = inputs.manifest.registration.url.as_str();
    debts.retain(|left| Some(left.runner.id) != living || left.runner.url != url);
    let new_credential = new_credential(inputs);
    Plan {
        action,
        reasons: vec![reason],
        gives_up: None,
        debts,
        forgotten: vec![],
        runner,
        claimed: None,
        new_credential,
    }
}

/// Whether the listener ended so often in the same way that another identity is worth a try. Only where the old one
/// can be looked at and taken back.
fn failing(inputs: &Inputs<'_>, entry: &Entry) -> Option<Reason> {
    let exit = entry.last_exit.as_ref().filter(|_| inputs.api)?;
    // What an older identity met says nothing about this one.
    if entry.runner.as_ref().is_some_and(|runner| runner.recorded_at >= exit.at) {
        return None;
    }
    let about_identity = matches!(exit.kind, ExitKind::Terminated | ExitKind::SessionConflict);
    // After 3, 6, 12, 24, …: if one more identity did not help, the next one may not either.
    let rounds = exit.alike / PATIENCE;
    let is_turn = exit.alike % PATIENCE == 0 && rounds.is_power_of_two();
    (about_identity && is_turn).then_some(Reason::KeepsFailing(exit.kind, exit.alike))
}

/// Why the state is not the one that the ledger remembers.
fn against_ledger(inputs: &Inputs<'_>, entry: &Entry) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let no_settings = inputs.state.settings_are_gone();
    if inputs.state.staged || (entry.runner.is_none() && no_settings) {
        // Which files such a registration still lacks is no news.
        reasons.push(Reason::Interrupted);
    } else {
        reasons.extend(incomplete(inputs.state));
    }
    let (asked, name) = (&inputs.manifest.registration, inputs.manifest.registration.name_on(inputs.host));
    for (file, settings) in inputs.state.all_settings() {
        let unfit = match &entry.runner {
            Some(runner) if runner.id != settings.id => {
                reasons.push(Reason::OtherRunner(file, settings.id, runner.id));
                None
            }
            // GitHub may have renamed a runner since.
            Some(_) => settings.mismatch(asked, None),
            None => settings.mismatch(asked, Some(name)),
        };
        reasons.extend(unfit.map(|why| Reason::Unfit(file, why)));
    }
    reasons
}

/// What in configuration and token is not as the ledger has it, and means another registration.
fn changed(inputs: &Inputs<'_>, entry: &Entry) -> Vec<Reason> {
    // A registration does not depend on the access token that made it.
    let credential_matters = inputs.manifest.re_register_on_token_change || !inputs.api;
    let fields = changes(&entry.registration, inputs.registration)
        .into_iter()
        .filter(|change| credential_matters || change.field != TOKEN_FILE)
        .map(Reason::Changed);
    let token = (credential_matters && is_other_token(inputs, entry)).then_some(Reason::TokenChanged);
    fields.chain(token).collect()
}

fn is_other_token(inputs: &Inputs<'_>, entry: &Entry) -> bool {
    match (inputs.token, &entry.token) {
        (Some(token), Some(digest)) => !digest.matches(token),
        // The change between token and App shows in the fields.
        _ => false,
    }
}

fn new_credential(inputs: &Inputs<'_>) -> bool {
    inputs.entry.is_some_and(|entry| {
        let file = |fields: &Map<String, Value>| fields.get(TOKEN_FILE).cloned().unwrap_or(Value::Null);
        is_other_token(inputs, entry) || file(&entry.registration) != file(inputs.registration)
    })
}

/// Why the state is not one that nixpkgs' module made with the present configuration.
fn against_nixpkgs(inputs: &Inputs<'_>) -> Vec<Reason> {
    let state = inputs.state;
    let mut reasons = Vec::new();
    match (&state.nixpkgs_config, &state.nixpkgs_token) {
        (Content::Absent, Content::Absent) => reasons.push(Reason::Unaccounted),
        (config, token) => {
            match config {
                Content::Good(old) => {
                    // A job can have made the file, so nothing of a field that we do not know is shown.
                    let (known, unknown): (Vec<_>, Vec<_>) = changes(old, inputs.registration)
                        .into_iter()
                        .partition(|change| inputs.registration.contains_key(&change.field));
                    reasons.extend(known.into_iter().map(Reason::Changed));
                    if !unknown.is_empty() {
                        reasons.push(Reason::Unfit(NIXPKGS_CONFIG, "has fields that this module does not know".into()));
                    }
                }
                Content::Absent => reasons.push(Reason::Missing(NIXPKGS_CONFIG)),
                Content::Bad(why) => reasons.push(Reason::Unfit(NIXPKGS_CONFIG, why.clone())),
            }
            match token {
                // It was made for one registration, if it was kept at all.
                _ if inputs.token.is_none() && !is_known(inputs.entry) => {}
                Content::Good(old) if Some(old) == inputs.token => {}
                Content::Good(_) => reasons.push(Reason::TokenChanged),
                Content::Absent => reasons.push(Reason::Missing(NIXPKGS_TOKEN)),
                Content::Bad(why) => reasons.push(Reason::Unfit(NIXPKGS_TOKEN, why.clone())),
            }
        }
    }
    reasons.extend(incomplete(state));
    let (asked, name) = (&inputs.manifest.registration, inputs.manifest.registration.name_on(inputs.host));
    for (file, settings) in state.all_settings() {
        reasons.extend(settings.mismatch(asked, Some(name)).map(|why| Reason::Unfit(file, why)));
    }
    reasons
}

fn incomplete(state: &Snapshot) -> Vec<Reason> {
    let unusable = state.unusable().into_iter().map(|(file, why)| Reason::Unfit(file, why.into()));
    let missing = state.missing().into_iter().map(Reason::Missing);
    unusable.chain(missing).collect()
}

fn register(inputs: &Inputs<'_>, reasons: Vec<Reason>) -> Plan {
    let Inputs { manifest, entry, state, now, .. } = *inputs;
    let asked = &manifest.registration;
    let former_ephemeral = entry.is_some_and(Entry::is_ephemeral);
    // An ephemeral listener removes its settings when its job is done, and the server its registration. So does a job
    // that wants to keep the registration for itself; hence, if the server can be asked, it is.
    let used_up = !inputs.api
        && former_ephemeral
        && state.settings == Content::Absent
        && state.settings_migrated == Content::Absent;
    let recorded = entry.and_then(|entry| entry.runner.as_ref()).filter(|_| !used_up).cloned();
    let known = recorded.or_else(|| never_recorded(inputs)).filter(|runner| inputs.gone != Some(runner.id));

    let mut debts = former(inputs);
    if let Some(runner) = &known {
        add(&mut debts, runner, former_ephemeral, now);
    }
    let too_many = debts.len().saturating_sub(MOST_DEBTS);
    let forgotten = debts.drain(..too_many).collect();

    let gives_up = match known {
        Some(runner) => Some(Orphan {
            taken_over: manifest.replace
                && asked.url.as_str() == runner.url
                && asked.name.as_ref().is_some_and(|name| name.as_str() == runner.name),
            page: page(&runner.url),
            id: runner.id,
            name: runner.name,
        }),
        // Without a record only the files say who it was, and jobs can have written them.
        None if inputs.gone.is_none() && !is_known(entry) => state.identity().map(|settings| Orphan {
            id: settings.id,
            name: settings.name.clone(),
            page: settings.url.as_deref().and_then(page),
            taken_over: false,
        }),
        None => None,
    };
    let (claimed, new_credential) = (claimed(inputs), new_credential(inputs));
    Plan { action: Action::Register, reasons, gives_up, debts, forgotten, runner: None, claimed, new_credential }
}

/// Whether the ledger knows of any registration, be it one that did not come to its end.
fn is_known(entry: Option<&Entry>) -> bool {
    entry.is_some_and(|entry| entry.runner.is_some() || entry.attempt.is_some() || entry.registrations.total > 0)
}

/// The runner of a complete state of the configured name and address that no ledger tells of.
///
/// Jobs can have written it, so it says who this may have been and not who it was; see [`Plan::claimed`].
fn claimed(inputs: &Inputs<'_>) -> Option<u64> {
    let Inputs { manifest, state, .. } = *inputs;
    if !inputs.api || inputs.gone.is_some() || is_known(inputs.entry) || !state.faults().is_empty() {
        return None;
    }
    let asked = &manifest.registration;
    // Another configuration may have made it, and files of a JIT configuration do not tell where.
    let is_here = |url: &Option<String>| url.as_ref().is_none_or(|url| url == asked.url.as_str());
    let is_named = |name: &str| asked.name_on(inputs.host).eq_ignore_ascii_case(name);
    let settings = state.identity()?;
    state
        .all_settings()
        .all(|(_, found)| found.id == settings.id && is_here(&found.url) && is_named(&found.name))
        .then_some(settings.id)
}

/// The runner that an earlier start registered without coming to record it. No job has run since, so its files are
/// believed if they are what that start asked for. (With a static user, a process that an earlier job left could have
/// changed the id; whoever pays the debt has to compare the name on the server.)
fn never_recorded(inputs: &Inputs<'_>) -> Option<Runner> {
    let entry = inputs.entry.filter(|entry| entry.runner.is_none() && entry.attempt.is_some())?;
    let settings = inputs.state.identity()?;
    let asked = |field: &str| entry.registration.get(field).and_then(Value::as_str);
    let url = settings.url.as_deref().filter(|url| asked("url") == Some(url))?;
    let host = entry.attempt.as_ref().and_then(|attempt| attempt.host.as_deref()).unwrap_or(inputs.host);
    let named = asked("name").unwrap_or(host).eq_ignore_ascii_case(&settings.name);
    named.then(|| Runner { id: settings.id, name: settings.name.clone(), url: url.into(), recorded_at: inputs.now })
}

/// The former registrations of which GitHub may still know.
fn former(inputs: &Inputs<'_>) -> Vec<Debt> {
    let all = inputs.entry.map(|entry| entry.debts.as_slice()).unwrap_or_default();
    // Where the server can be asked, only its word counts: it keeps what a thief keeps busy.
    all.iter().filter(|left| inputs.api || !left.is_reaped(inputs.now)).cloned().collect()
}

fn add(debts: &mut Vec<Debt>, runner: &Runner, ephemeral: bool, since: u64) {
    debts.retain(|left| !left.is(runner));
    debts.push(Debt { runner: runner.clone(), ephemeral, since });
}

fn page(url: &str) -> Option<String> {
    RegistrationUrl::parse(url).ok().map(|url| url.settings_page())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
