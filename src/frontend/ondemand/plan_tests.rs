use super::super::label::Key;
use super::super::order::{Token, Try};
use super::*;

const NOW: u64 = 1_790_001_000;

fn order(state: State) -> Order {
    let key = Key::from_stem("od-19283746-1-build.x86_64").unwrap();
    let order = Order::parse(include_bytes!("../../../tests/fixtures/order-v1.json"), &key).unwrap();
    let has_token = !matches!(state, State::Accepted | State::Proven | State::Registering | State::Registered);
    let ends = matches!(state, State::Ending | State::Ended);
    Order {
        state,
        since: NOW - 15,
        accepted_at: NOW - 20,
        deadline: NOW + 3_000,
        candidate: 0,
        token: has_token.then(|| Token::new("host", &key, 1, 1)),
        launched_at: has_token.then_some(NOW - 10),
        asked_at: has_token.then_some(NOW - 10),
        online_at: matches!(state, State::Online | State::Busy).then_some(NOW - 5),
        ended_at: (state == State::Ended).then_some(NOW - 5),
        reason: ends.then_some(Reason::NoJob),
        tries: vec![],
        ..order
    }
}

fn facts(registration: Registration, runner: Runner, machine: Machine) -> Facts {
    Facts {
        registration,
        owes: false,
        runner,
        machine,
        listed_at: NOW,
        material: true,
        run_over: false,
        wish: Wish::Nothing,
        github_from: 0,
        proof_from: 0,
        machines_from: 0,
    }
}

const TIMES: Times = Times { not_online: 300, no_job: 300, lag: 120, candidates: 3, seals: false };

fn next(order: &Order, facts: &Facts) -> Step {
    plan(order, facts, &TIMES, NOW)
}

use Machine::{Absent as NoMachine, Alive, NoRoom, Over, Stopped, Unknown as NoList};
use Registration::{Made, Nothing, Open};
use Runner::{Absent, Busy, Idle, Offline, Unknown};

