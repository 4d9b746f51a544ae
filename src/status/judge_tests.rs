//! What is a fault, one row for each thing that can be found; and the schema, pinned.

use super::*;
use crate::ledger::Lease;
use crate::model::Token;
use crate::status::{ClassNow, OnDemandNow};
use crate::survey::Recall;
use crate::survey::sample::{NOW, host};

/// The faults of a runner that is well but for what `edit` does.
fn faults_of(edit: impl FnOnce(&mut HostRunner, &mut Memory)) -> Vec<String> {
    let (fleet, mut host, mut memory) = host(&["a"]);
    edit(&mut host.runners[0], &mut memory);
    let report = judge(&fleet, &host, &memory, NOW);
    assert_eq!(report.well, report.runners[0].faults.is_empty());
    report.runners[0].faults.clone()
}

fn offline(found: &mut HostRunner) {
    found.situation.server = Server::Lists(Some(RemoteRunner { id: 21, name: "a".into(), online: false, busy: false }));
}

fn pending(found: &mut HostRunner, policy: RestartPolicy) {
    let wanted = found.situation.wanted.as_mut().unwrap();
    (wanted.outdated, wanted.policy) = (true, policy);
}

fn expire(memory: &mut Memory, at: u64) {
    memory.credentials.get_mut("/run/secrets/t").unwrap().expires = Some(at);
}

#[test]
fn what_is_well_has_no_fault() {
    assert!(faults_of(|_, _| {}).is_empty());
    assert!(faults_of(|found, _| found.situation.unit.has_job = true).is_empty());
    assert!(faults_of(|_, memory| memory.credentials.clear()).is_empty(), "an end that nobody knows is none");
    let registration_token = |found: &mut HostRunner| {
        found.situation.server = Server::NoCredential;
        let token = Token::parse(b"AAAA").unwrap();
        found.configured.as_mut().unwrap().credential = Ok(Credential::Token(token, TokenKind::Registration));
    };
    assert!(faults_of(|found, _| registration_token(found)).is_empty(), "nobody can ask, and nobody could");
}

#[test]
fn what_is_on_its_way_is_no_fault_for_a_minute() {
    for (activity, then) in [
        (Activity::Starting, "has been starting for 1 min"),
        (Activity::Stopping, "has been stopping for 1 min"),
        (Activity::Active, "runs, but GitHub lists it as offline"),
    ] {
        let faults = |age| {
            faults_of(|found, _| {
                (found.situation.unit.activity, found.situation.unit.since) = (activity, Some(NOW - age));
                offline(found);
            })
        };
        assert!(faults(SETTLING - 1).is_empty(), "{activity:?}");
        assert_eq!(faults(SETTLING), [then]);
    }
}

#[test]
fn each_thing_that_is_wrong_is_said() {
    type Edit = fn(&mut HostRunner, &mut Memory);
    let table: &[(Edit, &str)] = &[
        (|found, _| found.situation.unit.activity = Activity::Inactive, "does not run"),
        (
            |found, _| {
                found.situation.unit.activity = Activity::Failed;
                found.situation.unit.result = "exit-code".into();
            },
            "has failed: exit-code",
        ),
        (
            |found, _| (found.situation.unit.activity, found.situation.unit.is_defined) = (Activity::Inactive, false),
            "has no unit",
        ),
        (
            |found, _| {
                found.situation.unit.activity = Activity::Starting;
                found.entry.as_mut().unwrap().last_exit.as_mut().unwrap().failures = 3;
            },
            "is being started again, failures in a row: 3",
        ),
        (|found, _| offline(found), "runs, but GitHub lists it as offline"),
        (|found, _| found.situation.server = Server::Lists(None), "runs, but GitHub does not list it"),
        (
            |found, _| found.situation.server = Server::Silent("no route".into()),
            "runs, but it is not known whether GitHub sees it: no route",
        ),
        (|found, _| found.entry.as_mut().unwrap().runner = None, "runs, but its registration is not known"),
        (|found, _| pending(found, RestartPolicy::WhenIdle), "is to be restarted with another configuration"),
        (
            |found, memory| {
                pending(found, RestartPolicy::Never);
                memory.runners.insert("a".into(), Recall { pending_since: Some(NOW), ..Recall::default() });
            },
            "is to be restarted with another configuration since 2026-09-21 14:13:20 UTC; its `restartPolicy` is \"never\", so passes leave it alone",
        ),
        (
            |found, _| {
                let entry = found.entry.as_mut().unwrap();
                entry.owe(entry.runner.clone().unwrap(), true, NOW);
            },
            "left registrations behind that GitHub may still list: 1",
        ),
        (
            |found, _| found.situation.known.as_mut().unwrap().owes = true,
            "tried to register, and it is not known what came of it",
        ),
        (
            |found, _| {
                found.configured.as_mut().unwrap().credential = Err("Token file /run/secrets/t is empty".into());
                found.situation.server = Server::Silent("Token file /run/secrets/t is empty".into());
            },
            "cannot use its credential: Token file /run/secrets/t is empty",
        ),
        (|_, memory| expire(memory, NOW), "has a credential that expired on 2026-09-21"),
        (|_, memory| expire(memory, NOW + WARNED - 1), "has a credential that expires on 2026-10-05, in 13 d"),
    ];
    for (edit, fault) in table {
        assert_eq!(faults_of(edit), [*fault]);
    }
}

