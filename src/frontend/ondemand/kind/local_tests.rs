//! What is claimed of orders in units, with a systemd that is only in memory.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, bail};

use super::*;
use crate::frontend::ondemand::settings::ClassSettings;

const TEMPLATE: &str = "github-runner-on-demand-small";
const UNIT: &str = "github-runner-on-demand-small@od-7-build.small.service";

/// As systemd, it forgets units that ended well, and keeps those that failed until it is told to forget them.
#[derive(Default)]
struct FakeSystemd {
    loaded: Mutex<BTreeMap<String, Unit>>,
    done: Mutex<Vec<String>>,
    /// What a unit becomes that is stopped.
    after_stop: Activity,
    journal: Vec<String>,
    is_silent: bool,
}

impl FakeSystemd {
    fn with(name: &str, activity: Activity) -> Self {
        let fake = Self::default();
        fake.set(name, activity);
        fake
    }

    fn set(&self, name: &str, activity: Activity) {
        let unit = Unit { activity, is_defined: true, ..Unit::default() };
        self.loaded.lock().unwrap().insert(name.into(), unit);
    }

    fn does(&self, verb: &str, name: &str) {
        self.done.lock().unwrap().push(format!("{verb} {name}"));
    }

    fn ask(&self) -> Result<()> {
        anyhow::ensure!(!self.is_silent, "Failed to connect to system scope bus");
        Ok(())
    }
}

impl Units for FakeSystemd {
    fn show(&self, units: &[&str]) -> Result<BTreeMap<String, Unit>> {
        self.ask()?;
        let loaded = self.loaded.lock().unwrap();
        let unit = |name: &str| {
            let absent = Unit { is_defined: name.starts_with(TEMPLATE), ..Unit::default() };
            loaded.get(name).cloned().unwrap_or(absent)
        };
        Ok(units.iter().map(|name| ((*name).to_owned(), unit(name))).collect())
    }

    fn list(&self, patterns: &[&str]) -> Result<BTreeMap<String, Unit>> {
        self.ask()?;
        assert_eq!(patterns, [ORDERS]);
        Ok(self.loaded.lock().unwrap().clone())
    }

    fn start(&self, unit: &str) -> Result<()> {
        self.does("start", unit);
        self.set(unit, Activity::Starting);
        Ok(())
    }

    fn reset_failed(&self, unit: &str) -> Result<()> {
        self.does("reset-failed", unit);
        match self.loaded.lock().unwrap().remove(unit) {
            Some(_) => Ok(()),
            None => bail!("Unit {unit} not loaded."),
        }
    }

    fn restart(&self, unit: &str) -> Result<()> {
        bail!("nobody restarts {unit}")
    }

    fn stop(&self, unit: &str) -> Result<()> {
        self.does("stop", unit);
        match self.after_stop {
            Activity::Inactive => drop(self.loaded.lock().unwrap().remove(unit)),
            activity => self.set(unit, activity),
        }
        Ok(())
    }

    fn journal(&self, unit: &str) -> Result<Vec<String>> {
        self.ask()?;
        assert_eq!(unit, UNIT);
        Ok(self.journal.clone())
    }
}

fn settings(unit: &str) -> Settings {
    let text = serde_json::json!({
        "version": 1, "address": "https://ci.example.org", "prefix": "od", "compatiblePrefix": null,
        "manifest": "/m", "broker": "/b", "brokerProperties": [], "repositories": [], "textfileDirectory": null,
        "classes": { "small": {
            "max": 2, "ttl": 3600, "processors": 1, "pricePerHour": 0, "architecture": "x86_64", "notOnline": 300,
            "noJob": 300, "forks": false, "kind": { "local": { "unit": unit, "workDirectory": "/run/%i" } }
        } },
        "limits": crate::frontend::ondemand::limits::Limits::default()
    });
    Settings::parse(text.to_string().as_bytes()).unwrap()
}

fn key() -> Key {
    Key::from_stem("od-7-build.small").unwrap()
}

fn token() -> Token {
    Token::new("host", &key(), 1, 1)
}

