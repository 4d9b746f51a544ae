//! Is the helper as fast and as small as it promises? Compares it, in one run, with a bash transcription of
//! nixpkgs' steps, with programs that do nothing and with `find -delete`, and prints figures, ratios and targets. A target
//! that is missed is called so and fails nothing: what it says depends on the machine. A step that fails does.
//!
//! `cargo bench` runs it. It builds the helper as packages have it; `GITHUB_RUNNER_HELPER=PATH` measures another one;
//! whatever is named on the command line limits the run to `start`, `empty` or `size`.
//!
//! It compares programs that do the same work on the same machine in turns; it must not compare with figures
//! noted elsewhere, and must not leave anything behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops with a reason"
)]

#[path = "start/figures.rs"]
mod figures;
#[path = "start/host.rs"]
mod host;
#[path = "../tests/support/nixpkgs_steps.rs"]
mod nixpkgs_steps;
#[path = "../tests/support/samples.rs"]
mod samples;
#[path = "start/trees.rs"]
mod trees;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

use figures::{Table, timed};
use host::{Host, STEPS, empty_program, helper};
use samples::Samples;
use trees::Shape;

/// How often an unchanged start is repeated.
const STARTS: usize = 40;
/// How often a tree is built and emptied.
const EMPTYINGS: usize = 3;
/// At most this part of the bash steps' time.
const BASH_TARGET: f64 = 0.21;
/// At most this many times the time of as many programs that do nothing.
const FLOOR_TARGET: f64 = 1.4;
/// Not slower than `find`, and faster where there is more than one processor.
const EMPTY_TARGET: f64 = 1.0;
/// On one processor both do the same calls, so the same command differs by as much from one run to the next.
const ONE_PROCESSOR_TARGET: f64 = 1.1;
const SIZE_TARGET_KIB: f64 = 1536.0;
const MEMORY_TARGET_KIB: f64 = 4.0 * 1024.0;
/// Calls this program again, to be the fresh parent of one measured process.
const PEAK: &str = "--peak-of";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mark, program, rest @ ..] = arguments.as_slice()
        && mark == PEAK
    {
        return peak_of(program, rest);
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let runs = |part: &str| wanted.is_empty() || wanted.iter().any(|name| *name == part);
    let mut table = Table::new();
    if runs("start") {
        unchanged_start(&mut table);
    }
    if runs("empty") {
        for place in trees::places() {
            for shape in [Shape::Flat, Shape::Checkout] {
                emptying(&mut table, &place, shape);
            }
        }
    }
    if runs("size") {
        size(&mut table);
    }
    table.print();
    ExitCode::SUCCESS
}

/// All steps of a start that changes nothing, against nixpkgs' three, and against as many programs that do nothing.
fn unchanged_start(table: &mut Table) {
    // The default work directory lies in /run, which is memory.
    let host = Host::new(&trees::memory().unwrap_or_else(std::env::temp_dir));
    host.register();
    let bash = host.nixpkgs_steps();
    let (mut ours, mut theirs) = (Samples::new(), Samples::new());
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let empty = empty_program(elsewhere.path());
    let mut nothing = Samples::new();
    let mut steps: Vec<Samples> = STEPS.iter().map(|_| Samples::new()).collect();
    let run_ours = |steps: &mut [Samples]| {
        STEPS.iter().zip(steps).map(|(step, samples)| samples.add(timed(&mut host.step(step)))).sum()
    };
    let run_theirs = || bash.iter().map(|script| timed(&mut host.nixpkgs_step(script))).sum();
    for round in 0..=STARTS {
        // In turns, and each as often first as second.
        let (mine, other) = if round % 2 == 0 {
            let mine = run_ours(&mut steps);
            (mine, run_theirs())
        } else {
            let other = run_theirs();
            (run_ours(&mut steps), other)
        };
        // The first round warms the caches.
        if round > 0 {
            ours.add(mine);
            theirs.add(other);
            nothing.add(STEPS.iter().map(|_| timed(&mut Command::new(&empty))).sum());
        }
    }
    for (step, samples) in STEPS.iter().zip(&steps) {
        table.figure(&format!("unchanged start: {step}"), samples);
    }
    table.compare("unchanged start: all steps", &ours, "bash", &theirs, BASH_TARGET);
    table.compare("unchanged start: all steps", &ours, "as many empty programs", &nothing, FLOOR_TARGET);
}

