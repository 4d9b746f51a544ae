//! The checks of one runner.
//!
//! Reads what its start reads and changes none of it. What stands in the way of one check leaves the others to be made.

use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User};

use super::finding::{Finding, Group, Level};
use super::options::Options;
use super::paths::{Who, check};
use super::{audience, entry, next, preflight, room};
use crate::contract::fleet::Declaration;
use crate::contract::manifest::Manifest;
use crate::contract::protocol::{Answer, Outcome};
use crate::ledger::Entry;
use crate::model::{Scope, date_and_time};
use crate::registration::ask::Broker;
use crate::registration::credential::Credential;
use crate::registration::secrecy;
use crate::root::leftovers::{self, about_lingering};
use crate::root::prepare::{Foreseen, foresee};
use crate::state::start::{expand, now, read_manifest};
use crate::survey::{open_ledger, read_memory};
use crate::sys::{NOBODY, Place, memory};
use crate::units::{Activity, Unit, Units};

/// Nodes that jobs were to have and this host has not: their unit starts all the same, and no job finds them.
fn missing_nodes(may: &[String]) -> Option<Finding> {
    let is_missing = |what: &&str| what.starts_with("/dev/") && !Path::new(what).exists();
    let missing: Vec<&str> = may.iter().map(String::as_str).filter(is_missing).collect();
    let said = format!("are to have {}, and this host has no such node", missing.join(" and "));
    let remedy = "load the driver, for /dev/kvm by `boot.kernelModules = [ \"kvm-intel\" ]` or \"kvm-amd\" and with virtualization on in \
                  the firmware; or take it out of `devices` and `kvm`";
    (!missing.is_empty()).then(|| Finding::warning("jobs", said, remedy))
}

/// One runner, and what is read about it before anybody is asked.
pub struct Subject<'a> {
    options: &'a Options<'a>,
    declared: &'a Declaration,
    manifest: anyhow::Result<Manifest>,
    credential: Option<anyhow::Result<Credential>>,
    socket: PathBuf,
}

impl<'a> Subject<'a> {
    /// Reads manifest and credential.
    #[must_use]
    pub fn read(options: &'a Options<'a>, declared: &'a Declaration) -> Self {
        let manifest = read_manifest(&declared.manifest);
        let credential = manifest.as_ref().ok().map(Credential::read);
        let socket = options.places.sockets.join(declared.instance.as_str());
        Self { options, declared, manifest, credential, socket }
    }

