//! GitHub, the makers of machines and the jobs, in a few lines each, which do the worst that their contracts allow.

use std::collections::{BTreeMap, BTreeSet};

use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::limits::{ClassLimits, GRACE, Limits};
use crate::frontend::ondemand::order::{Cost, Token};
use crate::frontend::ondemand::plan::Times;

/// What an hour of a machine costs. A day may cost a machine of each class.
const PRICE: u64 = 360;
pub const CEILING: Cost = Cost(210);
pub const DAY: u64 = 24 * 60 * 60;
/// How long the same label is not served again.
const ONCE: u64 = 25 * 60 * 60;

/// How the next request for a registration or a machine goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    Good,
    /// It is done, and the answer is lost.
    LostAfter,
    /// It is not done, and there is no answer.
    LostBefore,
    /// It is done only after so many seconds, and there is no answer. Machines only.
    Late(u64),
    /// It is refused for want of room. Machines only.
    NoRoom,
    /// The machine is made, and ends at once for want of room. Machines of a cloud only.
    RoomLater,
    /// It is refused for good.
    Never,
}

#[derive(Clone, Debug)]
pub struct Runner {
    pub name: String,
    pub ours: bool,
    pub online: bool,
    pub busy: bool,
}

#[derive(Clone, Debug)]
pub struct Machine {
    pub key: Key,
    pub token: Token,
    /// The runner that it has the files of.
    pub runner: u64,
    pub since: u64,
    /// Lists do not have it before.
    pub listed_from: u64,
    /// It ends itself then.
    pub ends_at: u64,
    pub stopped: bool,
    deadline: u64,
    accepted_at: u64,
}

#[derive(Clone, Debug, Default)]
pub struct World {
    pub now: u64,
    pub github_down: bool,
    pub machines_down: bool,
    /// GitHub's list shows what it showed at the last pass.
    pub list_lags: bool,
    pub registering: BTreeMap<Key, Way>,
    /// The next ways of each, the next one at the end.
    pub launching: BTreeMap<Key, Vec<Way>>,
    pub runners: BTreeMap<u64, Runner>,
    pub machines: Vec<Machine>,
    /// Machines of a cloud of which nothing stands, and whether that was for want of room: its lists have them.
    pub ended: BTreeMap<Token, bool>,
    /// Machines that are asked for and will be there later.
    pending: Vec<(u64, Machine)>,
    /// Labels that a queued job waits for.
    pub queued: BTreeSet<Key>,
    pub over: BTreeSet<u64>,
    last_id: u64,
    /// By the day on which their orders were taken: what machines that are gone have cost.
    spent: BTreeMap<u64, u64>,
    /// When the machine of an order that was taken at that time was made last, and gone last.
    served: BTreeMap<Key, (u64, u64)>,
    pub foreign: usize,
}

pub fn class(key: &Key) -> ClassLimits {
    // What a machine can cost, with the time that it takes to end it: 720 and 1,320 seconds.
    let ttl = if times(key).lag == 0 { 600 } else { 1_200 };
    ClassLimits { max: 2, ttl, processors: 1, price_per_hour: Cost(PRICE) }
}

pub fn times(key: &Key) -> Times {
    let is_cloud = key.class.as_str() == "cloud";
    let (lag, candidates) = if is_cloud { (300, 3) } else { (0, 1) };
    Times { not_online: 300, no_job: 300, lag, candidates, seals: is_cloud }
}

pub fn limits() -> Limits {
    Limits { open: 3, per_run: 2, per_run_ever: 6, forks: 1, cost_per_day: Some(CEILING), ..Limits::default() }
}

/// What a machine's seconds cost, in hundredths of [`Cost`].
fn price(seconds: u64) -> u64 {
    seconds * PRICE * 100 / 3_600
}

impl World {
    pub fn new() -> Self {
        // Not long before midnight.
        Self { now: 1_790_033_000, ..Self::default() }
    }

