//! The command line of `github-runner-door`.
//!
//! Read by hand, as that of the helper: only a unit writes it. The listening socket is the standard input, as systemd's
//! `StandardInput=socket` gives it: a descriptor by number, as in `LISTEN_FDS`, cannot be taken over without `unsafe`.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use tracing::error;

use super::journal;
use crate::frontend::ondemand::door::places::Limits;
use crate::frontend::ondemand::door::serve::{Door, serve};
use crate::frontend::ondemand::label::{Grammar, Prefix};

const HELP: &str = "\
Takes requests for runners over HTTP from the proxy of this host, and asks the desk. Ends when nobody comes for a minute.

Usage: github-runner-door --desk SOCKET --prefix PREFIX [--compatible-prefix PREFIX]

The standard input is a listening Unix socket, as StandardInput=socket of systemd gives it.

Options:
  --desk SOCKET                The Unix socket of the desk
  --prefix PREFIX              How labels begin, before `-RUN-NAME`
  --compatible-prefix PREFIX   How labels begin that name no run, for workflows that were written for another service
";

/// What is to be done.
#[derive(Debug)]
enum Command {
    Serve(PathBuf, Grammar),
    /// Show this text.
    Show(&'static str),
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    journal::start();
    let done = match parse(std::env::args_os().skip(1)) {
        Ok(Command::Serve(desk, grammar)) => open(desk, grammar),
        Ok(Command::Show(text)) => std::io::stdout().write_all(text.as_bytes()).context("Failed to write"),
        Err(error) => Err(anyhow!("{error:#}; see github-runner-door --help")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn open(desk: PathBuf, grammar: Grammar) -> Result<()> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("Failed to take over the standard input")?;
    serve(socket, Door { desk, grammar, limits: Limits::default() })
}

/// Reads the arguments that follow the program's name.
fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command> {
    let (mut desk, mut prefix, mut compatible) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let name = argument.to_str().unwrap_or_default().to_owned();
        let place = match name.as_str() {
            "--help" | "-h" => return Ok(Command::Show(HELP)),
            "--version" | "-V" => {
                return Ok(Command::Show(concat!("github-runner-door ", env!("CARGO_PKG_VERSION"), "\n")));
            }
            "--desk" => &mut desk,
            "--prefix" => &mut prefix,
            "--compatible-prefix" => &mut compatible,
            _ => bail!("There is no option `{}`", argument.to_string_lossy().escape_debug()),
        };
        let value = arguments
            .next()
            .filter(|value| !value.is_empty())
            .with_context(|| format!("Option {name} needs a value"))?;
        if place.replace(value).is_some() {
            bail!("Option {name} is given twice");
        }
    }
    let checked = |text: OsString| {
        let text = text.into_string().map_err(|_| anyhow!("A prefix is no text"))?;
        Prefix::try_from(text).map_err(|why| anyhow!("Failed to read a prefix: {why}"))
    };
    let desk = desk.context("Option --desk is missing")?.into();
    let prefix = checked(prefix.context("Option --prefix is missing")?)?;
    Ok(Command::Serve(desk, Grammar { prefix, compatible: compatible.map(checked).transpose()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_form_of_the_unit_is_understood() {
        let Ok(Command::Serve(desk, grammar)) = parsed("--desk /run/desk --prefix od --compatible-prefix rr_runner_")
        else {
            panic!("it is not understood");
        };
        assert_eq!(desk, PathBuf::from("/run/desk"));
        assert_eq!(grammar.prefix.as_str(), "od");
        assert_eq!(grammar.compatible.unwrap().as_str(), "rr_runner_");
        assert!(matches!(parsed("--prefix od --desk d"), Ok(Command::Serve(_, Grammar { compatible: None, .. }))));
    }

    #[test]
    fn everything_else_is_an_error_that_names_it() {
        for (line, part) in [
            ("", "--desk is missing"),
            ("--desk d", "--prefix is missing"),
            ("--desk d --prefix", "--prefix needs a value"),
            ("--desk d --prefix od --prefix od", "--prefix is given twice"),
            ("--desk d --prefix O", "Failed to read a prefix"),
            ("--desk d --prefix od --compatible-prefix ubuntu", "Failed to read a prefix"),
            ("--desk d --prefix od more", "no option `more`"),
        ] {
            let error = format!("{:#}", parsed(line).unwrap_err());
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
