//! Machines of orders: making one and ending one. Each function is an errand.

use std::time::Duration;

use tracing::{info, warn};

use super::event::Acted;
use super::hands::Hands;
use crate::frontend::ondemand::course::Outcome;
use crate::frontend::ondemand::kind::{Kind, Launch, Unmade};
use crate::frontend::ondemand::order::{Order, Reason};
use crate::frontend::ondemand::plan::SOON;
use crate::machines::Fault;
use crate::model::plain;

/// How much of a machine's console goes into the journal, in lines and in characters of each.
const CONSOLE: (usize, usize) = (40, 200);
/// How long makers of machines are left alone after silence, in seconds.
const SILENCE: u64 = 5;

/// The most of that while a runner has its job.
const LONGEST_SILENCE: u64 = 60;
/// How long a machine that is far may take to its end before that is asked for again, in seconds.
const FAR: u64 = 20;

/// Asks for the machine that the order's token names, which has so many seconds to live.
#[must_use]
pub fn launch(hands: &Hands, order: &Order, lifetime: u64) -> Acted {
    let key = order.key();
    let (Some(class), Some(token)) = (hands.class(&key), &order.token) else {
        return Acted::now(Outcome::Never("the class is not configured any more".into()));
    };
    let Some(kind) = hands.kinds.of(&order.class).and_then(|at| hands.kinds.all().get(at)) else {
        return Acted::now(Outcome::Never("nothing makes machines of this class".into()));
    };
    let registration = hands.material_path(&key);
    let launch = Launch {
        key: &key,
        token,
        class,
        registration: &registration,
        lifetime: Duration::from_secs(lifetime),
        repository: &order.repository,
        run: order.run,
    };
    let outcome = match kind.launch(&launch) {
        // The same one, asked for by a desk that was cut off.
        Ok(()) | Err(Unmade::Fault(Fault::Duplicate(_))) => {
            info!("Order {key}: asked for machine {}", kind.name(&key, token));
            Outcome::Launched
        }
        Err(Unmade::NoRoomUpTo(last, why)) => {
            warn!("Order {key}: {why}");
            Outcome::NoRoomUpTo(last, why)
        }
        Err(Unmade::NotAsked(why)) => {
            warn!("Order {key}: {why}");
            Outcome::NotLaunched
        }
        Err(Unmade::Fault(fault)) => {
            warn!("Order {key}: {fault}");
            match fault {
                Fault::NoCapacity(why) => Outcome::NoRoom(why),
                Fault::NotFound(why) | Fault::Configuration(why) => Outcome::Never(why),
                _ => Outcome::Nothing,
            }
        }
    };
    let is_silent = matches!(outcome, Outcome::Nothing | Outcome::NotLaunched);
    let machines_wait = if is_silent { SILENCE } else { 0 };
    Acted { machines_wait, ..Acted::now(outcome) }
}

/// Ends the order's machine, of whichever kind it is. One that never had its runner online leaves its console in the journal.
#[must_use]
pub fn end(hands: &Hands, order: &Order, is_first: bool) -> Acted {
    let key = order.key();
    let Some(token) = &order.token else { return Acted::now(Outcome::Nothing) };
    // The class may have another kind now, and there may be several of one; a missing machine is fine.
    let all = hands.kinds.all().iter().enumerate().filter(|(at, _)| hands.kinds.may_have(*at, order));
    let (mut is_done, mut wait) = (true, SOON);
    for (_, kind) in all {
        let name = kind.name(&key, token);
        if is_first && matches!(order.reason, Some(Reason::NotOnline | Reason::MachineLost)) {
            tell_console(kind.as_ref(), &name, order);
        }
        let soon = if kind.is_far() { FAR } else { SOON };
        match kind.end(&name) {
            Ok(()) => {
                info!("Order {key}: asked for the end of machine {name}");
                wait = wait.max(soon);
            }
            Err(fault) => {
                warn!("Order {key}: failed to end machine {name}: {fault}");
                (is_done, wait) = (false, wait.max(2 * soon));
            }
        }
    }
    Acted { machines_wait: wait, was_ended: is_done, ..Acted::now(Outcome::Nothing) }
}

/// Has the order's machine tell nobody any more what it was told.
#[must_use]
pub fn seal(hands: &Hands, order: &Order, attempt: u32) -> Acted {
    let key = order.key();
    let Some(token) = &order.token else { return Acted::now(Outcome::Sealed) };
    let all = hands.kinds.all().iter().enumerate().filter(|(at, _)| hands.kinds.may_have(*at, order));
    let sealed = all.map(|(_, kind)| kind.seal(&kind.name(&key, token))).find(Result::is_err);
    match sealed {
        Some(Err(fault)) => {
            warn!("Order {key}: its machine still tells what it was told: {fault}");
            let machines_wait = (SILENCE << attempt.min(8)).min(LONGEST_SILENCE);
            Acted { machines_wait, is_aside: true, ..Acted::now(Outcome::Nothing) }
        }
        _ => Acted { is_aside: true, ..Acted::now(Outcome::Sealed) },
    }
}

fn tell_console(kind: &dyn Kind, name: &str, order: &Order) {
    let Ok(text) = kind.console(name) else { return };
    let (most, longest) = CONSOLE;
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(most)..] {
        let cut: String = plain(line).chars().take(longest).collect();
        info!("Order {}: its machine wrote: {cut}", order.key());
    }
}
