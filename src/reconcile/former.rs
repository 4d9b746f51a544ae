//! Runners that nobody wants any more, because they are not configured or their owner's time is over: everything of theirs is
//! taken back, on the server first, then on this host, and the ledger entry goes last, because it alone names them.
//!
//! Nothing is known about them but the ledger, which holds the path of their credential. Without that, the entry stays.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;
use tracing::warn;

use super::act::{Hands, is_clear};
use super::plan::Why;
use crate::contract::fleet::Fleet;
use crate::contract::manifest::Manifest;
use crate::contract::names;
use crate::contract::protocol::{Outcome, Verb};
use crate::ledger::{Debt, Draft, Entry, Runner};
use crate::model::{InstanceName, Registration, shown};
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::attempt::{Resolution, resolve};
use crate::registration::credential::Credential;
use crate::registration::retire::{pay, reason};
use crate::state::start::{host_name, volume};
use crate::survey::counted::counted;
use crate::survey::lists::{is_silence, way};
use crate::survey::transient::Transient;
use crate::survey::{HostRunner, Places};
use crate::sys::{MountState, Place};
use crate::units::{Activity, Units, copy};

/// How long taking back may take for one runner, and how long for its present registration.
const PATIENCE: Duration = Duration::from_secs(60);
const ONE: Duration = Duration::from_secs(20);
/// How long removing its directories may take in one pass, which has other runners to look after. The next one goes on.
const REMOVING: Duration = Duration::from_secs(2 * 60);

/// What came of a former runner.
pub enum Dissolution {
    /// It is not idle, and why.
    Waits(Why),
    /// A sentence about it; whatever is left is in its entry.
    Said(String),
}

impl Dissolution {
    /// The same as a sentence; `gone` is how it begins.
    #[must_use]
    pub fn sentence(self, gone: &str) -> String {
        match self {
            Self::Waits(Why::Busy) => format!("{gone}, and runs a job, which is waited for"),
            Self::Waits(_) => format!("{gone}, and just being started or stopped"),
            Self::Said(said) => said,
        }
    }
}

/// Takes everything of a former runner back. One whose registrations are out of reach is at least stopped when it is idle.
///
/// # Errors
///
/// Anything that keeps it from being done now.
pub fn dissolve(hands: &mut Hands<'_>, found: &HostRunner, fleet: &Fleet, places: &Places) -> Result<Dissolution> {
    let instance = &found.instance;
    let mut taken = TakeBack::All { deleted: false };
    {
        let Some(_lock) = hands.ledger.lock(instance, Duration::ZERO)? else { return Ok(MOVING) };
        let Some(entry) = hands.load(instance)? else { return Ok(Dissolution::Said(elsewhere().into())) };
        if !is_clear(&entry) {
            taken = take_back(hands, found, fleet, places, entry)?;
        }
    }
    let (deleted, left) = match taken {
        TakeBack::All { deleted } => (deleted, None),
        TakeBack::Part { deleted, said } => (deleted, Some(said)),
        TakeBack::Busy => return Ok(BUSY),
        TakeBack::Later(said) => return Ok(Dissolution::Said(said)),
    };
    let shown = hands.units.show(&[&found.unit])?;
    let unit = shown.get(&found.unit).cloned().unwrap_or_default();
    // What the server deleted just now runs no job, whatever a process calls itself.
    if unit.has_job && !deleted {
        return Ok(BUSY);
    }
    if !matches!(unit.activity, Activity::Inactive | Activity::Failed) {
        // Without the lock, which its last step takes.
        hands.units.stop(&found.unit)?;
    }
    if let Some(said) = left {
        return Ok(Dissolution::Said(said));
    }
    let Some(lock) = hands.ledger.lock(instance, Duration::ZERO)? else { return Ok(MOVING) };
    let entry = hands.ledger.load(instance)?;
    if entry.as_ref().is_some_and(|entry| entry.owner.lease(hands.now).is_some()) {
        return Ok(Dissolution::Said(elsewhere().into()));
    }
    if entry.is_some_and(|entry| !is_clear(&entry) && unable(&entry, hands.now, "").is_some()) {
        return Ok(Dissolution::Said(format!("{}; its end left something to be taken back", found.gone())));
    }
    let end = Instant::now() + REMOVING;
    for root in &places.roots {
        let path = root.join(instance.as_str());
        if let Some(mounted) = left_mounted(&path)? {
            // Of an end that was cut off. A pass may not unmount it; systemd does, which knows it by its path.
            hands.units.stop(&mounted.to_string_lossy())?;
        }
        Place::walk(&path)?.remove(end)?;
    }
    close_door(hands.units, instance)?;
    let mut forgot = copy::forget(&names::runner(instance))?;
    for unit in names::containers(instance) {
        forgot |= copy::forget(&unit)?;
    }
    if forgot {
        hands.units.reload()?;
    }
    // Last, because nobody knows of the runner without it.
    hands.ledger.remove(instance)?;
    lock.remove()?;
    hands.memory.count("removed");
    let gone = found.gone();
    Ok(Dissolution::Said(format!("{gone}: took its registrations back and removed its directories")))
}