fn launch(fake: FakeSystemd, unit: &str) -> (Result<(), Fault>, Vec<String>) {
    let settings = settings(unit);
    let class: &ClassSettings = settings.classes.values().next().unwrap();
    let local = Local::new(fake, &settings);
    let repository = "octo-org/example".to_owned().try_into().unwrap();
    let (key, token) = (key(), token());
    let launched = local.launch(&Launch {
        key: &key,
        token: &token,
        class,
        registration: Path::new("/run/github-runner-on-demand/orders/od-7-build.small/registration.json"),
        lifetime: Duration::from_secs(1),
        repository: &repository,
        run: Some(7),
    });
    (launched.map_err(super::super::sample_tests::fault), local.units.done.into_inner().unwrap())
}

fn local(fake: FakeSystemd) -> Local<FakeSystemd> {
    Local::new(fake, &settings(TEMPLATE))
}

fn seen(name: &str, is_stopped: bool) -> Seen {
    Seen::standing(name.into(), is_stopped)
}

#[test]
fn an_order_has_one_unit_whatever_its_attempt() {
    let local = local(FakeSystemd::default());
    assert_eq!(local.name(&key(), &token()), UNIT);
    assert_eq!(local.name(&key(), &Token::new("host", &key(), 2, 1)), UNIT);
    // Of a class that was taken out of the configuration.
    let former = Key::from_stem("od-7-build.former").unwrap();
    let name = local.name(&former, &token());
    assert_eq!(name, "github-runner-on-demand-former@od-7-build.former.service");
    assert_eq!(local.end(&name), Ok(()));
}

#[test]
fn a_unit_is_started_once() {
    assert_eq!(launch(FakeSystemd::default(), TEMPLATE), (Ok(()), vec![format!("start {UNIT}")]));
    for activity in [Activity::Active, Activity::Starting, Activity::Stopping] {
        let (launched, done) = launch(FakeSystemd::with(UNIT, activity), TEMPLATE);
        assert!(matches!(launched, Err(Fault::Duplicate(_))), "{activity:?}: {launched:?}");
        assert_eq!(done, [""; 0], "{activity:?}");
    }
}

#[test]
fn a_failure_before_is_no_hindrance() {
    let (launched, done) = launch(FakeSystemd::with(UNIT, Activity::Failed), TEMPLATE);
    assert_eq!((launched, done), (Ok(()), vec![format!("reset-failed {UNIT}"), format!("start {UNIT}")]));
}

#[test]
fn without_a_template_and_outside_of_the_units_of_orders_nothing_is_started() {
    for (unit, is_missing) in [("github-runner-on-demand-other", true), ("sshd", false), ("github-runner-a", false)] {
        let (launched, done) = launch(FakeSystemd::default(), unit);
        match launched {
            Err(Fault::NotFound(_)) if is_missing => {}
            Err(Fault::Configuration(said)) if !is_missing => assert!(said.contains("no unit of an order"), "{said}"),
            other => panic!("{unit}: {other:?}"),
        }
        assert_eq!(done, [""; 0], "{unit}");
    }
}

#[test]
fn what_runs_waits_or_ends_is_there_and_what_failed_is_there_and_stopped() {
    let fake = FakeSystemd::default();
    let name = |run: u64| format!("{TEMPLATE}@od-{run}-build.small.service");
    let of_former = "github-runner-on-demand-former@od-9-build.former.service";
    for (name, activity) in [
        (name(1), Activity::Active),
        (name(2), Activity::Starting),
        (name(3), Activity::Stopping),
        (name(4), Activity::Failed),
        (name(5), Activity::Inactive),
        (of_former.into(), Activity::Active),
        // What an operator made that only looks like one.
        (format!("{TEMPLATE}@test.service"), Activity::Active),
        (format!("{TEMPLATE}@od-1-build.SMALL.service"), Activity::Failed),
    ] {
        fake.set(&name, activity);
    }
    let there = vec![
        seen(of_former, false),
        seen(&name(1), false),
        seen(&name(2), false),
        seen(&name(3), false),
        seen(&name(4), true),
    ];
    assert_eq!(local(fake).look(), Ok(there));
}

