//! What goes wrong during `configure` on request.
//!
//! Deaths are by SIGKILL, so that nothing is tidied up, as after a crash or a power cut.

use std::thread;

use anyhow::{Result, bail};
use nix::sys::signal::{Signal, raise};
use serde::Deserialize;

use super::{start::Start, terminal};

/// How much a flood prints.
const FLOOD: usize = 8 << 20;

/// A fault; the names in the script are these in kebab case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing goes wrong.
    None,
    /// Dies with the key written and the server unaware.
    DieBeforeServer,
    /// Dies with the runner registered and no trace of it on disk.
    DieAfterServer,
    /// Dies with `.credentials` but without `.runner`.
    DieAfterCredentials,
    /// Dies with everything written.
    DieAfterRunner,
    /// Dies with half of `.credentials` written.
    TruncateCredentials,
    /// Dies with half of `.runner` written.
    TruncateRunner,
    /// Dies with an empty `.runner`, as on a full disk.
    EmptyRunner,
    /// Waits for a signal where `die-before-server` dies.
    HangBeforeServer,
    /// Waits for a signal where `die-after-server` dies.
    HangAfterServer,
    /// Together with a hang: only SIGKILL helps.
    Deaf,
    /// Prints 8 MiB, beginning with one line of 1 MiB, and goes on.
    FloodStdout,
    /// The same on standard error.
    FloodStderr,
    /// Prints bytes that are not UTF-8 on both, and goes on.
    NonUtf8,
    /// Prints each secret on both, whole and in two writes, and goes on.
    EchoSecret,
    /// Succeeds without writing `.runner`.
    NoRunner,
    /// Succeeds without leaving `.credentials`.
    NoCredentials,
    /// Succeeds without leaving the key.
    NoKey,
    /// Writes agent id 0.
    ZeroId,
    /// Writes another name than asked.
    WrongName,
    /// Writes another url than asked.
    WrongUrl,
    /// Forgets that the runner is ephemeral, or thinks it is.
    WrongEphemeral,
    /// Fails with everything written (contract 1.6, step 13).
    FailAfterRunner,
}

/// The chosen faults: in the script one name or a list.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl<'de> Deserialize<'de> for Faults {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            One(Fault),
            Many(Vec<Fault>),
        }
        Ok(Self(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(fault) => vec![fault],
            OneOrMany::Many(faults) => faults,
        }))
    }
}

impl Faults {
    /// Whether this fault was chosen.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// Dies here if this fault was chosen.
    ///
    /// # Errors
    ///
    /// None in practice: SIGKILL cannot be refused.
    pub fn die_at(&self, fault: Fault) -> Result<()> {
        if self.has(fault) {
            raise(Signal::SIGKILL)?;
        }
        Ok(())
    }
}

/// Where `configure` may hang, die or both.
pub fn point(start: &mut Start, die: Fault, hang: Fault) -> Result<()> {
    start.script.fault.die_at(die)?;
    if start.script.fault.has(hang) {
        start.log.trace("stand-in: hanging");
        // The thread that watches for signals ends the process.
        loop {
            thread::park();
        }
    }
    Ok(())
}

/// Faults that only make noise.
pub fn noise(start: &Start) {
    let fault = &start.script.fault;
    if fault.has(Fault::FloodStdout) {
        flood(|bytes| terminal::out(bytes));
    }
    if fault.has(Fault::FloodStderr) {
        flood(|bytes| terminal::err(bytes));
    }
    if fault.has(Fault::NonUtf8) {
        terminal::out(b"not UTF-8: \xff\xfe\xc3\x28 \x1b[31m\0\n");
        terminal::err(b"not UTF-8: \xff\xfe\xc3\x28 \x1b[31m\0\n");
    }
    if fault.has(Fault::EchoSecret) {
        for secret in start.arguments.secrets() {
            let (first, second) = secret.split_at(secret.len() / 2);
            terminal::line(&format!("The token is {secret}, whole."));
            terminal::error(&format!("The token is {secret}, whole."));
            terminal::out(format!("The token is {first}"));
            terminal::err(format!("The token is {first}"));
            terminal::out(format!("{second}, halved.\n"));
            terminal::err(format!("{second}, halved.\n"));
        }
    }
}

fn flood(print: impl Fn(&[u8])) {
    let long_line = vec![b'x'; 1 << 20];
    print(&long_line);
    print(b"\n");
    let line = "a line of a flood, one of very many of the same kind, none of them new\n";
    let block = line.repeat(1_024);
    for _ in 0..(FLOOD - long_line.len()) / block.len() {
        print(block.as_bytes());
    }
}

/// The failure after success.
pub fn late_failure(start: &Start) -> Result<()> {
    if start.script.fault.has(Fault::FailAfterRunner) {
        bail!("Could not find file 'runsvc.sh' template.");
    }
    Ok(())
}
