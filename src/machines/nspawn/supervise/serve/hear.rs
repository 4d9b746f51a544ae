//! What nspawn, the agent and drivers have to say. What comes from the machine is a job's word: it is held to its form, and nothing
//! that it names is opened.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::fs::FileType;
use rustix::process::{PidfdFlags, pidfd_open};

use super::{CONSOLE, Driver, MOST_CLIENTS, Supervisor};
use crate::machines::Fault;
use crate::machines::nspawn::protocol::{Answer, LONGEST_STAGE, Report, Request, harmless};
use crate::machines::nspawn::supervise::course::{Client, Event};
use crate::machines::nspawn::wire::{Connection, Received};
use crate::machines::nspawn::{group, network};

impl Supervisor {
    pub(super) fn exited(&mut self) -> Result<Event> {
        let status = self.machine.nspawn.wait().context("Failed to learn how nspawn ended")?;
        self.has_exited = true;
        self.agent = None;
        // If nspawn alone was killed, its machine is still there.
        self.kill();
        let memory = group::killed_for_memory(&self.machine.group) > self.killed_for_memory;
        tracing::info!("The nspawn of job {} ended: {status}", self.machine.token);
        Ok(Event::Exited(status.code().filter(|_| status.signal().is_none()), memory))
    }

    /// The first one who connects is the first process of the machine: nobody else is there yet. Its number comes from
    /// the kernel.
    pub(super) fn meet_agent(&mut self) -> Option<Report> {
        let mut meet = || -> Result<Report> {
            // Closed by its end here: whoever else connects is refused.
            let listener = self.machine.sockets.agent.take().context("The agent came twice")?;
            let connection = listener.accept()?;
            let peer = connection.peer()?;
            self.leader = Some(pidfd_open(peer.pid, PidfdFlags::empty()).context("Failed to watch the machine")?);
            fs::remove_file(&self.machine.sockets.agent_path).context("Failed to remove the agent's socket")?;
            let Some(Received { message, .. }) = connection.receive()? else { bail!("The agent went away") };
            // nspawn has read it before it made this process.
            if let Some(file) = self.machine.user_data.take() {
                fs::remove_file(file).context("Failed to remove the user data of a machine")?;
            }
            let leader = peer.pid.as_raw_nonzero().get().cast_unsigned();
            // Nothing of the image runs before the agent is told to start.
            group::bound(&self.machine.group)?;
            group::expose(leader)?;
            if let Some(slot) = self.machine.slot {
                network::connect(slot, leader, &self.machine.ports, &self.machine.rules)?;
            }
            connection.never_wait()?;
            self.agent = Some(connection);
            Ok(message)
        };
        match meet() {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::error!("{error:#}");
                self.remember(format!("{error:#}\n").as_bytes());
                self.kill();
                None
            }
        }
    }

    pub(super) fn hear_agent(&mut self) -> Event {
        let heard = self.agent.as_ref().map(Connection::receive::<Report>);
        match heard {
            Some(Ok(Some(Received { message, .. }))) => Event::Agent(message),
            Some(Err(error)) => {
                let said = harmless(&format!("{error:#}"));
                tracing::warn!("The agent of job {} is not understood: {said}", self.machine.token);
                self.agent = None;
                Event::AgentGone
            }
            _ => {
                self.agent = None;
                Event::AgentGone
            }
        }
    }

    pub(super) fn accept_driver(&mut self) {
        let accepted =
            self.machine.sockets.drivers.accept().and_then(|connection| connection.never_wait().map(|()| connection));
        match accepted {
            Ok(connection) if self.drivers.len() < MOST_CLIENTS => {
                self.drivers.insert(self.next_client, Driver { connection, descriptors: vec![] });
                self.next_client += 1;
            }
            Ok(_) => tracing::warn!("Job {} has {MOST_CLIENTS} drivers already", self.machine.token),
            Err(error) => tracing::warn!("{error:#}"),
        }
    }

    pub(super) fn hear_driver(&mut self, client: Client) -> Option<Event> {
        let driver = self.drivers.get_mut(&client)?;
        let heard = driver.connection.receive::<Request>().and_then(|received| match received {
            Some(Received { message, descriptors }) => {
                check(&message, &descriptors).map(|()| Some((message, descriptors)))
            }
            None => Ok(None),
        });
        match heard {
            Ok(Some((request, descriptors))) => {
                if !descriptors.is_empty() {
                    driver.descriptors = descriptors;
                }
                Some(Event::Asked(client, request))
            }
            Ok(None) => {
                self.drivers.remove(&client);
                Some(Event::Left(client))
            }
            Err(error) => {
                let answer = Answer::Failed(Fault::Other(format!("{error:#}")));
                self.answer(client, &answer);
                Some(Event::Left(client))
            }
        }
    }

    pub(super) fn read_console(&mut self, number: usize) {
        let mut buffer = [0; 4_096];
        let Some(output) = &self.outputs[number] else { return };
        match rustix::io::read(output, &mut buffer) {
            Ok(length) if length > 0 => self.remember(&buffer[..length]),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => self.outputs[number] = None,
        }
    }

    fn remember(&mut self, text: &[u8]) {
        self.console.extend(text);
        let over = self.console.len().saturating_sub(CONSOLE);
        self.console.drain(..over);
    }

    /// The console as text, without what a terminal would obey.
    pub(super) fn console(&self) -> String {
        let bytes: Vec<u8> = self.console.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let harmless = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
        text.trim().chars().map(harmless).collect()
    }
}

/// Holds a request to its form: a stage has a script that is a file, and two pipes; nothing else has descriptors. So
/// no directory and no socket of the host gets into a machine.
fn check(request: &Request, descriptors: &[OwnedFd]) -> Result<()> {
    let Request::Stage { name } = request else {
        return if descriptors.is_empty() { Ok(()) } else { Err(anyhow!("Only a stage comes with descriptors")) };
    };
    if name.len() > LONGEST_STAGE {
        bail!("The name of a stage has at most {LONGEST_STAGE} bytes");
    }
    let kinds: Vec<_> = descriptors
        .iter()
        .map(|descriptor| rustix::fs::fstat(descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode)))
        .collect::<Result<_, _>>()
        .context("Failed to look at the descriptors of a stage")?;
    if kinds != [FileType::RegularFile, FileType::Fifo, FileType::Fifo] {
        bail!("A stage comes with a script, which is a file, and with two pipes, and not with {kinds:?}");
    }
    Ok(())
}
