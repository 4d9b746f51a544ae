//! The life of one runner on demand, told step by step: `cargo run --release --example on-demand`.
//!
//! It exists so that somebody with nothing but a Rust toolchain sees what becomes of a request: no root, no network, no systemd,
//! no account. Door, desk and broker are the real ones; GitHub and the listener are the stand-ins of the tests, and the machine
//! is a process in a directory of its own. Every fact that is told is checked first, so this is a test as well.
//!
//! It must not write outside of its temporary directory (Cargo's target directory aside), and never show a token.

mod broker;
mod caller;
mod desk;
mod facts;
mod life;
mod machine;
mod rest;
mod settings;
mod stage;
mod strangers;

#[path = "../../tests/stand-ins/github/mod.rs"]
mod github;
#[path = "../../tests/stand-ins/listener/mod.rs"]
mod listener;
#[allow(dead_code, reason = "the other demonstration uses more of it")]
#[path = "../lifecycle/page.rs"]
mod page;
#[path = "../lifecycle/programs.rs"]
mod programs;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../../tests/support/times.rs"]
mod times;

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};

use stage::Stage;

const INTRODUCTION: &str = "\
A workflow asks over HTTP for a runner with a label of its own, for one job. Three programs see to it. The door reads what \
strangers send, and has neither a secret nor a network. The desk decides, writes each decision into its book before it acts, \
and has no network either. The broker alone has the access token and speaks to GitHub: a process for each connection. Here \
all of them run as you, below /demo (a temporary directory), started as systemd starts them; the machine is a process with \
directories of its own. Lines with a bar are what the programs really said.";

type Chapter = fn(&mut Stage) -> Result<()>;

const CHAPTERS: [(&str, Chapter); 7] = [
    ("Strangers", strangers::strangers),
    ("An order", life::ordered),
    ("The desk is killed", life::killed),
    ("The job", life::job),
    ("The operator's stop", strangers::stopped),
    ("The end of the job", life::done),
    ("What is left", rest::left),
];

fn main() -> ExitCode {
    // By which name it was called: the demonstration runs itself as its desk and, on machines, as the listener.
    let called = env::args_os().next().unwrap_or_default();
    let done = match Path::new(&called).file_name().and_then(|name| name.to_str()) {
        Some("Runner.Listener") => return listener::main_entry(),
        Some(desk::NAME) => desk::main(),
        _ => run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let programs = programs::programs("on-demand", ["github-runner-door", "github-runnerctl"])?;
    let start = Instant::now();
    let mut stage = Stage::new(programs)?;
    stage.page.heading("The life of a runner on demand")?;
    stage.page.story(INTRODUCTION)?;
    for (number, (title, chapter)) in (1..).zip(CHAPTERS) {
        stage.page.heading(&format!("{number}. {title}"))?;
        chapter(&mut stage).with_context(|| format!("Chapter {number} did not go as told"))?;
    }
    stage.finish(CHAPTERS.len(), start.elapsed())
}
