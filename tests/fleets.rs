//! Whatever happens to a fleet, in any order: no pass ends a job, no runner is registered twice, what is in order is left
//! alone, and when faults stop everything comes in order.
//!
//! The decisions are the real ones; GitHub, systemd and the listeners are a few lines each, which do what the contracts say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use github_runners::backend::{Activity, Unit};
use github_runners::fleet::RestartPolicy;
use github_runners::ledger::Runner;
use github_runners::protocol::Seen;
use github_runners::reconcile::{Decision, Known, Recall, Server, Situation, Wanted, Why, plan};
use proptest::prelude::*;

const RUNNERS: usize = 4;

/// One runner of the world, on both sides.
#[derive(Clone, Debug)]
struct One {
    ephemeral: bool,
    declared: u32,
    /// Which configuration the unit was started with; `None` if it does not run.
    runs: Option<(u32, u64)>,
    has_job: bool,
    /// What the ledger names.
    recorded: Option<u64>,
    owes: Vec<u64>,
    registrations_differ: bool,
    recall: Recall,
}

#[derive(Clone, Debug)]
struct World {
    now: u64,
    up: bool,
    last_id: u64,
    /// Id and owner of what GitHub has.
    server: Vec<(u64, usize)>,
    runners: Vec<One>,
}

/// What can happen between two passes, and in the middle of one.
#[derive(Clone, Copy, Debug)]
enum Event {
    JobStarts(usize),
    JobEnds(usize),
    /// A switch to another configuration, of the registration or of something else.
    Switch(usize, bool),
    /// The listener dies.
    Crash(usize),
    /// GitHub forgets a registration.
    Forgets(usize),
    Down,
    Up,
    Time(u64),
    Pass,
    /// A pass in which this runner gets a job after it was looked at.
    PassWithJob(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let runner = 0..RUNNERS;
    prop_oneof![
        3 => runner.clone().prop_map(Event::JobStarts),
        3 => runner.clone().prop_map(Event::JobEnds),
        2 => (runner.clone(), any::<bool>()).prop_map(|(at, registers)| Event::Switch(at, registers)),
        1 => runner.clone().prop_map(Event::Crash),
        1 => runner.clone().prop_map(Event::Forgets),
        1 => Just(Event::Down),
        1 => Just(Event::Up),
        2 => (1..2_000_u64).prop_map(Event::Time),
        4 => Just(Event::Pass),
        3 => runner.prop_map(Event::PassWithJob),
    ]
}

impl World {
    fn new() -> Self {
        let one = |ephemeral| One {
            ephemeral,
            declared: 0,
            runs: None,
            has_job: false,
            recorded: None,
            owes: vec![],
            registrations_differ: false,
            recall: Recall::default(),
        };
        let runners = (0..RUNNERS).map(|at| one(at % 2 == 0)).collect();
        let mut world = Self { now: 1_000_000, up: true, last_id: 0, server: vec![], runners };
        (0..RUNNERS).for_each(|at| world.start(at));
        world
    }

    fn is_listed(&self, id: u64) -> bool {
        self.server.iter().any(|(listed, _)| *listed == id)
    }

    /// What `prepare` and its companions do: keep what is good, or take back and register anew.
    fn start(&mut self, at: usize) {
        let one = &self.runners[at];
        let kept =
            one.recorded.filter(|id| !one.ephemeral && !one.registrations_differ && (!self.up || self.is_listed(*id)));
        if kept.is_none() {
            if !self.up {
                // It tries again by itself, as systemd has it.
                self.runners[at].runs = None;
                return;
            }
            self.retire_all(at);
            self.last_id += 1;
            self.server.push((self.last_id, at));
            self.runners[at].recorded = Some(self.last_id);
            self.runners[at].registrations_differ = false;
        }
        self.runners[at].runs = Some((self.runners[at].declared, self.now));
    }

    fn retire_all(&mut self, at: usize) {
        let one = &mut self.runners[at];
        let gone: Vec<u64> = one.recorded.take().into_iter().chain(one.owes.drain(..)).collect();
        self.server.retain(|(id, _)| !gone.contains(id));
    }

    /// What `settle` does.
    fn stop(&mut self, at: usize) {
        let (up, one) = (self.up, &mut self.runners[at]);
        (one.runs, one.has_job) = (None, false);
        if one.ephemeral {
            one.owes.extend(one.recorded.take());
            if up {
                self.retire_all(at);
            }
        }
    }

    fn situation(&self, at: usize) -> Situation {
        let one = &self.runners[at];
        let runner = |id| Runner { id, name: "a".into(), url: "u".into(), recorded_at: 0 };
        let list = |id: u64| Seen { id, name: "a".into(), online: one.runs.is_some(), busy: one.has_job };
        let server = if self.up {
            Server::Lists(one.recorded.filter(|id| self.is_listed(*id)).map(list))
        } else {
            Server::Silent("it is down".into())
        };
        Situation {
            wanted: Some(Wanted {
                policy: RestartPolicy::WhenIdle,
                drain_timeout: None,
                outdated: one.runs.is_some_and(|(version, _)| version != one.declared),
                registers_anew: one.ephemeral || one.registrations_differ,
            }),
            unit: Unit {
                activity: if one.runs.is_some() { Activity::Active } else { Activity::Inactive },
                since: one.runs.map(|(_, since)| since),
                has_job: one.has_job,
                ..Unit::default()
            },
            known: Some(Known { runner: one.recorded.map(runner), owes: !one.owes.is_empty() }),
            server,
        }
    }

