//! Whatever happens to orders, in any sequence: an order never has two machines, none outlives its time, no job is ended before
//! its deadline, no registration is left, nobody else's runner is deleted, the ceiling of a day holds, and a label is served once.

#[cfg(test)]
mod desk;
#[cfg(test)]
mod world;

use proptest::prelude::*;

use super::label::Key;
use super::limits::Request;
use super::order::Proof;
use super::plan::Wish;
use super::source::Source;
use crate::model::Repository;
use desk::Desk;
use world::{Way, World};

/// The orders that there can be: label, class, run. The third is without a proof; the run 2 is a fork's.
const KEYS: [(&str, Option<u64>); 6] = [
    ("od-1-a.host", Some(1)),
    ("od-1-a.cloud", Some(1)),
    ("rr_runner_a.host", None),
    ("od-2-a.cloud", Some(2)),
    ("od-2-b.host", Some(2)),
    ("od-3-a.cloud", Some(3)),
];

#[derive(Clone, Copy, Debug)]
enum Event {
    Create(usize),
    GiveUp(usize),
    /// A job of the label is queued.
    Queue(usize),
    RunOver(u64),
    Boots(usize),
    JobStarts(usize),
    JobEnds(usize, bool),
    MachineDies(usize),
    /// GitHub gives up jobs of runners that are silent.
    Notices,
    Registering(usize, Way),
    Launching(usize, [Way; 3]),
    Github(bool),
    Machines(bool),
    ListLags,
    /// Somebody else's runner takes the name, or lets go of it.
    Foreign(usize),
    Reboot,
    Time(u64),
    /// What most orders go through: a job is queued, its machine is asked for, and perhaps it starts.
    Workflow(usize, bool),
    Pass,
    /// A job starts when the pass has read everything.
    LatePass(usize),
    KilledPass(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let at = || 0..KEYS.len();
    let way = || {
        prop_oneof![
            1 => Just(Way::LostAfter),
            1 => Just(Way::LostBefore),
            2 => (20..240_u64).prop_map(Way::Late),
            2 => Just(Way::NoRoom),
            2 => Just(Way::RoomLater),
            1 => Just(Way::Never),
        ]
    };
    prop_oneof![
        3 => at().prop_map(Event::Create),
        2 => at().prop_map(Event::GiveUp),
        3 => at().prop_map(Event::Queue),
        1 => (1..4_u64).prop_map(Event::RunOver),
        2 => at().prop_map(Event::Boots),
        5 => at().prop_map(Event::JobStarts),
        3 => (at(), any::<bool>()).prop_map(|(at, stops)| Event::JobEnds(at, stops)),
        1 => at().prop_map(Event::MachineDies),
        1 => Just(Event::Notices),
        2 => (at(), way()).prop_map(|(at, way)| Event::Registering(at, way)),
        4 => (at(), [way(), way(), way()]).prop_map(|(at, ways)| Event::Launching(at, ways)),
        1 => any::<bool>().prop_map(Event::Github),
        1 => any::<bool>().prop_map(Event::Machines),
        2 => Just(Event::ListLags),
        1 => at().prop_map(Event::Foreign),
        1 => Just(Event::Reboot),
        7 => prop_oneof![3 => 1..20_u64, 2 => 1..700_u64, 1 => 1..30_000_u64].prop_map(Event::Time),
        8 => (at(), any::<bool>()).prop_map(|(at, starts)| Event::Workflow(at, starts)),
        8 => Just(Event::Pass),
        4 => at().prop_map(Event::LatePass),
        8 => (0..40_u32).prop_map(Event::KilledPass),
    ]
}

fn key(at: usize) -> Key {
    Key::from_stem(KEYS[at].0).unwrap()
}

fn request(at: usize) -> Request {
    let run = KEYS[at].1;
    Request {
        key: key(at),
        repository: Repository::parse("octo-org/example").unwrap(),
        run,
        proof: if run.is_some() { Proof::Queue } else { Proof::None },
        fork: false,
        source: Source::of("192.0.2.1".parse().unwrap()),
    }
}

fn happen(world: &mut World, desk: &mut Desk, event: Event) {
    match event {
        Event::Create(at) => desk.create(world, request(at)),
        Event::GiveUp(at) => desk.wish(&key(at), Wish::GiveUp),
        Event::Queue(at) => drop(world.queued.insert(key(at))),
        Event::RunOver(run) => drop(world.over.insert(run)),
        Event::Boots(at) => world.boots(&key(at)),
        Event::JobStarts(at) => world.job_starts(&key(at)),
        Event::JobEnds(at, stops) => world.job_ends(&key(at), stops),
        Event::MachineDies(at) => world.dies(&key(at)),
        Event::Notices => world.notices(),
        Event::Registering(at, way) => drop(world.registering.insert(key(at), way)),
        Event::Launching(at, ways) => drop(world.launching.insert(key(at), ways.into())),
        Event::Github(down) => world.github_down = down,
        Event::Machines(down) => world.machines_down = down,
        Event::ListLags => world.list_lags = true,
        Event::Foreign(at) => {
            let name = key(at).runner_name();
            match world.named(&name) {
                None if !desk.has_attempt(&key(at)) => {
                    world.register(&name, false);
                    world.foreign += 1;
                }
                Some(id) if !world.runners[&id].ours => {
                    world.runners.remove(&id);
                    world.foreign -= 1;
                }
                _ => {}
            }
        }
        Event::Reboot => {
            desk.reboot();
            world.reboot();
        }
        Event::Time(seconds) => world.pass_time(seconds),
        Event::Workflow(at, starts) => {
            world.queued.insert(key(at));
            desk.create(world, request(at));
            desk.pass(world, None, None).unwrap();
            if starts {
                world.job_starts(&key(at));
            }
        }
        Event::Pass => desk.pass(world, None, None).unwrap(),
        Event::LatePass(at) => desk.pass(world, Some(&key(at)), None).unwrap(),
        Event::KilledPass(steps) => {
            if desk.pass(world, None, Some(steps)).is_err() {
                desk.killed();
            }
        }
    }
    world.check();
    desk.check(world);
}

/// How many sequences of events are tried, unless the environment says otherwise.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(400, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_has_two_machines_no_job_is_cut_nothing_is_left_and_the_ceiling_holds(
        events in prop::collection::vec(event(), 1..80)
    ) {
        let (mut world, mut desk) = (World::new(), Desk::default());
        for event in events {
            happen(&mut world, &mut desk, event);
        }
        // Faults stop, jobs end, and nobody asks any more.
        (world.github_down, world.machines_down, world.list_lags) = (false, false, false);
        world.queued.clear();
        world.launching.clear();
        let latest = desk.book.values().map(|order| order.deadline).max().unwrap_or(world.now).max(world.now);
        while world.now < latest + 600 {
            world.pass_time(60);
            world.notices();
            happen(&mut world, &mut desk, Event::Pass);
        }
        prop_assert!(world.machines.is_empty(), "{:?}", world.machines);
        world.pass_time(3_000);
        happen(&mut world, &mut desk, Event::Pass);
        prop_assert!(world.runners.values().all(|runner| !runner.ours), "{:?}", world.runners);
        prop_assert!(desk.rests(), "{:?}", desk);
        world.pass_time(25 * 60 * 60);
        happen(&mut world, &mut desk, Event::Pass);
        prop_assert!(desk.book.is_empty());
    }
}