/// Where a work directory really is, if it still has a file system of its own. Keeps no handle of it, or nobody could
/// unmount it.
fn left_mounted(path: &Path) -> Result<Option<PathBuf>> {
    let place = Place::walk(path)?;
    Ok((volume(&place).mounted()? == MountState::Ours).then(|| place.resolved()))
}

/// What is said if the entry is not there any more, or belongs to something else by now.
fn elsewhere() -> &'static str {
    "is not a former runner any more"
}

const MOVING: Dissolution = Dissolution::Waits(Why::Moving);
const BUSY: Dissolution = Dissolution::Waits(Why::Busy);

/// Stops the socket of its broker, which a switch leaves for the end of its runner.
fn close_door(units: &dyn Units, instance: &InstanceName) -> Result<()> {
    let socket = names::broker_socket(instance);
    let shown = units.show(&[&socket])?;
    if shown.get(&socket).is_some_and(|unit| unit.activity == Activity::Active) {
        units.stop(&socket)?;
    }
    Ok(())
}

/// What came of taking back.
enum TakeBack {
    /// Nothing is left on the server; whether it deleted the present registration just now.
    All { deleted: bool },
    /// The same, but something is left that cannot be taken back from here; a sentence about the runner.
    Part { deleted: bool, said: String },
    /// The server says that it runs a job.
    Busy,
    /// The server does not answer now; a sentence about the runner.
    Later(String),
}

/// Has the server delete what the entry names.
fn take_back(
    hands: &mut Hands<'_>,
    found: &HostRunner,
    fleet: &Fleet,
    places: &Places,
    entry: Entry,
) -> Result<TakeBack> {
    let instance = &found.instance;
    // While it runs, GitHub sees it and cleans nothing up.
    let rests = matches!(found.situation.unit.activity, Activity::Inactive | Activity::Failed);
    let now = hands.now;
    // What GitHub has cleaned up by itself is nobody's any more; otherwise `or` with a sentence.
    let unless_reaped = |entry: &Entry, why: &str, or: fn(String) -> TakeBack| match unable(entry, now, why) {
        None if rests => TakeBack::All { deleted: false },
        None => or(format!("{}, and its registration could not be taken back: {why}", entry.owner.gone())),
        Some(said) => or(said),
    };
    let never = |said| TakeBack::Part { deleted: false, said };
    let manifest = match former_manifest(&entry, instance) {
        Ok(manifest) => manifest,
        Err(why) => return Ok(unless_reaped(&entry, &why, never)),
    };
    match Credential::read(&manifest) {
        Ok(credential) if credential.is_of_api() => {}
        Ok(_) => {
            let why = "its token is a registration token, which cannot do that";
            return Ok(unless_reaped(&entry, why, never));
        }
        Err(error) => return Ok(unless_reaped(&entry, &format!("{error:#}"), never)),
    }
    let (url, place) = (&manifest.registration.url, manifest.credential_place());
    let way = way(url, &place);
    if let Some(why) = hands.silent.get(&way) {
        return Ok(unless_reaped(&entry, why, TakeBack::Later));
    }
    let credential = place.key(url).unwrap_or_default();
    if let Some(until) = hands.limited(&credential) {
        return Ok(unless_reaped(&entry, &reason(&Outcome::RateLimited(until)), TakeBack::Later));
    }
    let brokers = Transient { runtime: &places.runtime, ledger: &places.ledger, properties: &fleet.broker_properties };
    let door = brokers.open(&manifest)?;
    let broker = Broker::kept(door.socket(), instance, hands.ledger);
    let broker = counted(broker, &place, url, hands.memory, now);
    let end = Instant::now() + PATIENCE;
    let mut draft = Draft::new(hands.ledger, instance, Some(entry.clone()), entry);
    let mut deleted = false;
    if let Some(runner) = draft.entry.runner.clone() {
        let verb = Verb::Retire { id: runner.id, url: runner.url.clone() };
        let answer = broker.ask(verb, ONE);
        let is_silence = is_silence(&answer);
        match answer.outcome {
            Outcome::Retired => deleted = true,
            Outcome::Gone => {}
            Outcome::Busy => return Ok(TakeBack::Busy),
            outcome @ (Outcome::Unreachable(_) | Outcome::RateLimited(_)) => {
                if is_silence {
                    // Others have not to wait for it, too.
                    hands.silent.insert(way, reason(&outcome));
                }
                return Ok(unless_reaped(&draft.entry, &reason(&outcome), TakeBack::Later));
            }
            outcome => return Ok(unless_reaped(&draft.entry, &reason(&outcome), never)),
        }
        draft.entry.runner = None;
        draft.entry.attempt = None;
        // On a full disk the entry goes on naming what is gone, which the next pass finds; what follows makes room.
        if let Err(error) = draft.save() {
            warn!("{error:#}");
        }
    }
    let part = |said| TakeBack::Part { deleted, said };
    if draft.entry.attempt.is_some() {
        match resolve(&broker, &mut draft, manifest.registration_interval, end)? {
            Resolution::Nothing | Resolution::TakenBack | Resolution::Owed => {}
            Resolution::Open(why) => return Ok(unless_reaped(&draft.entry, &why, TakeBack::Later)),
            Resolution::Unclear(why) => return Ok(unless_reaped(&draft.entry, &why, never)),
        }
    }
    let silence = pay(&broker, &mut draft, url, end).silence;
    let why = silence.as_deref().unwrap_or("GitHub did not take it back yet");
    Ok(match unable(&draft.entry, now, why) {
        None if draft.entry.debts.is_empty() || rests => TakeBack::All { deleted },
        None => part(format!("{}, and not all of it could be taken back: {why}", draft.entry.owner.gone())),
        Some(said) => part(said),
    })
}

