//! What operators ask for about one runner: to drain it, to restart it when it is idle, to take its registration back.
//!
//! The same acts as those of a pass, but at once and until they are done. Nothing is cut short: whoever wants that has
//! `systemctl`.

use std::io::{IsTerminal as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tracing::info;

use super::act::{Hands, restart_idle, retire_and_restart, retire_idle, settle_debts};
use super::former::{Dissolution, dissolve};
use super::plan::{Decision, Why, plan};
use super::would_start;
use crate::contract::fleet::{Declaration, Fleet};
use crate::ledger::Ledger;
use crate::model::{InstanceName, plain};
use crate::state::start::now;
use crate::survey::lists::Silences;
use crate::survey::open_ledger;
use crate::survey::{Configuration, HostRunner, Places, one};
use crate::survey::{Memory, Recall};
use crate::units::{Activity, Units};

/// Between two looks at a runner that is not idle yet.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Between two questions to a server that says that it runs a job, or says nothing.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(5);

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// Wait until it is idle, take its registration back, and stop it.
    Drain,
    /// Wait until it is idle, and restart it.
    Restart,
    /// Take its registration back and stop it, but only if it is idle now.
    Retire,
}

/// Does it; `fleet` reads the fleet file.
///
/// # Errors
///
/// What keeps it from being done. Nothing that was done by then is lost.
pub fn operate(
    wish: Wish,
    instance: &str,
    fleet: impl Fn() -> Result<Fleet>,
    units: &dyn Units,
    places: &Places,
) -> Result<()> {
    let instance: InstanceName = instance.to_owned().try_into().map_err(anyhow::Error::msg)?;
    let ledger = open_ledger(places)?.context("No runner of this host ever started")?;
    let mut progress = Progress::default();
    let mut memory = Memory::default();
    let would_start = |declared: &Declaration| would_start(places, declared);
    loop {
        // Whoever waits for hours may meet another configuration.
        let fleet = &fleet()?;
        let found = one(fleet, Some(&ledger), units, instance.clone())?;
        if let Some(lease) = found.lease(now()?) {
            let name = instance.as_str();
            bail!("Nothing was done, because runner {name} belongs to {lease}: end it there, or wait for that time");
        }
        let silent = Silences::new();
        let mut hands = Hands {
            ledger: &ledger,
            units,
            sockets: &places.sockets,
            would_start: &would_start,
            memory: &mut memory,
            silent,
            now: now()?,
        };
        let Some(configured) = &found.configured else {
            if let Decision::Leave(why) = plan(&found.situation, &Recall::default(), hands.now).0 {
                progress.wait(&instance, &why, BETWEEN_LOOKS);
                continue;
            }
            if wish == Wish::Restart {
                bail!("Runner {} {}, so it cannot be restarted", instance.as_str(), found.gone());
            }
            match dissolve(&mut hands, &found, fleet, places)? {
                Dissolution::Waits(why) if wish == Wish::Drain => {
                    progress.wait(&instance, &why, BETWEEN_LOOKS);
                    continue;
                }
                done => {
                    progress.end();
                    info!("Runner {} {}", instance.as_str(), done.sentence(&found.gone()));
                    return still_there(&ledger, &instance);
                }
            }
        };
        let why = match step(wish, &mut hands, &found, configured)? {
            Ok(said) => {
                progress.end();
                info!("Runner {} {said}", instance.as_str());
                return Ok(());
            }
            Err(why) => why,
        };
        if wish == Wish::Retire {
            bail!("Runner {} {}; `github-runnerctl drain` waits for that", instance.as_str(), told(&why));
        }
        let is_seen_here = found.situation.unit.has_job || why == Why::Moving;
        progress.wait(&instance, &why, if is_seen_here { BETWEEN_LOOKS } else { BETWEEN_QUESTIONS });
    }
}

