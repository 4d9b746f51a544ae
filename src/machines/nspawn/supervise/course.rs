//! The course of one machine: what happens, and what follows from it. Pure.
//!
//! Everything that a supervisor learns comes here as an [`Event`] with the time since its start, and what it has to do comes
//! back as [`Act`]s. So who may ask what at which time, and why a machine is gone, is shown by a table of tests
//! and not by machines.

mod drivers;
mod purpose;

use std::time::Duration;

use crate::machines::Fault;
use crate::machines::nspawn::protocol::{Answer, Gone, Report, Request, VERSION, harmless};
pub use purpose::Purpose;

/// With this code nspawn ends if a machine reboots and something else has to start it again.
const REBOOTED: i32 = 133;

/// How long after its agent a machine may be there before it counts as alive without one: a shutdown that kills the agent goes on
/// for a moment.
const SHUTDOWN: Duration = Duration::from_secs(30);

/// How long an agent may take to kill a stage after the grace.
const KILL: Duration = Duration::from_secs(30);

/// Stands for one connection of a driver.
pub type Client = u64;

/// What a supervisor learns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The agent said something.
    Agent(Report),
    /// The agent's connection ended, or what it said was not understood.
    AgentGone,
    /// The image's init says that everything was started.
    Booted,
    /// nspawn ended: with a code, or `None` by a signal; and whether the kernel killed for lack of memory since the last stage
    /// ended.
    Exited(Option<i32>, bool),
    /// The process that the machine was made for ended.
    RunnerGone,
    /// Who asked for the machine went away before it was ready.
    OrdererGone,
    /// The supervisor was asked to end.
    Terminated,
    /// A driver asks; a stage's descriptors were found good.
    Asked(Client, Request),
    /// A driver went away.
    Left(Client),
    /// Time passed.
    Tick,
}

/// What a supervisor does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Act {
    /// Connect the network, and let the agent start the image's init.
    Start,
    /// Tell who asked for the machine that it is ready.
    Ready,
    /// Tell who asked for the machine that there is none, for this reason.
    Failed(Gone),
    /// Have the agent run the stage of this client.
    Stage(Client),
    /// Have the agent end the stage, with so many seconds of grace.
    Cancel(u64),
    /// Answer a client and close its connection.
    Answer(Client, Answer),
    /// One line in the journal.
    Note(Note),
    /// Give the end of the console to a client.
    Console(Client),
    /// Kill the machine and stay.
    Kill,
    /// Kill the machine and end.
    Quit(Gone),
}

/// How one stage went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// Its name, as the driver gave it.
    pub stage: String,
    /// How it ended.
    pub answer: Answer,
    /// How long it took.
    pub took: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The agent has not connected yet.
    Waiting,
    /// The image's init starts.
    Booting,
    /// It takes stages.
    Running,
    /// The agent is gone, the machine may be about to follow: until then it is not known why.
    Alone { until: Duration },
    /// The machine is gone. The supervisor stays to say why.
    Gone(Gone),
}

#[derive(Debug)]
struct Stage {
    /// `None` if the driver went away.
    client: Option<Client>,
    name: String,
    since: Duration,
    /// When an agent that was told to end it has failed to.
    over: Option<Duration>,
}

/// One machine.
#[derive(Debug)]
pub struct Course {
    phase: Phase,
    boots: bool,
    deadline: Duration,
    purpose: Purpose,
    /// When it was ready, or its last stage ended.
    unused_since: Duration,
    stage: Option<Stage>,
    /// A stage that waits for the end of one that nobody waits for.
    next: Option<(Client, String)>,
    /// Why we killed the machine ourselves.
    killed: Option<Gone>,
}

impl Course {
    /// Of a machine that ends after `deadline` at the latest. If it `boots`, it is ready for stages when its init says so.
    #[must_use]
    pub fn new(boots: bool, deadline: Duration, purpose: Purpose) -> Self {
        let (phase, unused_since) = (Phase::Waiting, Duration::ZERO);
        Self { phase, boots, deadline, purpose, unused_since, stage: None, next: None, killed: None }
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        let alone = if let Phase::Alone { until } = self.phase { Some(until) } else { None };
        let over = self.stage.as_ref().and_then(|stage| stage.over);
        [alone, over, self.given_up()].into_iter().flatten().fold(self.deadline, Duration::min)
    }

    /// When a machine that nobody uses ends. A driver that was killed before it asked for the end leaves one, and its runner
    /// goes on. Looking at a machine is no use of it: whoever watches all machines keeps none of them.
    fn given_up(&self) -> Option<Duration> {
        let Purpose::Stages { idle } = self.purpose else { return None };
        (self.is_ready() && self.stage.is_none()).then(|| self.unused_since + idle)
    }