    pub fn register(&mut self, name: &str, ours: bool) -> u64 {
        self.last_id += 1;
        self.runners.insert(self.last_id, Runner { name: name.into(), ours, online: false, busy: false });
        self.last_id
    }

    pub fn named(&self, name: &str) -> Option<u64> {
        self.runners.iter().find(|(_, runner)| runner.name == name).map(|(id, _)| *id)
    }

    /// Deletes an idle runner; tells whether it is gone.
    pub fn delete(&mut self, id: u64) -> bool {
        if self.runners.get(&id).is_some_and(|runner| runner.busy) {
            return false;
        }
        if let Some(runner) = self.runners.remove(&id) {
            assert!(runner.ours, "a runner of somebody else is deleted");
        }
        true
    }

    /// What whoever makes machines does with a request. A token that is there makes no second machine.
    pub fn launch(&mut self, key: &Key, token: &Token, runner: u64, deadline: u64, accepted_at: u64) -> Way {
        if self.machines_down {
            return Way::LostBefore;
        }
        let way = self.launching.get_mut(key).and_then(Vec::pop).unwrap_or(Way::Good);
        let is_cloud = times(key).lag > 0;
        let way = match way {
            Way::Late(_) if !is_cloud => Way::LostAfter,
            Way::RoomLater if !is_cloud => Way::NoRoom,
            way => way,
        };
        // Nothing is made under the token of a machine that is over.
        if self.ended.contains_key(token) {
            return Way::Good;
        }
        let is_there = self.machines.iter().any(|machine| machine.token == *token);
        if is_there && matches!(way, Way::NoRoom | Way::Never) {
            return Way::Good;
        }
        if way == Way::RoomLater && !is_there && !self.pending.iter().any(|(_, machine)| machine.token == *token) {
            self.ended.insert(token.clone(), true);
            return Way::Good;
        }
        let late = match way {
            Way::Good | Way::LostAfter | Way::RoomLater => 0,
            Way::Late(seconds) => seconds,
            Way::LostBefore | Way::NoRoom | Way::Never => return way,
        };
        let machine = Machine {
            key: key.clone(),
            token: token.clone(),
            runner,
            since: 0,
            listed_from: 0,
            ends_at: deadline + 30,
            stopped: false,
            deadline,
            accepted_at,
        };
        self.pending.push((self.now + late, machine));
        self.come();
        way
    }

    /// What was asked for comes to be, unless it is there.
    fn come(&mut self) {
        let now = self.now;
        let (due, later) = std::mem::take(&mut self.pending).into_iter().partition(|(at, _)| *at <= now);
        self.pending = later;
        let due: Vec<(u64, Machine)> = due;
        for (at, mut machine) in due {
            let is_known = self.machines.iter().any(|other| other.token == machine.token);
            if is_known || self.ended.contains_key(&machine.token) || machine.ends_at <= now {
                continue;
            }
            let lag = times(&machine.key).lag;
            // Whenever it comes, lists have it when their lag after the request is over.
            (machine.since, machine.listed_from) = (at, if lag == 0 { at } else { at.max(now) + (lag / 10) });
            self.serve(&machine);
            self.machines.push(machine);
            self.check();
        }
    }

    /// A label is served once: by the machines of one order, and not again for 25 hours after the last of them.
    fn serve(&mut self, machine: &Machine) {
        let (accepted, last) = self.served.get(&machine.key).copied().unwrap_or((machine.accepted_at, machine.since));
        let is_other = accepted != machine.accepted_at;
        assert!(
            !is_other || machine.since >= last + ONCE,
            "{} is served again after {} s",
            machine.key,
            machine.since - last
        );
        self.served.insert(machine.key.clone(), (machine.accepted_at, machine.since));
    }

    pub fn gone(&mut self, at: usize) {
        let machine = self.machines.remove(at);
        let seconds = self.now.min(machine.ends_at).saturating_sub(machine.since);
        *self.spent.entry(machine.accepted_at / DAY).or_default() += price(seconds);
        if times(&machine.key).lag > 0 {
            self.ended.insert(machine.token, false);
        }
        self.served.insert(machine.key, (machine.accepted_at, self.now));
        if let Some(runner) = self.runners.get_mut(&machine.runner) {
            runner.online = false;
        }
    }

