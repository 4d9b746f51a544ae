use super::*;
use crate::frontend::ondemand::label::Label;
use crate::frontend::ondemand::order::Reason;

const NOW: u64 = 1_790_035_200 + 3_600;

fn request(stem: &str) -> Request {
    Request {
        key: Key::from_stem(stem).unwrap(),
        repository: Repository::parse("octo-org/example").unwrap(),
        run: Some(7),
        proof: Proof::Queue,
        fork: false,
        source: Source::of("192.0.2.1".parse().unwrap()),
    }
}

fn class() -> ClassLimits {
    ClassLimits { max: 4, ttl: 3_600, processors: 8, price_per_hour: Cost(16_000) }
}

/// An order of the book, as the request `od-7-N.x` makes it, in this state.
fn order(at: u32, state: State) -> Order {
    let reservation = Reservation { at: NOW - 600, deadline: NOW + 3_000, cost: Cost(16_534) };
    let mut order = Order::new(request(&format!("od-7-{at}.x")), reservation);
    order.state = state;
    order
}

fn counts(orders: &[Order], request: &Request) -> Counts {
    Counts::of(orders, request, |_| 8, NOW)
}

fn admitted(orders: &[Order], request: &Request, limits: &Limits) -> Result<Reservation, Refusal> {
    admit(request, &counts(orders, request), &class(), limits, NOW)
}

fn many(count: u32, change: impl Fn(&mut Order)) -> Vec<Order> {
    let orders = (0..count).map(|at| order(at, State::Busy));
    orders
        .map(|mut order| {
            change(&mut order);
            order
        })
        .collect()
}

#[test]
fn an_order_reserves_the_most_that_it_can_cost() {
    let reservation = admitted(&[], &request("od-7-a.x"), &Limits::default()).unwrap();
    // An hour and two minutes of 1.6, rounded up.
    assert_eq!(reservation, Reservation { at: NOW, deadline: NOW + 3_600, cost: Cost(16_534) });
    let endless = ClassLimits { ttl: u64::MAX, ..class() };
    let request = request("od-7-a.x");
    let longest = admit(&request, &Counts::default(), &endless, &Limits::default(), NOW).unwrap();
    assert_eq!(longest.deadline, NOW + LONGEST_TTL);
}

#[test]
fn each_limit_is_reached_by_the_one_that_is_too_many() {
    type Change = fn(&mut Order);
    let none: Change = |_| {};
    let elsewhere: Change = |order| {
        order.run = Some(order.label.as_str().len() as u64 + 1_000 + u64::from(order.label.as_str().as_bytes()[5]));
        order.repository = Repository::parse(&format!("octo-org/{}", order.label.as_str())).unwrap();
        order.class = "other".to_owned().try_into().unwrap();
    };
    let limits = Limits::default();
    let fork = Request { fork: true, ..request("od-7-a.x") };
    let unproven = Request { proof: Proof::None, run: None, ..request("rr_runner_a.x") };
    let other_run = Request { run: Some(8), ..request("od-8-a.x") };
    let other_class = Request { run: Some(8), ..request("od-8-a.y") };
    for (request, count, change, limit) in [
        (&request("od-7-a.x"), 4, none, Limit::Run),
        (&other_run, 4, none, Limit::Class),
        (&other_class, 8, none, Limit::Repository),
        (&request("od-7-a.x"), 8, elsewhere, Limit::Open),
        (&request("od-7-a.x"), 16, (|order| order.state = State::Ended) as Change, Limit::RunEver),
        (&fork, 2, (|order| order.fork = true) as Change, Limit::Forks),
        (&unproven, 2, (|order| (order.proof, order.run) = (Proof::None, None)) as Change, Limit::Unproven),
    ] {
        let refused = admitted(&many(count, change), request, &limits).unwrap_err();
        assert!(matches!(&refused, Refusal::Limit(found, _) if *found == limit), "{limit:?}: {refused:?}");
        assert!(admitted(&many(count - 1, change), request, &limits).is_ok(), "{limit:?}");
    }
}

#[test]
fn requests_that_wait_for_their_proof_take_nobodys_place() {
    let waiting = many(40, |order| order.state = State::Accepted);
    let (mine, limits) = (request("od-7-a.x"), Limits { cost_per_day: Some(Cost(16_534)), ..Limits::default() });
    assert!(admitted(&waiting, &mine, &limits).is_ok(), "whoever has a proof");
    let wait = |count: usize, from: &str| {
        let request = Request { source: Source::of(from.parse().unwrap()), ..mine.clone() };
        admit_to_wait(&request, &counts(&waiting[..count], &request), &class(), &limits, NOW)
    };
    let refused = Err(Refusal::Limit(Limit::Waiting, SOON));
    assert_eq!((wait(8, "192.0.2.1"), wait(32, "192.0.2.2")), (refused.clone(), refused));
    assert!(wait(7, "192.0.2.1").is_ok() && wait(31, "192.0.2.2").is_ok());
    let full = admit_to_wait(&mine, &counts(&many(4, |_| {}), &mine), &class(), &limits, NOW);
    assert!(full.is_err(), "what could get no machine need not wait");
}

