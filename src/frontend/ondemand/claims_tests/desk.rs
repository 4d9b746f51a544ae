//! A desk over the world: the decisions are the real ones, and the acts do what a desk has to do, step by step. Between any
//! two of them it can be killed, and the next one has the disk and nothing else.

use std::collections::BTreeMap;

use super::world::{CEILING, DAY, Runner as Remote, Way, World, class, limits, times};
use crate::frontend::ondemand::course::Outcome;
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::limits::{Counts, Request, admit, admit_to_wait};
use crate::frontend::ondemand::order::{Order, Proof, State};
use crate::frontend::ondemand::plan::{Facts, Machine, Registration, Runner, SOON, Step, Wish, plan};

/// What the ledger says of one order.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// When it was asked for, and who had the name before.
    attempt: Option<(u64, Option<u64>)>,
    runner: Option<u64>,
    debts: Vec<u64>,
}

/// What a desk knows that is on no disk.
#[derive(Clone, Debug, Default)]
struct Memory {
    wishes: BTreeMap<Key, Wish>,
    github_from: BTreeMap<Key, u64>,
    proof_from: BTreeMap<Key, u64>,
    machines_from: BTreeMap<Key, u64>,
}

#[derive(Clone, Debug, Default)]
pub struct Desk {
    pub book: BTreeMap<Key, Order>,
    ledger: BTreeMap<Key, Entry>,
    /// The runners whose files lie in memory.
    material: BTreeMap<Key, u64>,
    memory: Memory,
    listed: BTreeMap<u64, Remote>,
    /// After how many more steps it dies.
    fuse: Option<u32>,
}

/// It was killed.
#[derive(Debug)]
pub struct Died;

