//! A unit with the three steps of nixpkgs' module, and in all else the text of one of ours: the same sandbox, another runner.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::nixpkgs_steps;
use crate::runner::{RUNTIME_UNITS, Runner, STEPS};
use crate::tools::run;

use super::subject::Subject;

const UNIT: &str = "nixpkgs-steps.service";
/// Its directories, below those of systemd.
const SUBDIRECTORY: &str = "nixpkgs-steps";
const STATE: &str = "/var/lib/nixpkgs-steps";
/// Where the store has them on NixOS: readable for all.
const SCRIPTS: &str = "/etc/nixpkgs-steps";
const REGISTRATION: [&str; 3] = [".credentials", ".credentials_rsaparams", ".runner"];

/// Makes the unit from that of `runner`, whose registration it uses: the two must not run at once.
pub fn subject<'a>(runner: &Runner<'_>) -> Result<Subject<'a>> {
    let subject = Subject::foreign("nixpkgs' three steps, unchanged", UNIT.into(), runner.name.clone());
    if Path::new(STATE).exists() {
        return Ok(subject);
    }
    run("systemctl", &["start", &runner.unit])?;
    runner.settles()?;
    run("systemctl", &["stop", &runner.unit])?;
    for directory in [STATE, SCRIPTS] {
        fs::create_dir(directory).with_context(|| format!("Failed to make {directory}"))?;
    }
    let here = |text: &str| text.replace(&format!("github-runner/{}", runner.name), SUBDIRECTORY);
    // systemd gives them to the unit's user. One of them names the work directory.
    for name in REGISTRATION {
        let text = fs::read_to_string(runner.state(name)).with_context(|| format!("Failed to read {name}"))?;
        fs::write(Path::new(STATE).join(name), here(&text))?;
    }
    let scripts = Path::new(SCRIPTS);
    let (config, token) = (scripts.join("config.json"), format!("/run/secrets/{}.token", runner.name));
    fs::write(&config, runner.manifest()?["registration"].to_string())?;
    nixpkgs_steps::remember(Path::new(STATE), &config, Path::new(&token))?;
    let steps = nixpkgs_steps::write(scripts, &config, Path::new(&token))?;
    ensure!(steps.len() == 3, "nixpkgs' module has three steps");

    let mut lines: Vec<String> = Vec::new();
    for line in here(&runner.fragment()?).lines() {
        if STEPS.iter().any(|step| line.starts_with(step)) {
            continue;
        }
        lines.push(line.into());
        if line == "[Service]" {
            lines.extend(steps.iter().enumerate().map(|(number, script)| command(number == 0, script)));
        }
    }
    fs::create_dir_all(RUNTIME_UNITS)?;
    fs::write(format!("{RUNTIME_UNITS}/{UNIT}"), lines.join("\n") + "\n")?;
    run("systemctl", &["daemon-reload"])?;
    Ok(subject)
}

/// The line of a step, which the first one has for root and outside of the sandbox.
fn command(is_first: bool, script: &Path) -> String {
    let privileges = if is_first { "+" } else { "" };
    let directories = ["%S", "%t", "%L"].map(|place| format!("{place}/{SUBDIRECTORY}")).join(" ");
    format!("ExecStartPre={privileges}/bin/bash {} {directories}", script.display())
}
