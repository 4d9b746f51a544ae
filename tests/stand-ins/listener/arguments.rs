//! The command line grammar with all its traps, and the environment equivalents.
//!
//! Source: actions/runner, CommandLineParser.cs:46-125 and CommandSettings.cs:20-140,
//! 365-374, 448-462. The traps are the point of this file: do not make it friendlier.

use std::collections::HashMap;

use super::diagnostics::Log;

/// Arguments whose value is a secret (Constants.cs:109-119).
const SECRETS: [&str; 4] = ["pat", "token", "windowslogonpassword", "jitconfig"];

/// Flags that every command knows.
const GENERIC: [&str; 4] = ["check", "commit", "help", "version"];

/// Commands and what each knows; `unattended` is indeed missing from `remove`.
const COMMANDS: [(&str, &[&str]); 4] = [
    (
        "configure",
        &[
            "auth",
            "labels",
            "monitorsocketaddress",
            "name",
            "pat",
            "runnergroup",
            "token",
            "url",
            "username",
            "windowslogonaccount",
            "windowslogonpassword",
            "work",
            "disableupdate",
            "ephemeral",
            "generateserviceconfig",
            "no-default-labels",
            "replace",
            "runasservice",
            "unattended",
        ],
    ),
    ("remove", &["token", "pat", "local"]),
    ("run", &["once", "jitconfig", "startuptype"]),
    ("warmup", &[]),
];

/// A parsed command line with the inputs of the environment behind it.
#[derive(Debug)]
pub struct Arguments {
    /// Words before the first `--x`.
    commands: Vec<String>,
    /// In order of appearance, as typed.
    flags: Vec<String>,
    /// In order of appearance: name as typed, and value.
    options: Vec<(String, String)>,
    /// By lower-case name.
    inputs: HashMap<String, String>,
}

impl Arguments {
    /// Parses `words`; `inputs` are the environment's values by lower-case name.
    pub fn parse(words: impl Iterator<Item = String>, inputs: HashMap<String, String>, log: &mut Log) -> Self {
        let mut parsed = Self { commands: Vec::new(), flags: Vec::new(), options: Vec::new(), inputs };
        for (name, value) in &parsed.inputs {
            if is_secret(name) {
                log.hide(value);
            }
        }
        let mut commands_done = false;
        // The last `--x`, not yet known to be a flag or an option.
        let mut open: Option<String> = None;
        for word in words {
            commands_done |= word.starts_with("--");
            if word == "/?" {
                parsed.flags.push("help".to_owned());
            } else if !commands_done {
                parsed.commands.push(word.trim().to_owned());
            } else if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
                // Before any masking: this is how `--token=X` leaks.
                log.trace(&format!("arg: {name}"));
                parsed.flags.extend(open.replace(name.to_owned()));
            } else if word.starts_with('-') {
                // A value that starts with a dash is dropped, and the option becomes a flag.
            } else if let Some(name) = open.take_if(|name| parsed.option(name.trim()).is_none()) {
                let name = name.trim();
                if is_secret(name) {
                    log.hide(&word);
                }
                log.trace(&format!("Adding option '{name}': '{word}'"));
                parsed.options.push((name.to_owned(), word));
            }
        }
        parsed.flags.extend(open);
        parsed
    }

    /// Whether this is the command; only the first word is looked at.
    pub fn is(&self, command: &str) -> bool {
        let first = self.commands.first();
        first.is_some_and(|word| word.eq_ignore_ascii_case(command))
    }

    /// The first word, if it is a command.
    pub fn known_command(&self) -> Option<&'static str> {
        let mut names = COMMANDS.iter().map(|(name, _)| *name);
        names.find(|name| self.is(name))
    }

    /// Whether a flag is set. `--flag true` is an option and therefore does not count;
    /// in the environment the value must be `true` in any case.
    pub fn flag(&self, name: &str) -> bool {
        let typed = self.flags.iter().any(|flag| flag.eq_ignore_ascii_case(name));
        typed || self.inputs.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The value of an option; the command line wins over the environment.
    pub fn value(&self, name: &str) -> Option<&str> {
        let typed = self.option(name).filter(|value| !value.is_empty());
        typed.or_else(|| self.inputs.get(name).map(String::as_str))
    }

    /// The secrets that were given, for the fault that prints them.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        SECRETS.iter().filter_map(|name| self.value(name))
    }

    /// What the runner will complain about and then ignore.
    pub fn unknown(&self) -> Vec<&str> {
        let is_command = |word: &&String| COMMANDS.iter().any(|(name, _)| word.eq_ignore_ascii_case(name));
        let words: Vec<&str> = self.commands.iter().filter(|word| !is_command(word)).map(String::as_str).collect();
        if !words.is_empty() {
            return words;
        }
        let options = COMMANDS.iter().find(|(name, _)| self.is(name));
        let allowed = options.map_or(&[][..], |(_, options)| options);
        let names = self.flags.iter().chain(self.options.iter().map(|(name, _)| name));
        names
            .map(String::as_str)
            .filter(|name| {
                let mut known = allowed.iter().chain(&GENERIC);
                !known.any(|known| known.eq_ignore_ascii_case(name))
            })
            .collect()
    }

    fn option(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        let found = options.find(|(typed, _)| typed.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}
