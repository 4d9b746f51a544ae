//! A runner's whole life on this machine, told step by step: `cargo run --release --example lifecycle`.
//!
//! It exists so that somebody with nothing but a Rust toolchain sees what is decided and why: no root, no network, no
//! account. Helper and broker are the real ones, run with the command lines of their units; GitHub and the listener
//! are the stand-ins of the tests. Every fact that is told is checked first, so this is a test as well.
//!
//! It must not write outside of its temporary directory (Cargo's target directory aside), and never show a token.

mod broker;
mod demo;
mod everyday;
mod facts;
mod fleeting;
mod page;
mod process;
mod programs;
mod steps;
mod trouble;

#[path = "../../tests/stand-ins/github/mod.rs"]
mod github;
#[path = "../../tests/stand-ins/listener/mod.rs"]
mod listener;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../../tests/support/times.rs"]
mod times;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use demo::Demo;

const INTRODUCTION: &str = "\
A self-hosted runner is GitHub's program Runner.Listener. Before it starts, its unit runs three commands: prepare (as \
root) decides, configure (as the service user) registers, and record (as root) notes who the runner is and makes its \
logs and credentials reachable for jobs; after it ended, settle (as root) says what that means. Only the broker has the \
access token and speaks to GitHub: a process of another user for each prepare and each settle that asks. Here all of them \
run as you, on directories that systemd would make, below /demo (a temporary directory). The ledger is what only root \
can read and no job can forge. Lines with a bar are what the programs really said; the listener's banner is left out, \
and what it says during configure is shown once.";

type Chapter = fn(&mut Demo) -> Result<()>;

const CHAPTERS: [(&str, Chapter); 10] = [
    ("The first start", everyday::first_start),
    ("A restart without a change", everyday::unchanged),
    ("A changed label", everyday::changed_label),
    ("A rotated token", everyday::rotated_token),
    ("GitHub is down", trouble::github_is_down),
    ("GitHub forgot the runner", trouble::github_forgot),
    ("An ephemeral runner", fleeting::ephemeral),
    ("A stop before a job came", fleeting::stopped),
    ("A hostile job", trouble::hostile_job),
    ("An empty token file", trouble::empty_token),
];

fn main() -> ExitCode {
    // The link that the demonstration makes for its listener leads back to this program.
    let called = env::args_os().next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == "Runner.Listener") {
        return listener::main_entry();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let programs = programs::programs("lifecycle", ["github-runner-helper", "github-runnerctl"])?;
    let mut demo = Demo::new(programs)?;
    demo.page.heading("The life of a runner")?;
    demo.page.story(INTRODUCTION)?;
    for (number, (title, chapter)) in (1..).zip(CHAPTERS) {
        demo.page.heading(&format!("{number}. {title}"))?;
        chapter(&mut demo).with_context(|| format!("Chapter {number} did not go as told"))?;
    }
    demo.finish(CHAPTERS.len())
}