    /// Whom to ask about its credential, if that is one of the API and there is a door.
    #[must_use]
    pub fn broker(&self) -> Option<Broker<'_>> {
        let asks = self.can_ask() && self.socket.exists();
        asks.then_some(Broker::once(&self.socket, &self.declared.instance))
    }

    /// Whom to ask who can have code run, if the credential was found good and there is something to ask about.
    #[must_use]
    pub fn broker_about_audience(&self, said: Option<&Answer>) -> Option<Broker<'_>> {
        let is_good = said.is_some_and(|answer| matches!(answer.outcome, Outcome::Ready { .. }));
        let is_enterprise = |manifest: &Manifest| matches!(manifest.registration.url.scope(), Scope::Enterprise(_));
        if !is_good || self.manifest.as_ref().is_ok_and(is_enterprise) {
            return None;
        }
        self.broker()
    }

    /// Makes all checks. The answers are what the broker said of the credential, and of who can have code run.
    #[must_use]
    pub fn check(
        &self,
        unit: &Result<Unit, String>,
        units: &dyn Units,
        [answer, about_audience]: [Option<&Answer>; 2],
    ) -> Group {
        let user = self.user(units);
        let mut findings = vec![match &self.manifest {
            Ok(_) => Finding::good("manifest", format!("{} is good", self.declared.manifest.display())),
            Err(error) => Finding::error("manifest", error),
        }];
        findings.push(judge(unit, &self.declared.unit));
        if !self.declared.may.is_empty() {
            let may = self.declared.may.join(", ");
            findings.push(Finding::good("jobs", format!("may, beyond the usual sandbox: {may}")));
            findings.extend(missing_nodes(&self.declared.may));
        }
        findings.extend(user.and_then(|(uid, _)| lingering(uid)));
        findings.extend(self.directories(user, units));
        findings.extend(self.credential());
        findings.extend(self.secrecy(user));
        if self.can_ask() {
            findings.push(preflight::socket(&self.socket, &self.declared.instance));
            findings.extend(preflight::given(units, &self.declared.instance));
        }
        if matches!(&self.credential, Some(Ok(credential)) if !credential.is_of_api()) {
            let said = "is not asked, because a registration token cannot; names, proxies and certificates are tried by the registration only";
            findings.push(Finding::good("GitHub", said));
        }
        if let (Some(answer), Ok(now)) = (answer, now()) {
            let ways = || preflight::proxies(units, &self.declared.instance);
            findings.extend(preflight::verdict(answer, now, ways));
        }
        if let (Some(said), Ok(manifest)) = (about_audience, &self.manifest) {
            findings.push(audience::finding(&manifest.registration, self.declared.trust, said));
        }
        if let Ok(manifest) = &self.manifest {
            if let Ok(now) = now() {
                let memory = read_memory(self.options.places).unwrap_or_default();
                let releases = memory.releases.get(&manifest.registration.url.host()).cloned().unwrap_or_default();
                findings.push(preflight::version(manifest, answer, releases, now));
            }
            findings.extend(room::package(&manifest.listener));
        }
        match self.ledger() {
            Ok(None) if self.has_state() => findings.push(entry::lost(&self.options.places.ledger, self.can_ask())),
            Ok(ledger) => findings.extend(entry::entry(ledger.as_ref(), self.can_ask())),
            Err(error) => findings.push(Finding::error("ledger entry", &error)),
        }
        match self.foresee(user) {
            Ok(foreseen) => findings.extend(next::summary(&foreseen)),
            // Most likely the same fault by another way.
            Err(_) if findings.iter().any(|finding| finding.level == Level::Fault) => {
                findings.push(Finding::warning(next::TOPIC, "it stops at one of these faults", "repair them"));
            }
            Err(error) => findings.push(Finding::error(next::TOPIC, &error)),
        }
        self.group(findings)
    }

    /// Says what the next start would do, by what this host alone knows.
    #[must_use]
    pub fn start_check(&self, units: &dyn Units) -> Group {
        self.group(match self.foresee(self.user(units)) {
            Ok(foreseen) => next::findings(&foreseen),
            Err(error) => vec![Finding::error(next::TOPIC, &error.context("it would stop"))],
        })
    }

    fn group(&self, findings: Vec<Finding>) -> Group {
        Group { title: format!("Runner {}", self.declared.instance.as_str()), findings }
    }

    fn can_ask(&self) -> bool {
        matches!(&self.credential, Some(Ok(credential)) if credential.is_of_api())
    }

    fn ledger(&self) -> anyhow::Result<Option<Entry>> {
        let ledger = open_ledger(self.options.places)?;
        Ok(ledger.map(|ledger| ledger.load(&self.declared.instance)).transpose()?.flatten())
    }

    fn foresee(&self, user: Option<(u32, u32)>) -> anyhow::Result<Foreseen> {
        let start = self.options.places.start(self.declared)?;
        let user = user.map(|(uid, gid)| (Uid::from_raw(uid), Gid::from_raw(gid)));
        foresee(&start, &self.options.places.ledger, user)
    }

    /// Its directory below one of those that systemd keeps.
    fn own(&self, root: usize) -> PathBuf {
        self.options.places.roots[root].join(self.declared.instance.as_str())
    }

    /// Whether its state directory holds something.
    fn has_state(&self) -> bool {
        let state = Place::walk(&self.own(0)).and_then(|place| place.open()).ok().flatten();
        state.is_some_and(|state| state.is_empty().is_ok_and(|empty| !empty))
    }

    /// The service user: the one of the unit, or else whom the state directory belongs to. A dynamic one has no number
    /// before its unit starts, and may have another one then.
    fn user(&self, units: &dyn Units) -> Option<(u32, u32)> {
        let name = units.property(&self.declared.unit, "User").unwrap_or_default();
        if let Ok(Some(user)) = User::from_name(&name) {
            return Some((user.uid.as_raw(), user.gid.as_raw()));
        }
        let state = Place::walk(&self.own(0)).ok()?.open().ok()??;
        let (uid, gid) = state.owner().ok()?;
        let is_known = uid != Uid::effective() && !matches!(uid.as_raw(), 0 | NOBODY);
        is_known.then_some((uid.as_raw(), gid.as_raw()))
    }

    fn directories(&self, user: Option<(u32, u32)>, units: &dyn Units) -> Vec<Finding> {
        let mut findings = Vec::new();
        // The logs are root's: jobs write theirs into the state directory.
        for (topic, root, who, maker) in
            [("state directory", 0, Who::Service(user), "systemd"), ("logs directory", 1, Who::Root, "the first start")]
        {
            let path = self.own(root);
            let (found, place) = check(topic, &path, who, true);
            if found.is_empty() {
                let is_there = place.is_some_and(|place| matches!(place.open(), Ok(Some(_))));
                let state = if is_there { "can be used".into() } else { format!("is made by {maker}") };
                findings.push(Finding::good(topic, format!("{} {state}", path.display())));
            }
            findings.extend(found);
            if root == 0 {
                let free = Place::walk(&path).and_then(|place| place.space()).map(|space| space.free);
                findings.extend(free.ok().and_then(|free| self.needs().judge(topic, free)));
            }
        }
        let topic = "work directory";
        let path = match expand(&self.declared.work_directory.to_string_lossy()) {
            Ok(path) => path,
            Err(error) => {
                findings.push(Finding::warning(topic, error.to_string(), "write the path out in `workDir`"));
                return findings;
            }
        };
        let by_systemd = path == self.own(2);
        let (found, place) = check(topic, &path, Who::Service(user), by_systemd);
        if found.is_empty() {
            findings.push(Finding::good(topic, format!("{} can be used", path.display())));
        }
        findings.extend(found);
        findings.extend(self.hidden(&path, units));
        match place.map(|place| room::of_work(&place, self.own_room(), self.needs())) {
            Some(Ok(found)) => findings.extend(found),
            Some(Err(error)) => findings.push(Finding::error(topic, &error)),
            None => {}
        }
        findings
    }

    /// What a start asks of the room in its directories.
    fn needs(&self) -> room::Needs {
        let manifest = self.manifest.as_ref().ok();
        let keeps = manifest.is_some_and(Manifest::keeps_work_dir);
        room::Needs { least: manifest.and_then(|manifest| manifest.min_free_space), empties: !keeps }
    }

    /// How large a start makes a file system for its work directory, if it does.
    pub fn own_room(&self) -> Option<u64> {
        Some(self.manifest.as_ref().ok()?.work_dir_size?.of(memory().ok()?))
    }

    /// Whether the unit's sandbox hides the work directory from it.
    fn hidden(&self, path: &Path, units: &dyn Units) -> Option<Finding> {
        let home = ["/home", "/root", "/run/user"].into_iter().find(|home| path.starts_with(home))?;
        let hides = matches!(units.property(&self.declared.unit, "ProtectHome").as_deref(), Ok("yes"));
        hides.then(|| {
            Finding::warning(
                "work directory",
                format!("it lies in {home}, which the unit's `ProtectHome=yes` hides from jobs"),
                "choose a directory elsewhere, or set `serviceOverrides.ProtectHome` to \"tmpfs\"",
            )
        })
    }

    fn credential(&self) -> Vec<Finding> {
        let topic = "credential";
        let (Ok(manifest), Some(credential)) = (&self.manifest, &self.credential) else { return vec![] };
        let place = manifest.credential_place();
        let path = Path::new(place.file().unwrap_or_default());
        let mut findings = Vec::new();
        match credential {
            Ok(credential) => {
                let kind = match credential {
                    Credential::App => "the key of a GitHub App",
                    Credential::Token(..) if credential.is_of_api() => "an access token",
                    Credential::Token(..) => "a registration token, which GitHub takes for one hour",
                };
                findings.push(Finding::good(topic, format!("{} holds {kind}", path.display())));
            }
            Err(error) => {
                findings.push(Finding::error(topic, error));
                if let Ok((_, Some(missing))) = super::paths::way(path).map_err(drop)
                    && missing != path
                {
                    let said = format!("on the way to it, {} does not exist", missing.display());
                    findings.push(Finding::fault(
                        topic,
                        said,
                        "see whether what provides secrets ran, and ran before the runner",
                    ));
                }
            }
        }
        findings
    }

    /// To whom the credential is open.
    fn secrecy(&self, user: Option<(u32, u32)>) -> Vec<Finding> {
        let topic = "credential";
        let (Ok(manifest), Some(Ok(_))) = (&self.manifest, &self.credential) else { return vec![] };
        let user = user.map(|(uid, gid)| (Uid::from_raw(uid), Gid::from_raw(gid)));
        let exposure = match secrecy::look(manifest, user) {
            Ok(exposure) => exposure,
            Err(error) => return vec![Finding::error(topic, &error)],
        };
        let remedy = secrecy::remedy(manifest);
        let to_jobs = exposure.to_jobs.into_iter().map(|said| {
            if manifest.trust_jobs_like_root {
                Finding::warning(topic, said, "see that every job may know it, as `trustJobsLikeRoot` says")
            } else {
                Finding::fault(topic, said, remedy.clone())
            }
        });
        let others = "close the file and the way to it to them, unless they may know it and choose it";
        let to_others = exposure.to_others.into_iter().map(|said| Finding::warning(topic, said, others));
        to_jobs.chain(to_others).collect()
    }
}

