//! The unit that has ended: what systemd does with it next.
//!
//! Must not wait for systemd, which waits for this step. Must not give the unit's environment to what it starts: an operator may
//! name directories in it that jobs can write, and this is root.

use std::path::Path;
use std::process::{Command, Stdio, id};

use anyhow::{Context as _, Result, bail};
use tracing::warn;

use crate::contract::names::{runner, runner_stem};
use crate::model::InstanceName;
use crate::sys::on_host;

/// By what systemd tells a step that it started it itself (systemd.exec(5)).
const STARTED: &str = "SYSTEMD_EXEC_PID";

/// Where systemd's program is, on NixOS and elsewhere. Looked for nowhere else.
const PROGRAMS: [&str; 2] = ["/run/current-system/sw/bin/systemctl", "/usr/bin/systemctl"];

/// Has a unit stay down that would be started again by itself: a stop that somebody asks for makes systemd forget the restart, also
/// in the last step of a unit, and holds only until somebody starts it (systemd.service(5), `Restart=`). A failure is told and
/// costs another start that ends in the same way. Does nothing where systemd is not what started this step.
pub fn keep_down(instance: &InstanceName) {
    if std::env::var(STARTED).ok() != Some(id().to_string()) {
        return;
    }
    let name = runner_stem(instance);
    // In the view of its unit, also that of root's steps, systemd has no socket.
    let unit = runner(instance);
    let stopped = on_host(|| ask(&mut stopping(&unit), &unit));
    match stopped.context("Failed to see the host's files").and_then(|stopped| stopped) {
        Ok(()) => warn!("{name} stays down until somebody starts it, as a switch with a changed configuration does"),
        Err(error) => warn!("{error:#}. {name} is started again by itself, and ends in the same way"),
    }
}

fn ask(systemctl: &mut Command, unit: &str) -> Result<()> {
    let output = systemctl.output().context("Failed to run systemctl")?;
    if !output.status.success() {
        bail!("systemctl did not stop {unit}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Asks for a stop without waiting for it. It takes the place of the start that has failed, for systemd has not given that up yet.
fn stopping(unit: &str) -> Command {
    let program = PROGRAMS.iter().find(|path| Path::new(path).exists()).unwrap_or(&PROGRAMS[0]);
    let mut command = Command::new(program);
    command.args(["--no-block", "stop", "--", unit]).env_clear().stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_starts_is_named_by_its_path_and_gets_no_variable_of_the_unit() {
        let command = stopping("github-runner-one.service");
        assert!(PROGRAMS.iter().any(|path| command.get_program() == *path));
        // Cleared, and nothing put in.
        assert!(format!("{command:?}").starts_with("env -i "), "{command:?}");
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["--no-block", "stop", "--", "github-runner-one.service"]);
    }

    #[test]
    fn a_systemd_that_takes_no_stop_is_told_in_its_own_words() {
        let asked = |script| {
            let mut systemctl = Command::new("/bin/sh");
            ask(systemctl.args(["-c", script]), "github-runner-one.service")
        };
        assert!(asked("true").is_ok());
        let error = asked("echo no such unit >&2; exit 5").unwrap_err().to_string();
        assert_eq!(error, "systemctl did not stop github-runner-one.service: no such unit");
        let missing = ask(&mut Command::new("/nowhere/systemctl"), "github-runner-one.service").unwrap_err();
        assert_eq!(missing.to_string(), "Failed to run systemctl");
    }
}