#[test]
fn each_state_goes_on_as_what_was_seen_says() {
    let lost = || Step::End(Reason::MachineLost);
    let done = || Step::End(Reason::Done);
    for (state, registration, runner, machine, step) in [
        (State::Accepted, Nothing, Unknown, NoList, Step::Prove),
        (State::Proven, Nothing, Unknown, NoList, Step::Register),
        (State::Registering, Nothing, Unknown, NoList, Step::Register),
        (State::Registering, Open, Unknown, NoList, Step::Resolve),
        (State::Registering, Made, Offline, NoMachine, Step::Enter(State::Registered)),
        // A registration of an earlier attempt, given up by somebody who died then.
        (State::Proven, Made, Offline, NoMachine, Step::Renew),
        (State::Registered, Made, Offline, NoMachine, Step::Launch(1)),
        (State::Registered, Nothing, Unknown, NoMachine, Step::Renew),
        (State::Launching, Made, Offline, NoList, Step::Wait(NOW + SOON)),
        (State::Launching, Made, Offline, Alive, Step::Enter(State::Launched)),
        (State::Launching, Made, Idle, NoMachine, Step::Enter(State::Launched)),
        (State::Launching, Made, Busy, NoList, Step::Enter(State::Launched)),
        (State::Launching, Made, Offline, Stopped, lost()),
        // It may have done its job already: what the server says of its runner decides.
        (State::Launching, Made, Offline, Over, Step::Enter(State::Launched)),
        (State::Launching, Made, Offline, NoRoom, Step::Refuse),
        (State::Launched, Made, Offline, NoRoom, Step::Refuse),
        (State::Launched, Made, Idle, NoRoom, Step::Enter(State::Online)),
        (State::Launched, Made, Offline, Over, lost()),
        (State::Launched, Made, Absent, Over, done()),
        (State::Launched, Made, Unknown, Over, Step::Wait(NOW + SOON)),
        (State::Launched, Made, Offline, Alive, Step::Wait(NOW + SOON)),
        (State::Launched, Made, Idle, Alive, Step::Enter(State::Online)),
        (State::Launched, Made, Busy, Alive, Step::Enter(State::Busy)),
        (State::Launched, Made, Offline, Stopped, lost()),
        (State::Launched, Made, Offline, NoMachine, Step::Wait(NOW + SOON)),
        (State::Launched, Made, Absent, Alive, Step::Wait(NOW + SOON)),
        (State::Launched, Made, Unknown, NoList, Step::Wait(NOW + SOON)),
        (State::Online, Made, Idle, Alive, Step::Wait(NOW + LATER)),
        (State::Online, Made, Busy, Alive, Step::Enter(State::Busy)),
        (State::Online, Made, Absent, Alive, done()),
        (State::Online, Made, Offline, Stopped, done()),
        (State::Busy, Made, Busy, Alive, Step::Wait(NOW + LATER)),
        (State::Busy, Made, Idle, Alive, Step::Wait(NOW + LATER)),
        (State::Busy, Made, Unknown, NoList, Step::Wait(NOW + LATER)),
        (State::Busy, Made, Absent, Alive, done()),
        (State::Busy, Made, Busy, Stopped, done()),
        (State::Busy, Made, Busy, Over, done()),
        // The registration first, which the server keeps if it is busy.
        (State::Ending, Made, Idle, Alive, Step::Retire),
        (State::Ending, Made, Busy, NoList, Step::Retire),
        (State::Ending, Nothing, Unknown, Alive, Step::EndMachine),
        (State::Ending, Nothing, Unknown, NoList, Step::EndMachine),
        (State::Ending, Open, Unknown, NoList, Step::Resolve),
        (State::Ending, Made, Busy, Stopped, Step::EndMachine),
        // Nothing of it stands: the registration is owed.
        (State::Ending, Made, Busy, Over, Step::Finish),
        (State::Ending, Made, Offline, NoRoom, Step::Finish),
        (State::Ending, Nothing, Unknown, NoMachine, Step::Wait(NOW + LATER)),
        (State::Ended, Made, Offline, NoMachine, Step::Pay),
        (State::Ended, Open, Unknown, NoMachine, Step::Resolve),
        (State::Ended, Nothing, Unknown, NoMachine, Step::Wait(NOW - 5 + MEMORY)),
    ] {
        let seen = (state, registration, runner, machine);
        assert_eq!(next(&order(state), &facts(registration, runner, machine)), step, "{seen:?}");
    }
}

#[test]
fn a_machine_that_tells_what_it_was_told_is_closed_while_its_order_waits_and_nothing_waits_for_that() {
    let seals = Times { seals: true, ..TIMES };
    let plan_of = |order: &Order, facts: &Facts| plan(order, facts, &seals, NOW);
    for (state, runner) in [(State::Online, Idle), (State::Busy, Busy)] {
        let (open, seen) = (order(state), facts(Made, runner, Alive));
        assert_eq!(plan_of(&open, &seen), Step::Seal);
        assert_eq!(
            plan_of(&open, &Facts { machines_from: NOW + 5, ..seen }),
            Step::Wait(NOW + 5),
            "it failed just now"
        );
        assert_eq!(plan_of(&Order { sealed: true, ..order(state) }, &seen), Step::Wait(NOW + LATER));
        let over = Order { deadline: NOW, ..order(state) };
        assert_eq!(plan_of(&over, &seen), Step::End(Reason::Deadline), "what is due comes first");
    }
    assert_eq!(plan_of(&order(State::Online), &facts(Made, Busy, Alive)), Step::Enter(State::Busy));
    let boots = facts(Made, Offline, Alive);
    assert_eq!(plan_of(&order(State::Launched), &boots), Step::Wait(NOW + SOON), "it may not have heard yet");
}

