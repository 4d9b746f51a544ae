//! `github-runnerctl fleet`: GARM in line with what is declared of it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};

use crate::doctor;
use crate::frontend::fleet::Kind;
use crate::frontend::fleet::pass::{self, End, Failure, remove};

/// Where the module puts the declaration.
const DECLARATION: &str = "/etc/github-runners/garm-fleet.json";
/// What a unit repeats: GARM does not answer (`EX_TEMPFAIL` of `sysexits.h`).
const AWAY: u8 = 75;

/// What is to be done.
#[derive(Subcommand)]
pub enum What {
    /// Bring GARM in line with the declaration; exit code 75 means that GARM does not answer just now
    Apply {
        /// Say what would be done, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Show what is declared and what GARM has; the exit code is 0 only if everything is as declared
    Status {
        /// Print the same as JSON, for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Check GARM and what it needs, and name each fault with its way out; changes nothing
    Doctor {
        #[command(flatten)]
        of: Of,
    },
    /// Delete something that GARM has and that is not declared any more
    Delete {
        /// What it is
        kind: Deletable,
        /// Its name as `status` shows it, or its id
        name: String,
        #[command(flatten)]
        of: Of,
    },
    /// Say which of GARM's pools a declared one is
    Adopt {
        /// The pool's name in the declaration
        name: String,
        /// The pool's id in GARM
        id: String,
        #[command(flatten)]
        of: Of,
    },
}

/// Whose fleet.
#[derive(Args)]
pub struct Of {
    /// What GARM should have, as JSON
    #[arg(long, default_value = DECLARATION)]
    declaration: PathBuf,
}

/// What can be deleted.
#[derive(Clone, Copy, ValueEnum)]
pub enum Deletable {
    Endpoint,
    Credentials,
    Repository,
    Organization,
    Pool,
    ScaleSet,
}

/// Does it.
pub fn run(what: &What) -> ExitCode {
    done(what).unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}

fn done(what: &What) -> Result<ExitCode> {
    match what {
        What::Apply { dry_run: true, of } => {
            let (text, end) = pass::foresee(&pass::read(&of.declaration)?)?;
            say(&text)?;
            Ok(code(&end))
        }
        What::Apply { dry_run: false, of } => Ok(code(&pass::apply(&pass::read(&of.declaration)?)?)),
        What::Status { json, of } => match pass::examine(&pass::read(&of.declaration)?)? {
            Ok(pass::Examined { report, .. }) => {
                say(&if *json { report.json()? } else { report.text() })?;
                Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Err(Failure::Away(why)) => Ok(code(&End::Away(why))),
            Err(failure) => Err(anyhow!("{}", failure.said())),
        },
        What::Doctor { of } => Ok(doctor::print(&doctor::fleet::report(&of.declaration))),
        What::Delete { kind, name, of } => {
            let declared = pass::read(&of.declaration)?;
            remove::delete(&declared, kind_of(*kind), name)?;
            say(&format!("Deleted {} {name}\n", kind_of(*kind)))?;
            Ok(ExitCode::SUCCESS)
        }
        What::Adopt { name, id, of } => {
            remove::adopt(&pass::read(&of.declaration)?, name, id)?;
            say(&format!("Pool {name} is {id} from now on\n"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn code(end: &End) -> ExitCode {
    match end {
        End::Good => ExitCode::SUCCESS,
        End::Faulty => ExitCode::FAILURE,
        End::Away(why) => {
            tracing::warn!("{why}; the next pass tries again");
            ExitCode::from(AWAY)
        }
    }
}

fn say(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("Failed to write")
}

fn kind_of(kind: Deletable) -> Kind {
    match kind {
        Deletable::Endpoint => Kind::Endpoint,
        Deletable::Credentials => Kind::Credentials,
        Deletable::Repository => Kind::Repository,
        Deletable::Organization => Kind::Organization,
        Deletable::Pool => Kind::Pool,
        Deletable::ScaleSet => Kind::ScaleSet,
    }
}
