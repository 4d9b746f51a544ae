//! The table of decisions, one row for each thing that can be found.

use super::*;
use crate::contract::protocol::RemoteRunner;
use crate::ledger::Owner;
use crate::survey::Knowledge;
use crate::units::Unit;

const NOW: u64 = 1_790_000_000;

fn runner() -> Runner {
    Runner { id: 21, name: "a".into(), url: "https://github.com/o/r".into(), recorded_at: 1 }
}

fn seen(online: bool, busy: bool) -> Server {
    Server::Lists(Some(RemoteRunner { id: 21, name: "a".into(), online, busy }))
}

/// A runner that runs as configured, and idle.
fn fine() -> Situation {
    Situation {
        wanted: Some(Intent {
            policy: RestartPolicy::WhenIdle,
            drain_timeout: None,
            outdated: false,
            registers_anew: false,
        }),
        unit: Unit {
            activity: Activity::Active,
            since: Some(NOW - 10_000),
            result: "success".into(),
            has_job: false,
            is_defined: true,
        },
        known: Some(Knowledge { owner: Owner::Declared, runner: Some(runner()), owes: false, started: None }),
        server: seen(true, false),
    }
}

fn with(edit: impl FnOnce(&mut Situation, &mut Intent)) -> Situation {
    let mut found = fine();
    let mut wanted = found.wanted.unwrap();
    edit(&mut found, &mut wanted);
    found.wanted = Some(wanted);
    found
}

fn decide(found: &Situation) -> Decision {
    plan(found, &Recall::default(), NOW).0
}

#[test]
fn a_runner_that_runs_as_configured_is_left_alone() {
    assert_eq!(decide(&fine()), Decision::Leave(Why::Fine));
    assert_eq!(decide(&with(|found, _| found.server = seen(true, true))), Decision::Leave(Why::Fine));
    assert_eq!(
        decide(&with(|found, _| found.server = Server::Silent("down".into()))),
        Decision::Leave(Why::Fine),
        "an outage of the server changes nothing"
    );
}

#[test]
fn a_changed_runner_restarts_when_it_is_idle_and_can_be_given_no_job() {
    let changed = |registers_anew, edit: fn(&mut Situation)| {
        decide(&with(|found, wanted| {
            (wanted.outdated, wanted.registers_anew) = (true, registers_anew);
            edit(found);
        }))
    };
    assert_eq!(changed(true, |_| ()), Decision::RetireThenRestart(runner()));
    assert_eq!(changed(false, |_| ()), Decision::Restart(Cause::Changed), "the registration is kept");
    let pretends: fn(&mut Situation) = |found| found.unit.has_job = true;
    assert_eq!(changed(true, pretends), Decision::RetireThenRestart(runner()), "the server decides");
    assert_eq!(changed(false, pretends), Decision::Leave(Why::Busy));
    for registers_anew in [true, false] {
        for busy in [
            (|found| found.server = seen(true, true)) as fn(&mut Situation),
            |found| (found.unit.has_job, found.server) = (true, seen(true, true)),
            |found| (found.unit.has_job, found.server) = (true, Server::Silent("down".into())),
            |found| (found.unit.has_job, found.server) = (true, Server::NoCredential),
        ] {
            assert_eq!(changed(registers_anew, busy), Decision::Leave(Why::Busy));
        }
        assert_eq!(
            changed(registers_anew, |found| found.server = Server::Silent("down".into())),
            Decision::Leave(Why::Silent("down".into())),
            "nobody knows whether it is idle"
        );
        assert_eq!(
            changed(registers_anew, |found| found.server = Server::NoCredential),
            Decision::Restart(Cause::Changed)
        );
        assert_eq!(
            changed(registers_anew, |found| found.unit.activity = Activity::Starting),
            Decision::Leave(Why::Moving)
        );
        assert_eq!(
            changed(registers_anew, |found| found.unit.activity = Activity::Inactive),
            Decision::Leave(Why::Stopped),
            "whoever stopped it starts it"
        );
    }
}

#[test]
fn other_policies_leave_a_changed_runner_to_others() {
    for policy in [RestartPolicy::Immediate, RestartPolicy::Never] {
        let found = with(|_, wanted| (wanted.policy, wanted.outdated) = (policy, true));
        assert_eq!(decide(&found), Decision::Leave(Why::NotOurs(policy)));
    }
}