#[test]
fn one_who_may_show_a_machine_again_proves_by_old_lists_nothing_and_against_a_job_not_even_by_new_ones() {
    let asked = |state| Order { asked_at: Some(NOW - 1_000), launched_at: Some(NOW - 1_000), ..order(state) };
    let seen = |runner| facts(Made, runner, NoMachine);
    for (state, runner) in [(State::Busy, Busy), (State::Busy, Idle), (State::Busy, Unknown), (State::Online, Idle)] {
        assert!(matches!(next(&asked(state), &seen(runner)), Step::Wait(_)), "{state:?} {runner:?}");
    }
    assert_eq!(next(&asked(State::Busy), &seen(Offline)), Step::End(Reason::Done));
    let at_home = Times { lag: 0, ..TIMES };
    assert_eq!(plan(&asked(State::Busy), &seen(Busy), &at_home, NOW), Step::End(Reason::Done), "this host knows");
    // Its end is asked for only when the server says that it has no job.
    assert_eq!(next(&asked(State::Ending), &seen(Offline)), Step::Retire);
    assert_eq!(next(&asked(State::Ending), &facts(Nothing, Unknown, NoMachine)), Step::Finish);
    let old = Facts { listed_at: NOW - 900, ..facts(Nothing, Unknown, NoMachine) };
    assert!(matches!(next(&asked(State::Ending), &old), Step::Wait(at) if at > NOW), "by a list of that time");
    let lost = Facts { material: false, listed_at: NOW - 900, ..seen(Offline) };
    assert!(matches!(next(&asked(State::Launching), &lost), Step::Wait(at) if at > NOW));
    assert_eq!(next(&asked(State::Launching), &Facts { listed_at: NOW, ..lost }), Step::Renew);
}

#[test]
fn a_refused_candidate_whose_registration_is_gone_begins_anew() {
    let refused =
        Order { candidate: 1, tries: vec![Try { candidate: 1, code: "full".into() }], ..order(State::Launching) };
    let seen = facts(Made, Offline, NoMachine);
    assert_eq!(next(&refused, &seen), Step::Launch(2));
    assert_eq!(next(&refused, &Facts { material: false, ..seen }), Step::Renew);
}

#[test]
fn whatever_was_seen_nothing_goes_beyond_the_deadline() {
    for state in State::ALL {
        let over = Order { deadline: NOW, ..order(state) };
        for registration in [Nothing, Open, Made] {
            for runner in [Unknown, Absent, Offline, Idle, Busy] {
                for machine in [NoList, NoMachine, Alive, Stopped] {
                    let step = next(&over, &facts(registration, runner, machine));
                    let is_right = match state {
                        State::Accepted => step == Step::Prove,
                        State::Ending if machine == NoMachine => step == Step::Wait(NOW + LATER),
                        State::Ending => step == Step::EndMachine,
                        State::Ended => !matches!(step, Step::EndMachine | Step::Launch(_)),
                        _ => step == Step::End(Reason::Deadline),
                    };
                    assert!(is_right, "{state:?} {registration:?} {runner:?} {machine:?}: {step:?}");
                }
            }
        }
    }
}

