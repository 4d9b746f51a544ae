//! What people see.

use super::*;
use crate::status::{Registration, Report};

/// Rows as people meet them, from the pinned report.
fn report() -> Report {
    let row = |instance: &str, declared: bool, state, registration: (RegistrationState, Option<u64>)| Row {
        instance: instance.into(),
        declared,
        owner: None,
        unit: Some(crate::status::UnitNow {
            name: format!("github-runner-{instance}.service"),
            state,
            since: Some(1_000_000),
            has_job: false,
        }),
        registration: Registration {
            state: registration.0,
            why: None,
            job: None,
            id: registration.1,
            name: None,
            url: None,
        },
        configuration: declared.then_some(ConfigurationNow {
            state: ConfigurationState::Current,
            since: None,
            policy: crate::contract::fleet::RestartPolicy::WhenIdle,
        }),
        last_exit: None,
        credential: CredentialNow { kind: CredentialKind::App, file: None, fault: None, expires: None },
        runner_version: Some("2.333.1".into()),
        newest_version: Some("2.333.1".into()),
        version_deadline: None,
        may: vec![],
        debts: 0,
        said: None,
        faults: vec![],
    };
    let mut two = row("builder-2", true, UnitState::Active, (RegistrationState::Offline, Some(22)));
    two.may = vec!["nix (allowed)".into(), "/dev/kvm".into()];
    two.configuration = Some(ConfigurationNow {
        state: ConfigurationState::Pending,
        since: Some(1_003_480),
        policy: crate::contract::fleet::RestartPolicy::Never,
    });
    two.last_exit = Some(crate::status::LastExit {
        at: 999_990,
        kind: ExitKind::Crashed,
        said: "The listener was ended by signal ABRT; it is started again".into(),
        failures: 1,
    });
    two.credential.kind = CredentialKind::AccessToken;
    two.credential.expires = Some(1_003_600 + WARNED - 1);
    two.faults = vec!["runs, but GitHub lists it as offline".into(), "is to be restarted".into()];
    let mut old = row("old", false, UnitState::Inactive, (RegistrationState::Missing, Some(7)));
    (old.runner_version, old.faults) = (None, vec!["is not configured any more".into()]);
    let one = row("builder-1", true, UnitState::Active, (RegistrationState::Busy, Some(21)));
    Report {
        version: 1,
        at: 1_003_600,
        well: false,
        passes: true,
        last_pass: None,
        faults: vec![],
        runners: vec![one, two, old],
        on_demand: None,
    }
}

