//! The command line of `garm-provider-incus-lxd`.
//!
//! GARM calls it without arguments and says in the environment what is to be done. People call it with a command. Read by hand
//! from one table, of which the man pages and completions are made, too: a parser of command lines would be a fifth of
//! the program.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::frontend::garm::{COMMAND, Code, End, check, command, instances, run, setup};
use crate::model::plain;

/// The program's name.
pub const NAME: &str = "garm-provider-incus-lxd";

/// What it is.
pub const ABOUT: &str = "The external provider of GARM for Incus and LXD; GARM calls it without arguments";

/// A command for people.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What it takes.
    pub options: &'static [Choice],
}

/// An option, which takes a value.
#[derive(Debug)]
pub struct Choice {
    /// Its name, without the dashes.
    pub name: &'static str,
    /// What its value is called.
    pub value: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What holds without it.
    pub absent: Absent,
}

/// What holds without an option.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// Nothing: it has to be given.
    Error,
    /// This value.
    Usual(&'static str),
    /// There is no value.
    None,
}

const SETTINGS: Choice = needed("settings", "FILE", "The provider's settings, as TOML");

const fn needed(name: &'static str, value: &'static str, about: &'static str) -> Choice {
    Choice { name, value, about, absent: Absent::Error }
}

const fn usual(name: &'static str, value: &'static str, about: &'static str, usual: &'static str) -> Choice {
    Choice { name, value, about, absent: Absent::Usual(usual) }
}

/// All commands for people.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "check",
        about: "Say what the settings mean, and whether the server answers; changes nothing",
        options: &[SETTINGS],
    },
    Command {
        name: "instances",
        about: "List all instances of a controller, or those that GARM does not know; changes nothing",
        options: &[
            SETTINGS,
            needed("controller", "ID", "The id of the controller, as `garm-cli controller show` has it"),
            Choice {
                name: "known",
                value: "FILE",
                about: "What `garm-cli runner list --all --format json` wrote: leave these out",
                absent: Absent::None,
            },
        ],
    },
    Command {
        name: "setup",
        about: "Print a shell script that makes project, network, profile and certificate at a server",
        options: &[
            needed("garm", "ADDRESS:PORT", "Where instances reach GARM"),
            usual("client", "CLIENT", "The server's client: incus or lxc", "incus"),
            usual("project", "NAME", "The project to make", "garm-project"),
            usual("profile", "NAME", "The profile to make, which is the flavor of pools", "garm"),
            usual("network", "NAME", "The bridge to make", "garm0"),
            usual("storage", "NAME", "The pool of storage to use", "default"),
        ],
    },
];

/// Runs the program with the arguments and the environment of the process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let end = if arguments.is_empty() && std::env::var_os(COMMAND).is_some() { called() } else { asked(&arguments) };
    finish(&end)
}

/// GARM's call.
fn called() -> End {
    match command(|name| std::env::var_os(name)) {
        Ok(command) => run(&command, &std::env::var("GARM_POOL_EXTRASPECS").unwrap_or_default()),
        Err(error) => End::refused(&error),
    }
}

/// Somebody's command.
fn asked(arguments: &[OsString]) -> End {
    let done = parse(arguments).map_err(|error| anyhow!("{error:#}; see {NAME} --help")).and_then(|asked| {
        let value = |name: &str| asked.value(name).to_owned();
        match asked.command {
            None => Ok(asked.text),
            Some("check") => check::run(Path::new(&value("settings"))),
            Some("instances") => {
                let known = Some(value("known")).filter(|path| !path.is_empty());
                instances::run(Path::new(&value("settings")), &value("controller"), known.as_deref().map(Path::new))
            }
            Some(_) => setup::script(&setup::Wish {
                garm: value("garm"),
                client: value("client"),
                project: value("project"),
                profile: value("profile"),
                network: value("network"),
                storage: value("storage"),
            }),
        }
    });
    match done {
        Ok(answer) => End { answer, why: String::new(), code: Code::Success },
        Err(error) => End::refused(&error),
    }
}

/// Answers. What cannot be written was not answered, so it is no success.
fn finish(end: &End) -> ExitCode {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(end.answer.as_bytes()).and_then(|()| output.flush());
    if !end.why.is_empty() {
        // GARM shows it to people, and a server may have written a part of it.
        _ = writeln!(std::io::stderr(), "{}", plain(&end.why));
    }
    match (written, end.code) {
        (Err(error), Code::Success) => {
            _ = writeln!(std::io::stderr(), "Failed to answer: {error}");
            ExitCode::FAILURE
        }
        (_, code) => ExitCode::from(code as u8),
    }
}

