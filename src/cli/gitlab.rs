//! The command line of `gitlab-nspawn-executor`.
//!
//! Read by hand, as that of the helper: it is written by the configuration of gitlab-runner and by units, always in the same
//! form, and read several times in each job. It is strict: what it does not know is an error.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::frontend::gitlab::{Call, Verdict, cleanup, config, prepare, run};
use crate::machines::nspawn::SETTINGS;

const HELP: &str = "\
Runs each job of GitLab in a systemd-nspawn machine of its own, as the custom executor of gitlab-runner.

Usage: gitlab-nspawn-executor COMMAND [--settings FILE]

Commands that gitlab-runner calls, without privileges:
  config             Say where things are in a machine
  prepare            Have a machine made for the job
  run SCRIPT STAGE   Run a script in it
  cleanup            End it, and wait until nothing of it stands

Commands of the host's units, as root:
  supervise          Make the machine that the standard input asks for, and be with it until its end
  ended              After that end, take away everything that is left
  units              Print these units and the files that go with them

Options:
  --settings FILE    The configuration, as JSON; /etc/gitlab-nspawn/settings.json by default
";

/// What is to be done.
#[derive(Debug, PartialEq)]
enum Command {
    Config(PathBuf),
    Prepare(PathBuf),
    Run(PathBuf, PathBuf, String),
    Cleanup(PathBuf),
    /// Show this text.
    Show(&'static str),
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(code) = super::machines::run(&arguments) {
        return code;
    }
    let call = Call::of_process();
    let verdict = match parse(arguments.into_iter()) {
        Err(error) => Verdict::System(format!("{error:#}; see gitlab-nspawn-executor --help")),
        Ok(Command::Config(settings)) => config::run(&settings),
        Ok(Command::Prepare(settings)) => prepare::run(&settings, &call),
        Ok(Command::Run(settings, script, stage)) => run::run(&settings, &call, &script, &stage),
        Ok(Command::Cleanup(settings)) => cleanup::run(&settings, &call),
        Ok(Command::Show(text)) => {
            use std::io::Write as _;
            match std::io::stdout().write_all(text.as_bytes()) {
                Ok(()) => Verdict::Success,
                Err(error) => Verdict::System(format!("Failed to write: {error}")),
            }
        }
    };
    call.end(&verdict)
}

/// Reads the arguments that follow the program's name.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command> {
    let mut arguments = arguments.peekable();
    let name = arguments.next().context("No command was given")?;
    let name = name.to_str().unwrap_or_default();
    match name {
        "--help" | "-h" | "help" => return Ok(Command::Show(HELP)),
        "--version" | "-V" => {
            return Ok(Command::Show(concat!("gitlab-nspawn-executor ", env!("CARGO_PKG_VERSION"), "\n")));
        }
        "config" | "prepare" | "run" | "cleanup" => {}
        _ => bail!("There is no command `{}`", name.escape_debug()),
    }
    let mut settings = PathBuf::from(SETTINGS);
    if arguments.next_if(|argument| argument == "--settings").is_some() {
        settings = arguments.next().filter(|path| !path.is_empty()).context("Option --settings needs a path")?.into();
    }
    let command = match name {
        "config" => Command::Config(settings),
        "prepare" => Command::Prepare(settings),
        "cleanup" => Command::Cleanup(settings),
        _ => {
            let missing = "Command run needs the path of a script and the name of a stage, which gitlab-runner adds";
            let script = arguments.next().context(missing)?.into();
            // A job may have named it.
            let stage = arguments.next().context(missing)?.to_string_lossy().into_owned();
            Command::Run(settings, script, stage)
        }
    };
    match arguments.next() {
        None => Ok(command),
        Some(more) => Err(anyhow!("Command {name} does not take `{}`", more.to_string_lossy().escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_form_of_the_configuration_is_understood() {
        let usual = || PathBuf::from("/etc/gitlab-nspawn/settings.json");
        assert_eq!(parsed("config").unwrap(), Command::Config(usual()));
        assert_eq!(parsed("prepare --settings s").unwrap(), Command::Prepare("s".into()));
        assert_eq!(parsed("cleanup").unwrap(), Command::Cleanup(usual()));
        let run = Command::Run("s".into(), "script".into(), "step_release".into());
        assert_eq!(parsed("run --settings s script step_release").unwrap(), run);
        let odd = Command::Run(usual(), "script".into(), "--settings".into());
        assert_eq!(parsed("run script --settings").unwrap(), odd, "names of stages are the job's");
    }

    #[test]
    fn everything_else_is_an_error_that_names_it() {
        for (line, part) in [
            ("", "No command"),
            ("prepar", "There is no command `prepar`"),
            ("config extra", "does not take `extra`"),
            ("config --settings", "--settings needs a path"),
            ("run", "needs the path of a script"),
            ("run script", "the name of a stage"),
            ("run script stage more", "does not take `more`"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
