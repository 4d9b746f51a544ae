//! Noting which runners the server lists as online, so that a start that follows soon need not look for itself.

use std::path::Path;

use anyhow::Result;

use crate::contract::sighting::Sighting;
use crate::registration::sighted::{open, write};
use crate::survey::{HostRunner, Server};
use crate::units::Activity;

/// Notes what a pass that began at `now` found. What it did not hear about stays, and is of no use when it is too old.
///
/// # Errors
///
/// If a note cannot be written. Where there is no directory for it, nothing is noted.
pub fn note(runners: &[HostRunner], sockets: &Path, now: u64) -> Result<()> {
    let Some(dir) = open(sockets) else { return Ok(()) };
    for found in runners {
        if let Server::Silent(_) = found.situation.server {
            continue;
        }
        write(&dir, &found.instance, sighting(found, now).as_ref())?;
    }
    Ok(())
}

/// What the server said about a runner, if that is of use. Pure.
fn sighting(found: &HostRunner, now: u64) -> Option<Sighting> {
    let Server::Lists(Some(seen)) = &found.situation.server else { return None };
    let runner = found.entry.as_ref()?.runner.as_ref()?;
    // Elsewhere nobody was asked.
    let is_home = found.configured.as_ref()?.manifest.registration.url.as_str() == runner.url;
    // What does not run here is online from before a crash, or somewhere else.
    let runs = found.situation.unit.activity == Activity::Active;
    (runs && seen.online && seen.id == runner.id && is_home).then(|| Sighting::new(runner.id, runner.url.clone(), now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::sample::{NOW, host};

    /// What is noted of a runner that is well but for this.
    fn noted(edit: impl FnOnce(&mut HostRunner)) -> bool {
        let (_, mut host, _) = host(&["one"]);
        let found = &mut host.runners[0];
        edit(found);
        let noted = sighting(found, NOW);
        let runner = found.entry.as_ref().and_then(|entry| entry.runner.clone());
        let expected = runner.map(|runner| Sighting::new(runner.id, runner.url, NOW));
        assert!(noted.is_none() || noted == expected, "{noted:?}");
        noted.is_some()
    }

    fn seen(found: &mut HostRunner) -> &mut crate::contract::protocol::RemoteRunner {
        let Server::Lists(Some(seen)) = &mut found.situation.server else { panic!("it is listed") };
        seen
    }

    #[test]
    fn only_a_runner_of_the_ledger_that_is_listed_as_online_is_noted() {
        assert!(noted(|_| {}));
        assert!(noted(|found| seen(found).busy = true));
        assert!(!noted(|found| seen(found).online = false));
        assert!(!noted(|found| seen(found).id = 99));
        assert!(!noted(|found| found.situation.unit.activity = Activity::Inactive));
        assert!(!noted(|found| found.situation.unit.activity = Activity::Starting));
        assert!(!noted(|found| found.situation.server = Server::Lists(None)));
        assert!(!noted(|found| found.situation.server = Server::NoCredential));
        assert!(!noted(|found| found.configured = None));
        assert!(!noted(|found| found.entry = None));
        let elsewhere = |found: &mut HostRunner| {
            let runner = found.entry.as_mut().and_then(|entry| entry.runner.as_mut());
            runner.unwrap().url = "https://github.com/o/former".into();
        };
        assert!(!noted(elsewhere), "the list is that of another address");
    }

    #[test]
    fn what_a_pass_does_not_hear_about_stays_noted() {
        let temporary = tempfile::tempdir().unwrap();
        let sockets = temporary.path().canonicalize().unwrap();
        let (_, mut host, _) = host(&["one"]);
        let instance = host.runners[0].instance.clone();
        let read = || crate::registration::sighted::read(&sockets.join("one"), &instance);
        note(&host.runners, &sockets, NOW).unwrap();
        let first = read();
        assert_eq!(first, sighting(&host.runners[0], NOW));
        host.runners[0].situation.server = Server::Silent("it is down".into());
        note(&host.runners, &sockets, NOW + 60).unwrap();
        assert_eq!(read(), first);
        host.runners[0].situation.server = Server::Lists(None);
        note(&host.runners, &sockets, NOW + 120).unwrap();
        assert_eq!(read(), None);
        assert!(note(&host.runners, &sockets.join("none"), NOW).is_ok(), "before the first socket was made");
    }
}
