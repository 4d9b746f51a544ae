//! The files: `man/NAME.8`, one for each command, and `completions/` for three shells.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

/// Operators run it as root.
const SECTION: &str = "8";
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

/// Writes everything below `directory`, which is made if it is missing.
pub fn write(directory: &Path) -> Result<()> {
    let [man, completions] = ["man", "completions"].map(|name| directory.join(name));
    for directory in [&man, &completions] {
        fs::create_dir_all(directory).with_context(|| format!("Failed to make {}", directory.display()))?;
    }
    let mut command = github_runners::cli::ctl::command().disable_help_subcommand(true);
    // Names the subcommands after their parents.
    command.build();
    let version = command.get_version().unwrap_or_default();
    pages(&command, &format!("{} {version}", command.get_name()), &man)?;
    let mut command = github_runners::cli::ctl::command();
    let name = command.get_name().to_owned();
    for shell in SHELLS {
        generate_to(shell, &mut command, &name, &completions)
            .with_context(|| format!("Failed to write the completions for {shell}"))?;
    }
    Ok(())
}

fn pages(command: &Command, source: &str, directory: &Path) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, source, directory)?;
    }
    let page = Man::new(command.clone()).section(SECTION).source(source);
    page.generate_to(directory).with_context(|| format!("Failed to write the page of {}", command.get_name()))?;
    Ok(())
}
