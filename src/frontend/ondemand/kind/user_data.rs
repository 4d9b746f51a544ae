//! What a machine of its own is told: a script that makes it the runner of one job. Pure.
//!
//! The text is fixed. Its values stand in front of it as assignments, and all of them are numbers of ours or base64, so nothing
//! of a caller, and of a configuration, is ever a part of a script. Of callers there are repository and run alone, and both went through their grammar.
//!
//! The image's part is the same for every kind of machine, and docs/on-demand-images.md says it to those who make images: something in
//! it runs the user data once, as root, and the runner's root is `/home/runner/actions-runner`. The script
//!
//! 1. sets the end of the machine, before everything else, and from then on powers it off if anything fails;
//! 2. fetches the runner if the class says which one, and makes its user, who may then do everything: the machine is the sandbox;
//! 3. writes the registration, readable for the runner alone, and the hook that refuses jobs of others;
//! 4. starts the image's `github-actions-runner.service`, or one that it writes itself. Its end is the machine's end.
//!
//! What a job could read later is worth nothing: a registration for one job that has had it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::Launch;
use crate::frontend::ondemand::settings::KindSettings;
use crate::registration::jit::JitRegistration;
use crate::state::{CREDENTIALS, KEY, SETTINGS};

/// What becomes of the values.
const SCRIPT: &str = include_str!("user-data.sh");

/// The runner's hook before its job.
const HOOK: &str = include_str!("job-started.sh");

/// How much longer than the desk a machine waits for its job, in seconds: the desk asks the server first, which knows whether
/// one is on its way.
const MARGIN: u64 = 60;

/// The script for the machine of a launch, with this registration. It holds secrets.
#[must_use]
pub fn script(registration: &JitRegistration, launch: &Launch<'_>) -> String {
    let file = |name: &str| registration.files.get(name).map_or("", |secret| secret.expose());
    let run = registration.run.map(|run| run.to_string()).unwrap_or_default();
    let order = format!("repository={}\nrun={run}\n", registration.repository.as_str());
    let download = match &launch.class.kind {
        KindSettings::Ec2 { runner, .. } => runner.as_ref(),
        _ => None,
    };
    let texts = [
        ("runner_url", download.map_or("", |download| &download.url)),
        ("runner_sha256", download.map_or("", |download| &download.sha256)),
        ("registered_key", file(KEY)),
        ("registered_credentials", file(CREDENTIALS)),
        ("registered_settings", file(SETTINGS)),
        ("order", &order),
        ("hook", HOOK),
    ];
    let class = launch.class;
    let numbers = [
        ("deadline", registration.deadline),
        ("longest", class.ttl),
        ("patience", class.not_online.saturating_add(class.no_job).saturating_add(MARGIN)),
    ];
    let numbers = numbers.map(|(name, number)| format!("{name}={number}\n")).concat();
    let texts = texts.map(|(name, text)| format!("{name}='{}'\n", BASE64_STANDARD.encode(text))).concat();
    format!("#!/usr/bin/env bash\n{numbers}{texts}{SCRIPT}")
}

#[cfg(test)]
#[path = "user_data_tests.rs"]
mod tests;