#[test]
fn an_end_stops_what_runs_and_forgets_what_failed() {
    let (stop, reset) = (format!("stop {UNIT}"), format!("reset-failed {UNIT}"));
    for (before, after, done) in [
        (None, Activity::Inactive, vec![]),
        (Some(Activity::Inactive), Activity::Inactive, vec![]),
        (Some(Activity::Starting), Activity::Inactive, vec![stop.clone()]),
        (Some(Activity::Active), Activity::Inactive, vec![stop.clone()]),
        (Some(Activity::Stopping), Activity::Inactive, vec![stop.clone()]),
        (Some(Activity::Active), Activity::Failed, vec![stop.clone(), reset.clone()]),
        (Some(Activity::Failed), Activity::Inactive, vec![reset.clone()]),
    ] {
        let fake = FakeSystemd { after_stop: after, ..FakeSystemd::default() };
        if let Some(before) = before {
            fake.set(UNIT, before);
        }
        let local = local(fake);
        assert_eq!(local.end(UNIT), Ok(()), "{before:?} {after:?}");
        assert_eq!(*local.units.done.lock().unwrap(), done, "{before:?} {after:?}");
        assert_eq!(local.end(UNIT), Ok(()), "a missing one is fine");
    }
    let again = FakeSystemd { after_stop: Activity::Starting, ..FakeSystemd::with(UNIT, Activity::Active) };
    assert!(matches!(local(again).end(UNIT), Err(Fault::Busy(_))));
}

#[test]
fn a_failure_that_somebody_else_had_forgotten_is_no_fault() {
    /// Somebody is always faster with the one thing.
    struct Raced(FakeSystemd);

    impl Units for Raced {
        fn show(&self, units: &[&str]) -> Result<BTreeMap<String, Unit>> {
            self.0.show(units)
        }

        fn list(&self, patterns: &[&str]) -> Result<BTreeMap<String, Unit>> {
            self.0.list(patterns)
        }

        fn start(&self, unit: &str) -> Result<()> {
            self.0.start(unit)
        }

        fn reset_failed(&self, unit: &str) -> Result<()> {
            self.0.reset_failed(unit)?;
            self.0.reset_failed(unit)
        }

        fn restart(&self, unit: &str) -> Result<()> {
            self.0.restart(unit)
        }

        fn stop(&self, unit: &str) -> Result<()> {
            self.0.stop(unit)
        }
    }

    let raced = Raced(FakeSystemd::with(UNIT, Activity::Failed));
    assert_eq!(Local::new(raced, &settings(TEMPLATE)).end(UNIT), Ok(()));
}

#[test]
fn nothing_is_done_to_a_unit_of_something_else() {
    for name in [
        "sshd.service",
        "github-runner-a.service",
        "github-runner-on-demand-small@.service",
        "github-runner-on-demand-small@../x.small.service",
        "github-runner-on-demand-small@od-7-*.small.service",
        "github-runner-on-demand.service",
        "--all",
        "",
    ] {
        let local = local(FakeSystemd::with(name, Activity::Active));
        assert!(matches!(local.end(name), Err(Fault::Configuration(_))), "{name}");
        assert!(matches!(local.console(name), Err(Fault::Configuration(_))), "{name}");
        assert_eq!(*local.units.done.lock().unwrap(), [""; 0], "{name}");
    }
}

#[test]
fn where_systemd_does_not_answer_nothing_is_known() {
    let silent = || FakeSystemd { is_silent: true, ..FakeSystemd::default() };
    let local = local(silent());
    for fault in [
        launch(silent(), TEMPLATE).0.unwrap_err(),
        local.look().unwrap_err(),
        local.end(UNIT).unwrap_err(),
        local.console(UNIT).unwrap_err(),
    ] {
        assert_eq!(fault, Fault::Unavailable("Failed to connect to system scope bus".into()));
    }
}

#[test]
fn the_last_lines_of_the_journal_are_told_as_plain_text() {
    let console = |lines: &[&str]| {
        let journal = lines.iter().map(|line| (*line).to_owned()).collect();
        local(FakeSystemd { journal, ..FakeSystemd::default() }).console(UNIT).unwrap()
    };
    assert_eq!(console(&[]), "");
    assert_eq!(console(&["last", "first"]), "first\nlast\n");
    assert_eq!(console(&["\u{1b}[31mred\u{202e}"]), "\\u{1b}[31mred\\u{202e}\n");
    let long = "ü".repeat(3000);
    let text = console(&["last", &long, "never"]);
    assert!(text.len() <= MOST && text.ends_with("ü\nlast\n") && text.starts_with('ü'), "{text}");
    let many: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
    let text = console(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.len() <= MOST && text.ends_with("line 1\nline 0\n"), "{text}");
}
