//! The commands of `gitlab-nspawn-executor` that are started by units, in machines, and by the program itself.
//!
//! Errors go to the journal, and to the console of a machine. No driver calls these, so the exit codes are those of units.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};

use super::journal;
use crate::machines::nspawn::{SETTINGS, Settings, Watchdog, agent, ended, inner, supervise, units};

/// Runs the command, if it is one of these.
pub fn run(arguments: &[OsString]) -> Option<ExitCode> {
    let (name, rest) = arguments.split_first()?;
    let act: fn(&[OsString]) -> Result<()> = match name.to_str()? {
        "supervise" => |rest| {
            let settings = settings(rest)?;
            let (socket, limit) = (std::env::var("NOTIFY_SOCKET").ok(), std::env::var("WATCHDOG_USEC").ok());
            supervise::run(&settings, Watchdog::of_unit(socket.as_deref(), limit.as_deref())?)
        },
        "ended" => |rest| ended::run(&settings(rest)?),
        "units" => |rest| {
            let path = path(rest)?;
            let program = std::env::current_exe().context("Failed to find this program")?;
            let text = units::all(&Settings::read(&path)?, &path, &program);
            std::io::stdout().write_all(text.as_bytes()).context("Failed to write")
        },
        "agent" => |rest| agent::first(rest.first()),
        "agent-in-machine" => |rest| {
            agent::beside_init(rest.first().and_then(|text| text.to_str()).context("The environment is missing")?)
        },
        inner::COMMAND => inner::run,
        _ => return None,
    };
    journal::start();
    Some(match act(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    })
}

fn settings(arguments: &[OsString]) -> Result<Settings> {
    Settings::read(&path(arguments)?)
}

/// The file that `--settings` names, or the usual one.
fn path(arguments: &[OsString]) -> Result<PathBuf> {
    match arguments {
        [] => Ok(Path::new(SETTINGS).into()),
        [option, path] if option == "--settings" && !path.is_empty() => Ok(path.into()),
        _ => Err(anyhow!("This command takes `--settings FILE` and nothing else")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_settings_are_taken() {
        let path = |line: &str| path(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(path("").unwrap(), Path::new("/etc/gitlab-nspawn/settings.json"));
        assert_eq!(path("--settings s").unwrap(), Path::new("s"));
        for line in ["--settings", "s", "--settings s more", "--setting s"] {
            assert!(path(line).is_err(), "{line}");
        }
    }

    #[test]
    fn commands_of_gitlab_runner_are_none_of_these() {
        for name in ["config", "prepare", "run", "cleanup", "--help", "supervised"] {
            assert!(run(&[name.into()]).is_none(), "{name}");
        }
        assert!(run(&[]).is_none());
    }
}
