//! The command line of `github-runner-helper`.
//!
//! Read by hand: the only ones who write it are the module's units, always in the same form, and a parser for people
//! would take a fifth of a start's time and of the program's size. It is strict: what it does not know is an error.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::cli::journal;
use crate::root::{clear, place, prepare, record, release, settle};
use crate::state::start::{Start, read_manifest};
use crate::user;

const HELP: &str = "\
Prepares, registers and records a self-hosted GitHub Actions runner before it starts.

Usage: github-runner-helper COMMAND [OPTIONS]

Commands, in the order in which a unit runs them:
  prepare    As root: decide whether the registration stays, purge if not, and stage the token
  configure  As the service user: register with the staged token, if there is one
  record     As root: write into the ledger which runner this is, and link its logs and credentials for jobs
  release    As root, before a stop: take an idle ephemeral registration back, so that no job comes any more
  settle     As root, after the end: say what it means, and take unused registrations back
  check M    While the system is built: say whether manifest M is good

Commands of a unit that runs one order of a workflow, in place of all these:
  place      As root: put the order's registration into empty directories, for the service user
  clear      As root, after the end: say what it means, keep the logs, and leave nothing else of the job

Options of all commands but check:
  --manifest FILE          The runner's configuration, as JSON
  --state-directory DIR    Where the registration is kept
  --work-directory DIR     Where jobs run; emptied at every start unless it is kept
  --logs-directory DIR     Where the listener's logs are kept
  --ledger-directory DIR   prepare, record, release, settle: where root keeps what it knows about registrations
  --broker SOCKET          prepare, release, settle: who asks GitHub with the API credential
  --registration FILE      place: the order's registration, which root alone can read
";

