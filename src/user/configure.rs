//! Registers the runner with a staged registration token by running the listener's own `configure`.
//!
//! The secret reaches the listener through one environment variable (actions/runner `CommandSettings.cs:111`) and
//! nothing else: not its arguments, not the journal, and no file once the listener runs.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::stat::Mode;
use nix::unistd::Uid;
use tracing::{info, warn};

use super::output::{advice, found_name_taken, is_not_known_yet, is_too_old};
use super::process::{Listener, Patience, run_listener};
use crate::contract::manifest::Manifest;
use crate::model::Token;
use crate::state::start::{Start, existing, host_name};
use crate::state::{ENVIRONMENT, NAME_TAKEN, STAGED_TOKEN, Snapshot, VERSION_REFUSED};
use crate::sys::Dir;

/// Variables of the unit that the listener needs to work at all: programs, certificates, proxies, languages.
const PASSED_ON: &[&str] = &[
    "PATH",
    "LANG",
    "LC_ALL",
    "LOCALE_ARCHIVE",
    "TZ",
    "TZDIR",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NIX_SSL_CERT_FILE",
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY",
    "GITHUB_ACTIONS_RUNNER_FORCE_GHES",
];

/// The listener's `configure` has no limit of its own and retries each request three times.
const PATIENCE: Patience = Patience { limit: Duration::from_secs(5 * 60), grace: Duration::from_secs(10) };

/// The waits in which a token that was made just before gets known everywhere at the server.
const SETTLING: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];

/// Registers the runner if a registration token is staged; otherwise does nothing.
///
/// # Errors
///
/// Anything but a complete registration as asked for. Quotes the listener's last lines and says what to do.
pub fn run(start: &Start) -> Result<()> {
    let manifest = start.manifest()?;
    let (_, state) = existing("state", &start.state_directory)?;
    let Some(token) = take_token(&state)? else { return Ok(()) };
    if state.unlink(ENVIRONMENT)? {
        warn!("Removed a left-over {ENVIRONMENT}, which the listener would have obeyed");
    }
    // Tools compare resolved paths, so the listener gets the real one.
    let work = std::fs::canonicalize(&start.work_directory)
        .with_context(|| format!("Failed to resolve work directory {}", start.work_directory.display()))?;
    info!("Configuring runner {} for {}", manifest.instance.as_str(), manifest.registration.url);
    let mut waits = SETTLING.iter();
    let outcome = loop {
        let outcome = run_listener(&Listener {
            program: &manifest.listener,
            arguments: arguments(&manifest, work.as_os_str().to_owned()),
            environment: environment(start, &token),
            secret: token.expose(),
            directory: &start.state_directory,
            patience: PATIENCE,
        })?;
        let lines = &outcome.last_lines;
        match waits.next() {
            Some(wait) if is_not_known_yet(lines) && !is_too_old(lines) => {
                info!(
                    "GitHub does not know the registration token, which may be too new: trying again in {} s",
                    wait.as_secs()
                );
                thread::sleep(*wait);
            }
            _ => break outcome,
        }
    };
    let verified = verify(&state, &manifest, outcome.status);
    if verified.is_err() && !manifest.replace && found_name_taken(&outcome.last_lines) {
        // Or the holder of the name would look like what this attempt made.
        state.replace_file(NAME_TAKEN, b"", Mode::S_IRUSR, None)?;
    }
    if verified.is_err() && is_too_old(&outcome.last_lines) {
        state.replace_file(VERSION_REFUSED, b"", Mode::S_IRUSR, None)?;
    }
    verified.map_err(|error| {
        let mut text = format!("{error:#}.");
        if !outcome.last_lines.is_empty() {
            text = format!("{text} The listener said last:\n{}\n", outcome.last_lines.join("\n"));
        }
        anyhow!("{text}{}", advice(&outcome.last_lines, &manifest))
    })?;
    info!("Configured runner {}", manifest.instance.as_str());
    Ok(())
}

/// Reads the staged secret and removes it at once: from here on it is in memory only, so a kill at any later
/// moment leaves none behind.
fn take_token(state: &Dir) -> Result<Option<Token>> {
    let content = match state.read_file(STAGED_TOKEN, &[Uid::effective()], Token::MAX_BYTES as u64)? {
        Ok(None) => return Ok(None),
        Ok(Some(content)) => content,
        Err(fault) => bail!("{STAGED_TOKEN} {fault}: something else than this helper put it there; restart the unit"),
    };
    state.unlink(STAGED_TOKEN)?;
    Token::parse(&content).map(Some).map_err(|fault| anyhow!("{STAGED_TOKEN} {fault}"))
}

/// What the listener is told on its command line, where everybody can read it.
fn arguments(manifest: &Manifest, work: OsString) -> Vec<OsString> {
    let registration = &manifest.registration;
    let labels: Vec<&str> = registration.extra_labels.iter().map(crate::model::Label::as_str).collect();
    let mut arguments: Vec<OsString> =
        ["configure", "--unattended", "--disableupdate", "--work"].map(Into::into).into();
    arguments.push(work);
    arguments.extend(["--url".into(), registration.url.as_str().into(), "--labels".into(), labels.join(",").into()]);
    if let Some(name) = &registration.name {
        arguments.extend(["--name".into(), name.as_str().into()]);
    }
    if let Some(group) = &registration.runner_group {
        arguments.extend(["--runnergroup".into(), group.as_str().into()]);
    }
    let flags = [
        ("--replace", manifest.replace),
        ("--ephemeral", registration.ephemeral),
        ("--no-default-labels", registration.no_default_labels),
    ];
    arguments.extend(flags.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag.into()));
    arguments
}

fn environment(start: &Start, token: &Token) -> Vec<(OsString, OsString)> {
    let passed_on = PASSED_ON.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)));
    let own = [
        ("HOME".into(), start.work_directory.clone().into()),
        ("RUNNER_ROOT".into(), start.state_directory.clone().into()),
        // No diagnostic socket: it would show the environment to the service user's other processes.
        ("DOTNET_EnableDiagnostics".into(), "0".into()),
        ("ACTIONS_RUNNER_INPUT_TOKEN".into(), token.expose().into()),
    ];
    passed_on.chain(own).collect()
}

/// Whether the listener left a complete registration as asked for. Its exit code alone does not tell.
fn verify(state: &Dir, manifest: &Manifest, status: Option<ExitStatus>) -> Result<()> {
    match status {
        None => bail!("Failed to register: the listener did not finish within five minutes and was stopped"),
        Some(status) if !status.success() => bail!("Failed to register: the listener {}", ending(status)),
        Some(_) => {}
    }
    let snapshot = Snapshot::read(state)?;
    let mut faults = snapshot.faults();
    let host = host_name()?;
    let (asked, name) = (&manifest.registration, manifest.registration.name_on(&host));
    faults.extend(
        snapshot
            .all_settings()
            .filter_map(|(file, settings)| Some(format!("{file} {}", settings.mismatch(asked, Some(name))?))),
    );
    if !faults.is_empty() {
        bail!("Failed to register: the listener reported success, but {}", faults.join(", "));
    }
    Ok(())
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => format!("ended with {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_a_broker_to_the_server_leads_the_listener_there_too() {
        let contract = include_str!("../../tests/fixtures/contract.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        let variables = contract["brokerEnvironment"].as_array().unwrap();
        assert!(!variables.is_empty());
        for variable in variables {
            assert!(PASSED_ON.contains(&variable.as_str().unwrap()), "{variable}");
        }
    }
}