    /// Ends the machine of a token as the host asks for it, if it is known to be there.
    pub fn end(&mut self, token: &Token) {
        let Some(at) = self.machines.iter().position(|machine| machine.token == *token) else { return };
        let machine = &self.machines[at];
        if machine.listed_from > self.now {
            return;
        }
        let is_busy = !machine.stopped && self.runners.get(&machine.runner).is_some_and(|runner| runner.busy);
        assert!(!is_busy || self.now >= machine.deadline, "a job is ended before its deadline");
        self.gone(at);
    }

    pub fn of(&self, key: &Key) -> Option<usize> {
        self.machines.iter().position(|machine| machine.key == *key && !machine.stopped)
    }

    pub fn boots(&mut self, key: &Key) {
        let Some(runner) = self.of(key).map(|at| self.machines[at].runner) else { return };
        if let Some(runner) = self.runners.get_mut(&runner) {
            runner.online = true;
        }
    }

    pub fn job_starts(&mut self, key: &Key) {
        self.boots(key);
        let Some(runner) = self.of(key).map(|at| self.machines[at].runner) else { return };
        if let Some(runner) = self.runners.get_mut(&runner).filter(|_| self.queued.contains(key)) {
            runner.busy = true;
            self.queued.remove(key);
        }
    }

    /// The job of a machine ends; GitHub forgets the runner, and the machine goes at once or is only stopped.
    pub fn job_ends(&mut self, key: &Key, stops: bool) {
        let Some(at) = self.of(key) else { return };
        let runner = self.machines[at].runner;
        if !self.runners.get(&runner).is_some_and(|runner| runner.busy) {
            return;
        }
        self.runners.remove(&runner);
        if stops {
            self.machines[at].stopped = true;
        } else {
            self.gone(at);
        }
    }

    /// A machine ends without a word; GitHub counts its job for some time.
    pub fn dies(&mut self, key: &Key) {
        if let Some(at) = self.of(key) {
            self.gone(at);
        }
    }

    /// GitHub gives up jobs whose runners are silent.
    pub fn notices(&mut self) {
        let lives: BTreeSet<u64> =
            self.machines.iter().filter(|machine| !machine.stopped).map(|machine| machine.runner).collect();
        for (id, runner) in &mut self.runners {
            runner.busy &= lives.contains(id);
        }
    }

    pub fn reboot(&mut self) {
        while let Some(at) = self.machines.iter().position(|machine| times(&machine.key).lag == 0) {
            self.gone(at);
        }
    }

    pub fn pass_time(&mut self, seconds: u64) {
        let end = self.now + seconds;
        while self.now < end {
            let next_end = self.machines.iter().map(|machine| machine.ends_at).min();
            let next_start = self.pending.iter().map(|(at, _)| *at).min();
            self.now = [next_end, next_start]
                .into_iter()
                .flatten()
                .filter(|at| *at > self.now)
                .min()
                .map_or(end, |at| at.min(end));
            while let Some(at) = self.machines.iter().position(|machine| machine.ends_at <= self.now) {
                self.gone(at);
            }
            self.come();
            self.check();
        }
    }

    /// What holds at every moment.
    pub fn check(&self) {
        let mut keys = BTreeSet::new();
        for machine in &self.machines {
            assert!(keys.insert(&machine.key), "{} has two machines", machine.key);
            assert!(self.now <= machine.deadline + GRACE, "{} lives on", machine.key);
        }
        let mut cost = self.spent.clone();
        for machine in &self.machines {
            *cost.entry(machine.accepted_at / DAY).or_default() += price(self.now - machine.since);
        }
        let most = CEILING.0 * 100;
        assert!(cost.values().all(|cost| *cost <= most), "{cost:?} are more than {most}");
        let foreign = self.runners.values().filter(|runner| !runner.ours).count();
        assert_eq!(foreign, self.foreign);
    }
}