/// What is to be done.
#[derive(Debug, PartialEq)]
enum Command {
    Prepare(Start, PathBuf, PathBuf),
    Configure(Start),
    Record(Start, PathBuf),
    Release(Start, PathBuf, PathBuf),
    Settle(Start, PathBuf, PathBuf),
    Place(Start, PathBuf),
    Clear(Start),
    Check(PathBuf),
    /// Show this text.
    Show(&'static str),
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    journal::start();
    match parse(std::env::args_os().skip(1)) {
        Err(error) => {
            tracing::error!("{error:#}; see github-runner-helper --help");
            ExitCode::from(2)
        }
        Ok(command) => match run(command) {
            Ok(code) => code,
            Err(error) => {
                tracing::error!("{error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Prepare(start, ledger, broker) => prepare::run(&start, &ledger, &broker),
        Command::Configure(start) => user::configure::run(&start),
        Command::Record(start, ledger) => record::run(&start, &ledger),
        Command::Release(start, ledger, broker) => release::run(&start, &ledger, &broker),
        Command::Settle(start, ledger, broker) => settle::run(&start, &ledger, &broker),
        Command::Place(start, registration) => place::run(&start, &registration),
        Command::Clear(start) => clear::run(&start),
        Command::Check(manifest) => read_manifest(&manifest).map(drop),
        Command::Show(text) => {
            use std::io::Write as _;
            std::io::stdout().write_all(text.as_bytes()).context("Failed to write")
        }
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Reads the arguments that follow the program's name.
fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command> {
    let name = arguments.next().context("No command was given")?;
    let name = name.to_str().unwrap_or_default();
    match name {
        "--help" | "-h" | "help" => return Ok(Command::Show(HELP)),
        "--version" | "-V" => {
            return Ok(Command::Show(concat!("github-runner-helper ", env!("CARGO_PKG_VERSION"), "\n")));
        }
        "check" => {
            let manifest = arguments.next().context("`check` needs the path of a manifest")?;
            return match arguments.next() {
                None => Ok(Command::Check(manifest.into())),
                Some(more) => Err(unexpected(&more, name)),
            };
        }
        "prepare" | "configure" | "record" | "release" | "settle" | "place" | "clear" => {}
        _ => bail!("There is no command `{}`", name.escape_debug()),
    }
    let knows = |option: &str| match option {
        "--ledger-directory" => matches!(name, "prepare" | "record" | "release" | "settle"),
        "--broker" => matches!(name, "prepare" | "release" | "settle"),
        "--registration" => name == "place",
        _ => true,
    };
    let mut given: [(&str, Option<PathBuf>); 7] = [
        "--manifest",
        "--state-directory",
        "--work-directory",
        "--logs-directory",
        "--ledger-directory",
        "--broker",
        "--registration",
    ]
    .map(|option| (option, None));
    while let Some(argument) = arguments.next() {
        let slot = given
            .iter_mut()
            .find(|(option, _)| knows(option) && argument == *option)
            .ok_or_else(|| unexpected(&argument, name))?;
        let option = slot.0;
        let value = arguments.next().filter(|value| !value.is_empty() && !value.as_encoded_bytes().starts_with(b"-"));
        let value = value.with_context(|| format!("Option {option} needs a path"))?;
        if slot.1.replace(value.into()).is_some() {
            bail!("Option {option} was given twice");
        }
    }
    let [manifest, state, work, logs, ledger, broker, registration] =
        given.map(|(option, value)| value.with_context(|| format!("Command {name} needs option {option}")));
    let start = Start { manifest: manifest?, state_directory: state?, work_directory: work?, logs_directory: logs? };
    Ok(match name {
        "prepare" => Command::Prepare(start, ledger?, broker?),
        "release" => Command::Release(start, ledger?, broker?),
        "settle" => Command::Settle(start, ledger?, broker?),
        "record" => Command::Record(start, ledger?),
        "place" => Command::Place(start, registration?),
        "clear" => Command::Clear(start),
        _ => Command::Configure(start),
    })
}

fn unexpected(argument: &OsString, command: &str) -> anyhow::Error {
    anyhow!("Command {command} does not take `{}`", argument.to_string_lossy().escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "prepare --manifest m --state-directory s --work-directory w --logs-directory l --ledger-directory r --broker b";

    fn parsed(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_form_of_the_units_is_understood() {
        let start = || Start {
            manifest: "m".into(),
            state_directory: "s".into(),
            work_directory: "w".into(),
            logs_directory: "l".into(),
        };
        assert_eq!(parsed(GOOD).unwrap(), Command::Prepare(start(), "r".into(), "b".into()));
        let record = GOOD.replace(" --broker b", "").replace("prepare", "record");
        assert_eq!(parsed(&record).unwrap(), Command::Record(start(), "r".into()));
        let settle = GOOD.replace("prepare", "settle");
        assert_eq!(parsed(&settle).unwrap(), Command::Settle(start(), "r".into(), "b".into()));
        let release = GOOD.replace("prepare", "release");
        assert_eq!(parsed(&release).unwrap(), Command::Release(start(), "r".into(), "b".into()));
        let without_ledger = record.replace(" --ledger-directory r", "").replace("record", "configure");
        assert_eq!(parsed(&without_ledger).unwrap(), Command::Configure(start()));
        assert_eq!(parsed("check m").unwrap(), Command::Check("m".into()));
        let clear = without_ledger.replace("configure", "clear");
        assert_eq!(parsed(&clear).unwrap(), Command::Clear(start()));
        let place = format!("{} --registration f", clear.replace("clear", "place"));
        assert_eq!(parsed(&place).unwrap(), Command::Place(start(), "f".into()));
    }

    #[test]
    fn everything_else_is_an_error_that_names_it() {
        for (line, part) in [
            ("", "No command"),
            ("prepar", "There is no command `prepar`"),
            ("prepare --manifest m", "needs option --state-directory"),
            ("check", "needs the path of a manifest"),
            ("check a b", "does not take `b`"),
            (&GOOD.replace("prepare", "record"), "record does not take `--broker`"),
            (&GOOD.replace("prepare", "configure"), "configure does not take `--ledger-directory`"),
            (&GOOD.replace("prepare", "place"), "place does not take `--ledger-directory`"),
            (&GOOD.replace("prepare", "clear"), "clear does not take `--ledger-directory`"),
            (&format!("{GOOD} --registration f"), "prepare does not take `--registration`"),
            (
                "place --manifest m --state-directory s --work-directory w --logs-directory l",
                "needs option --registration",
            ),
            (&format!("{GOOD} --manifest x"), "--manifest was given twice"),
            (&format!("{GOOD} extra"), "does not take `extra`"),
            (&format!("{GOOD} --surprise x"), "does not take `--surprise`"),
            ("configure --manifest", "--manifest needs a path"),
            ("configure --manifest=m", "does not take `--manifest=m`"),
            ("configure --manifest --state-directory s", "--manifest needs a path"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
