//! The files: `man/NAME.8`, one for each command, and `completions/` for three shells.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Arg, Command};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use github_runners::cli::garm;

/// Operators run it as root.
const SECTION: &str = "8";
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

/// Writes everything below `directory`, which is made if it is missing.
pub fn write(directory: &Path) -> Result<()> {
    let [man, completions] = ["man", "completions"].map(|name| directory.join(name));
    for directory in [&man, &completions] {
        fs::create_dir_all(directory).with_context(|| format!("Failed to make {}", directory.display()))?;
    }
    for whole in [github_runners::cli::ctl::command(), provider()] {
        let mut command = whole.clone().disable_help_subcommand(true);
        // Names the subcommands after their parents.
        command.build();
        let version = command.get_version().unwrap_or_default();
        pages(&command, &format!("{} {version}", command.get_name()), &man)?;
        let (mut command, name) = (whole.clone(), whole.get_name().to_owned());
        for shell in SHELLS {
            generate_to(shell, &mut command, &name, &completions)
                .with_context(|| format!("Failed to write the completions for {shell} of {name}"))?;
        }
    }
    Ok(())
}

/// The command line of the provider for GARM, which it reads by hand from the same table.
pub fn provider() -> Command {
    let argument = |option: &'static garm::Choice| {
        let argument = Arg::new(option.name).long(option.name).value_name(option.value).help(option.about);
        match option.absent {
            garm::Absent::Usual(value) => argument.default_value(value),
            garm::Absent::Error => argument.required(true),
            garm::Absent::None => argument,
        }
    };
    let below = garm::COMMANDS
        .iter()
        .map(|command| Command::new(command.name).about(command.about).args(command.options.iter().map(argument)));
    Command::new(garm::NAME).version(env!("CARGO_PKG_VERSION")).about(garm::ABOUT).subcommands(below)
}

fn pages(command: &Command, source: &str, directory: &Path) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, source, directory)?;
    }
    let page = Man::new(command.clone()).section(SECTION).source(source);
    page.generate_to(directory).with_context(|| format!("Failed to write the page of {}", command.get_name()))?;
    Ok(())
}
