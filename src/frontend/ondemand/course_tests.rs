use super::*;
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::{Cost, Proof};
use crate::frontend::ondemand::source::Source;
use crate::model::Repository;

const NOW: u64 = 1_790_000_000;

fn request() -> Request {
    Request {
        key: Key::from_stem("od-7-a.x").unwrap(),
        repository: Repository::parse("octo-org/example").unwrap(),
        run: Some(7),
        proof: Proof::Queue,
        fork: false,
        source: Source::of("192.0.2.1".parse().unwrap()),
    }
}

fn reservation(at: u64) -> Reservation {
    Reservation { at, deadline: at + 3_600, cost: Cost(3_720) }
}

fn proven() -> Order {
    let mut order = Order::new(request(), reservation(NOW));
    order.prove(false, reservation(NOW + 100));
    order
}

/// What is on disk after the order was written there.
fn written(order: &Order) -> Order {
    Order::parse(&order.to_text().unwrap(), &order.key()).unwrap()
}

#[test]
fn a_whole_life_is_written_before_each_act_and_can_be_read_after_it() {
    let mut order = proven();
    for (step, outcome, state) in [
        (Step::Register, Outcome::Registered, State::Registered),
        (Step::Launch(1), Outcome::NoRoom("full".into()), State::Launching),
        (Step::Launch(2), Outcome::Launched, State::Launched),
        (Step::Enter(State::Online), Outcome::Nothing, State::Online),
        (Step::Enter(State::Busy), Outcome::Nothing, State::Busy),
        (Step::End(Reason::Done), Outcome::Nothing, State::Ending),
        (Step::Finish, Outcome::Nothing, State::Ended),
    ] {
        assert!(order.before(&step, "host", NOW + 200), "{step:?} changes what has to be known after a crash");
        order = written(&order);
        order.after(outcome, NOW + 300);
        order = written(&order);
        assert_eq!(order.state, state);
    }
    assert_eq!((order.token, order.attempt, order.candidate), (None, 1, 2));
    assert_eq!((order.online_at, order.busy_at, order.ended_at), (Some(NOW + 200), Some(NOW + 200), Some(NOW + 200)));
    assert_eq!(order.reserved, Cost(0), "it had a machine for no time at all");
}

#[test]
fn looks_and_repeatable_acts_change_nothing_on_disk() {
    let mut order = proven();
    for step in [Step::Wait(1), Step::Prove, Step::Drop(Reason::NotQueued), Step::Resolve, Step::Retire, Step::Pay] {
        assert!(!order.before(&step, "host", NOW + 200), "{step:?}");
    }
    assert!(!order.before(&Step::EndMachine, "host", NOW) && !order.before(&Step::Forget, "host", NOW));
    for outcome in [Outcome::Nothing, Outcome::Launched, Outcome::StillBusy, Outcome::NoRoom("late".into())] {
        assert!(!order.after(outcome, NOW + 200), "an answer to what was not asked");
    }
}

#[test]
fn an_order_counts_from_its_proof_on() {
    let order = proven();
    assert_eq!((order.accepted_at, order.deadline, order.since), (NOW + 100, NOW + 3_700, NOW + 100));
    let mut busy = Order { state: State::Busy, ..order };
    let same = busy.clone();
    busy.prove(true, reservation(NOW + 900));
    assert_eq!(busy, same, "a second proof prolongs nothing");
}

#[test]
fn a_request_means_an_order_by_all_that_it_says() {
    let order = proven();
    let spelled = Repository::parse("Octo-Org/Example").unwrap();
    assert!(order.is_for(&request()) && order.is_for(&Request { repository: spelled, ..request() }));
    assert!(!order.is_for(&Request { run: Some(8), ..request() }));
    assert!(!order.is_for(&Request { repository: Repository::parse("octo-org/other").unwrap(), ..request() }));
    assert!(!order.is_for(&Request { key: Key::from_stem("od-7-a.y").unwrap(), ..request() }));
}

#[test]
fn the_same_candidate_keeps_its_token_and_another_attempt_has_another_one() {
    let mut order = proven();
    order.before(&Step::Register, "host", NOW);
    order.after(Outcome::Registered, NOW);
    order.before(&Step::Launch(1), "host", NOW);
    let first = order.token.clone();
    order.before(&Step::Launch(1), "host", NOW + 5);
    assert_eq!((&order.token, order.asked_at, order.launched_at), (&first, Some(NOW + 5), Some(NOW)));
    order.before(&Step::Renew, "host", NOW + 400);
    assert_eq!((order.state, &order.token, order.candidate), (State::Proven, &None, 0));
    order.before(&Step::Register, "host", NOW + 400);
    order.after(Outcome::Registered, NOW + 400);
    order.before(&Step::Launch(1), "host", NOW + 400);
    assert_ne!(order.token, first);
    assert_eq!(order.launched_at, Some(NOW), "the first one may have run since then");
}

#[test]
fn a_refusal_of_one_attempt_is_none_of_the_next_one() {
    let mut order = proven();
    for attempt in [1, 2] {
        order.before(&Step::Register, "host", NOW);
        order.after(Outcome::Registered, NOW);
        order.before(&Step::Launch(1), "host", NOW);
        assert!(!order.is_refused(), "attempt {attempt}: it was only asked for");
        order.after(Outcome::NoRoom("full".into()), NOW);
        assert!(order.is_refused());
        order.before(&Step::Launch(2), "host", NOW);
        order.before(&Step::Renew, "host", NOW + 400);
    }
}

