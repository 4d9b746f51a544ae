//! How long units take from `systemctl start` to the exec of the listener: ours by kinds of starts, and one with the
//! steps of nixpkgs' module in the same sandbox.
//!
//! All are measured in one run and in turns, so that whatever else the machine does hits all alike. A start that fails
//! fails the run. A target that is missed is called so and fails nothing: what it says depends on the machine.

mod listener;
mod nixpkgs;
mod report;
mod start;
mod subject;

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::Machine;
use crate::runner::Runner;
use crate::samples::Samples;
use crate::scenarios::fleet::{each, pass, pool, with_fleet};
use crate::tools::{run, set_mode};

use listener::Listeners;
use subject::Subject;

/// How often each start is measured.
const ROUNDS: usize = 15;
/// How many start at once.
const MANY: usize = 15;
/// How often they do, which takes longer.
const MANY_ROUNDS: usize = 5;

/// From the start of a unit to its listener, at most this many times as long as with nixpkgs' steps.
const REGISTRATION_TOKEN_TARGET: f64 = 0.85;
const SEEN_TARGET: f64 = 0.90;
const UNSEEN_TARGET: f64 = 1.20;
const JIT_TARGET: f64 = 1.50;
/// From the start of all units to the last listener, in milliseconds.
const MANY_TARGET: f64 = 2_500.0;

/// Starts without a pass. Comes before all that makes one, for a pass may spare the next start something.
pub fn without_passes(machine: &Machine) -> Result<()> {
    let [by_registration_token, by_access_token, ephemeral] = runners(machine)?;
    let subjects = [
        nixpkgs::subject(&by_registration_token)?,
        Subject::kept("unchanged, registration token", by_registration_token, REGISTRATION_TOKEN_TARGET),
        Subject::kept("unchanged, access token, seen by no pass", by_access_token, UNSEEN_TARGET),
        Subject::registering("ephemeral, by JIT configuration", ephemeral, JIT_TARGET),
    ];
    in_turns(machine, &subjects, &|_| Ok(()))
}

/// An unchanged start soon after a pass has seen the runner online.
pub fn after_passes(machine: &Machine) -> Result<()> {
    let [by_registration_token, by_access_token, ephemeral] = runners(machine)?;
    // What is not configured would be taken back.
    let configured = [&by_registration_token, &by_access_token, &ephemeral].map(|runner| runner.name.clone());
    let subjects = [
        nixpkgs::subject(&by_registration_token)?,
        Subject::kept("unchanged, access token, seen by a pass", by_access_token, SEEN_TARGET),
    ];
    with_fleet(
        |fleet| {
            if let Some(all) = fleet["instances"].as_array_mut() {
                all.retain(|one| configured.iter().any(|name| one["instance"] == name.as_str()));
            }
        },
        || {
            in_turns(machine, &subjects, &|subject| {
                if subject.is_ours() {
                    subject.start(machine)?;
                    pass()?;
                    subject.stop()?;
                }
                Ok(())
            })
        },
    )
}

/// Many runners of one credential.
pub fn many_at_once(machine: &Machine) -> Result<()> {
    let runners = pool(machine, "fleet", MANY)?;
    let units: Vec<&str> = runners.iter().map(|runner| runner.unit.as_str()).collect();
    let sockets: Vec<String> = runners.iter().map(subject::socket).collect();
    let listeners = Listeners::watch()?;
    let (mut times, mut brokers) = (Samples::new(), Vec::new());
    for round in 0..=MANY_ROUNDS {
        runners.iter().try_for_each(Runner::let_time_pass)?;
        let (registrations, connections) = (machine.github.registrations()?, start::connections(&sockets)?);
        let time = start::measured(&listeners, &units)?;
        runners.iter().try_for_each(|runner| start::is_online(machine, &runner.name, &runner.unit))?;
        let registered = machine.github.registrations()? - registrations;
        ensure!(registered == MANY, "{registered} registrations of {MANY} runners");
        // The first round warms the caches.
        if round > 0 {
            times.add(time);
            brokers.push(start::connections(&sockets)? - connections);
        }
        each(&runners, "stop")?;
    }
    report::many(&times, &brokers);
    Ok(())
}

/// Those that are measured: by a registration token, by an access token, ephemeral by an access token.
fn runners(machine: &Machine) -> Result<[Runner<'_>; 3]> {
    let by_registration_token = Runner::of_entry(machine, "one-hour")?;
    let path = "/run/secrets/one-hour.token";
    // Another token would register anew.
    if !fs::exists(path)? {
        // Not one of those that are looked for: nixpkgs' steps keep a copy in the state directory.
        let token = machine.github.registration_token("repos/octo-org/example")?;
        fs::write(path, &token)?;
        set_mode(path, 0o400)?;
    }
    Ok([by_registration_token, Runner::new(machine, "basic")?, Runner::new(machine, "jit")?])
}

/// Measures all in turns, each as often before as after the others, and prints the figures. `before` brings about what a
/// measured start is to find.
fn in_turns(machine: &Machine, subjects: &[Subject<'_>], before: &dyn Fn(&Subject<'_>) -> Result<()>) -> Result<()> {
    let listeners = Listeners::watch()?;
    // The first start registers, and warms the caches.
    for subject in subjects {
        subject.start(machine)?;
        subject.stop()?;
    }
    let mut starts: Vec<Vec<start::Start>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        let mut turn: Vec<_> = subjects.iter().zip(&mut starts).collect();
        if round % 2 == 1 {
            turn.reverse();
        }
        for (subject, starts) in turn {
            before(subject)?;
            let measured = subject.measured_start(machine, &listeners);
            starts.push(measured.with_context(|| format!("round {round} of \"{}\"", subject.what))?);
            subject.stop()?;
        }
    }
    report::starts(&run("systemctl", &["--version"])?, subjects, &starts)
}