#[test]
fn a_deadline_cuts_a_drain_short_and_not_before() {
    let found = with(|found, wanted| {
        (wanted.outdated, wanted.drain_timeout) = (true, Some(600));
        found.unit.has_job = true;
    });
    let (decision, recall) = plan(&found, &Recall::default(), NOW);
    assert_eq!((decision, recall.pending_since), (Decision::Leave(Why::Busy), Some(NOW)));
    let (decision, recall) = plan(&found, &recall, NOW + 599);
    assert_eq!((decision, recall.pending_since), (Decision::Leave(Why::Busy), Some(NOW)));
    assert_eq!(plan(&found, &recall, NOW + 600).0, Decision::CutShort);
    let mut anew = found.clone();
    anew.known.as_mut().unwrap().started = Some("another".into());
    let (decision, next) = plan(&anew, &recall, NOW + 600);
    assert_eq!((decision, next.pending_since), (Decision::Leave(Why::Busy), Some(NOW + 600)), "it restarted since");
    let (_, recall) = plan(&fine(), &recall, NOW + 601);
    assert_eq!(recall.pending_since, None, "the next change has its own deadline");
}

#[test]
fn what_the_server_does_not_see_is_restarted_once_and_then_ever_more_rarely() {
    for (server, patience, cause) in
        [(Server::Lists(None), MISSING, Cause::Missing), (seen(false, false), OFFLINE, Cause::Offline)]
    {
        let found = with(|found, _| found.server = server.clone());
        let (decision, mut recall) = plan(&found, &Recall::default(), NOW);
        assert_eq!(decision, Decision::Leave(Why::Watched(cause)));
        assert_eq!(plan(&found, &recall, NOW + patience - 1).0, Decision::Leave(Why::Watched(cause)));
        let mut restarts = Vec::new();
        for minute in 0..24 * 60 {
            let (decision, next) = plan(&found, &recall, NOW + minute * 60);
            recall = next;
            if decision == Decision::Restart(cause) {
                recall.cure(NOW + minute * 60);
                restarts.push(minute);
            }
        }
        assert!((4..=9).contains(&restarts.len()), "{restarts:?}");
        let pauses: Vec<u64> = restarts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.is_sorted() && pauses[0] >= 10, "{pauses:?}");
        let (decision, recall) = plan(&fine(), &recall, NOW + 100_000);
        assert_eq!((decision, recall), (Decision::Leave(Why::Fine), Recall::default()), "all is forgiven");
    }
}

#[test]
fn a_runner_that_the_server_does_not_see_is_never_restarted_during_a_job_nor_against_its_policy() {
    let lost = Recall { lost: Some(Absence { id: 21, missing: true, since: 1 }), ..Recall::default() };
    let restarts = |edit: fn(&mut Situation, &mut Intent)| {
        let found = with(|found, wanted| {
            found.server = Server::Lists(None);
            edit(found, wanted);
        });
        plan(&found, &lost, NOW).0 == Decision::Restart(Cause::Missing)
    };
    assert!(restarts(|_, _| ()));
    assert!(!restarts(|found, _| found.unit.has_job = true));
    assert!(!restarts(|_, wanted| wanted.policy = RestartPolicy::Never));
    assert!(!restarts(|found, _| found.unit.since = Some(NOW - 10)), "it may just have registered");
    assert!(!restarts(|found, _| found.known = None), "nothing was recorded yet");
}

#[test]
fn debts_are_paid_whether_the_runner_runs_or_not() {
    let owes = |edit: fn(&mut Situation)| {
        decide(&with(|found, _| {
            found.known = Some(Knowledge { owner: Owner::Declared, runner: Some(runner()), owes: true, started: None });
            edit(found);
        }))
    };
    assert_eq!(owes(|_| ()), Decision::Pay);
    assert_eq!(owes(|found| found.unit.activity = Activity::Inactive), Decision::Pay);
    assert_eq!(owes(|found| found.unit.activity = Activity::Failed), Decision::Pay);
    assert_eq!(owes(|found| found.unit.activity = Activity::Starting), Decision::Leave(Why::Moving));
    assert_eq!(owes(|found| found.server = Server::Silent("down".into())), Decision::Leave(Why::Fine));
    let stopped = with(|found, _| {
        found.unit.activity = Activity::Inactive;
        found.known = Some(Knowledge { owner: Owner::Declared, runner: None, owes: true, started: None });
        found.server = Server::NoCredential;
    });
    assert_eq!(decide(&stopped), Decision::Leave(Why::Stopped));
}

