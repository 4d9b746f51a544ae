//! What the course of a machine decided, carried out: telling, answering, killing. Nothing here decides.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use anyhow::anyhow;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal as Kill, pidfd_send_signal};

use super::{END, LAST_LINES, Supervisor};
use crate::machines::Fault;
use crate::machines::nspawn::group;
use crate::machines::nspawn::protocol::{Answer, Command, Gone, Progress};
use crate::machines::nspawn::supervise::course::{Act, Client, Note, Purpose};

impl Supervisor {
    /// Does one thing; what it gives back is the end.
    pub(super) fn act(&mut self, act: Act) -> Option<Gone> {
        match act {
            Act::Start => self.tell_agent(&Command::Start { environment: self.machine.environment.clone() }, &[]),
            Act::Ready => self.tell_orderer(&Progress::Ready),
            Act::Failed(reason) => {
                let console = self.console();
                let said = if console.is_empty() { String::new() } else { format!(". Its console: {console}") };
                let text = format!("{} before it was ready{said}", reason.sentence());
                tracing::error!("Job {}: {text}", self.machine.token);
                self.tell_orderer(&Progress::Failed(Fault::Unavailable(text)));
            }
            Act::Stage(client) => {
                let descriptors = self.drivers.get_mut(&client).map(|driver| std::mem::take(&mut driver.descriptors));
                self.tell_agent(&Command::Stage, &descriptors.unwrap_or_default());
            }
            Act::Cancel(grace) => self.tell_agent(&Command::Cancel { grace }, &[]),
            Act::Answer(client, answer) => self.answer(client, &answer),
            Act::Note(note) => {
                self.killed_for_memory = group::killed_for_memory(&self.machine.group);
                self.note(&note);
            }
            Act::Console(client) => {
                let answer = Answer::Console(self.console());
                self.answer(client, &answer);
            }
            Act::Kill => self.kill(),
            Act::Quit(reason) => {
                tracing::info!("Job {}: {}", self.machine.token, reason.sentence());
                if self.machine.purpose == Purpose::OwnWork {
                    self.tell_console();
                }
                return Some(reason);
            }
        }
        None
    }

    /// Hands the machine's last words on: nobody can ask for them after its end, and they may be why it powered off.
    fn tell_console(&self) {
        let console = self.console();
        let lines: Vec<&str> = console.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            tracing::info!("Job {}, console: {line}", self.machine.token);
        }
    }

    /// An agent that does not read what it is told is none.
    fn tell_agent(&mut self, command: &Command, descriptors: &[OwnedFd]) {
        let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        let told = match &self.agent {
            Some(agent) => agent.send(command, &descriptors),
            None => Err(anyhow!("it is gone")),
        };
        if let Err(error) = told {
            tracing::warn!("Failed to tell the agent of job {}: {error:#}", self.machine.token);
            // Seen as the end of the agent by the next look at it.
            self.kill();
        }
    }

    fn tell_orderer(&mut self, progress: &Progress) {
        if let Some(orderer) = self.orderer.take()
            && let Err(error) = orderer.send(progress, &[])
        {
            tracing::warn!("Nobody waits for job {}: {error:#}", self.machine.token);
        }
    }

    /// Who does not read its answer gets none.
    pub(super) fn answer(&mut self, client: Client, answer: &Answer) {
        if let Some(driver) = self.drivers.remove(&client)
            && let Err(error) = driver.connection.send(answer, &[])
        {
            tracing::warn!("Failed to answer a driver of job {}: {error:#}", self.machine.token);
        }
    }

    fn note(&self, note: &Note) {
        let result = match &note.answer {
            Answer::Exit(code) => format!("exit {code}"),
            Answer::Signal(signal) => format!("signal {signal}"),
            Answer::Gone(reason) => reason.sentence().into(),
            Answer::Failed(fault) => fault.to_string(),
            other => format!("{other:?}"),
        };
        tracing::info!(
            "Job {}, stage {}: {result} after {:.1} s",
            self.machine.token,
            note.stage,
            note.took.as_secs_f64()
        );
    }

    /// Kills the machine: its first process, with which all others end. Before that has connected there is only nspawn,
    /// and what it started ends with the unit.
    pub(super) fn kill(&self) {
        let target = self.leader.as_ref().unwrap_or(&self.nspawn);
        // It may be gone already.
        _ = pidfd_send_signal(target, Kill::KILL);
    }

    /// Kills the machine and waits for nspawn, which takes its own mounts and directories away.
    pub(super) fn end(mut self) {
        self.kill();
        let until = Instant::now() + END;
        while !self.has_exited {
            let left = until.saturating_duration_since(Instant::now());
            let mut polled = [PollFd::new(&self.nspawn, PollFlags::IN)];
            let timeout = Timespec::try_from(left).ok();
            if left.is_zero() || matches!(poll(&mut polled, timeout.as_ref()), Ok(0)) {
                _ = pidfd_send_signal(&self.nspawn, Kill::KILL);
            }
            self.has_exited = left.is_zero() || !matches!(self.machine.nspawn.try_wait(), Ok(None));
        }
    }
}
