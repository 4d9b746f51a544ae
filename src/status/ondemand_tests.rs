//! What is a fault of runners on demand, one row for each thing that can be found.

use std::fs;

use super::*;
use crate::fake_units::FakeUnits;
use crate::frontend::ondemand::order::Reason;

const NOW: u64 = 1_790_000_600;
const SETTINGS: &[u8] = include_bytes!("../../tests/fixtures/on-demand-settings-v1.json");

fn order(state: State) -> Order {
    let mut order: Order = serde_json::from_str(include_str!("../../tests/fixtures/order-v1.json")).unwrap();
    (order.state, order.since) = (state, NOW - 10);
    order
}

/// The answer about a book with these orders, but for what `edit` does.
fn judged(orders: Vec<Order>, edit: impl FnOnce(&mut Look)) -> OnDemandNow {
    let mut found = OnDemandNow::default();
    let mut look = Look::default();
    look.pages.orders = orders.into_iter().map(|order| (order.key(), order)).collect();
    edit(&mut look);
    judge(&mut found, &Settings::parse(SETTINGS).unwrap(), &look, NOW);
    found
}

#[test]
fn what_is_well_has_no_fault_and_is_counted() {
    let found = judged(vec![order(State::Busy)], |_| {});
    assert!(found.faults.is_empty(), "{found:?}");
    assert_eq!((found.open, found.max, found.waiting, found.oldest), (1, 6, 0, Some(1_790_000_000)));
    assert_eq!((found.cost_today, found.cost_per_day), (16_534, Some(400_000)));
    let classes: Vec<(&str, usize, u32)> =
        found.classes.iter().map(|class| (class.class.as_str(), class.open, class.max)).collect();
    assert_eq!(classes, [("arm64", 0, 1), ("host", 0, 2), ("pmu", 0, 2), ("x86_64", 1, 4)]);
    let waiting = judged(vec![order(State::Accepted)], |_| {});
    assert_eq!((waiting.open, waiting.waiting, waiting.cost_today, waiting.oldest), (0, 1, 0, None));
}

#[test]
fn each_thing_that_is_wrong_is_said() {
    type Edit = fn(&mut Look);
    let overdue = || Order { deadline: NOW - GRACE, ..order(State::Busy) };
    let ending = || Order { since: NOW - LATE, reason: Some(Reason::Done), ..order(State::Ending) };
    let nothing: Edit = |_| {};
    for (orders, edit, part) in [
        (vec![], (|look| look.stopped = Some("we move".into())) as Edit, "No runners are ordered (we move)"),
        (
            vec![],
            |look| look.pages.faults.push(("od-1-a.x.json".into(), "it is\u{1b} damaged".into())),
            "while od-1-a.x.json cannot be read: it is\\u{1b} damaged",
        ),
        (vec![], |look| look.debts = 2, "GitHub may still list: 2"),
        (vec![overdue()], nothing, "od-19283746-1-build (x86_64) should have ended on 2026-09-21"),
        (vec![ending()], nothing, "od-19283746-1-build (x86_64) has been ending for 5 min"),
    ] {
        let found = judged(orders, edit);
        assert!(found.faults.len() == 1 && found.faults[0].contains(part), "{part}: {found:?}");
    }
    for order in [
        Order { deadline: NOW - GRACE + 1, ..order(State::Busy) },
        Order { since: NOW - LATE + 1, ..ending() },
        Order { ended_at: Some(1), ..Order { state: State::Ended, ..ending() } },
    ] {
        assert!(judged(vec![order], nothing).faults.is_empty());
    }
}

#[test]
fn a_class_that_is_not_tried_is_named_with_the_end_of_that() {
    let ended = |label: &str, ago| Order {
        label: label.to_owned().try_into().unwrap(),
        ended_at: Some(NOW - ago),
        reason: Some(Reason::NotOnline),
        ..order(State::Ended)
    };
    let found = judged(vec![ended("od-1-a", 300), ended("od-1-b", 200), ended("od-1-c", 100)], |_| {});
    assert_eq!(found.classes[3].paused_until, Some(NOW - 100 + 15 * 60));
    assert!(found.faults.len() == 1 && found.faults[0].starts_with("Class x86_64 is paused until 2026"), "{found:?}");
    assert!(judged(vec![ended("od-1-a", 300), ended("od-1-b", 200)], |_| {}).faults.is_empty());
}

#[test]
fn units_that_should_run_and_do_not_are_named() {
    for (unit, activity, faults) in [
        (DOOR_SOCKET, Activity::Inactive, 1),
        (DESK_SOCKET, Activity::Failed, 1),
        (DESK_TIMER, Activity::Inactive, 1),
        (DESK, Activity::Failed, 1),
        // It ends by itself.
        (DESK, Activity::Inactive, 0),
        (DESK, Activity::Starting, 0),
    ] {
        let mut units = FakeUnits::running();
        units.apart.insert(unit.into(), activity);
        let shown = units.show(&[DOOR_SOCKET, DESK_SOCKET, DESK_TIMER, DESK]).unwrap();
        let found = of_units(&shown);
        assert_eq!(found.len(), faults, "{unit}: {found:?}");
        assert!(found.iter().all(|fault| fault.contains(unit)), "{found:?}");
    }
}

#[test]
fn settings_and_a_book_that_cannot_be_read_are_faults_and_hide_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().canonicalize().unwrap();
    let places = Places { settings: root.join("settings.json"), home: root.join("home"), desk: root.join("desk.sock") };
    let mut units = FakeUnits::running();
    units.apart.insert(DOOR_SOCKET.into(), Activity::Inactive);
    assert_eq!(on_demand(&places, &units, NOW), None);
    fs::write(&places.settings, "{").unwrap();
    fs::create_dir(&places.home).unwrap();
    fs::create_dir(places.home.join("orders")).unwrap();
    fs::create_dir(places.home.join("registrations")).unwrap();
    let faults = on_demand(&places, &units, NOW).unwrap().faults;
    let parts = ["Failed to read the settings", "mode 0700", "start github-runner-door.socket"];
    assert_eq!(faults.len(), parts.len(), "{faults:?}");
    for (fault, part) in faults.iter().zip(parts) {
        assert!(fault.contains(part), "{faults:?}");
    }
}