#[test]
fn debts_that_nobody_can_pay_are_tried_ever_more_rarely_and_a_new_one_at_once() {
    for activity in [Activity::Active, Activity::Inactive] {
        let found = with(|found, _| {
            found.unit.activity = activity;
            found.known = Some(Knowledge { owner: Owner::Declared, runner: Some(runner()), owes: true, started: None });
        });
        let mut recall = Recall::default();
        let mut tries = Vec::new();
        for minute in 0..24 * 60 {
            let (decision, next) = plan(&found, &recall, NOW + minute * 60);
            recall = next;
            if decision == Decision::Pay {
                tries.push(minute);
            }
        }
        assert_eq!(tries[..6], [0, 1, 3, 7, 15, 31]);
        assert!((24..=30).contains(&tries.len()), "{tries:?}");
        let (_, recall) = plan(&fine(), &recall, NOW);
        assert_eq!(plan(&found, &recall, NOW).0, Decision::Pay);
    }
}

#[test]
fn a_former_runner_is_taken_apart_when_it_is_idle() {
    let former = |edit: fn(&mut Situation)| {
        let mut found = Situation { wanted: None, server: Server::NoCredential, ..fine() };
        edit(&mut found);
        decide(&found)
    };
    assert_eq!(former(|_| ()), Decision::Dissolve);
    assert_eq!(former(|found| found.unit.activity = Activity::Inactive), Decision::Dissolve);
    assert_eq!(former(|found| found.unit.activity = Activity::Failed), Decision::Dissolve);
    assert_eq!(former(|found| found.unit.activity = Activity::Stopping), Decision::Leave(Why::Moving));
}

#[test]
fn a_runner_that_something_else_owns_is_left_alone_until_its_time_is_over_and_then_taken_back() {
    let lease = |until| Lease { name: "order od-1".into(), until };
    let leased = |until| Decision::Leave(Why::Leased(lease(until)));
    let orphan = Decision::Dissolve;
    for (declared, until, edit, decision) in [
        (false, NOW + 1, (|_| ()) as fn(&mut Situation), leased(NOW + 1)),
        (false, NOW + 1, |found| found.unit.activity = Activity::Inactive, leased(NOW + 1)),
        (false, NOW + 1, |found| found.unit.activity = Activity::Stopping, leased(NOW + 1)),
        (false, NOW + 1, |found| found.known.as_mut().unwrap().owes = true, leased(NOW + 1)),
        (false, u64::MAX, |_| (), leased(u64::MAX)),
        (false, NOW, |_| (), orphan.clone()),
        (false, NOW, |found| found.unit.activity = Activity::Failed, orphan.clone()),
        (false, NOW, |found| found.unit.activity = Activity::Stopping, Decision::Leave(Why::Moving)),
        (false, 0, |_| (), orphan),
        // A declared runner of that name has nothing to do with what the entry says.
        (true, NOW + 1, |_| (), leased(NOW + 1)),
        (true, NOW + 1, |found| found.server = Server::Lists(None), leased(NOW + 1)),
        (true, NOW + 1, |found| found.known.as_mut().unwrap().owes = true, leased(NOW + 1)),
        (true, NOW + 1, |found| found.wanted.as_mut().unwrap().outdated = true, leased(NOW + 1)),
        // What a former owner registered is a debt while nobody starts the runner.
        (true, NOW, |found| found.unit.activity = Activity::Inactive, Decision::Pay),
        (
            true,
            NOW,
            |found| (found.unit.activity, found.server) = (Activity::Inactive, Server::Silent("down".into())),
            Decision::Leave(Why::Stopped),
        ),
        (true, NOW, |found| found.known.as_mut().unwrap().owes = true, Decision::Pay),
    ] {
        let mut found = fine();
        found.wanted = found.wanted.filter(|_| declared);
        found.known.as_mut().unwrap().owner = Owner::Other(lease(until));
        edit(&mut found);
        assert_eq!(decide(&found), decision, "declared: {declared}, until: {until}, {found:?}");
    }
}

#[test]
fn a_lease_ends_what_was_remembered_about_a_declared_runner_of_that_name() {
    let mut found = with(|found, _| found.server = Server::Lists(None));
    let (_, recall) = plan(&found, &Recall::default(), NOW);
    assert!(recall.lost.is_some());
    found.known.as_mut().unwrap().owner = Owner::Other(Lease { name: "order od-1".into(), until: NOW + 60 });
    assert_eq!(plan(&found, &recall, NOW).1, Recall::default());
}