#[test]
fn a_program_gets_one_line_for_each_runner() {
    insta::assert_snapshot!(text(&report(), Screen::default()), @r"
    RUNNER     UNIT          REGISTRATION  CONFIGURATION                                 LAST EXIT                                                            CREDENTIAL                       VERSION
    builder-1  active 1 h    21 busy       current                                       none                                                                 App                              2.333.1
    builder-2  active 1 h    22 offline    restart pending for 2 min, policy says never  1 h ago: The listener was ended by signal ABRT; it is started again  access token, until 1970-01-26!  2.333.1
    old        inactive 1 h  7 gone        not configured                                none                                                                 App                              unknown

    builder-2: runs, but GitHub lists it as offline
    builder-2: is to be restarted
    old: is not configured any more
    ");
}

#[test]
fn what_is_told_below_is_not_told_in_the_table() {
    let mut report = report();
    let row = &mut report.runners[1];
    (row.registration.state, row.registration.why) = (RegistrationState::Unknown, Some("no route".into()));
    let told = |row: &Row| registration(row).0;
    assert_eq!(told(row), "22 unknown: no route");
    row.faults = vec!["runs, but it is not known whether GitHub sees it: no route".into()];
    assert_eq!(told(row), "22 unknown, see below");
    row.registration = Registration { why: None, job: Some("build (1)".into()), ..row.registration.clone() };
    row.registration.state = RegistrationState::Busy;
    assert_eq!(told(row), "22 busy with \"build (1)\"");
    row.registration.job = Some("x\"   current   none".into());
    assert_eq!(told(row), "22 busy with \"x' current none\"");
    row.registration.job = Some("ö".repeat(1_000));
    assert_eq!(told(row), format!("22 busy with \"{}…\"", "ö".repeat(60)));
    row.credential.fault = Some("Token file /t is empty".into());
    assert_eq!(credential(&row.credential, 0).0, "unusable, see below");
}

#[test]
fn a_terminal_gets_no_line_that_is_wider() {
    for width in [70, 80, 100, 132] {
        let text = text(&report(), Screen { width: Some(width), colours: false });
        let table = text.split("\n\n").next().unwrap();
        for line in table.lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    assert!(!text(&report(), Screen { width: Some(100), colours: false }).contains('\u{1b}'));
    assert!(text(&report(), Screen { width: Some(100), colours: true }).contains("\u{1b}["));
}

#[test]
fn what_is_wrong_with_passes_is_told_first() {
    let report = Report { faults: vec!["No passes are made".into()], ..report() };
    let text = text(&report, Screen::default());
    assert!(text.contains("\n\nNo passes are made\nbuilder-2: runs, but"), "{text}");
}

#[test]
fn a_host_without_runners_says_so() {
    let mut report = report();
    report.runners.clear();
    assert_eq!(text(&report, Screen::default()), "This host has no runners.\n");
}

#[test]
fn a_runner_of_something_else_is_told_with_its_owner_and_for_how_long() {
    let told = |until| {
        let mut row = report().runners.remove(2);
        row.owner = Some(crate::status::OwnerNow { name: "order od-1".into(), until });
        super::configuration(&row, 1_000_000).0
    };
    assert_eq!(told(1_003_600), "of \"order od-1\" for 1 h");
    assert_eq!(told(1_000_000), "was of \"order od-1\"");
}

#[test]
fn how_far_a_version_is_behind_stands_beside_it() {
    let version = |newest: Option<&str>, deadline| {
        let mut row = report().runners.remove(0);
        (row.newest_version, row.version_deadline) = (newest.map(str::to_owned), deadline);
        super::version(&row, 1_000_000).0
    };
    assert_eq!(version(None, None), "2.333.1, newest unknown");
    assert_eq!(version(Some("2.333.1"), None), "2.333.1");
    assert_eq!(version(Some("2.336.0"), None), "2.333.1, newest 2.336.0");
    assert_eq!(version(Some("2.336.0"), Some(1_798_106_400)), "2.333.1, newest 2.336.0, until 2026-12-24");
}

#[test]
fn runners_on_demand_follow_with_a_line_for_each_class() {
    let class = |class: &str, open, paused_until| ClassNow { class: class.into(), open, max: 4, paused_until };
    let mut report = report();
    report.runners.truncate(1);
    report.on_demand = Some(OnDemandNow {
        open: 5,
        max: 8,
        waiting: 1,
        oldest: Some(1_003_300),
        cost_today: 16_534,
        cost_per_day: Some(400_000),
        classes: vec![class("arm64", 0, Some(1_004_320)), class("host", 4, None), class("x86_64", 1, None)],
        faults: vec!["Class arm64 is paused".into()],
        ..OnDemandNow::default()
    });
    insta::assert_snapshot!(text(&report, Screen::default()), @r"
    RUNNER     UNIT        REGISTRATION  CONFIGURATION  LAST EXIT  CREDENTIAL  VERSION
    builder-1  active 1 h  21 busy       current        none       App         2.333.1

    ON DEMAND  OPEN    STATE
    arm64      0 of 4  paused for 12 min
    host       4 of 4  full
    x86_64     1 of 4  ready
    5 of 8 open, the oldest for 5 min, 1 waiting for a proof; today cost 1.6534 of 40.00

    Class arm64 is paused
    ");
    report.on_demand = Some(OnDemandNow { max: 8, ..OnDemandNow::default() });
    assert!(text(&report, Screen::default()).ends_with("0 of 8 open, 0 waiting for a proof\n"));
}