/// A command line that was understood.
#[derive(Debug, Default)]
struct Asked {
    /// The command; none if only a text is wanted.
    command: Option<&'static str>,
    text: String,
    values: Vec<(&'static str, String)>,
}

impl Asked {
    fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// Reads the arguments that follow the program's name.
fn parse(arguments: &[OsString]) -> Result<Asked> {
    let text = |text: &OsString| text.to_str().map(String::from).context("An argument is no UTF-8 text");
    let mut arguments = arguments.iter();
    let Some(name) = arguments.next() else {
        bail!("The variable {COMMAND} is not set: GARM calls this program, and people give it a command");
    };
    let name = text(name)?;
    match name.as_str() {
        "--help" | "-h" | "help" => return Ok(Asked { text: help(), ..Asked::default() }),
        "--version" | "-V" => {
            let text = concat!("garm-provider-incus-lxd ", env!("CARGO_PKG_VERSION"), "\n").into();
            return Ok(Asked { text, ..Asked::default() });
        }
        _ => {}
    }
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.with_context(|| format!("There is no command `{}`", name.escape_debug()))?;
    let mut values: Vec<(&'static str, String)> = Vec::new();
    while let Some(argument) = arguments.next() {
        let argument = text(argument)?;
        let (option, joined) = match argument.split_once('=') {
            Some((option, value)) => (option, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let known = command.options.iter().find(|known| option.strip_prefix("--") == Some(known.name));
        let known = known.with_context(|| format!("Command {name} does not take `{}`", option.escape_debug()))?;
        if values.iter().any(|(name, _)| *name == known.name) {
            bail!("Option {option} is given twice");
        }
        let value = match joined {
            Some(value) => value,
            None => text(arguments.next().with_context(|| format!("Option {option} needs {}", known.value))?)?,
        };
        if value.is_empty() {
            bail!("Option {option} needs {}", known.value);
        }
        values.push((known.name, value));
    }
    for option in command.options {
        if values.iter().any(|(name, _)| *name == option.name) {
            continue;
        }
        match option.absent {
            Absent::Error => bail!("Command {name} needs --{} {}", option.name, option.value),
            Absent::Usual(value) => values.push((option.name, value.into())),
            Absent::None => {}
        }
    }
    Ok(Asked { command: Some(command.name), text: String::new(), values })
}

fn help() -> String {
    let option = |option: &Choice| {
        let usual = match option.absent {
            Absent::Error => " (needed)".into(),
            Absent::Usual(value) => format!(" [{value}]"),
            Absent::None => String::new(),
        };
        let form = format!("{} {}", option.name, option.value);
        format!("      --{form:<26} {}{usual}\n", option.about)
    };
    let command = |command: &Command| {
        let options: Vec<String> = command.options.iter().map(option).collect();
        format!("\n  {}\n      {}\n{}", command.name, command.about, options.concat())
    };
    let commands: Vec<String> = COMMANDS.iter().map(command).collect();
    format!(
        "{ABOUT}\n\nUsage: {NAME} COMMAND [OPTIONS]\n\nCommands for people:\n{}\n\
         Commands of GARM are in the variable {COMMAND}; docs/garm.md has all of it.\n",
        commands.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Asked> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn commands_are_understood_with_what_is_usual() {
        let asked = parsed("check --settings s.toml").unwrap();
        assert_eq!((asked.command, asked.value("settings")), (Some("check"), "s.toml"));
        let asked = parsed("setup --garm=192.0.2.1:9997 --client lxc").unwrap();
        assert_eq!((asked.value("garm"), asked.value("client")), ("192.0.2.1:9997", "lxc"));
        assert_eq!((asked.value("project"), asked.value("storage")), ("garm-project", "default"));
    }

    #[test]
    fn everything_else_is_an_error_that_names_it() {
        for (line, part) in [
            ("", "GARM_COMMAND is not set"),
            ("chek", "There is no command `chek`"),
            ("check", "Command check needs --settings FILE"),
            ("check --settings", "Option --settings needs FILE"),
            ("check --settings=", "Option --settings needs FILE"),
            ("check --settings a --settings b", "given twice"),
            ("check extra", "does not take `extra`"),
            ("check settings a", "does not take `settings`"),
            ("instances --settings a", "needs --controller ID"),
        ] {
            let error = format!("{:#}", parsed(line).unwrap_err());
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn the_help_has_every_command_and_option() {
        let help = parsed("--help").unwrap().text;
        for command in COMMANDS {
            assert!(help.contains(command.about), "{}", command.name);
            for option in command.options {
                assert!(help.contains(&format!("--{} {}", option.name, option.value)), "{}", option.name);
            }
        }
    }
}