    /// What the acts of a pass do, each with the look that comes right before it.
    fn act(&mut self, at: usize, decision: &Decision) {
        match decision {
            Decision::RetireThenRestart(runner) => {
                let is_busy = self.runners[at].has_job;
                if !self.up || is_busy {
                    return;
                }
                self.server.retain(|(id, _)| *id != runner.id);
                self.runners[at].recorded = None;
                self.stop(at);
                self.start(at);
            }
            Decision::Restart(_) => {
                if self.runners[at].has_job {
                    return;
                }
                self.stop(at);
                self.start(at);
            }
            Decision::Pay if self.up => {
                let gone = std::mem::take(&mut self.runners[at].owes);
                self.server.retain(|(id, _)| !gone.contains(id));
            }
            Decision::CutShort | Decision::Dissolve => panic!("nobody asked for {decision:?}"),
            Decision::Pay | Decision::Leave(_) => {}
        }
    }

    /// A pass; `late` gets a job after everything was read. What was decided.
    fn pass(&mut self, late: Option<usize>) -> Vec<Decision> {
        let found: Vec<Situation> = (0..RUNNERS).map(|at| self.situation(at)).collect();
        if let Some(at) = late {
            self.happen(Event::JobStarts(at));
        }
        let mut decisions = Vec::new();
        for (at, found) in found.iter().enumerate() {
            let busy = self.runners[at].has_job;
            let (decision, recall) = plan(found, &self.runners[at].recall, self.now);
            self.runners[at].recall = recall;
            self.act(at, &decision);
            assert_eq!(self.runners[at].has_job, busy, "a pass ended the job of {at}: {decision:?}");
            decisions.push(decision);
        }
        self.now += 60;
        decisions
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::JobStarts(at) => {
                let one = &self.runners[at];
                let can = one.runs.is_some() && self.up && one.recorded.is_some_and(|id| self.is_listed(id));
                self.runners[at].has_job |= can;
            }
            Event::JobEnds(at) if self.runners[at].has_job => {
                self.runners[at].has_job = false;
                if self.runners[at].ephemeral {
                    // GitHub forgets it, the unit ends and starts again.
                    self.server.retain(|(id, _)| Some(*id) != self.runners[at].recorded);
                    self.stop(at);
                    self.start(at);
                }
            }
            Event::Switch(at, registers) => {
                self.runners[at].declared += 1;
                self.runners[at].registrations_differ |= registers;
            }
            Event::Crash(at) => {
                self.stop(at);
                self.start(at);
            }
            Event::Forgets(at) if !self.runners[at].has_job => {
                let id = self.runners[at].recorded;
                self.server.retain(|(listed, _)| Some(*listed) != id);
            }
            Event::JobEnds(_) | Event::Forgets(_) => {}
            Event::Down => self.up = false,
            Event::Up => self.up = true,
            Event::Time(seconds) => self.now += seconds,
            Event::Pass => drop(self.pass(None)),
            Event::PassWithJob(at) => drop(self.pass(Some(at))),
        }
        // systemd starts again what failed to start.
        for at in (0..RUNNERS).filter(|at| self.runners[*at].runs.is_none()).collect::<Vec<_>>() {
            self.start(at);
        }
    }

    fn check(&self) {
        for at in 0..RUNNERS {
            let all: Vec<u64> = self.server.iter().filter(|(_, owner)| *owner == at).map(|(id, _)| *id).collect();
            let one = &self.runners[at];
            let known = |id: &u64| one.recorded == Some(*id) || one.owes.contains(id);
            assert!(all.iter().all(known), "the ledger of {at} does not name {all:?}: {one:?}");
            let live = all.iter().filter(|id| one.recorded == Some(**id)).count();
            assert!(live <= 1 && all.len() - live <= one.owes.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_job_is_ended_nothing_is_registered_twice_and_all_comes_in_order(events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            world.check();
        }
        // Faults stop, and jobs end.
        world.happen(Event::Up);
        for at in 0..RUNNERS {
            world.happen(Event::JobEnds(at));
        }
        for _ in 0..20 {
            world.now += 3_600;
            world.happen(Event::Pass);
        }
        world.check();
        for (at, one) in world.runners.iter().enumerate() {
            prop_assert_eq!(one.runs.map(|(version, _)| version), Some(one.declared), "{} runs what is configured", at);
            prop_assert!(one.recorded.is_some_and(|id| world.is_listed(id)) && one.owes.is_empty(), "{:?}", one);
        }
        prop_assert_eq!(world.server.len(), RUNNERS, "one registration each");
        let before = format!("{:?}", (&world.server, world.last_id));
        let decisions = world.pass(None);
        prop_assert!(decisions.iter().all(|decision| *decision == Decision::Leave(Why::Fine)), "{:?}", decisions);
        prop_assert_eq!(before, format!("{:?}", (&world.server, world.last_id)), "another pass changes nothing");
    }
}