#[test]
fn a_former_runner_is_not_well_and_says_what_the_last_pass_said() {
    let forget = |found: &mut HostRunner| (found.configured, found.situation.wanted) = (None, None);
    assert_eq!(
        faults_of(|found, _| forget(found)),
        ["is not configured any more; the next pass takes back what it left"]
    );
    let said = "is not configured any more, and runs a job, which is waited for";
    let recall = Recall { said: Some(said.into()), ..Recall::default() };
    assert_eq!(
        faults_of(|found, memory| {
            forget(found);
            memory.runners.insert("a".into(), recall);
        }),
        [said]
    );
}

fn lease(until: u64) -> Owner {
    Owner::Other(Lease { name: "order od-1".into(), until })
}

#[test]
fn a_runner_of_something_else_has_no_fault_until_its_time_is_over() {
    let of_other = |declared: bool, until, said: Option<&str>| {
        faults_of(|found, memory| {
            found.entry.as_mut().unwrap().owner = lease(until);
            (found.situation.unit.activity, found.situation.unit.result) = (Activity::Failed, "exit-code".into());
            if !declared {
                (found.configured, found.situation.wanted) = (None, None);
            }
            memory.runners.insert("a".into(), Recall { said: said.map(str::to_owned), ..Recall::default() });
        })
    };
    let orphan = "belonged to \"order od-1\" until 2026-09-21 14:13:20 UTC and is not wanted any more";
    assert!(of_other(false, NOW + 1, None).is_empty(), "its owner looks after it");
    assert_eq!(of_other(false, NOW, None), [format!("{orphan}; the next pass takes back what it left")]);
    let said = format!("{orphan}, and runs a job, which is waited for");
    assert_eq!(of_other(false, NOW, Some(&said)), std::slice::from_ref(&said));
    assert_eq!(
        of_other(true, NOW + 1, None),
        ["cannot start, because its ledger entry belongs to \"order od-1\" until 2026-09-21 14:13:21 UTC"]
    );
    assert_eq!(of_other(true, NOW, None), ["has failed: exit-code"], "its next start takes the entry over");
}

#[test]
fn without_passes_it_is_said_what_waits_for_one() {
    let (mut fleet, mut host, memory) = host(&["a", "b"]);
    fleet.passes = false;
    pending(&mut host.runners[0], RestartPolicy::WhenIdle);
    (host.runners[1].configured, host.runners[1].situation.wanted) = (None, None);
    let report = judge(&fleet, &host, &memory, NOW);
    assert!(!report.passes && !report.well);
    for (row, part) in report.runners.iter().zip(["it waits for", "passes are off"]) {
        assert!(row.faults[0].contains(part) && row.faults[0].contains("`github-runnerctl reconcile`"), "{row:?}");
    }
    pending(&mut host.runners[0], RestartPolicy::Immediate);
    let report = judge(&fleet, &host, &memory, NOW);
    assert!(report.runners[0].faults[0].contains("is \"immediate\""), "{report:?}");
}