/// What is said when the server cannot be asked; `None` once GitHub has cleaned up by itself.
fn unable(entry: &Entry, now: u64, why: &str) -> Option<String> {
    let ephemeral = entry.is_ephemeral();
    let old = |since| Debt { runner: nobody(), ephemeral, since }.is_reaped(now);
    let present = entry.runner.as_ref().filter(|runner| !old(runner.recorded_at.max(last_seen(entry))));
    let former = entry.debts.iter().filter(|left| !left.is_reaped(now)).map(|left| &left.runner);
    let attempt = entry.attempt.as_ref().filter(|attempt| !old(attempt.since));
    match (present.into_iter().chain(former).next(), attempt) {
        (Some(runner), _) => Some(format!("{}, and {}", entry.owner.gone(), owes(runner, why))),
        (None, Some(_)) => Some(format!("{}, and it is not known what it registered: {why}", entry.owner.gone())),
        (None, None) => None,
    }
}

fn nobody() -> Runner {
    Runner { id: 0, name: String::new(), url: String::new(), recorded_at: 0 }
}

/// When it ran last, as far as the ledger knows.
fn last_seen(entry: &Entry) -> u64 {
    entry.last_exit.as_ref().map_or(u64::MAX, |exit| exit.at)
}

fn owes(runner: &Runner, why: &str) -> String {
    let page = crate::model::RegistrationUrl::parse(&runner.url).map(|url| url.settings_page());
    format!(
        "id {} of name {} could not be taken back: {why}. Its ledger entry stays; it can be removed at {}",
        runner.id,
        shown(&runner.name),
        page.as_deref().unwrap_or("GitHub")
    )
}

/// A manifest for what a former runner still needs: asking the server about what its entry names.
fn former_manifest(entry: &Entry, instance: &InstanceName) -> Result<Manifest, String> {
    let Some(place) = entry.credential.clone() else {
        return Err("its entry is of an older release, which did not note the credential".into());
    };
    let mut registration = entry.registration.clone();
    if registration.get("name").is_none_or(Value::is_null) {
        let host = entry.attempt.as_ref().and_then(|attempt| attempt.host.clone());
        let name = host.map_or_else(host_name, Ok).map_err(|error| format!("{error:#}"))?;
        registration.insert("name".into(), name.into());
    }
    let made = Registration::from_object(registration).and_then(|registration| {
        let manifest = Manifest::new(instance.clone(), registration, place, "/nonexistent".into());
        manifest.check().map(|()| manifest).map_err(|error| format!("{error:#}"))
    });
    made.map_err(|why| format!("its entry cannot be used: {why}"))
}
