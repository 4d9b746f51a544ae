//! Registering anew: first everything is found to be possible here, then the server takes back what this host gave up, then
//! the old state goes, then the new registration or the secret that makes it comes.
//!
//! What the server did is in the ledger before anything depends on it. Whoever changes the order here has to say for each
//! two lines what a crash between them leaves, and who finds it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tracing::{info, warn};

use super::basis::Basis;
use super::holder::{PATIENCE, described, taken};
use super::room::{purge, save};
use super::{jit, ready, work};
use crate::contract::manifest::Method;
use crate::contract::protocol::{Issue, Outcome, RemoteRunner, Verb, Whom};
use crate::ledger::{Attempt, Draft, Entry, NameHolder, Registrations, Runner};
use crate::registration::ask::Ask as _;
use crate::registration::attempt::{Resolution, gave_way, resolve};
use crate::registration::paced::Careful;
use crate::registration::retire::{is_ours, pay, reason, retry};
use crate::state::start::{host_name, now};

/// How long a look may take that has to come before it.
const LOOK: Duration = Duration::from_secs(20);
/// How long all former registrations together may take to be taken back.
const DEBTS: Duration = Duration::from_secs(20);
/// How long a start waits for the server to see that the last job of a former registration ended.
const BUSY: Duration = Duration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Carries a decision to register out. The entry of `draft` already lists what is given up; `claimed` is the runner that
/// only the state names.
pub(super) fn run(found: &Basis<'_>, draft: &mut Draft<'_>, new: Entry, claimed: Option<u64>) -> Result<()> {
    let manifest = found.manifest;
    let method = manifest.method(found.broker.is_some());
    // Before the files are gone that name what is given up.
    save(found, draft, claimed.is_none())?;
    ready::check(found, draft, method)?;
    let mut before = NameHolder::Unknown;
    let mut earlier = false;
    let mut secret = found.credential.token().map(|token| token.expose().to_owned());
    if let Some(broker) = &found.broker {
        // Who may not register now shall not give anything up either.
        if let Some(until) = broker.limited() {
            bail!("Failed to register: {}", reason(&Outcome::RateLimited(until)));
        }
        // A server that is slow to delete may still register; one that is down is found out below.
        pay(broker, draft, &manifest.registration.url, Instant::now() + DEBTS);
        gave_way(draft, found.state)?;
        match resolve(broker, draft, manifest.registration_interval, Instant::now() + DEBTS)? {
            Resolution::Nothing | Resolution::TakenBack | Resolution::Owed => {}
            Resolution::Unclear(why) => {
                warn!("Nobody can tell what came of the last registration that was asked for: {why}");
            }
            // The new attempt would take its place, and nobody would look under the former name again.
            Resolution::Open(why) if is_elsewhere(&draft.entry, &new) => bail!(
                "Failed to register: it is not known yet what came of the last registration, of another name or address: {why}. It is tried again"
            ),
            Resolution::Open(why) => {
                earlier = true;
                info!("It is not known yet what came of the last registration that was asked for: {why}");
            }
        }
        before = look(found, broker, draft, claimed)?;
        secret = match method {
            Method::Configure => Some(registration_token(broker)?),
            Method::Jit => None,
        };
    } else if method == Method::Jit {
        bail!(
            "`registration.method` is \"jit\", but the token is a registration token, with which GitHub makes no JIT configuration: use an access token, or \"configure\""
        );
    } else if draft.entry.attempt.as_ref().is_some_and(|attempt| attempt.before != NameHolder::Unknown) {
        warn!(
            "An earlier start with another credential was cut off while it registered, and nobody can look what came of it; see {}",
            manifest.registration.url.settings_page()
        );
    }

    let counts = draft.entry.registrations.clone();
    let time = now()?;
    let entry = Entry {
        registration: new.registration,
        token: new.token,
        helper: new.helper,
        runner: None,
        attempt: Some(Attempt { since: time, before, host: Some(host_name()?) }),
        registrations: Registrations { total: counts.total + 1, last: Some(time), used: false, jobs: counts.jobs },
        ..draft.entry.clone()
    };
    // Written beside the old entry before anything is deleted, so that a full disk deletes nothing; and the work
    // directory first, because whatever cannot be removed there must not cost the registration.
    let staged = draft.stage(&entry)?;
    work::empty(found)?;
    purge(found)?;
    staged.commit()?;
    draft.committed(entry);
    match (&found.broker, secret) {
        (_, Some(secret)) => found.stage(&secret),
        (Some(broker), None) => jit::run(found, broker, draft, earlier),
        (None, None) => bail!("There is nothing to register with"),
    }
}