#[test]
fn the_ceiling_of_a_day_is_for_what_was_taken_that_day() {
    let limits = |most| Limits { cost_per_day: Some(Cost(most)), ..Limits::default() };
    let mine = request("od-8-a.y");
    let orders = many(2, |_| {});
    assert!(admitted(&orders, &mine, &limits(3 * 16_534)).is_ok());
    let refused = admitted(&orders, &mine, &limits(3 * 16_534 - 1));
    assert_eq!(refused, Err(Refusal::Limit(Limit::Cost, 23 * 3_600)), "until midnight");
    let yesterday = many(2, |order| order.accepted_at = NOW - 3_601);
    assert!(admitted(&yesterday, &mine, &limits(16_534)).is_ok());
    let over = many(2, |order| (order.state, order.reserved) = (State::Ended, Cost(10)));
    assert!(admitted(&over, &mine, &limits(16_554)).is_ok() && admitted(&over, &mine, &limits(16_553)).is_err());
    let absurd = many(2, |order| order.reserved = Cost(u64::MAX));
    assert!(admitted(&absurd, &mine, &limits(u64::MAX - 1)).is_err(), "no sum is too large");
}

#[test]
fn what_an_order_has_cost_is_its_share_and_never_more_than_was_reserved() {
    let mut order = order(1, State::Ending);
    assert_eq!(spent(&order, NOW), Cost(0), "no machine was asked for");
    order.launched_at = Some(NOW - 500);
    assert_eq!(spent(&order, NOW - 500), Cost(0));
    // 500 of 3,720 seconds of 16,534.
    assert_eq!(spent(&order, NOW), Cost(2_223));
    assert_eq!(spent(&order, u64::MAX), Cost(16_534));
    assert_eq!(spent(&order, 0), Cost(0), "a clock that was set back");
}

#[test]
fn starts_are_counted_by_the_hour_with_those_that_will_come() {
    let limits = Limits { starts_per_hour: 3, ..Limits::default() };
    let mine = request("od-8-a.y");
    let ago = |seconds: u64| move |order: &mut Order| order.launched_at = Some(NOW - seconds);
    assert_eq!(admitted(&many(3, ago(3_590)), &mine, &limits), Err(Refusal::Limit(Limit::Starts, 10)));
    assert!(admitted(&many(3, ago(3_600)), &mine, &limits).is_ok());
    assert!(admitted(&many(3, |_| {}), &mine, &limits).is_err(), "they wait for their machines");
    let never = many(3, |order| order.state = State::Ended);
    assert!(admitted(&never, &mine, &limits).is_ok(), "they ended without one");
}

#[test]
fn processors_are_counted_if_there_is_a_limit() {
    let mine = request("od-8-a.y");
    let limits = |most| Limits { processors: Some(most), ..Limits::default() };
    assert!(admitted(&many(2, |_| {}), &mine, &limits(24)).is_ok());
    assert_eq!(admitted(&many(2, |_| {}), &mine, &limits(23)), Err(Refusal::Limit(Limit::Processors, SOON)));
}

#[test]
fn three_machines_in_a_row_of_no_use_pause_their_class() {
    let ended = |at: u64, reason: Reason, busy: bool| {
        let mut order = order(u32::try_from(at).unwrap(), State::Ended);
        (order.launched_at, order.ended_at) = (Some(NOW - 500), Some(NOW - at));
        (order.reason, order.busy_at) = (Some(reason), busy.then_some(NOW - 400));
        order
    };
    let bad = |at| ended(at, Reason::NotOnline, false);
    let (mine, limits) = (request("od-8-a.x"), Limits::default());
    let result = |orders: &[Order]| admitted(orders, &mine, &limits).err();
    assert_eq!(result(&[bad(100), bad(200), bad(300)]), Some(Refusal::Paused(800)));
    assert_eq!(result(&[bad(100), bad(200)]), None);
    assert_eq!(result(&[bad(900), bad(901), bad(902)]), None, "its time is over");
    assert_eq!(result(&[bad(100), ended(150, Reason::Done, true), bad(200), bad(300)]), None, "one had a job");
    assert_eq!(result(&[bad(100), ended(150, Reason::GivenUp, false), bad(200)]), None, "one was called off");
    let idle = ended(150, Reason::NoJob, false);
    assert_eq!(result(&[bad(100), idle, bad(200)]), Some(Refusal::Paused(800)));
    let elsewhere = Request { key: Key::from_stem("od-8-a.y").unwrap(), ..mine.clone() };
    assert!(admitted(&[bad(1), bad(2), bad(3)], &elsewhere, &limits).is_ok(), "another class works");
    let never = |at| Order { launched_at: None, ..bad(at) };
    assert_eq!(result(&[never(1), never(2), never(3)]), None, "no machine was started");
}

#[test]
fn an_order_that_is_asked_for_again_does_not_stand_in_its_own_way() {
    let mine = request("od-7-0.x");
    assert!(admitted(&many(4, |_| {}), &mine, &Limits::default()).is_ok());
}

#[test]
fn a_label_of_another_run_is_counted_where_its_run_is() {
    let label: Label = "od-7-zz".to_owned().try_into().unwrap();
    let mut orders = many(4, |order| order.repository = Repository::parse("octo-org/other").unwrap());
    orders[0].label = label;
    let limits = Limits { per_repository: 1, ..Limits::default() };
    let other = Request { key: Key::from_stem("od-7-q.y").unwrap(), ..request("od-7-q.y") };
    assert!(admitted(&orders, &other, &limits).is_ok(), "run 7 of another repository is another run");
    let spelled = many(1, |order| order.repository = Repository::parse("Octo-Org/EXAMPLE").unwrap());
    assert!(admitted(&spelled, &other, &limits).is_err(), "and another spelling is the same repository");
}