fn lingering(uid: u32) -> Option<Finding> {
    let (said, remedy) = about_lingering(&leftovers::lingering(uid)?);
    Some(Finding::warning("user", format!("its {said}"), remedy))
}

fn judge(unit: &Result<Unit, String>, name: &str) -> Finding {
    let topic = "unit";
    let unit = match unit {
        Ok(unit) => unit,
        Err(error) => {
            return Finding::fault(topic, error.clone(), "run this on the host itself, where systemd is");
        }
    };
    if !unit.is_defined {
        let said = format!("systemd does not know {name}");
        return Finding::fault(topic, said, "switch to the configuration that has this runner");
    }
    let since = unit.since.map(|since| format!(" since {}", date_and_time(since))).unwrap_or_default();
    match unit.activity {
        Activity::Active if unit.has_job => Finding::good(topic, format!("{name} is active{since}, and runs a job")),
        Activity::Active => Finding::good(topic, format!("{name} is active{since}")),
        Activity::Starting => Finding::good(topic, format!("{name} is being started{since}")),
        Activity::Stopping => Finding::good(topic, format!("{name} is being stopped{since}")),
        Activity::Inactive => Finding::warning(
            topic,
            format!("{name} does not run{since}"),
            format!("start it with `systemctl start {name}`, unless somebody stopped it on purpose"),
        ),
        Activity::Failed => Finding::fault(
            topic,
            format!("{name} failed{since}, with the result {}", unit.result),
            format!("see `journalctl --unit {name}`, and start it again"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_judged_by_what_it_does() {
        let unit =
            |activity, is_defined| Ok(Unit { activity, is_defined, result: "exit-code".into(), ..Unit::default() });
        for (unit, level, part) in [
            (unit(Activity::Active, true), Level::Good, "is active"),
            (unit(Activity::Starting, true), Level::Good, "being started"),
            (unit(Activity::Inactive, true), Level::Warning, "does not run"),
            (unit(Activity::Failed, true), Level::Fault, "result exit-code"),
            (unit(Activity::Inactive, false), Level::Fault, "does not know x.service"),
            (Err("no systemctl".into()), Level::Fault, "no systemctl"),
        ] {
            let finding = judge(&unit, "x.service");
            assert!(finding.level == level && finding.said.contains(part), "{finding:?}");
        }
    }
}
