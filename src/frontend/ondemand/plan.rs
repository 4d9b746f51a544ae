//! What is done next about an order, as a pure function of what its file says and of what was seen. Pure.
//!
//! Nothing here reads, asks or acts. Rules that stand above all others: a machine is asked for under another token only when
//! the one before is known not to be; no runner that may have a job is ended before the deadline, so its registration goes
//! first, which the server refuses while it is busy; and what is not known is never taken for gone.

use super::order::{Order, Reason, State};

/// How long an order waits for its proof, in seconds.
pub const PROOF_PATIENCE: u64 = 3 * 60;
/// How long an ended order is remembered, in seconds: as long as a day and what clocks are wrong by.
pub const MEMORY: u64 = 25 * 60 * 60;
/// The time between two looks at an order whose next state comes soon, in seconds.
pub const SOON: u64 = 2;
/// The same for others.
pub const LATER: u64 = 15;
/// The time in which a machine is asked for, all candidates together, in seconds.
const LAUNCH_PATIENCE: u64 = 60;
/// The most candidates that are tried.
const MOST_TRIES: usize = 8;
/// The most registrations of one order.
const MOST_ATTEMPTS: u32 = 3;
/// How long a registration is asked for, in seconds: GitHub may be away for a while.
const REGISTER_PATIENCE: u64 = 5 * 60;
/// After so many seconds a list of runners has one that was registered.
const LISTED: u64 = 60;

/// How long things take in a class, in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    /// From the machine to the runner.
    pub not_online: u64,
    /// From the runner to its job.
    pub no_job: u64,
    /// For so long a machine that was asked for may be missing from the list of machines.
    pub lag: u64,
    /// How many candidates the class has: machines that would do, in the order in which they are tried.
    pub candidates: u32,
    /// Whether machines tell what they were told until that is closed.
    pub seals: bool,
}

/// What the ledger says of an order's registration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Registration {
    /// There is none.
    Nothing,
    /// One was asked for, and it is not known what came of it.
    Open,
    /// There is one.
    Made,
}

/// The runner, as the newest list of the server has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Runner {
    /// There is no list.
    Unknown,
    /// The list does not have it, which does not prove that it is gone.
    Absent,
    /// It is there, and no listener is connected.
    Offline,
    /// A listener is connected and has no job.
    Idle,
    /// It runs a job.
    Busy,
}

/// The machine of the order's token, as the newest list of machines has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Machine {
    /// There is no list.
    Unknown,
    /// The list does not have it.
    Absent,
    /// It is there, and boots or works.
    Alive,
    /// It is there and does nothing any more.
    Stopped,
    /// It was there, and nothing of it stands.
    Over,
    /// It was made, and nothing of it stands because there was no room for it after all.
    NoRoom,
}

/// Who wants an order to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// Nobody.
    Nothing,
    /// Its workflow, which had the right to say so.
    GiveUp,
    /// The operator.
    Operator,
}

/// What was found, all of it read after the order's file. Whoever acts moves the times on after each act that came to nothing,
/// or the same act would be next again at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Facts {
    /// Its registration.
    pub registration: Registration,
    /// Whether the ledger owes former registrations of it.
    pub owes: bool,
    /// Its runner.
    pub runner: Runner,
    /// Its machine.
    pub machine: Machine,
    /// When the list of machines was begun, in seconds since 1970.
    pub listed_at: u64,
    /// Whether the files of its registration are there; a reboot takes them away.
    pub material: bool,
    /// Whether its run is known to be over.
    pub run_over: bool,
    /// Who wants it to end.
    pub wish: Wish,
    /// From when on the server may be asked about it again: after silence and limits.
    pub github_from: u64,
    /// From when on its proof may be looked up again.
    pub proof_from: u64,
    /// From when on machines may be asked for or ended again: after silence.
    pub machines_from: u64,
}

/// What is done next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Nothing before this time.
    Wait(u64),
    /// Look up its proof.
    Prove,
    /// Let go of an order that never had a proof, as if it had not been asked for: its label is not used up.
    Drop(Reason),
    /// Note what was seen.
    Enter(State),
    /// Ask the server for a registration.
    Register,
    /// Find out what an attempt made, and take that back.
    Resolve,
    /// Give up the registration, which becomes a debt, and begin again.
    Renew,
    /// Ask for a machine of this candidate.
    Launch(u32),
    /// Note that there was no room for the machine that was made.
    Refuse,
    /// Have the machine tell nobody any more what it was told.
    Seal,
    /// Have the server delete the runner; if it is busy, the order goes on.
    Retire,
    /// Have the server delete what the ledger names of it; what is busy stays a debt.
    Pay,
    /// End its machine.
    EndMachine,
    /// Note that it ends, and why.
    End(Reason),
    /// Note that its machine is gone.
    Finish,
    /// Forget it.
    Forget,
}