/// One try; the inner error says what is waited for.
fn step(
    wish: Wish,
    hands: &mut Hands<'_>,
    found: &HostRunner,
    configured: &Configuration,
) -> Result<Result<String, Why>> {
    let unit = &found.situation.unit;
    match unit.activity {
        Activity::Starting | Activity::Stopping => return Ok(Err(Why::Moving)),
        Activity::Active if unit.has_job => return Ok(Err(Why::Busy)),
        Activity::Inactive | Activity::Failed if wish == Wish::Restart => {
            hands.units.restart(&found.unit)?;
            return Ok(Ok("did not run, and starts".into()));
        }
        _ => {}
    }
    let recorded = found.entry.as_ref().and_then(|entry| entry.runner.as_ref());
    if let (Some(runner), Err(why)) = (recorded, &configured.credential) {
        bail!("Nothing was done, because GitHub cannot be asked about id {} of {}: {why}", runner.id, runner.url);
    }
    let runner = recorded.filter(|_| configured.can_ask());
    let registers_anew = found.situation.wanted.is_some_and(|wanted| wanted.registers_anew);
    if wish == Wish::Restart {
        let restarted = match runner.filter(|_| registers_anew) {
            Some(runner) => retire_and_restart(hands, found, configured, runner)?,
            None => restart_idle(hands, found, configured, true)?,
        };
        return Ok(restarted.map(|()| "was idle, and restarts".into()));
    }
    let mut said = match recorded {
        None => "has no registration".into(),
        Some(runner) => format!(
            "keeps id {} on GitHub, because a registration token cannot take it back; see {}",
            runner.id,
            configured.manifest.registration.url.settings_page()
        ),
    };
    if let Some(runner) = runner {
        // Its end needs the lock that is held meanwhile, so it is stopped afterwards.
        if let Err(why) = retire_idle(hands, found, configured, runner, |_| Ok(()))? {
            return Ok(Err(why));
        }
        said = format!("was idle: took id {} back", runner.id);
    }
    if unit.activity == Activity::Active {
        hands.units.stop(&found.unit)?;
        said += ", and is stopped";
    }
    if found.situation.known.as_ref().is_some_and(|known| known.owes) && configured.can_ask() {
        said = format!("{said}, and {}", settle_debts(hands, found, configured)?);
    }
    Ok(Ok(said))
}

fn still_there(ledger: &Ledger, instance: &InstanceName) -> Result<()> {
    if ledger.load(instance)?.is_some() {
        bail!("The ledger entry of {} stays, because something is left to be taken back", instance.as_str());
    }
    Ok(())
}

fn told(why: &Why) -> String {
    match why {
        Why::Busy => "runs a job".into(),
        Why::Unprepared(why) => format!("would not register again: {why}"),
        Why::Silent(why) => format!("may run a job, GitHub does not say: {why}"),
        _ => "is being started or stopped".into(),
    }
}

/// What is waited for: a line that renews itself on a terminal, and elsewhere one line for each change.
#[derive(Default)]
struct Progress {
    since: Option<Instant>,
    last: String,
}

impl Progress {
    /// Waits so long, and shows it.
    fn wait(&mut self, instance: &InstanceName, why: &Why, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.show(instance, why);
            thread::sleep(end.saturating_duration_since(Instant::now()).min(Duration::from_secs(1)));
        }
    }

    fn show(&mut self, instance: &InstanceName, why: &Why) {
        let since = *self.since.get_or_insert_with(Instant::now);
        // A terminal must not be at the mercy of what a server said.
        let said = plain(&told(why));
        let mut terminal = std::io::stderr();
        if terminal.is_terminal() {
            let seconds = since.elapsed().as_secs();
            // Where nobody reads, nothing can be said about it.
            _ = write!(terminal, "\r\x1b[KRunner {} {said}; waiting for {seconds} s", instance.as_str());
            _ = terminal.flush();
        } else if said != self.last {
            info!("Runner {} {said}; waiting", instance.as_str());
        }
        self.last = said;
    }

    /// Makes room for what is said next.
    fn end(&self) {
        let mut terminal = std::io::stderr();
        if self.since.is_some() && terminal.is_terminal() {
            _ = write!(terminal, "\r\x1b[K");
        }
    }
}
