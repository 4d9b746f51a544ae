//! The script, `stand-in.json` in the directory that the stand-in was called from.
//!
//! A file and not a variable, because the programs under test clear the environment;
//! beside the link by which the stand-in was called, so that each test has its own. It
//! is read anew at each start. No file means no faults and an offline server. Unknown
//! names are errors: a typing error must not turn a test of a fault into nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::faults::Faults;

/// Everything a test can choose.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Script {
    /// What `--version` says. From 2.336 on a runner deleted while polling cleans up.
    pub version: String,
    /// The base that stands for every API host; null answers without a network.
    pub github: Option<String>,
    /// What goes wrong during `configure`: a name or a list of names.
    pub fault: Faults,
    /// What `run` does once it has started; afterwards it waits for a signal.
    pub run: Vec<Step>,
    /// Gets one JSON file per start, if the directory exists.
    pub dump: Option<PathBuf>,
    /// How `run` ends on SIGTERM: 0 or 143. The runner does either, by chance.
    pub sigterm_exit: u8,
    /// The session cannot be deleted at the end, which turns exit code 0 into 2.
    pub stop_fails: bool,
    /// How the server behaves when `github` is null.
    pub offline: Offline,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            version: "2.333.1".to_owned(),
            github: None,
            fault: Faults::default(),
            run: Vec::new(),
            dump: None,
            sigterm_exit: 0,
            stop_fails: false,
            offline: Offline::default(),
        }
    }
}

/// The server without a network.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Offline {
    /// Where runner ids are counted; `stand-in-ids` beside the script if absent.
    pub ids: Option<PathBuf>,
    /// Names that some runner has already.
    pub taken: Vec<String>,
    /// Runner groups besides `Default`.
    pub groups: Vec<String>,
    /// Answer as a server of the legacy flow.
    pub legacy: bool,
    /// Refuse one step.
    pub refuse: Option<Refusal>,
}

/// A step of the conversation with the server that is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Refusal {
    /// Which one.
    pub step: ServerStep,
    /// With what.
    pub status: u16,
    /// The body, printed verbatim.
    #[serde(default)]
    pub body: String,
}

/// Steps of the conversation with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerStep {
    /// API token to short-lived token.
    Token,
    /// Short-lived token to tenant.
    Tenant,
    /// Listing runner groups.
    Groups,
    /// Looking up the name.
    Find,
    /// Adding or replacing.
    Register,
    /// Deleting.
    Delete,
}

/// One thing that `run` does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Runs a job. With `--once` or ephemeral the runner ends after it.
    Job(Job),
    /// Waits for a signal, as at the end of the script.
    Wait(bool),
    /// Goes on when this file exists, unless a signal comes before.
    Await(PathBuf),
    /// Ends with this code, files kept. Above 128: dies by that signal.
    Exit(u8),
    /// Ends as in this situation of the contract's table 3.3.
    End(Ending),
    /// Prints a line on standard output.
    TextStdout(String),
    /// Prints a line on standard error.
    TextStderr(String),
}

/// A simulated job.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Job {
    /// Display name, printed raw: hostile ones are welcome.
    pub name: String,
    /// Given to `/bin/sh -c` in the work directory.
    #[serde(default)]
    pub command: Option<String>,
    /// Printed as the result; by default what the command's exit says.
    #[serde(default)]
    pub result: Option<String>,
    /// Where its run is, as `octo-org/example`; told to the job and to the hook before it.
    #[serde(default)]
    pub repository: Option<String>,
    /// The number of its run.
    #[serde(default)]
    pub run: Option<u64>,
}

/// Situations that end `run` (contract 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Session refused: `invalid_client`. 1, files kept.
    RegistrationDeleted,
    /// Session refused, legacy: agent not found. 1, files kept.
    RunnerGone,
    /// Session refused: another listener lives. 5.
    SessionConflict,
    /// Session refused: clock skew. 1.
    ClockSkew,
    /// Session refused: 403. 1.
    Forbidden,
    /// The server refuses this version. 1, or 7 if the environment asks for it.
    VersionTooOld,
    /// Deleted while polling. Up to 2.335: 1, files kept; from 2.336: 0, files deleted.
    DeletedWhilePolling,
    /// As before, and the session cannot be deleted either: 2 up to 2.335.
    DeletedWhilePollingAndStopFails,
    /// The acknowledged job is gone; an ephemeral runner ends, from 2.336. 0, deleted.
    JobNotFound,
    /// Token revoked or hosted runner shut down: a silent 0, files kept.
    TokenRevoked,
    /// Tenth polling error in a row. 2.
    PollingFailed,
}

impl Script {
    /// Reads the script in `directory`.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read or understood.
    pub fn read(directory: &Path) -> Result<Self> {
        let file = directory.join("stand-in.json");
        match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("Failed to read {}", file.display())),
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("Failed to understand {}", file.display()))
            }
        }
    }

    /// Whether a runner deleted while polling cleans up after itself (67cbf96).
    pub fn cleans_up(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse().unwrap_or(0_u32));
        let (major, minor) = (numbers.next(), numbers.next());
        (major, minor) >= (Some(2), Some(336))
    }
}