/// Decides. The same order and facts always give the same step.
#[must_use]
pub fn plan(order: &Order, facts: &Facts, times: &Times, now: u64) -> Step {
    match order.state {
        State::Accepted => accepted(order, facts, now),
        State::Ending => ending(order, facts, times, now),
        State::Ended => ended(order, facts, now),
        // First of all, whatever else was seen.
        _ if now >= order.deadline => Step::End(Reason::Deadline),
        State::Busy => sealing(busy(order, facts, times, now), order, facts, times, now),
        _ => match wanted(facts) {
            Some(reason) if facts.runner != Runner::Busy => Step::End(reason),
            _ => sealing(going(order, facts, times, now), order, facts, times, now),
        },
    }
}

/// Why an order without a job should end that could go on.
fn wanted(facts: &Facts) -> Option<Reason> {
    match facts.wish {
        Wish::Operator => Some(Reason::Operator),
        Wish::GiveUp => Some(Reason::GivenUp),
        Wish::Nothing => facts.run_over.then_some(Reason::RunOver),
    }
}

/// What waits can have its machine closed meanwhile. From the time on at which its runner is online, it needs nothing more from
/// there.
fn sealing(step: Step, order: &Order, facts: &Facts, times: &Times, now: u64) -> Step {
    let is_due = times.seals && !order.sealed && matches!(order.state, State::Online | State::Busy);
    match step {
        Step::Wait(until) if is_due => match from(facts.machines_from, Step::Seal, now) {
            Step::Wait(from) => Step::Wait(until.min(from)),
            seal => seal,
        },
        step => step,
    }
}

fn accepted(order: &Order, facts: &Facts, now: u64) -> Step {
    let over = wanted(facts).or_else(|| (now >= order.since + PROOF_PATIENCE).then_some(Reason::NotQueued));
    match over {
        Some(reason) => Step::Drop(reason),
        None => from(facts.proof_from, Step::Prove, now).until(order.since + PROOF_PATIENCE),
    }
}

/// The states between the proof and the job.
fn going(order: &Order, facts: &Facts, times: &Times, now: u64) -> Step {
    match order.state {
        State::Registered if facts.registration == Registration::Made && facts.material => {
            Step::Launch(order.candidate.max(1))
        }
        State::Registered => Step::Renew,
        State::Launching => launching(order, facts, times, now),
        State::Launched | State::Online => waiting(order, facts, times, now),
        _ => registering(order, facts, now),
    }
}

fn registering(order: &Order, facts: &Facts, now: u64) -> Step {
    let ask = |step| from(facts.github_from, step, now);
    match facts.registration {
        Registration::Made if order.state == State::Registering && facts.material => Step::Enter(State::Registered),
        // Its files are gone, or an earlier attempt's was given up. The next one has the same name.
        Registration::Made => Step::Renew,
        _ if now >= order.since + REGISTER_PATIENCE => {
            Step::End(Reason::Registration("there was no answer in time".into()))
        }
        Registration::Open => ask(Step::Resolve),
        Registration::Nothing if facts.owes => ask(Step::Pay),
        Registration::Nothing if order.attempt >= MOST_ATTEMPTS => {
            Step::End(Reason::Registration(format!("{MOST_ATTEMPTS} registrations were of no use")))
        }
        Registration::Nothing => ask(Step::Register),
    }
}

fn launching(order: &Order, facts: &Facts, times: &Times, now: u64) -> Step {
    let is_late = now >= order.since + LAUNCH_PATIENCE;
    if order.is_refused() {
        let is_last = order.candidate >= times.candidates || order.tries.len() >= MOST_TRIES;
        return match is_last || is_late {
            true => Step::End(Reason::NoCapacity),
            false if facts.material => Step::Launch(order.candidate + 1),
            false => Step::Renew,
        };
    }
    match (facts.machine, facts.runner) {
        (_, Runner::Idle | Runner::Busy) | (Machine::Alive | Machine::Over, _) => Step::Enter(State::Launched),
        (Machine::NoRoom, _) => Step::Refuse,
        (Machine::Stopped, _) => Step::End(Reason::MachineLost),
        (Machine::Unknown, _) if is_late => Step::End(Reason::Unavailable("its answer is missing".into())),
        (Machine::Unknown, _) => Step::Wait(now + SOON),
        (Machine::Absent, _) if !facts.material => {
            if is_gone(order, facts, times) {
                return Step::Renew;
            }
            Step::Wait(known_absent_from(order, times).clamp(now + 1, now + LATER))
        }
        // It was there and did its job before anybody looked.
        (Machine::Absent, Runner::Absent) if now >= order.asked_at.unwrap_or(order.since) + LISTED => {
            Step::End(Reason::Done)
        }
        (Machine::Absent, _) if is_late => Step::End(Reason::Unavailable("its answer is missing".into())),
        // The same token again: the same machine, or the first one.
        (Machine::Absent, _) => {
            let next = order.asked_at.unwrap_or(order.since) + SOON;
            from(next.max(facts.machines_from), Step::Launch(order.candidate), now)
        }
    }
}