impl Desk {
    fn live(&mut self) -> Result<(), Died> {
        match &mut self.fuse {
            Some(0) => Err(Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub fn killed(&mut self) {
        (self.memory, self.fuse) = (Memory::default(), None);
    }

    pub fn reboot(&mut self) {
        self.killed();
        self.material.clear();
    }

    pub fn wish(&mut self, key: &Key, wish: Wish) {
        self.memory.wishes.insert(key.clone(), wish);
    }

    pub fn has_attempt(&self, key: &Key) -> bool {
        self.ledger.get(key).is_some_and(|entry| entry.attempt.is_some())
    }

    fn counts(&self, request: &Request, now: u64) -> Counts {
        Counts::of(self.book.values(), request, |_| 1, now)
    }

    /// A caller asks.
    pub fn create(&mut self, world: &World, request: Request) {
        if self.book.contains_key(&request.key) {
            return;
        }
        let (now, class) = (world.now, class(&request.key));
        let counts = self.counts(&request, now);
        let order = if request.proof == Proof::None {
            admit(&request, &counts, &class, &limits(), now).map(|reservation| {
                let mut order = Order::new(request, reservation);
                order.prove(false, reservation);
                order
            })
        } else {
            admit_to_wait(&request, &counts, &class, &limits(), now).map(|reservation| Order::new(request, reservation))
        };
        if let Ok(order) = order {
            self.memory.wishes.remove(&order.key());
            self.book.insert(order.key(), order);
        }
    }

    fn facts(&self, world: &World, key: &Key, order: &Order) -> Facts {
        let entry = self.ledger.get(key).cloned().unwrap_or_default();
        let from = |times: &BTreeMap<Key, u64>| times.get(key).copied().unwrap_or(0);
        let down = if world.github_down { world.now + 15 } else { 0 };
        let runner = match (entry.runner, world.github_down) {
            (Some(id), false) => match self.listed.get(&id) {
                None => Runner::Absent,
                Some(seen) if seen.busy => Runner::Busy,
                Some(seen) if seen.online => Runner::Idle,
                Some(_) => Runner::Offline,
            },
            _ => Runner::Unknown,
        };
        let is_it = |machine: &&super::world::Machine| {
            order.token.as_ref() == Some(&machine.token) && machine.listed_from <= world.now
        };
        let machine = match world.machines.iter().find(is_it) {
            _ if world.machines_down => Machine::Unknown,
            None => match order.token.as_ref().and_then(|token| world.ended.get(token)) {
                None => Machine::Absent,
                Some(true) => Machine::NoRoom,
                Some(false) => Machine::Over,
            },
            Some(machine) if machine.stopped => Machine::Stopped,
            Some(_) => Machine::Alive,
        };
        Facts {
            registration: match (&entry.attempt, entry.runner) {
                (_, Some(_)) => Registration::Made,
                (Some(_), None) => Registration::Open,
                (None, None) => Registration::Nothing,
            },
            owes: !entry.debts.is_empty(),
            runner,
            machine,
            listed_at: world.now,
            material: entry.runner.is_some() && self.material.get(key) == entry.runner.as_ref(),
            run_over: !world.github_down && order.run.is_some_and(|run| world.over.contains(&run)),
            wish: self.memory.wishes.get(key).copied().unwrap_or(Wish::Nothing),
            github_from: from(&self.memory.github_from).max(down),
            proof_from: from(&self.memory.proof_from),
            machines_from: from(&self.memory.machines_from),
        }
    }

    /// All orders, until each has to wait. A job may be `late`: it starts when the lists were read.
    pub fn pass(&mut self, world: &mut World, late: Option<&Key>, fuse: Option<u32>) -> Result<(), Died> {
        self.fuse = fuse;
        if !world.github_down {
            let present = world.runners.clone();
            let before = std::mem::replace(&mut self.listed, present);
            if std::mem::take(&mut world.list_lags) {
                self.listed = before;
            }
        }
        if let Some(key) = late {
            world.job_starts(key);
        }
        for key in self.book.keys().cloned().collect::<Vec<_>>() {
            for steps in 0.. {
                assert!(steps < 100, "{key} never rests: {:?}", self.book.get(&key));
                let Some(order) = self.book.get(&key) else { break };
                let facts = self.facts(world, &key, order);
                let step = plan(order, &facts, &times(&key), world.now);
                if let Step::Wait(until) = step {
                    assert!(until > world.now, "{key} waits for the past: {facts:?}");
                    break;
                }
                self.take(world, &key, &step)?;
                world.check();
            }
        }
        self.check(world);
        if !world.machines_down {
            let late = world.machines.iter().find(|machine| {
                let order = self.book.get(&machine.key).map(|order| order.deadline);
                // Whoever makes machines was silent just now, and is asked again a moment later.
                let can_be_asked = self.memory.machines_from.get(&machine.key).is_none_or(|from| *from <= world.now);
                let is_late = order.is_none_or(|deadline| deadline + 10 <= world.now);
                machine.listed_from <= world.now && can_be_asked && is_late
            });
            assert!(late.is_none(), "a pass leaves {late:?}");
        }
        Ok(())
    }

    /// Writes, acts, writes.
    fn take(&mut self, world: &mut World, key: &Key, step: &Step) -> Result<(), Died> {
        let mut order = self.book[key].clone();
        self.live()?;
        if order.before(step, "host", world.now) {
            self.write(&order);
            self.live()?;
        }
        let outcome = self.act(world, &order, step)?;
        if self.book.contains_key(key) && !matches!(step, Step::Prove) && order.after(outcome, world.now) {
            self.live()?;
            self.write(&order);
        }
        if order.state >= State::Online {
            self.material.remove(key);
        }
        Ok(())
    }

    fn write(&mut self, order: &Order) {
        // As it is on disk.
        let read = Order::parse(&order.to_text().unwrap(), &order.key()).unwrap();
        assert_eq!(&read, order);
        self.book.insert(order.key(), read);
    }

    fn entry(&mut self, key: &Key) -> &mut Entry {
        self.ledger.entry(key.clone()).or_default()
    }

    fn act(&mut self, world: &mut World, order: &Order, step: &Step) -> Result<Outcome, Died> {
        let key = order.key();
        match step {
            Step::Wait(_) | Step::Enter(_) | Step::End(_) | Step::Finish | Step::Refuse => {}
            Step::Seal if world.machines_down => {
                self.memory.machines_from.insert(key, world.now + 5);
            }
            Step::Seal => return Ok(Outcome::Sealed),
            Step::Drop(_) => drop(self.book.remove(&key)),
            Step::Forget => {
                self.ledger.remove(&key);
                self.live()?;
                self.book.remove(&key);
            }
            Step::Prove => self.prove(world, order)?,
            Step::Register => return self.register(world, &key),
            Step::Resolve => self.resolve(world, &key)?,
            Step::Renew => {
                let entry = self.entry(&key);
                entry.debts.extend(entry.runner.take());
                self.live()?;
                self.material.remove(&key);
            }
            Step::Launch(_) => {
                let runner = self.material[&key];
                let token = order.token.clone().unwrap();
                let way = world.launch(&key, &token, runner, order.deadline, order.accepted_at);
                self.live()?;
                return Ok(match way {
                    Way::Good | Way::RoomLater => Outcome::Launched,
                    Way::NoRoom => Outcome::NoRoom("no room".into()),
                    Way::Never => Outcome::Never("no image".into()),
                    Way::LostAfter | Way::LostBefore | Way::Late(_) => {
                        self.memory.machines_from.insert(key, world.now + 5);
                        Outcome::Nothing
                    }
                });
            }
            Step::Retire => {
                let id = self.entry(&key).runner.unwrap();
                if !self.delete(world, &key, id) {
                    return Ok(Outcome::StillBusy);
                }
                self.live()?;
                self.entry(&key).runner = None;
            }
            Step::Pay => self.pay(world, &key)?,
            Step::EndMachine => {
                self.memory.machines_from.insert(key, world.now + SOON);
                if !world.machines_down
                    && let Some(token) = &order.token
                {
                    world.end(token);
                }
            }
        }
        self.live()?;
        Ok(Outcome::Nothing)
    }

    fn prove(&mut self, world: &World, order: &Order) -> Result<(), Died> {
        let key = order.key();
        if world.github_down || !world.queued.contains(&key) {
            self.memory.proof_from.insert(key, world.now + 30);
            return Ok(());
        }
        let fork = order.run == Some(2);
        let request = Request {
            key: key.clone(),
            repository: order.repository.clone(),
            run: order.run,
            proof: order.proof,
            fork,
            source: order.source,
        };
        self.live()?;
        match admit(&request, &self.counts(&request, world.now), &class(&key), &limits(), world.now) {
            Ok(reservation) => {
                let mut order = order.clone();
                order.prove(fork, reservation);
                self.write(&order);
            }
            Err(_) => drop(self.book.remove(&key)),
        }
        Ok(())
    }

    fn register(&mut self, world: &mut World, key: &Key) -> Result<Outcome, Died> {
        let name = key.runner_name();
        let before = world.named(&name);
        self.entry(key).attempt = Some((world.now, before));
        self.live()?;
        match world.registering.remove(key).unwrap_or(Way::Good) {
            Way::LostBefore => return Ok(Outcome::Nothing),
            Way::Never => {
                self.live()?;
                self.entry(key).attempt = None;
                return Ok(Outcome::NotRegistered("no".into()));
            }
            _ if before.is_some() => {
                self.live()?;
                self.entry(key).attempt = None;
                return Ok(Outcome::NameTaken);
            }
            Way::LostAfter => {
                world.register(&name, true);
                return Ok(Outcome::Nothing);
            }
            Way::Good | Way::Late(_) | Way::NoRoom | Way::RoomLater => {}
        }
        let id = world.register(&name, true);
        self.live()?;
        self.material.insert(key.clone(), id);
        self.live()?;
        let entry = self.entry(key);
        (entry.runner, entry.attempt) = (Some(id), None);
        self.live()?;
        Ok(Outcome::Registered)
    }

    fn resolve(&mut self, world: &mut World, key: &Key) -> Result<(), Died> {
        let (since, before) = self.entry(key).attempt.unwrap();
        match world.named(&key.runner_name()) {
            Some(id) if Some(id) != before => {
                let entry = self.entry(key);
                entry.debts.push(id);
                entry.attempt = None;
                self.live()?;
                return self.pay(world, key);
            }
            None if world.now < since + 30 => drop(self.memory.github_from.insert(key.clone(), world.now + 15)),
            _ => self.entry(key).attempt = None,
        }
        Ok(())
    }

    fn pay(&mut self, world: &mut World, key: &Key) -> Result<(), Died> {
        let entry = self.entry(key);
        entry.debts.extend(entry.runner.take());
        self.live()?;
        for id in self.entry(key).debts.clone() {
            if self.delete(world, key, id) {
                self.live()?;
                self.entry(key).debts.retain(|left| *left != id);
            } else {
                self.memory.github_from.insert(key.clone(), world.now + 60);
            }
        }
        Ok(())
    }

    fn delete(&self, world: &mut World, key: &Key, id: u64) -> bool {
        let entry = &self.ledger[key];
        assert!(self.book.contains_key(key) && (entry.runner == Some(id) || entry.debts.contains(&id)));
        world.delete(id)
    }

    /// What holds at every moment, also after a kill.
    pub fn check(&self, world: &World) {
        for (id, runner) in world.runners.iter().filter(|(_, runner)| runner.ours) {
            let is_named = self.ledger.iter().any(|(key, entry)| {
                let is_known = entry.runner == Some(*id) || entry.debts.contains(id);
                self.book.contains_key(key)
                    && (is_known || (entry.attempt.is_some() && key.runner_name() == runner.name))
            });
            assert!(is_named, "nobody names {id}: {runner:?}");
        }
        for machine in &world.machines {
            assert!(self.book.contains_key(&machine.key), "no order names {machine:?}");
        }
        let mut days: BTreeMap<u64, u64> = BTreeMap::new();
        for order in self.book.values().filter(|order| order.state != State::Accepted) {
            *days.entry(order.accepted_at / DAY).or_default() += order.reserved.0;
        }
        assert!(days.values().all(|reserved| *reserved <= CEILING.0), "{days:?} is reserved");
    }

    /// Whether nothing is left to do but to forget.
    pub fn rests(&self) -> bool {
        let is_clean = |entry: &Entry| entry.attempt.is_none() && entry.runner.is_none() && entry.debts.is_empty();
        self.book.values().all(|order| order.state == State::Ended) && self.ledger.values().all(is_clean)
    }
}
