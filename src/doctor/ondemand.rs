//! What `doctor` says about runners on demand, on hosts that have settings for them: what the desk needs before a workflow asks.

use std::time::Duration;

use super::classes;
use super::finding::{Finding, Group, Level};
use super::options::Options;
use super::preflight::{self, CLOCK_OFF};
use crate::contract::manifest::Manifest;
use crate::contract::names::{DESK_SOCKET, DESK_TIMER, DOOR_SOCKET};
use crate::contract::protocol::{Answer, Outcome, Verb};
use crate::frontend::ondemand::operate::settings;
use crate::frontend::ondemand::order::Proof;
use crate::frontend::ondemand::settings::Settings;
use crate::model::Scope;
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::retire::reason;
use crate::state::start::{now, read_manifest};
use crate::units::{Activity, Units};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(25);
/// The number of a run that no repository of today has: GitHub counts all runs together.
const NO_RUN: u64 = 1;

/// The section; `None` on a host that makes no runners on demand.
pub fn group(options: &Options<'_>, units: &dyn Units) -> Option<Group> {
    let findings = match settings(options.on_demand) {
        Ok(None) => return None,
        Ok(Some(settings)) => checks(&settings, options, units),
        Err(error) => vec![Finding::error("settings", &error)],
    };
    Some(Group { title: "Runners on demand".into(), findings })
}

fn checks(settings: &Settings, options: &Options<'_>, units: &dyn Units) -> Vec<Finding> {
    let said = format!("{} can be used", options.on_demand.display());
    let mut findings = vec![Finding::good("settings", said)];
    findings.extend(of_units(units));
    match read_manifest(&settings.manifest) {
        Err(error) => findings.push(Finding::error("manifest", &error)),
        Ok(manifest) => {
            findings.push(Finding::good("manifest", format!("{} is good", settings.manifest.display())));
            findings.push(group_of_runners(&manifest));
            findings.extend(of_broker(settings, &manifest, units));
        }
    }
    findings.extend(settings.classes.iter().flat_map(|(name, class)| classes::class(name, class, options, units)));
    findings
}

fn of_units(units: &dyn Units) -> Vec<Finding> {
    let topic = "units";
    let names = [DOOR_SOCKET, DESK_SOCKET, DESK_TIMER];
    let shown = match units.show(&names) {
        Ok(shown) => shown,
        Err(error) => {
            return vec![Finding::fault(topic, format!("{error:#}"), "run this on the host itself, where systemd is")];
        }
    };
    let unit = |name: &&str| shown.get(*name).cloned().unwrap_or_default();
    names
        .iter()
        .map(|name| match unit(name) {
            unit if !unit.is_defined => Finding::fault(
                topic,
                format!("systemd does not know {name}"),
                "switch to the configuration that has runners on demand",
            ),
            unit if unit.activity == Activity::Active => Finding::good(topic, format!("{name} is active")),
            _ => {
                Finding::fault(topic, format!("{name} does not run"), format!("start it with `systemctl start {name}`"))
            }
        })
        .collect()
}

/// Who may use the runners: a label is no secret, so at an organization the group decides.
fn group_of_runners(manifest: &Manifest) -> Finding {
    let topic = "runner group";
    let registration = &manifest.registration;
    match (registration.url.scope(), &registration.runner_group) {
        (Scope::Repository(..), _) => Finding::good(topic, "none is needed, because the runners are one repository's"),
        (_, Some(group)) => {
            Finding::good(topic, format!("is {}; see that it admits the served repositories only", group.as_str()))
        }
        (_, None) => Finding::warning(
            topic,
            "none is named, so every repository that the default group admits can take a runner by its label",
            "make a group for the served repositories, and name it in `runnerGroup`",
        ),
    }
}

/// What the broker says: of its credential, of each repository, of the keys of ID tokens.
fn of_broker(settings: &Settings, manifest: &Manifest, units: &dyn Units) -> Vec<Finding> {
    let instance = &manifest.instance;
    let mut findings = vec![preflight::socket(&settings.broker, instance)];
    findings.extend(preflight::given(units, instance));
    if findings.iter().any(|finding| finding.level == Level::Fault) {
        return findings;
    }
    let ask = |verb| Broker::once(&settings.broker, instance).ask(verb, PATIENCE);
    let answer = ask(Verb::Preflight);
    if let Ok(now) = now() {
        findings.extend(preflight::verdict(&answer, now, || preflight::proxies(units, instance)));
    }
    let takes_tokens = settings.repositories.iter().any(|repository| repository.proofs.contains(&Proof::Oidc));
    if takes_tokens {
        findings.extend(clock(&answer));
    }
    if !matches!(answer.outcome, Outcome::Ready { .. }) {
        // Whatever is wrong is wrong for these as well.
        return findings;
    }
    for repository in &settings.repositories {
        let name = repository.name.as_str();
        let answer = ask(Verb::Run { repository: repository.name.clone(), run: NO_RUN });
        findings.push(match &answer.outcome {
            Outcome::Run(_) => Finding::good("repository", format!("runs of {name} can be looked up")),
            outcome => silent("repository", &format!("runs of {name} cannot be looked up"), outcome),
        });
    }
    if takes_tokens {
        findings.push(match &ask(Verb::Keys).outcome {
            Outcome::Keys(keys) if !keys.is_empty() => {
                Finding::good("ID tokens", format!("can be checked, by {} keys of the server", keys.len()))
            }
            outcome => silent("ID tokens", "cannot be checked", outcome),
        });
    }
    findings
}

/// An answer that is none. What the server refuses ends in its way out.
fn silent(topic: &'static str, what: &str, outcome: &Outcome) -> Finding {
    let said = format!("{what}: {}", reason(outcome));
    match outcome {
        Outcome::Unreachable(_) => Finding::fault(topic, said, "see that this host reaches the server, and try again"),
        Outcome::RateLimited(_) => Finding::warning(topic, said, "wait, and try again"),
        _ => Finding { remedy: None, ..Finding::fault(topic, said, "") },
    }
}

/// Whether ID tokens, which are good for minutes, are judged by the right time.
fn clock(answer: &Answer) -> Option<Finding> {
    let ahead = answer.clock_ahead.filter(|ahead| ahead.unsigned_abs() > CLOCK_OFF)?;
    let word = if ahead > 0 { "behind" } else { "ahead of" };
    let said = format!("is {} s {word} the server's, so good ID tokens may be refused", ahead.unsigned_abs());
    Some(Finding::warning("ID tokens", format!("the clock {said}"), "let it be kept by `services.timesyncd.enable`"))
}