fn waiting(order: &Order, facts: &Facts, times: &Times, now: u64) -> Step {
    let is_online = order.state == State::Online;
    let since = if is_online { order.online_at } else { order.asked_at }.unwrap_or(order.since);
    let (patience, reason) =
        if is_online { (times.no_job, Reason::NoJob) } else { (times.not_online, Reason::NotOnline) };
    match facts.runner {
        Runner::Busy => Step::Enter(State::Busy),
        Runner::Idle if !is_online => Step::Enter(State::Online),
        _ if !is_online && facts.machine == Machine::NoRoom => Step::Refuse,
        // The server forgets it after its job.
        Runner::Absent if is_online || is_gone(order, facts, times) => Step::End(Reason::Done),
        // Whether it did its job before anybody saw it, the server knows: it forgets the runner then.
        Runner::Unknown if !is_online && is_over(order, facts, times) && now < since + patience => {
            Step::Wait((since + patience).min(order.deadline).min(now + SOON))
        }
        _ if is_over(order, facts, times) => Step::End(if is_online { Reason::Done } else { Reason::MachineLost }),
        _ if now >= since + patience => Step::End(reason),
        _ => Step::Wait((since + patience).min(order.deadline).min(now + if is_online { LATER } else { SOON })),
    }
}

fn busy(order: &Order, facts: &Facts, times: &Times, now: u64) -> Step {
    // A list that lags may not have the runner of which the server just said that it is busy.
    let is_forgotten = facts.runner == Runner::Absent && now >= order.since + LATER;
    if is_forgotten || is_over(order, facts, times) {
        return Step::End(Reason::Done);
    }
    Step::Wait(order.deadline.min(now + LATER))
}

/// The registration first, because the server keeps a busy one; the machine first only when its time is over or it is.
fn ending(order: &Order, facts: &Facts, times: &Times, now: u64) -> Step {
    let is_forced =
        now >= order.deadline || order.reason == Some(Reason::Deadline) || facts.machine == Machine::Stopped;
    // Who may still show it is asked for its end only when the server says that it has no job.
    let may_come_back = facts.machine == Machine::Absent && times.lag > 0 && order.token.is_some() && !is_forced;
    if is_gone(order, facts, times) && !(may_come_back && facts.registration != Registration::Nothing) {
        return Step::Finish;
    }
    match facts.registration {
        Registration::Made if !is_forced => from(facts.github_from, Step::Retire, now).until(order.deadline),
        // There is no machine before there is a registration.
        Registration::Open if !is_forced => from(facts.github_from, Step::Resolve, now).until(order.deadline),
        // Not there yet, or not any more: it is ended as soon as it is seen.
        _ if facts.machine == Machine::Absent => {
            Step::Wait(known_absent_from(order, times).clamp(now + 1, now + LATER))
        }
        _ => from(facts.machines_from, Step::EndMachine, now),
    }
}

fn ended(order: &Order, facts: &Facts, now: u64) -> Step {
    let step = match facts.registration {
        Registration::Open => Step::Resolve,
        Registration::Made => Step::Pay,
        Registration::Nothing if facts.owes => Step::Pay,
        Registration::Nothing => return from(order.ended_at.unwrap_or(order.since) + MEMORY, Step::Forget, now),
    };
    from(facts.github_from, step, now)
}

/// Whether its machine does nothing any more. A list that lacks it, of one who may show it again, proves that only together with the
/// server's: a job that runs is cut by nothing but the deadline.
fn is_over(order: &Order, facts: &Facts, times: &Times) -> bool {
    let is_seen = matches!(order.state, State::Online | State::Busy)
        && times.lag > 0
        && facts.machine == Machine::Absent
        && !matches!(facts.runner, Runner::Absent | Runner::Offline);
    facts.machine == Machine::Stopped || (is_gone(order, facts, times) && !is_seen)
}

/// Whether there is no machine of it, and none can come.
fn is_gone(order: &Order, facts: &Facts, times: &Times) -> bool {
    match facts.machine {
        _ if order.token.is_none() => true,
        Machine::Over | Machine::NoRoom => true,
        // By a list of that time: an old one proves nothing however old it is.
        Machine::Absent => facts.listed_at >= known_absent_from(order, times),
        Machine::Unknown | Machine::Alive | Machine::Stopped => false,
    }
}

/// From when on a list without its machine proves that there is none.
fn known_absent_from(order: &Order, times: &Times) -> u64 {
    order.asked_at.unwrap_or(order.since) + times.lag
}

/// The step, if its time has come.
fn from(time: u64, step: Step, now: u64) -> Step {
    if now >= time { step } else { Step::Wait(time) }
}

impl Step {
    /// The same, but no wait goes beyond this time.
    fn until(self, end: u64) -> Self {
        match self {
            Self::Wait(time) => Self::Wait(time.min(end)),
            step => step,
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