#[test]
fn a_machine_that_ends_at_once_for_want_of_room_is_followed_by_the_next_candidates() {
    let (mut world, mut desk) = (World::new(), Desk::default());
    happen(&mut world, &mut desk, Event::Launching(1, [Way::Good, Way::NoRoom, Way::RoomLater]));
    for event in [Event::Create(1), Event::Queue(1), Event::Pass, Event::Time(31), Event::Pass, Event::Pass] {
        happen(&mut world, &mut desk, event);
    }
    let order = &desk.book[&key(1)];
    let tried: Vec<u32> = order.tries.iter().map(|tried| tried.candidate).collect();
    assert_eq!((order.candidate, tried), (3, vec![1, 2]), "{order:?}");
    happen(&mut world, &mut desk, Event::JobStarts(1));
    happen(&mut world, &mut desk, Event::Pass);
    let order = &desk.book[&key(1)];
    assert!(order.busy_at.is_some() && order.sealed, "{order:?}");
}

/// The property is worth nothing if no order comes to its job.
#[test]
fn in_that_world_an_order_lives_from_its_request_to_its_end() {
    let (mut world, mut desk) = (World::new(), Desk::default());
    for at in [0, 1] {
        for event in [Event::Create(at), Event::Pass, Event::Queue(at), Event::Time(30), Event::Pass, Event::Time(31)] {
            happen(&mut world, &mut desk, event);
        }
        for event in
            [Event::Pass, Event::JobStarts(at), Event::Pass, Event::Time(20), Event::JobEnds(at, true), Event::Pass]
        {
            happen(&mut world, &mut desk, event);
        }
        let order = &desk.book[&key(at)];
        assert!(order.busy_at.is_some() && order.launched_at.is_some(), "{order:?}");
    }
    happen(&mut world, &mut desk, Event::Time(300));
    happen(&mut world, &mut desk, Event::Pass);
    assert!(desk.rests() && world.machines.is_empty() && world.runners.is_empty(), "{desk:?}");
}
