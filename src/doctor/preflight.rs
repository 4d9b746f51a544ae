//! What GitHub says about a credential, by way of the runner's own broker: it alone has the network and the secret.
//!
//! Names, proxies and certificates are the broker's to see, so what it says about them is all that is known here.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::unistd::Uid;

use super::finding::Finding;
use crate::contract::manifest::Manifest;
use crate::contract::names;
use crate::contract::protocol::{Answer, Outcome, Verb};
use crate::model::{InstanceName, Releases, Standing, date, package_version, shown};
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::retire::reason;
use crate::units::Units;
use crate::units::drop_ins::{REMEDY, reset_by};

/// How long one answer may take.
pub const PATIENCE: Duration = Duration::from_secs(25);
/// The same for what is only good to know.
pub const SHORT_PATIENCE: Duration = Duration::from_secs(10);
/// How many brokers are asked at once.
const AT_ONCE: usize = 8;
/// How long before its end a credential is complained about, in seconds.
const EXPIRES_SOON: u64 = 14 * 24 * 60 * 60;
/// By how much the clocks may differ, in seconds: an answer takes its time, and GitHub allows for a minute.
pub const CLOCK_OFF: u64 = 30;
const TOPIC: &str = "GitHub";

/// Asks several brokers the same, in the order in which they are given. Each answer may take so long.
#[must_use]
pub fn ask_all(brokers: &mut [Option<Broker<'_>>], verb: &Verb, limit: Duration) -> Vec<Option<Answer>> {
    let mut answers = Vec::new();
    for some in brokers.chunks_mut(AT_ONCE) {
        thread::scope(|scope| {
            let asked: Vec<_> = some
                .iter_mut()
                .map(|broker| broker.as_mut().map(|broker| scope.spawn(move || broker.ask(verb.clone(), limit))))
                .collect();
            let failed = |_| Answer::unasked(Outcome::Unreachable("nobody could be asked".into()));
            answers.extend(asked.into_iter().map(|asked| asked.map(|asked| asked.join().unwrap_or_else(failed))));
        });
    }
    answers
}

/// Judges the socket of a broker.
#[must_use]
pub fn socket(path: &Path, instance: &InstanceName) -> Finding {
    let topic = "broker";
    let path = path.display();
    let remedy = format!("restart `{}`, which makes it", names::broker_socket(instance));
    let found = match fs::symlink_metadata(path.to_string()) {
        Ok(found) => found,
        Err(error) => return Finding::fault(topic, format!("its socket {path} cannot be found: {error}"), remedy),
    };
    if !found.file_type().is_socket() {
        return Finding::fault(topic, format!("{path} is no socket"), remedy);
    }
    let (mode, owner) = (found.mode() & 0o7777, found.uid());
    if Uid::from_raw(owner) != Uid::effective() || mode != 0o600 {
        let said = format!("its socket {path} belongs to user id {owner} and has mode {mode:04o}, not root's and 0600");
        return Finding::fault(topic, said, remedy);
    }
    Finding::good(topic, "its socket is there, for root alone")
}

/// Judges whether systemd gives a broker its credential: a drop-in for all services can take it away.
#[must_use]
pub fn given(units: &dyn Units, instance: &InstanceName) -> Option<Finding> {
    // What the list holds in the end, `systemctl` cannot print.
    let drop_ins = units.property(&any_instance(instance), "DropInPaths").ok()?;
    let drop_ins: Vec<PathBuf> = drop_ins.split_whitespace().map(PathBuf::from).collect();
    let culprit = reset_by(&drop_ins, "LoadCredential")?;
    let said = format!(
        "systemd gives it no credential, because `LoadCredential=` is reset by {}",
        shown(&culprit.to_string_lossy())
    );
    Some(Finding::fault("broker", said, REMEDY))
}

/// Any instance of the template of a broker has its properties.
fn any_instance(instance: &InstanceName) -> String {
    names::broker(instance, "doctor")
}

/// Judges an answer. `ways` says which proxies the broker uses.
#[must_use]
pub fn verdict(answer: &Answer, now: u64, ways: impl FnOnce() -> String) -> Vec<Finding> {
    let mut findings = vec![match &answer.outcome {
        Outcome::Ready { newest_runner, .. } => {
            let newest =
                newest_runner.as_deref().map(|version| format!("; the newest runner has version {}", shown(version)));
            Finding::good(TOPIC, format!("takes the credential{}", newest.unwrap_or_default()))
        }
        Outcome::Unreachable(why) => Finding::fault(
            TOPIC,
            format!("no useful answer, because {why}"),
            format!(
                "see that this host resolves the name and reaches the address, and trusts its certificate; {}",
                ways()
            ),
        ),
        Outcome::RateLimited(_) => Finding::warning(
            TOPIC,
            reason(&answer.outcome),
            "wait, and give other programs that ask so much another credential",
        ),
        outcome => Finding { remedy: None, ..Finding::fault(TOPIC, reason(outcome), "") },
    }];
    if let Some(ahead) = answer.clock_ahead.filter(|ahead| ahead.unsigned_abs() > CLOCK_OFF) {
        let word = if ahead > 0 { "behind" } else { "ahead of" };
        findings.push(Finding::warning(
            "clock",
            format!("is {} s {word} GitHub's, which refuses what an App signs with it", ahead.unsigned_abs()),
            "let it be kept by `services.timesyncd.enable`, and see `timedatectl timesync-status`",
        ));
    }
    if let Some(end) = answer.credential_expires.filter(|end| end.saturating_sub(EXPIRES_SOON) <= now) {
        let said = format!("the access token {} on {}", if end <= now { "expired" } else { "expires" }, date(end));
        findings.push(Finding::warning(
            TOPIC,
            said,
            "put a new one in its file before, or use a GitHub App, which does not expire",
        ));
    }
    findings
}

/// Judges the version of a runner's package by what its server says now and said before.
#[must_use]
pub fn version(manifest: &Manifest, answer: Option<&Answer>, mut releases: Releases, now: u64) -> Finding {
    let topic = "version";
    let Some(version) = package_version(&manifest.listener) else {
        let said = format!("cannot be told from the path {}", manifest.listener.display());
        return Finding::good(topic, said);
    };
    if let Some(Outcome::Ready { newest_runner, releases: told }) = answer.map(|answer| &answer.outcome) {
        let told = told.iter().map(|release| (release.version.as_str(), release.at));
        releases.learn(newest_runner.as_deref(), told, now);
    }
    let behind = match releases.standing(version) {
        Standing::Unknown => {
            return Finding::good(topic, format!("{version}; whether there is a newer one is not known here"));
        }
        Standing::Current => return Finding::good(topic, format!("{version} is the newest")),
        Standing::Behind(behind) => behind,
    };
    let by = if behind.exact { "" } else { " or before" };
    let said = format!("{version} is behind {} since {}{by}", shown(&behind.newest), date(behind.since));
    if !manifest.registration.url.is_hosted() {
        return Finding::good(topic, said);
    }
    let latest = if behind.exact { "" } else { " at the latest" };
    let remedy = "set `package` to a newer one, for example by updating nixpkgs, and switch";
    let until = behind.until();
    match until.checked_sub(now) {
        None | Some(0) => {
            Finding::fault(topic, format!("{said}; GitHub gives it no jobs since {}{latest}", date(until)), remedy)
        }
        Some(left) if left < EXPIRES_SOON => {
            Finding::warning(topic, format!("{said}; GitHub gives it no jobs from {} on{latest}", date(until)), remedy)
        }
        Some(_) => Finding::good(topic, format!("{said}; GitHub gives it jobs until {}", date(until))),
    }
}

/// The proxies of a broker's unit, in words.
#[must_use]
pub fn proxies(units: &dyn Units, instance: &InstanceName) -> String {
    let environment = match units.property(&any_instance(instance), "Environment") {
        Ok(environment) => environment,
        Err(error) => return format!("which proxies its broker uses cannot be told: {error:#}"),
    };
    match proxies_in(&environment).as_slice() {
        [] => "its broker uses no proxy; set `networking.proxy` if there has to be one".into(),
        some => format!("its broker uses {}", some.join(", ")),
    }
}

/// The variables that name proxies, from a list as systemd writes it.
fn proxies_in(environment: &str) -> Vec<String> {
    let variables =
        environment.split_whitespace().map(|word| word.trim_matches('"')).filter_map(|word| word.split_once('='));
    variables
        .filter(|(name, _)| matches!(name.to_ascii_lowercase().as_str(), "http_proxy" | "https_proxy" | "no_proxy"))
        .map(|(name, value)| format!("{name}={}", shown(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::protocol::Release;
    use crate::doctor::finding::Level;
    use crate::fake_units::FakeUnits;

    const NOW: u64 = 1_790_000_000;
    const DAY: u64 = 24 * 60 * 60;

    #[test]
    fn each_answer_has_its_level_and_its_way_out() {
        for (outcome, level, said, remedy) in [
            (
                Outcome::Ready { newest_runner: Some("2.330.0".into()), releases: vec![] },
                Level::Good,
                "version \"2.330.0\"",
                None,
            ),
            (Outcome::Refused("No scope: give it one.".into()), Level::Fault, "No scope: give it one", None),
            (Outcome::Unreachable("it has no address".into()), Level::Fault, "no address", Some("PROXY")),
            (Outcome::RateLimited(NOW + 60), Level::Warning, "rate limit", Some("wait")),
            (Outcome::Gone, Level::Fault, "both programs from one release", None),
        ] {
            let findings = verdict(&Answer::unasked(outcome), NOW, || "PROXY".into());
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.said.contains(said), "{finding:?}");
            match remedy {
                None => assert_eq!(finding.remedy, None),
                Some(part) => assert!(finding.remedy.as_ref().unwrap().contains(part), "{finding:?}"),
            }
        }
    }

    #[test]
    fn two_weeks_before_its_end_a_credential_is_complained_about() {
        for (end, warned) in
            [(NOW + 15 * DAY, None), (NOW + 13 * DAY, Some("expires on")), (NOW - 1, Some("expired on"))]
        {
            let ready = Answer::unasked(Outcome::Ready { newest_runner: None, releases: vec![] });
            let findings = verdict(&Answer { credential_expires: Some(end), ..ready }, NOW, String::new);
            assert_eq!(findings.get(1).map(|finding| finding.level), warned.map(|_| Level::Warning), "{findings:?}");
            assert!(warned.is_none_or(|part| findings[1].said.contains(part)), "{findings:?}");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_told_whichever_way() {
        for (ahead, said) in [
            (None, None),
            (Some(30), None),
            (Some(-30), None),
            (Some(601), Some("is 601 s behind GitHub's")),
            (Some(-31), Some("is 31 s ahead of GitHub's")),
        ] {
            let ready = Answer::unasked(Outcome::Ready { newest_runner: None, releases: vec![] });
            let findings = verdict(&Answer { clock_ahead: ahead, ..ready }, NOW, String::new);
            assert_eq!(findings.len(), 1 + usize::from(said.is_some()), "{findings:?}");
            assert!(said.is_none_or(|part| findings[1].said.contains(part)), "{findings:?}");
        }
    }

    #[test]
    fn a_version_is_judged_by_what_is_known_of_newer_ones() {
        let mut manifest = Manifest::parse(include_bytes!("../../tests/fixtures/manifest-v2.json")).unwrap();
        assert!(version(&manifest, None, Releases::default(), NOW).said.contains("cannot be told from the path"));
        manifest.listener = format!("/nix/store/{}-github-runner-2.333.1/bin/Runner.Listener", "0".repeat(32)).into();
        let ready = |newest: &str, told: &[(&str, u64)]| {
            let told = told.iter().map(|(version, at)| Release { version: (*version).into(), at: *at });
            Answer::unasked(Outcome::Ready { newest_runner: Some(newest.into()), releases: told.collect() })
        };
        let own = ("2.333.1", NOW - 90 * DAY);
        for (answer, level, part) in [
            (None, Level::Good, "whether there is a newer one is not known here"),
            (Some(ready("2.333.1", &[])), Level::Good, "2.333.1 is the newest"),
            (Some(ready("2.334.0", &[own, ("2.334.0", NOW - DAY)])), Level::Good, "GitHub gives it jobs until"),
            (Some(ready("2.334.0", &[own, ("2.334.0", NOW - 20 * DAY)])), Level::Warning, "no jobs from "),
            (Some(ready("2.334.0", &[own, ("2.334.0", NOW - 31 * DAY)])), Level::Fault, "no jobs since "),
            (
                Some(ready("2.334.0", &[("2.334.0", NOW - 31 * DAY)])),
                Level::Fault,
                "or before; GitHub gives it no jobs",
            ),
        ] {
            let finding = version(&manifest, answer.as_ref(), Releases::default(), NOW);
            assert!(finding.level == level && finding.said.contains(part), "{finding:?}");
            assert_eq!(finding.remedy.is_some(), level != Level::Good);
        }
        manifest.registration.url = crate::model::RegistrationUrl::parse("https://ghes.example/o").unwrap();
        let finding = version(&manifest, Some(&ready("2.336.0", &[])), Releases::default(), NOW);
        assert!(finding.level == Level::Good && finding.said.contains("is behind \"2.336.0\""), "{finding:?}");
    }

    #[test]
    fn proxies_are_named_without_their_passwords() {
        let found = proxies_in(r#"PATH=/bin https_proxy=http://me:secret@proxy:3128 "NO_PROXY=a, b" TZ=x"#);
        assert_eq!(found, [r#"https_proxy="http://***@proxy:3128""#, r#"NO_PROXY="a,""#]);
    }

    #[test]
    fn a_drop_in_that_takes_the_credential_away_is_a_fault() {
        let directory = tempfile::TempDir::new().unwrap();
        let instance = "one".to_owned().try_into().unwrap();
        let [good, bad] = ["good.conf", "zzz-container.conf"].map(|name| directory.path().join(name));
        fs::write(&good, "[Service]\nNice=5\n").unwrap();
        fs::write(&bad, "[Service]\nLoadCredential=\n").unwrap();
        let given = |paths: String| {
            let mut units = FakeUnits::running();
            units.set("github-runner-broker-one@doctor.service", "DropInPaths", &paths);
            given(&units, &instance)
        };
        assert!(given(String::new()).is_none() && given(good.display().to_string()).is_none());
        let found = given(format!("{} {}", good.display(), bad.display())).unwrap();
        assert!(found.level == Level::Fault && found.said.contains("zzz-container.conf"), "{found:?}");
    }
}
