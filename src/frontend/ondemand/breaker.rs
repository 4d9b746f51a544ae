//! Which classes are not tried for a while: those whose last machines were of no use to anybody. Pure.

use super::label::Class;
use super::order::{Order, Reason};

/// When a machine ended, and whether it had no job by a fault.
pub type End = (u64, bool);

/// The end of an order's machine, if it had one that ended.
#[must_use]
pub fn end(order: &Order) -> Option<End> {
    order.launched_at?;
    Some((order.ended_at?, is_fault(order)))
}

/// Whether an order's machine had no job, and nobody called it off.
fn is_fault(order: &Order) -> bool {
    let fault = order.reason.as_ref().is_some_and(|reason| reason.is_fault() || *reason == Reason::NoJob);
    order.busy_at.is_none() && fault
}

/// Until when a class is paused whose machines ended so: for `pause` seconds after the last one, if that and those before it
/// were faults, `row` of them.
#[must_use]
pub fn pause(ends: &[End], row: u32, pause: u64, now: u64) -> Option<u64> {
    let mut ends = ends.to_vec();
    ends.sort_unstable_by(|one, other| other.cmp(one));
    let row = ends.get(..row as usize).filter(|row| !row.is_empty())?;
    let until = row[0].0 + pause;
    // One that ended in the future was noted by a clock that was wrong.
    (row.iter().all(|(_, fault)| *fault) && now < until && row[0].0 <= now).then_some(until)
}

/// The same by all orders.
pub fn of_class<'a>(
    orders: impl IntoIterator<Item = &'a Order>,
    class: &Class,
    (row, seconds): (u32, u64),
    now: u64,
) -> Option<u64> {
    let of_class = orders.into_iter().filter(|order| order.class == *class);
    pause(&of_class.filter_map(end).collect::<Vec<_>>(), row, seconds, now)
}
