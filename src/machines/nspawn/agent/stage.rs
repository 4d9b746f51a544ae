//! One stage: `bash` with a script, and everything that it starts.
//!
//! A stage is over when its `bash` has ended and everything below it was killed, also what went into another session or lost its
//! parent. A process that the image's own init started for the job, such as a service, belongs to the machine and lives
//! as long as that.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use nix::poll::PollTimeout;
use nix::sys::signal::Signal;
use rustix::process::WaitStatus;

use super::processes::{below_us, kill_all, reap_until, signal};
use crate::machines::nspawn::protocol::{HOME, PROGRAMS, Report};

/// When memory is short, the kernel ends processes of stages rather than the image's services.
const FIRST_TO_GO: &str = "500";

/// How long killed processes may take to be gone. One that waits for a device cannot be killed before it answers.
const KILLED: Duration = Duration::from_secs(20);

/// How often killed processes are looked for that are no children of the agent yet.
const AGAIN: Duration = Duration::from_millis(20);

/// A stage that runs.
#[derive(Debug)]
pub struct Stage {
    leader: i32,
    /// How the leader ended.
    status: Option<WaitStatus>,
    /// When everything is killed.
    kill_at: Option<Instant>,
    /// When waiting for what was killed ends.
    give_up: Option<Instant>,
}

impl Stage {
    /// Starts `bash` with the script, stdout and stderr of `descriptors`.
    ///
    /// # Errors
    ///
    /// If there is no `bash`, or it cannot be started.
    pub fn start(descriptors: Vec<OwnedFd>, environment: &[(String, String)]) -> Result<Self> {
        let [script, stdout, stderr]: [OwnedFd; 3] =
            descriptors.try_into().map_err(|_| anyhow!("A stage needs three descriptors"))?;
        let mut command = Command::new("bash");
        let child = command
            .env_clear()
            .envs([
                ("PATH", format!("{HOME}/bin:{PROGRAMS}").as_str()),
                ("HOME", "/root"),
                ("USER", "root"),
                ("LOGNAME", "root"),
            ])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::from(script))
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr))
            .process_group(0)
            .spawn()
            .context("Failed to start bash: the image needs it in its path")?;
        // Raising it needs no right; without it the kernel chooses as everywhere else.
        _ = fs::write(format!("/proc/{}/oom_score_adj", child.id()), FIRST_TO_GO);
        Ok(Self { leader: child.id().cast_signed(), status: None, kill_at: None, give_up: None })
    }

    /// SIGTERM to all of it, and SIGKILL after `grace` seconds.
    ///
    /// # Errors
    ///
    /// If its processes cannot be found.
    pub fn cancel(&mut self, grace: u64, processes: &File) -> Result<()> {
        if grace > 0 {
            signal(&below_us(processes)?, Signal::SIGTERM);
        }
        self.kill_at = Some(Instant::now() + Duration::from_secs(grace));
        Ok(())
    }

    /// How long to wait for something to happen, at most.
    pub fn patience(&self) -> PollTimeout {
        let left = if self.status.is_some() {
            AGAIN
        } else if let Some(at) = self.kill_at {
            at.saturating_duration_since(Instant::now()) + Duration::from_millis(1)
        } else {
            return PollTimeout::NONE;
        };
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    /// Looks at what ended, kills what is to be killed, and tells how the stage went once nothing of it is left.
    ///
    /// # Errors
    ///
    /// If its processes cannot be found.
    pub fn look(&mut self, processes: &File) -> Result<Option<Report>> {
        let ended = reap_until(Some(self.leader));
        self.status = self.status.or(ended);
        let now = Instant::now();
        let is_over = self.status.is_some();
        if is_over || self.kill_at.is_some_and(|at| now >= at) {
            kill_all(processes)?;
            let ended = reap_until(Some(self.leader));
            self.status = self.status.or(ended);
        }
        let Some(status) = self.status else { return Ok(None) };
        let give_up = *self.give_up.get_or_insert(now + KILLED);
        if !below_us(processes)?.is_empty() && now < give_up {
            return Ok(None);
        }
        Ok(Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Report::Exit(code.try_into().unwrap_or(u8::MAX)),
            (None, Some(signal)) => Report::Signal(signal.try_into().unwrap_or(u8::MAX)),
            (None, None) => Report::Failed("bash ended in a way that nobody knows".into()),
        }))
    }
}
