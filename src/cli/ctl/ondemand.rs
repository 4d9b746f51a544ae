//! `github-runnerctl on-demand`: the orders of workflows, and what an operator may say to them.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use nix::unistd::Uid;

use crate::frontend::ondemand::listing::Listing;
use crate::frontend::ondemand::operate::{self, Places};

/// What is to be done.
#[derive(Subcommand)]
pub enum What {
    /// Show the orders that are open, wait for their proof, or ended within the last hour
    List {
        /// Show all that ended within the last 25 hours
        #[arg(long)]
        all: bool,
        /// Print the same as JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Have no new runner ordered; those that are there go on
    Stop {
        /// What callers are told
        text: Option<String>,
    },
    /// Have runners ordered again
    Start,
    /// Have the orders of a label end; a job that runs is not cut short
    End {
        /// The label, as `list` shows it
        label: String,
    },
    /// Check settings without using them; the exit code is 0 only if they are good
    Check {
        /// The settings, as JSON
        file: PathBuf,
    },
}

/// Does it.
pub fn run(what: &What) -> Result<()> {
    // The only one that looks at nothing of this host: the build of a configuration runs it.
    if let What::Check { file } = what {
        return operate::check(file);
    }
    if !Uid::effective().is_root() {
        bail!("Only root can see orders: run it with `sudo`");
    }
    let places = Places::default();
    let said = match what {
        What::List { all, json } => {
            let listing = Listing::of(operate::look_now(&places)?, *all);
            if *json { listing.json()? } else { listing.text() }
        }
        What::Stop { text } => {
            operate::stop(&places, text.as_deref())?;
            "Nothing new begins. What is open goes on; `github-runnerctl on-demand start` takes this back.\n".into()
        }
        What::Start if operate::start(&places)? => "Runners are ordered again.\n".into(),
        What::Start => "They were not stopped.\n".into(),
        What::End { label } => operate::end(&places, label)?.join("\n") + "\n",
        What::Check { .. } => return Ok(()),
    };
    std::io::stdout().write_all(said.as_bytes()).context("Failed to write")
}
