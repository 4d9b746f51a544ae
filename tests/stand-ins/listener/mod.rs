//! A `Runner.Listener` for tests: behaves as GitHub's runner does, without being it.
//!
//! The real runner is a .NET program that needs an account to do anything. This one
//! reproduces what a driver can observe — grammar, prompts, files, texts, exit codes,
//! signals — including every trap that the runner contract lists (sections 1–3 and
//! 7.1), so that a driver that survives it has a chance with the real one. On top it
//! fails on demand, as a script file beside it says; see [`script`].
//!
//! It must never be part of a shipped package, and never contact anything but the
//! stand-in that its script names.
//!
//! A program embeds it with `#[path = "../tests/stand-ins/listener/mod.rs"] mod listener;`
//! and calls [`main_entry`] when it was started as `Runner.Listener`.

mod arguments;
mod configure;
mod diagnostics;
mod dump;
mod environment;
mod faults;
mod files;
mod http;
mod job;
mod offline;
mod presence;
mod prompts;
mod remove;
mod run;
mod script;
mod server;
#[allow(clippy::duplicate_mod, reason = "a program may embed both stand-ins, each complete by itself")]
#[path = "../shared.rs"]
mod shared;
mod signals;
mod start;
mod target;
mod terminal;

use std::process::ExitCode;

use arguments::Arguments;
use start::Start;

/// The answer of `--commit`.
const COMMIT: &str = "0000000000000000000000000000000000000000";

/// `Constants.Runner.ReturnCode.TerminatedError`.
const TERMINATED: u8 = 1;

/// A mistake in the test rather than anything that the runner would do.
const MISUSED: u8 = 99;

const USAGE: &str = "
Commands:
 ./config.sh         Configures the runner
 ./config.sh remove  Unconfigures the runner
 ./run.sh            Runs the runner interactively. Does not require any options.

Options:
 --help     Prints the help for each command
 --version  Prints the runner version
 --commit   Prints the runner commit
 --check    Check the runner's network connectivity with GitHub server
";

/// Does what `Runner.Listener` would do with this process's arguments and environment.
pub fn main_entry() -> ExitCode {
    match start::start() {
        Ok(mut start) => execute(&mut start),
        Err(code) => code,
    }
}

/// Runner.cs, `ExecuteCommand`: the order of these tests is part of the contract.
fn execute(start: &mut Start) -> ExitCode {
    warn_of_unknown(&start.arguments);
    let arguments = &start.arguments;
    if arguments.flag("help") {
        terminal::line(USAGE);
        return ExitCode::SUCCESS;
    }
    if arguments.flag("version") {
        terminal::line(&start.script.version);
        return ExitCode::SUCCESS;
    }
    if arguments.flag("commit") {
        terminal::line(COMMIT);
        return ExitCode::SUCCESS;
    }
    if arguments.is("configure") {
        return terminated(configure::configure(start));
    }
    if arguments.is("remove") {
        return remove::remove(start);
    }
    run::run(start)
}

/// Program.cs:104-119: a typing error costs nothing but this line.
fn warn_of_unknown(arguments: &Arguments) {
    let unknown = arguments.unknown();
    if unknown.is_empty() {
        return;
    }
    let (names, usage) = (unknown.join(", "), r".\config.cmd --help or ./config.sh --help");
    terminal::error(&match arguments.known_command() {
        Some(command) => format!(
            "Unrecognized command-line input arguments for command {command}: '{names}'. For usage refer to: {usage}"
        ),
        None => format!(
            "This command does not recognize the command-line input arguments: '{names}'. For usage refer to: {usage}"
        ),
    });
}

/// Runner.cs:150-165: every failure is a message and exit code 1.
fn terminated(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error.to_string());
            ExitCode::from(TERMINATED)
        }
    }
}