#[test]
fn before_the_deadline_no_machine_is_ended_whose_registration_stands() {
    for state in State::ALL {
        for runner in [Unknown, Absent, Offline, Idle, Busy] {
            for machine in [NoList, NoMachine, Alive] {
                for wish in [Wish::Nothing, Wish::GiveUp, Wish::Operator] {
                    for run_over in [false, true] {
                        let facts = Facts { run_over, wish, ..facts(Made, runner, machine) };
                        let step = next(&order(state), &facts);
                        assert!(step != Step::EndMachine, "{state:?} {facts:?}");
                        let is_end = matches!(step, Step::End(_) | Step::Retire);
                        assert!(!(state == State::Busy && runner == Busy && is_end), "{facts:?}: {step:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_not_wanted_any_more_ends_unless_it_has_a_job() {
    let unwanted = |wish, run_over, runner| Facts { run_over, wish, ..facts(Made, runner, Alive) };
    for state in
        [State::Proven, State::Registering, State::Registered, State::Launching, State::Launched, State::Online]
    {
        for (wish, run_over, reason) in [
            (Wish::GiveUp, false, Reason::GivenUp),
            (Wish::Operator, true, Reason::Operator),
            (Wish::Nothing, true, Reason::RunOver),
        ] {
            assert_eq!(next(&order(state), &unwanted(wish, run_over, Idle)), Step::End(reason), "{state:?}");
        }
    }
    assert_eq!(next(&order(State::Online), &unwanted(Wish::GiveUp, true, Busy)), Step::Enter(State::Busy));
    let waits = unwanted(Wish::GiveUp, false, Unknown);
    assert_eq!(next(&order(State::Accepted), &waits), Step::Drop(Reason::GivenUp), "its label is not used up");
}

#[test]
fn each_patience_ends() {
    let since = |state, seconds| Order { since: NOW - seconds, ..order(state) };
    let still = facts(Nothing, Unknown, NoMachine);
    assert_eq!(next(&since(State::Accepted, PROOF_PATIENCE), &still), Step::Drop(Reason::NotQueued));
    assert_eq!(next(&since(State::Accepted, PROOF_PATIENCE - 1), &still), Step::Prove);
    let open = facts(Open, Unknown, NoMachine);
    assert!(matches!(next(&since(State::Registering, 300), &open), Step::End(Reason::Registration(_))));
    assert_eq!(next(&since(State::Registering, 299), &open), Step::Resolve);
    let asked = |state, seconds| Order { asked_at: Some(NOW - seconds), ..order(state) };
    let offline = facts(Made, Offline, Alive);
    assert_eq!(next(&asked(State::Launched, 300), &offline), Step::End(Reason::NotOnline));
    assert_eq!(next(&asked(State::Launched, 299), &offline), Step::Wait(NOW + 1));
    let idle = facts(Made, Idle, Alive);
    let online = |seconds| Order { online_at: Some(NOW - seconds), ..order(State::Online) };
    assert_eq!(next(&online(300), &idle), Step::End(Reason::NoJob));
    assert_eq!(next(&online(299), &idle), Step::Wait(NOW + 1));
    let gone = facts(Made, Offline, NoMachine);
    let unanswered = Step::End(Reason::Unavailable("its answer is missing".into()));
    assert_eq!(next(&since(State::Launching, 60), &gone), unanswered);
    assert_eq!(next(&since(State::Launching, 60), &facts(Made, Offline, NoList)), unanswered);
    let remembered = |seconds| Order { ended_at: Some(NOW - seconds), ..order(State::Ended) };
    assert_eq!(next(&remembered(MEMORY), &still), Step::Forget);
    assert_eq!(next(&remembered(MEMORY), &Facts { owes: true, ..still }), Step::Pay, "a debt is no memory");
}

#[test]
fn a_lost_answer_is_asked_for_again_by_the_same_token() {
    let launching = Order { candidate: 2, ..order(State::Launching) };
    assert_eq!(next(&launching, &facts(Made, Offline, NoMachine)), Step::Launch(2));
    let resting = Facts { machines_from: NOW + 7, ..facts(Made, Offline, NoMachine) };
    assert_eq!(next(&launching, &resting), Step::Wait(NOW + 7));
    // It was there and did its job.
    let long_ago = Order { asked_at: Some(NOW - 60), ..launching };
    assert_eq!(next(&long_ago, &facts(Made, Absent, NoMachine)), Step::End(Reason::Done));
}

#[test]
fn after_a_reboot_another_attempt_begins_only_when_no_machine_can_come_any_more() {
    let lost = |machine| Facts { material: false, ..facts(Made, Offline, machine) };
    let asked = |seconds| Order { asked_at: Some(NOW - seconds), ..order(State::Launching) };
    assert_eq!(next(&asked(0), &lost(NoMachine)), Step::Wait(NOW + LATER));
    assert_eq!(next(&asked(119), &lost(NoMachine)), Step::Wait(NOW + 1));
    assert_eq!(next(&asked(120), &lost(NoMachine)), Step::Renew);
    assert_eq!(next(&asked(120), &lost(NoList)), Step::Wait(NOW + SOON), "no list is no proof");
    assert_eq!(next(&asked(120), &lost(Alive)), Step::Enter(State::Launched));
    assert_eq!(next(&order(State::Registered), &lost(NoMachine)), Step::Renew);
    assert_eq!(next(&order(State::Registering), &lost(NoMachine)), Step::Renew);
    let third = Order { attempt: 3, ..order(State::Proven) };
    assert!(matches!(next(&third, &facts(Nothing, Unknown, NoMachine)), Step::End(Reason::Registration(_))));
}

#[test]
fn a_refused_candidate_is_followed_by_the_next_one_until_there_is_none() {
    let refused = |candidate: u32, since| Order {
        candidate,
        since: NOW - since,
        tries: (1..=candidate).map(|candidate| Try { candidate, code: "x".into() }).collect(),
        ..order(State::Launching)
    };
    // Whatever lists say: the refusal was an answer.
    for machine in [NoList, NoMachine] {
        let facts = facts(Made, Offline, machine);
        assert_eq!(next(&refused(1, 0), &facts), Step::Launch(2));
        assert_eq!(next(&refused(2, 59), &facts), Step::Launch(3));
        assert_eq!(next(&refused(2, 60), &facts), Step::End(Reason::NoCapacity));
        assert_eq!(next(&refused(3, 0), &facts), Step::End(Reason::NoCapacity));
        let many = Times { candidates: 100, ..TIMES };
        assert_eq!(plan(&refused(8, 0), &facts, &many, NOW), Step::End(Reason::NoCapacity));
    }
}

#[test]
fn nobody_is_asked_before_his_time_and_no_wait_for_a_server_lasts_beyond_the_deadline() {
    let later = |registration, machine| Facts {
        github_from: NOW + 9_000,
        machines_from: NOW + 8,
        proof_from: NOW + 7,
        owes: true,
        ..facts(registration, Offline, machine)
    };
    for (state, registration, machine, until) in [
        (State::Accepted, Nothing, NoList, NOW + 7),
        (State::Proven, Nothing, NoMachine, NOW + 9_000),
        (State::Registering, Open, NoMachine, NOW + 9_000),
        (State::Ending, Made, Alive, NOW + 3_000),
        (State::Ending, Nothing, Alive, NOW + 8),
        (State::Ended, Made, NoMachine, NOW + 9_000),
        (State::Ended, Nothing, NoMachine, NOW + 9_000),
    ] {
        assert_eq!(next(&order(state), &later(registration, machine)), Step::Wait(until), "{state:?}");
    }
}

#[test]
fn an_order_is_over_when_its_machine_cannot_come_any_more() {
    let ending = |asked: u64, token: bool| {
        let order = order(State::Ending);
        Order { asked_at: Some(NOW - asked), token: order.token.clone().filter(|_| token), ..order }
    };
    let gone = facts(Made, Offline, NoMachine);
    assert_eq!(next(&ending(120, true), &facts(Nothing, Unknown, NoMachine)), Step::Finish);
    assert_eq!(next(&ending(120, true), &gone), Step::Retire, "the server is asked first");
    assert_eq!(next(&ending(119, true), &gone), Step::Retire, "it may still come, and take a job");
    assert_eq!(next(&ending(0, false), &gone), Step::Finish);
    assert_eq!(next(&ending(0, false), &facts(Open, Unknown, NoList)), Step::Finish, "the ledger has the rest");
    assert_eq!(next(&ending(120, true), &facts(Nothing, Unknown, NoList)), Step::EndMachine);
}
