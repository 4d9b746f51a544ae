//! Everything that a desk knows: the orders, what was seen last, and who waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use anyhow::Result;
use tracing::error;

use super::clock::Clock;
use super::event::Event;
use super::hands::Hands;
use super::keys::Keys;
use super::sights::Sights;
use super::slots::Schedule;
use super::tracked::Tracked;
use super::waiting::Waiting;
use crate::contract::protocol::RemoteRunner;
use crate::frontend::ondemand::figures::Counters;
use crate::frontend::ondemand::kind::Condition;
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::Order;
use crate::frontend::ondemand::plan::LATER;
use crate::frontend::ondemand::rate::{Looks, Requests};
use crate::frontend::ondemand::strays::Strays;

/// Everything that is known.
pub struct Desk {
    pub(super) hands: Arc<Hands>,
    pub(super) events: Sender<Event>,
    pub(super) orders: BTreeMap<Key, Tracked>,
    /// Files that cannot be read: with one of them nothing new begins.
    pub(super) faults: BTreeSet<String>,
    pub(super) waiting: Vec<Waiting>,
    /// The newest list of runners, and when it was begun.
    pub(super) runners: Option<(Instant, BTreeMap<u64, RemoteRunner>)>,
    /// Who was in the list before that.
    pub(super) runners_before: BTreeSet<u64>,
    /// The newest list of machines of each kind, by name.
    pub(super) machines: Vec<Option<(Instant, BTreeMap<String, Condition>)>>,
    /// Which machines were in the list of each kind before that, if there was one.
    pub(super) machines_before: Vec<Option<BTreeSet<String>>>,
    pub(super) strays: Vec<Strays<String>>,
    /// Machines without an order whose end is under way.
    pub(super) swept: BTreeSet<String>,
    /// From when on the server takes requests again.
    pub(super) github_from: u64,
    pub(super) sights: Sights,
    pub(super) keys: Keys,
    pub(super) requests: Requests,
    pub(super) looks: Looks,
    pub(super) schedule: Schedule,
    pub(super) counters: Counters,
    /// Whether what was counted is on disk.
    pub(super) is_counted: bool,
    /// When it was written last, in seconds since 1970.
    pub(super) told_at: u64,
    pub(super) clock: Clock,
    pub(super) errands: usize,
    /// How many looks at workflows and keys are under way.
    pub(super) looks_out: usize,
    pub(super) is_stopping: bool,
}

impl Desk {
    /// Reads the book.
    ///
    /// # Errors
    ///
    /// If it cannot be listed, or the host's clock stands before 1970.
    pub(super) fn open(hands: Arc<Hands>, events: Sender<Event>) -> Result<Self> {
        let pages = hands.book.read()?;
        for (name, fault) in &pages.faults {
            error!("{name}: {fault}. Nothing new begins before that is mended and the desk started again");
        }
        let (clock, began) = (Clock::begin()?, Instant::now());
        let orders: BTreeMap<Key, Tracked> =
            pages.orders.into_iter().map(|(key, order)| (key, Tracked::new(order, began))).collect();
        for key in hands.materials()?.iter().filter(|key| !orders.contains_key(*key)) {
            hands.clear(key)?;
        }
        let kinds = hands.kinds.all().len();
        let counters = hands.counters();
        Ok(Self {
            hands,
            events,
            orders,
            faults: pages.faults.into_iter().map(|(name, _)| name).collect(),
            waiting: vec![],
            runners: None,
            runners_before: BTreeSet::new(),
            machines: vec![None; kinds],
            machines_before: vec![None; kinds],
            strays: vec![Strays::default(); kinds],
            swept: BTreeSet::new(),
            github_from: 0,
            sights: Sights::default(),
            keys: Keys::default(),
            requests: Requests::default(),
            looks: Looks::new(0),
            schedule: Schedule::new(kinds),
            counters,
            is_counted: false,
            told_at: 0,
            clock,
            errands: 0,
            looks_out: 0,
            is_stopping: false,
        })
    }

    /// Asks the server for nothing for so many seconds.
    pub(super) fn hold_github(&mut self, seconds: u64, now: u64) {
        self.github_from = self.github_from.max(now + seconds);
    }

    /// Puts an order on disk and at the desk; false if the disk does not have it.
    pub(super) fn write(&mut self, order: Order) -> bool {
        let key = order.key();
        if let Err(fault) = self.hands.book.write(&order) {
            error!("{fault:#}");
            return false;
        }
        self.count_change(self.orders.get(&key).map(|tracked| tracked.order.state), &order);
        match self.orders.get_mut(&key) {
            Some(tracked) => (tracked.order, tracked.touched) = (order, Instant::now()),
            None => drop(self.orders.insert(key, Tracked::new(order, Instant::now()))),
        }
        true
    }

    pub(super) fn put_off(&mut self, key: &Key, until: u64) {
        if let Some(tracked) = self.orders.get_mut(key) {
            tracked.due = until;
        }
    }

    /// Has an order rest after a fault of this host, whoever asks for it meanwhile.
    pub(super) fn rest(&mut self, key: &Key, now: u64) {
        if let Some(tracked) = self.orders.get_mut(key) {
            tracked.rests_until = now + LATER;
        }
    }
}