#[test]
fn a_runner_that_could_not_be_looked_at_is_there_with_the_reason() {
    let (fleet, mut host, memory) = host(&["a", "b"]);
    host.runners.remove(0);
    host.unreadable.insert("a".into(), "Failed to read manifest /m".into());
    let report = judge(&fleet, &host, &memory, NOW);
    assert!(!report.well);
    assert_eq!(report.runners[0].faults, ["could not be looked at: Failed to read manifest /m"]);
    assert_eq!(report.runners.iter().map(|row| row.instance.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn no_text_of_github_or_of_the_ledger_keeps_its_control_characters() {
    let (fleet, mut host, mut memory) = host(&["a", "b", "c"]);
    let mut others = host.runners.split_off(1);
    let hostile = "x\u{1b}[2J\r\n\u{9b}31m\u{202e}\u{7}";
    let entry = host.runners[0].entry.as_mut().unwrap();
    let runner = entry.runner.as_mut().unwrap();
    (runner.name, runner.url) = (hostile.into(), hostile.into());
    entry.last_exit.as_mut().unwrap().said = hostile.into();
    for (until, entry) in [NOW, NOW + 1].into_iter().zip(&mut others) {
        entry.entry.as_mut().unwrap().owner = Owner::Other(Lease { name: hostile.into(), until });
        (entry.configured, entry.situation.wanted) = (None, None);
    }
    host.runners.extend(others);
    host.runners[0].situation.unit.activity = Activity::Failed;
    host.runners[0].situation.unit.result = hostile.into();
    host.runners[0].situation.server = Server::Silent(hostile.into());
    host.unreadable.insert("d".into(), hostile.into());
    memory.runners.insert("a".into(), Recall { said: Some(hostile.into()), ..Recall::default() });
    let report = judge(&fleet, &host, &memory, NOW);
    let screen = crate::status::Screen { width: Some(80), colours: false };
    for text in [crate::status::json_text(&report).unwrap(), crate::status::text(&report, screen)] {
        let obeyed: Vec<char> = text.chars().filter(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}')).collect();
        assert!(obeyed.is_empty(), "{obeyed:?} in {text}");
    }
}

#[test]
fn the_schema_of_version_1_is_pinned() {
    let (fleet, mut host, mut memory) = host(&["builder-1", "builder-2", "builder-3", "former", "leased"]);
    let [_, two, three, former, leased] = &mut host.runners[..] else { unreachable!() };
    offline(two);
    pending(two, RestartPolicy::WhenIdle);
    memory.runners.insert(
        "builder-2".into(),
        Recall { pending_since: Some(NOW - 90), said: Some("is watched".into()), ..Recall::default() },
    );
    three.entry = None;
    three.situation.unit = Unit::default();
    (three.situation.known, three.situation.server) = (None, Server::Lists(None));
    (former.configured, former.situation.wanted) = (None, None);
    former.situation.unit.activity = Activity::Inactive;
    (leased.configured, leased.situation.wanted) = (None, None);
    leased.entry.as_mut().unwrap().owner = lease(NOW + 3_600);
    host.unreadable.insert("broken".into(), "Failed to read ledger entry broken.json".into());
    let mut report = judge(&fleet, &host, &memory, NOW);
    report.on_demand = Some(OnDemandNow {
        open: 1,
        max: 8,
        oldest: Some(NOW - 300),
        cost_today: 16_534,
        cost_per_day: Some(400_000),
        classes: vec![ClassNow { class: "x86_64".into(), open: 1, max: 4, paused_until: None }],
        unreadable: vec!["od-1-a.x86_64.json".into()],
        faults: vec!["Nothing new begins while od-1-a.x86_64.json cannot be read: it is damaged".into()],
        ..OnDemandNow::default()
    });
    let text = crate::status::json_text(&report).unwrap();
    // To renew it: a change of what is there makes a new version.
    assert_eq!(text, include_str!("../../tests/fixtures/status-v1.json"), "{text}");
}

#[test]
fn passes_that_are_not_made_are_a_fault() {
    let unit = |activity| Unit { activity, ..Unit::default() };
    let faults = |timer, service| passes(&unit(timer), &unit(service)).len();
    for service in [Activity::Active, Activity::Starting, Activity::Inactive] {
        assert_eq!(faults(Activity::Active, service), 0);
    }
    assert_eq!(faults(Activity::Active, Activity::Failed), 1);
    assert_eq!(faults(Activity::Inactive, Activity::Failed), 2);
}

#[test]
fn a_version_that_gets_no_jobs_soon_is_a_fault_and_one_that_is_behind_is_told() {
    const DAY: u64 = 24 * 60 * 60;
    for (age, told, fault) in [
        (1, true, None),
        (16, true, None),
        (17, true, Some("to which GitHub gives no jobs from ")),
        (31, true, Some("to which GitHub gives no jobs since ")),
        (31, false, Some(" at the latest; the newest is 2.334.0: set `package`")),
    ] {
        let (fleet, host, mut memory) = host(&["a"]);
        let mut releases = crate::model::Releases::default();
        let own = told.then_some(("2.333.1", NOW - 90 * DAY));
        releases.learn(None, own.into_iter().chain([("2.334.0", NOW - age * DAY)]), NOW);
        memory.releases.insert("github.com".into(), releases);
        let row = judge(&fleet, &host, &memory, NOW).runners.remove(0);
        assert_eq!(row.newest_version.as_deref(), Some("2.334.0"));
        assert_eq!(row.version_deadline, Some(NOW - age * DAY + 30 * DAY));
        assert_eq!(row.faults.len(), usize::from(fault.is_some()), "{age}: {:?}", row.faults);
        assert!(fault.is_none_or(|part| row.faults[0].contains(part)), "{:?}", row.faults);
        assert_eq!(told, row.faults.iter().all(|fault| !fault.contains("at the latest")), "{:?}", row.faults);
    }
}

#[test]
fn what_nobody_knows_about_a_version_is_not_told() {
    let (fleet, host, mut memory) = host(&["a"]);
    memory.releases.clear();
    let row = judge(&fleet, &host, &memory, NOW).runners.remove(0);
    assert_eq!((row.newest_version, row.version_deadline, row.faults.len()), (None, None, 0));
}

#[test]
fn a_runner_that_stays_down_for_its_version_is_told_so() {
    for activity in [Activity::Inactive, Activity::Failed] {
        let faults = faults_of(|found, _| {
            found.situation.unit.activity = activity;
            found.entry.as_mut().unwrap().last_exit.as_mut().unwrap().kind = ExitKind::VersionDeprecated;
        });
        assert!(faults[0].starts_with("stays down, because GitHub does not accept its version"), "{faults:?}");
    }
}