/// Whether the attempt of `old` asked for another name or at another address.
fn is_elsewhere(old: &Entry, new: &Entry) -> bool {
    ["name", "url"].iter().any(|field| old.registration.get(*field) != new.registration.get(*field))
}

/// Who has the configured name, unless that stops the start. A former runner of this host is taken back first.
fn look(found: &Basis<'_>, broker: &Careful<'_>, draft: &mut Draft<'_>, claimed: Option<u64>) -> Result<NameHolder> {
    let end = Instant::now() + BUSY;
    let url = &found.manifest.registration.url;
    loop {
        let seen = match broker.ask(Verb::Observe(Whom::Name), LOOK).outcome {
            Outcome::Seen(None) => return Ok(NameHolder::Nobody),
            Outcome::Seen(Some(seen)) => seen,
            outcome => bail!("Failed to register: {}", reason(&outcome)),
        };
        if is_ours(&seen, &draft.entry, url) {
            if Instant::now() > end {
                bail!(
                    "{} is a former registration of this runner, and GitHub does not let go of it yet; it is tried again at the next start",
                    described(&seen)
                );
            }
            // Right after a job the server needs some seconds until it lets the runner go.
            thread::sleep(BETWEEN_LOOKS);
            retry(broker, draft, &seen, url)?;
        } else if found.manifest.replace {
            info!("{} will be replaced, because `replace` is set", described(&seen));
            return Ok(NameHolder::Runner(seen.id));
        } else if claimed == Some(seen.id) {
            recognize(found, broker, draft, &seen)?;
        } else {
            bail!("{}", taken(found, &seen));
        }
    }
}

/// Takes a runner back that only the files of the state directory name: the ledger is lost, or another program kept none.
///
/// The server shows it under this runner's own name, of which there is one. A job could have put the id of another host's
/// runner of that name into the files, so it is left alone if a listener uses it. Watched for as long as what an attempt
/// may have made.
fn recognize(found: &Basis<'_>, broker: &Careful<'_>, draft: &mut Draft<'_>, first: &RemoteRunner) -> Result<()> {
    let in_use = |seen: &RemoteRunner| seen.online || seen.busy;
    let mut last = first.clone();
    if !in_use(first) {
        thread::sleep(Duration::from_secs(found.manifest.registration_interval / 5));
        last = match broker.ask(Verb::Observe(Whom::Name), LOOK).outcome {
            Outcome::Seen(Some(seen)) if seen.id == first.id => seen,
            // The next look tells.
            Outcome::Seen(_) => return Ok(()),
            outcome => bail!("Failed to register: {}", reason(&outcome)),
        };
    }
    if in_use(&last) {
        bail!(
            "{} is the one that the state directory names, but the ledger does not know it, and something uses it. If that is another host, choose another `name`; if it is this host's from before a crash, it is tried again at the next start",
            described(&last)
        );
    }
    info!(
        "{} is the one that the state directory names; the ledger does not know it, and nobody uses it",
        described(&last)
    );
    let url = &found.manifest.registration.url;
    let time = now()?;
    let runner = Runner { id: last.id, name: last.name.clone(), url: url.as_str().into(), recorded_at: time };
    draft.entry.owe(runner, found.manifest.registration.ephemeral, time);
    draft.save()?;
    retry(broker, draft, &last, url)
}

fn registration_token(broker: &Careful<'_>) -> Result<String> {
    match broker.ask(Verb::Issue(Issue::Token), PATIENCE).outcome {
        Outcome::Token(token) => Ok(token.expose().into()),
        outcome => bail!("Failed to get a registration token: {}", reason(&outcome)),
    }
}
