//! Whatever happens to a fleet, in any order: no pass ends a job before its deadline or touches what something else owns, no
//! runner is registered twice, what is in order is left alone, the same pass again restarts nothing, and when faults stop everything comes in order.

mod pass;
mod world;

use github_runners::reconcile::{Decision, Why};
use pass::{Killed, Late};
use proptest::prelude::*;
use world::{Api, RUNNERS, World};

/// What can happen between two passes, and in the middle of one.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The host sees the worker from the next pass on, or at once.
    JobStarts(usize, bool),
    JobEnds(usize),
    /// A switch that changes the registration, or something else.
    Switch(usize, bool),
    /// A switch that removes it.
    Remove(usize),
    /// Something else makes a runner of a name that is free, and owns it for so long.
    Lease(usize, u64),
    Stop(usize),
    Start(usize),
    /// The listener dies.
    Crash(usize),
    /// GitHub forgets a registration.
    Forgets(usize),
    /// GitHub will not let go of the present registration at once.
    Lingers(usize),
    /// GitHub hears nothing more of a listener.
    FallsSilent(usize),
    Down,
    Up,
    Limited(u64),
    /// The next list does not show yet who runs a job.
    ListLags,
    Time(u64),
    Pass(Late),
    KilledPass(Late, Killed),
}

fn event() -> impl Strategy<Value = Event> {
    let runner = || 0..RUNNERS;
    let late = || prop_oneof![4 => Just(Late::Nothing), 3 => runner().prop_map(Late::Job), 1 => Just(Late::Outage)];
    let killed = (runner(), 0..5_u8).prop_map(|(at, steps)| Killed(at, steps));
    prop_oneof![
        3 => (runner(), any::<bool>()).prop_map(|(at, is_seen)| Event::JobStarts(at, is_seen)),
        3 => runner().prop_map(Event::JobEnds),
        3 => (runner(), any::<bool>()).prop_map(|(at, registration)| Event::Switch(at, registration)),
        1 => runner().prop_map(Event::Remove),
        2 => (runner(), 1..2_000_u64).prop_map(|(at, seconds)| Event::Lease(at, seconds)),
        1 => runner().prop_map(Event::Stop),
        1 => runner().prop_map(Event::Start),
        1 => runner().prop_map(Event::Crash),
        1 => runner().prop_map(Event::Forgets),
        1 => runner().prop_map(Event::Lingers),
        1 => runner().prop_map(Event::FallsSilent),
        1 => Just(Event::Down),
        2 => Just(Event::Up),
        1 => (1..2_000_u64).prop_map(Event::Limited),
        1 => Just(Event::ListLags),
        2 => (1..2_000_u64).prop_map(Event::Time),
        5 => late().prop_map(Event::Pass),
        3 => (late(), killed).prop_map(|(late, killed)| Event::KilledPass(late, killed)),
    ]
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::JobStarts(at, is_seen) => world.job_starts(at, is_seen),
        Event::JobEnds(at) => world.job_ends(at),
        Event::Switch(at, registration) => world.switch(at, registration),
        Event::Remove(at) => world.remove(at),
        Event::Lease(at, seconds) => world.lease(at, seconds),
        Event::Stop(at) => world.stop_by_hand(at),
        Event::Start(at) => world.start_by_hand(at),
        Event::Crash(at) => world.crash(at),
        Event::Forgets(at) => world.forgets(at),
        Event::Lingers(at) => world.lingers(at),
        Event::FallsSilent(at) => world.falls_silent(at),
        Event::Down => world.api = Api::Down,
        Event::Up => world.api = Api::Up,
        Event::Limited(seconds) => world.api = Api::Limited(world.now + seconds),
        Event::ListLags => world.list_lags = true,
        Event::Time(seconds) => world.now += seconds,
        Event::Pass(Late::Nothing) => {
            let now = world.now;
            world.pass(Late::Nothing, None);
            let after = world.runs();
            world.now = now;
            // It may pay what the first one left.
            world.pass(Late::Nothing, None);
            assert_eq!(after, world.runs(), "the same pass again restarts or registers something");
        }
        Event::Pass(late) => drop(world.pass(late, None)),
        Event::KilledPass(late, killed) => drop(world.pass(late, Some(killed))),
    }
    world.systemd();
}

/// How many orders of events are tried, unless the environment says otherwise.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(2_000, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_job_is_ended_nothing_is_registered_twice_and_all_comes_in_order(events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::new();
        for event in events {
            happen(&mut world, event);
            world.check();
        }
        // Faults stop, and jobs end.
        happen(&mut world, Event::Up);
        for at in 0..RUNNERS {
            happen(&mut world, Event::JobEnds(at));
        }
        for _ in 0..20 {
            world.now += 3_600;
            happen(&mut world, Event::Pass(Late::Nothing));
            world.check();
        }
        for (at, one) in world.runners.iter().enumerate() {
            let configured = one.declared.filter(|_| !one.stopped);
            prop_assert_eq!(one.runs.map(|(version, _)| version), configured, "{} runs what is configured", at);
            prop_assert_eq!(one.has_entry, one.declared.is_some());
            let listed = world.server.iter().filter(|(_, owner)| *owner == at).count();
            let is_right = match (one.declared, one.stopped) {
                (None, _) => listed == 0,
                (Some(_), false) => listed == 1,
                // GitHub may have forgotten a persistent one, which its next start finds out.
                (Some(_), true) => listed <= usize::from(!one.ephemeral),
            };
            prop_assert!(is_right && one.owes.is_empty(), "{:?}", one);
        }
        let before = world.state();
        let decisions = world.pass(Late::Nothing, None);
        let is_left = |decision: &Decision| matches!(decision, Decision::Leave(Why::Fine | Why::Stopped));
        prop_assert!(decisions.iter().all(is_left), "{:?}", decisions);
        prop_assert_eq!(before, world.state(), "another pass changes nothing");
    }
}