#[test]
fn what_has_no_room_at_all_passes_over_all_candidates_of_its_kind() {
    let mut order = proven();
    order.before(&Step::Register, "host", NOW);
    order.after(Outcome::Registered, NOW);
    order.before(&Step::Launch(2), "host", NOW);
    order.after(Outcome::NoRoomUpTo(4, "MaxSpotInstanceCountExceeded".into()), NOW);
    assert!(order.is_refused() && order.candidate == 4, "{order:?}");
    order.before(&Step::Launch(5), "host", NOW);
    order.after(Outcome::NoRoomUpTo(4, "odd".into()), NOW);
    assert_eq!(order.candidate, 5, "never back");
}

#[test]
fn a_request_that_reached_nobody_takes_nothing_from_the_refusal_of_the_next_one() {
    let mut order = proven();
    order.before(&Step::Register, "host", NOW);
    order.after(Outcome::Registered, NOW);
    order.before(&Step::Launch(1), "host", NOW);
    assert!(order.after(Outcome::NotLaunched, NOW + 1) && order.unasked);
    let mut ends = written(&order);
    ends.before(&Step::End(Reason::Operator), "host", NOW + 2);
    assert_eq!(ends.token, None, "there is none");
    order.before(&Step::Launch(1), "host", NOW + 3);
    assert!(!order.repeated && !order.unasked);
    order.after(Outcome::NoRoom("full".into()), NOW + 4);
    assert!(order.is_refused());
    let mut lost = written(&proven());
    lost.before(&Step::Register, "host", NOW);
    lost.after(Outcome::Registered, NOW);
    lost.before(&Step::Launch(1), "host", NOW);
    lost.before(&Step::Launch(1), "host", NOW + 3);
    lost.after(Outcome::NotLaunched, NOW + 4);
    assert!(!lost.unasked, "the first one may have reached somebody");
}

#[test]
fn a_machine_that_was_made_and_had_no_room_is_a_refusal_of_its_candidate() {
    let mut order = proven();
    order.before(&Step::Register, "host", NOW);
    order.after(Outcome::Registered, NOW);
    order.before(&Step::Launch(1), "host", NOW);
    order.after(Outcome::Launched, NOW);
    assert!(order.before(&Step::Refuse, "host", NOW + 5));
    assert!(order.is_refused() && order.since == NOW + 5, "{order:?}");
    assert!(order.after(Outcome::Sealed, NOW) && order.sealed, "whatever it does meanwhile");
    let mut again = written(&order);
    again.before(&Step::Launch(2), "host", NOW + 6);
    assert!(!again.sealed, "that was another machine");
}

#[test]
fn a_refusal_of_a_repeated_request_proves_nothing_of_the_first_one() {
    let mut order = proven();
    order.before(&Step::Register, "host", NOW);
    order.after(Outcome::Registered, NOW);
    order.before(&Step::Launch(1), "host", NOW);
    order.before(&Step::Launch(1), "host", NOW + 5);
    assert!(!order.after(Outcome::NoRoom("full".into()), NOW + 5) && order.tries.is_empty());
    order.after(Outcome::Never("no such image".into()), NOW + 6);
    assert!(order.state == State::Ending && order.token.is_some(), "it is looked for");
    let mut order = written(&proven());
    order.before(&Step::Register, "host", NOW);
    order.after(Outcome::Registered, NOW);
    order.before(&Step::Launch(1), "host", NOW);
    order.after(Outcome::NoRoom("x".repeat(10_000)), NOW + 1);
    assert_eq!(order.tries[0].code.len(), LONGEST_TEXT);
    order.before(&Step::End(Reason::NoCapacity), "host", NOW + 2);
    assert_eq!(order.token, None, "there is none");
}

#[test]
fn a_job_that_came_at_the_last_moment_is_kept_before_the_deadline_only() {
    let ending = |deadline| {
        let mut order = Order { state: State::Online, deadline, online_at: Some(NOW), ..proven() };
        order.before(&Step::End(Reason::NoJob), "host", NOW + 300);
        order.after(Outcome::StillBusy, NOW + 301);
        order
    };
    let kept = ending(NOW + 302);
    assert_eq!((kept.state, kept.busy_at, kept.reason), (State::Busy, Some(NOW + 301), None));
    let over = ending(NOW + 301);
    assert_eq!((over.state, over.reason), (State::Ending, Some(Reason::NoJob)));
}

#[test]
fn refusals_of_the_server_end_an_order_with_its_words_cut() {
    for (outcome, reason) in [
        (Outcome::NameTaken, Reason::NameTaken),
        (Outcome::NotRegistered("ü".repeat(5_000)), Reason::Registration("ü".repeat(LONGEST_TEXT))),
    ] {
        let mut order = proven();
        order.before(&Step::Register, "host", NOW);
        assert!(order.after(outcome, NOW));
        assert_eq!((order.state, order.reason), (State::Ending, Some(reason)));
    }
}
