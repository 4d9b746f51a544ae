//! The agent: the first process of a machine, which runs the stages of its job.
//!
//! It connects out, once, before anything of the image or of a job runs. In an image with an init it leaves a child behind, which is
//! the agent from then on, and becomes that init; without one it stays the first process, and whatever a job sends to all
//! processes does not reach it.
//!
//! It runs among hostile processes of its own user. It has no secret and no right that they have not, and nothing that it
//! says is believed beyond how the job itself ended.

mod processes;
mod stage;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::protocol::{self, HOME, Report, VERSION};
use super::wire::{Connection, Received};
use stage::Stage;

/// Runs as the first process: with the path of the image's init, or without one.
///
/// # Errors
///
/// If the supervisor does not answer, or the init cannot be started. The machine ends then.
pub fn first(init: Option<&OsString>) -> Result<()> {
    let connection =
        Connection::open(&Path::new(HOME).join("socket")).context("Failed to connect to the supervisor")?;
    connection.send(&Report::Hello { version: VERSION }, &[])?;
    let environment = match connection.receive()?.map(|received| received.message) {
        Some(protocol::Command::Start { environment }) => environment,
        other => bail!("The supervisor said {other:?} before the start"),
    };
    let Some(init) = init else { return serve(connection, environment) };
    let socket = connection.as_fd().try_clone_to_owned().context("Failed to hand the connection on")?;
    let mut agent = Command::new("/proc/self/exe")
        .args(["agent-in-machine", &serde_json::to_string(&environment)?])
        .stdin(Stdio::from(socket))
        .stdout(Stdio::piped())
        .spawn()
        .context("Failed to start the agent")?;
    drop(connection);
    let mut said = [0];
    let read =
        agent.stdout.take().context("Failed to hear the agent")?.read(&mut said).context("Failed to hear the agent")?;
    if read == 0 {
        bail!("The agent ended at once");
    }
    // What nspawn wants its first process to know stays: the address to which an init says that it is ready.
    Err(Command::new(init).exec()).with_context(|| format!("Failed to start {}", init.display()))
}

/// Runs beside the image's init: the supervisor's connection is the standard input.
///
/// # Errors
///
/// If it cannot run stages at all.
pub fn beside_init(environment: &str) -> Result<()> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("Failed to take the connection over")?;
    // An init hangs its terminal up, and with it whoever is in that session.
    rustix::process::setsid().context("Failed to leave the session of the first process")?;
    std::io::stdout().write_all(b"+").and_then(|()| std::io::stdout().flush()).context("Failed to say so")?;
    serve(Connection::adopt(socket)?, serde_json::from_str(environment)?)
}

/// Runs stages until the supervisor goes.
fn serve(connection: Connection, environment: Vec<(String, String)>) -> Result<()> {
    // Orphans of a stage become children of this process, whatever session they are in.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).context("Failed to adopt orphans")?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block().context("Failed to wait for children")?;
    let children = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .context("Failed to wait for children")?;
    let processes = File::open("/proc").context("Failed to open /proc")?;
    let mut agent = Agent { connection, environment, processes, children, stage: None };
    while agent.step()? {}
    Ok(())
}

struct Agent {
    connection: Connection,
    environment: Vec<(String, String)>,
    /// Opened before a job could mount something else there.
    processes: File,
    children: SignalFd,
    stage: Option<Stage>,
}

impl Agent {
    /// Waits for one thing and does what follows. `false` means that the supervisor is gone.
    fn step(&mut self) -> Result<bool> {
        let timeout = self.stage.as_ref().map_or(PollTimeout::NONE, Stage::patience);
        let mut polled = [
            PollFd::new(self.connection.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut polled, timeout) {
            Err(nix::errno::Errno::EINTR) => return Ok(true),
            polled => polled.context("Failed to wait")?,
        };
        let asked = polled[0].any() == Some(true);
        while let Ok(Some(_)) = self.children.read_signal() {}
        if asked {
            let Some(Received { message, descriptors }) = self.connection.receive()? else { return Ok(false) };
            self.obey(message, descriptors)?;
        }
        if let Some(stage) = &mut self.stage {
            if let Some(report) = stage.look(&self.processes)? {
                self.stage = None;
                self.connection.send(&report, &[])?;
            }
        } else {
            processes::reap();
        }
        Ok(true)
    }

    fn obey(&mut self, command: protocol::Command, descriptors: Vec<OwnedFd>) -> Result<()> {
        match (command, &mut self.stage) {
            (protocol::Command::Stage, None) => match Stage::start(descriptors, &self.environment) {
                Ok(stage) => self.stage = Some(stage),
                Err(error) => self.connection.send(&Report::Failed(format!("{error:#}")), &[])?,
            },
            (protocol::Command::Cancel { grace }, Some(stage)) => stage.cancel(grace, &self.processes)?,
            // It ended by itself at the same moment.
            (protocol::Command::Cancel { .. }, None) => {}
            (command, _) => bail!("The supervisor said {command:?} at the wrong time"),
        }
        Ok(())
    }
}
