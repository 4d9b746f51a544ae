//! How far everything is used: what operators, figures and `status` are told of the orders. Pure.

use std::collections::BTreeMap;

use super::breaker;
use super::label::Class;
use super::limits::cost_today;
use super::order::{Cost, Order, State};
use super::settings::Settings;

/// All orders together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Overview {
    /// Open orders.
    pub open: usize,
    /// Orders that wait for their proof.
    pub waiting: usize,
    /// When the oldest open order began to count, in seconds since 1970.
    pub oldest: Option<u64>,
    /// What the orders of today cost, or may cost.
    pub cost_today: Cost,
    /// Each configured class.
    pub classes: BTreeMap<Class, ClassUse>,
}

/// How far a class is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClassUse {
    /// Its open orders.
    pub open: usize,
    /// The most that it can have.
    pub max: u32,
    /// Until when it is not tried, because its last machines were of no use to anybody.
    pub paused_until: Option<u64>,
}

impl Overview {
    /// Counts.
    pub fn of<'a>(orders: impl IntoIterator<Item = &'a Order, IntoIter: Clone>, settings: &Settings, now: u64) -> Self {
        let orders = orders.into_iter();
        let open = || orders.clone().filter(|order| order.is_open());
        let limits = &settings.limits;
        let classes = settings.classes.iter().map(|(class, configured)| {
            let used = ClassUse {
                open: open().filter(|order| order.class == *class).count(),
                max: configured.max,
                paused_until: breaker::of_class(orders.clone(), class, (limits.breaker, limits.pause), now),
            };
            (class.clone(), used)
        });
        Self {
            open: open().count(),
            waiting: orders.clone().filter(|order| order.state == State::Accepted).count(),
            oldest: open().map(|order| order.accepted_at).min(),
            cost_today: cost_today(orders.clone(), now),
            classes: classes.collect(),
        }
    }
}