    /// What follows from `event`.
    pub fn on(&mut self, now: Duration, event: Event) -> Vec<Act> {
        match event {
            Event::Agent(report) => self.agent(now, report),
            Event::AgentGone => self.alone(now),
            Event::Booted if self.phase == Phase::Booting => {
                self.run(now);
                vec![Act::Ready]
            }
            Event::Booted => vec![],
            Event::Exited(code, memory) => self.exited(now, code, memory),
            Event::RunnerGone => self.quit(now, Gone::RunnerGone),
            Event::OrdererGone if self.is_ready() => vec![],
            Event::OrdererGone => self.quit(now, Gone::Ended),
            Event::Terminated => self.quit(now, Gone::Killed),
            Event::Asked(client, request) => self.asked(now, client, request),
            Event::Left(client) => self.left(now, client),
            Event::Tick => self.tick(now),
        }
    }

    fn is_ready(&self) -> bool {
        !matches!(self.phase, Phase::Waiting | Phase::Booting)
    }

    fn run(&mut self, now: Duration) {
        self.phase = Phase::Running;
        self.unused_since = now;
    }

    fn agent(&mut self, now: Duration, report: Report) -> Vec<Act> {
        let answer = match report {
            Report::Hello { version: VERSION } if self.phase == Phase::Waiting => {
                if self.boots && self.purpose != Purpose::OwnWork {
                    self.phase = Phase::Booting;
                    return vec![Act::Start];
                }
                self.run(now);
                return vec![Act::Start, Act::Ready];
            }
            Report::Hello { .. } => return self.lied(),
            Report::Exit(code) => Answer::Exit(code),
            Report::Signal(signal) => Answer::Signal(signal),
            Report::Failed(reason) => Answer::Failed(Fault::Other(harmless(&reason))),
        };
        if self.stage.is_none() {
            return self.lied();
        }
        let mut acts = self.finish(now, answer);
        if let Some((client, name)) = self.next.take() {
            acts.extend(self.begin(now, client, name));
        }
        acts
    }

    /// The end of the stage that runs, if one does.
    fn finish(&mut self, now: Duration, answer: Answer) -> Vec<Act> {
        let Some(stage) = self.stage.take() else { return vec![] };
        self.unused_since = now;
        let note = Note { stage: stage.name, answer: answer.clone(), took: now.saturating_sub(stage.since) };
        let answered = stage.client.map(|client| Act::Answer(client, answer));
        answered.into_iter().chain([Act::Note(note)]).collect()
    }

    /// The end of all stages.
    fn finish_all(&mut self, now: Duration, reason: Gone) -> Vec<Act> {
        let mut acts = self.finish(now, Answer::Gone(reason));
        acts.extend(self.next.take().map(|(client, _)| Act::Answer(client, Answer::Gone(reason))));
        acts
    }

    fn begin(&mut self, now: Duration, client: Client, name: String) -> Vec<Act> {
        self.stage = Some(Stage { client: Some(client), name, since: now, over: None });
        vec![Act::Stage(client)]
    }

    fn alone(&mut self, now: Duration) -> Vec<Act> {
        match self.phase {
            // Nobody waits for a stage; how nspawn ends says more than this.
            Phase::Booting => return vec![Act::Kill],
            Phase::Running if self.purpose != Purpose::OwnWork => self.phase = Phase::Alone { until: now + SHUTDOWN },
            _ => {}
        }
        vec![]
    }

    fn lied(&mut self) -> Vec<Act> {
        self.kill(Gone::AgentLied)
    }

    fn kill(&mut self, reason: Gone) -> Vec<Act> {
        if matches!(self.phase, Phase::Gone(_)) || self.killed.is_some() {
            return vec![];
        }
        self.killed = Some(reason);
        vec![Act::Kill]
    }

    fn exited(&mut self, now: Duration, code: Option<i32>, memory: bool) -> Vec<Act> {
        let reason = match (self.killed, code) {
            // Beside an init the kernel may choose the agent and leave the rest of the machine.
            (None | Some(Gone::AgentKilled), _) if memory => Gone::Memory,
            (Some(reason), _) => reason,
            (None, Some(REBOOTED)) => Gone::Rebooted,
            (None, Some(0)) => Gone::PoweredOff,
            (None, _) => Gone::Killed,
        };
        // No stage will come to be told the reason.
        if !self.is_ready() || self.purpose == Purpose::OwnWork {
            return self.quit(now, reason);
        }
        self.phase = Phase::Gone(reason);
        self.finish_all(now, reason)
    }

    fn quit(&mut self, now: Duration, reason: Gone) -> Vec<Act> {
        let mut acts = self.finish_all(now, reason);
        if !self.is_ready() {
            acts.push(Act::Failed(reason));
        }
        acts.push(Act::Quit(reason));
        acts
    }

    fn tick(&mut self, now: Duration) -> Vec<Act> {
        if now >= self.deadline {
            return self.quit(now, Gone::Deadline);
        }
        if self.given_up().is_some_and(|at| now >= at) {
            let reason = if let Phase::Gone(reason) = self.phase { reason } else { Gone::Unused };
            return self.quit(now, reason);
        }
        if matches!(self.phase, Phase::Alone { until } if now >= until) {
            self.phase = Phase::Running;
            return self.kill(Gone::AgentKilled);
        }
        if let Some(stage) = &mut self.stage
            && stage.over.take_if(|over| now >= *over).is_some()
        {
            return self.kill(Gone::AgentLied);
        }
        vec![]
    }
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