/// Emptying a work directory, against `find -delete`, with all processors and with one.
fn emptying(table: &mut Table, place: &trees::Place, shape: Shape) {
    // All trees first: ext4 gives out no number of a file deleted within the last half minute, and looks for
    // another one at every file that is made.
    let pairs: Vec<(bool, Host, Host)> = [false, true]
        .into_iter()
        .flat_map(|one_processor| (0..EMPTYINGS).map(move |_| one_processor))
        .map(|one_processor| (one_processor, full(place, shape), full(place, shape)))
        .collect();
    for one_processor in [false, true] {
        let confined = |command: Command| if one_processor { trees::on_one_processor(&command) } else { command };
        let (mut ours, mut theirs) = (Samples::new(), Samples::new());
        let pairs = pairs.iter().filter(|(one, ..)| *one == one_processor);
        for (round, (_, my_host, other_host)) in pairs.enumerate() {
            let mut mine = || ours.add(emptied(my_host, confined(my_host.step("prepare"))));
            let mut other = || theirs.add(emptied(other_host, confined(trees::find(&other_host.path("work")))));
            if round % 2 == 0 {
                mine();
                other();
            } else {
                other();
                mine();
            }
        }
        let processors = if one_processor { "1 processor" } else { "all processors" };
        let what = format!("emptying, {}, {}, {processors}", shape.name(), place.name);
        let target = if one_processor { ONE_PROCESSOR_TARGET } else { EMPTY_TARGET };
        table.compare(&what, &ours, "find", &theirs, target);
    }
}

/// A registered runner whose work directory is full.
fn full(place: &trees::Place, shape: Shape) -> Host {
    let host = Host::new(&place.directory);
    host.register();
    trees::build(&host.path("work"), shape);
    host
}

fn emptied(host: &Host, mut command: Command) -> std::time::Duration {
    let time = timed(&mut command);
    assert!(trees::is_empty(&host.path("work")), "{command:?} left something");
    time
}

/// The size of the program, and what each step has resident at most.
fn size(table: &mut Table) {
    table.kib("size of the program", kib(std::fs::metadata(helper()).expect("the helper").len()), SIZE_TARGET_KIB);
    let host = Host::new(&std::env::temp_dir());
    host.register();
    for step in STEPS {
        table.kib(&format!("resident at most, {step}"), peak(&host.step(step)), MEMORY_TARGET_KIB);
    }
    trees::build(&host.path("work"), Shape::Checkout);
    table.kib("resident at most, prepare with 100,000 files", peak(&host.step("prepare")), MEMORY_TARGET_KIB);
}

fn kib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes).expect("less than 4 GiB")) / 1024.0
}

/// Peak resident memory of a command, in KiB, by a fresh process of this program: the system's figure is the
/// maximum over all children, and includes what its parent had when it started it.
fn peak(command: &Command) -> f64 {
    let mut parent = Command::new(std::env::current_exe().expect("this program"));
    parent.arg(PEAK).arg(command.get_program()).args(command.get_args());
    let output = parent.stdin(Stdio::null()).output().expect("this program runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a number").trim().parse().expect("a number")
}

fn peak_of(program: &str, arguments: &[String]) -> ExitCode {
    let mut command = Command::new(Path::new(program));
    let status = command.args(arguments).stdin(Stdio::null()).status().expect("the program runs");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what it used");
    println!("{}", usage.max_rss());
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
