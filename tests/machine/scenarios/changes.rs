//! What changes a registration, and what only seems to.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{mode_and_owner, names, set_mode, wait_for};

pub fn each_field(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "changing")?;
    runner.restart()?;
    let mut manifest = runner.manifest()?;
    let mut id = runner.registered_id()?;
    let mut was_ephemeral = false;
    let other_token = "/run/secrets/changing-other.token";
    fs::copy("/run/secrets/changing.token", other_token)?;
    for (field, value) in [
        ("extraLabels", json!(["nixos", "fast"])),
        ("noDefaultLabels", json!(true)),
        ("runnerGroup", json!("trusted")),
        ("name", json!("changing-2")),
        ("url", json!("https://github.com/octo-org/other")),
        ("tokenFile", json!(other_token)),
        ("workDir", json!("/run/github-runner/changing")),
        ("ephemeral", json!(true)),
        ("ephemeral", json!(false)),
    ] {
        let before = machine.github.registrations()?;
        manifest["registration"][field] = value;
        runner.reconfigure(&manifest)?;
        runner.restart().with_context(|| format!("after a change of {field}"))?;
        runner.expect(&format!("Registering changing anew: {field} changed: "))?;
        runner.expect(&format!(", id {id}"))?;
        // Of an ephemeral one before its listener ends, of another one at the next start.
        runner.expect(if was_ephemeral {
            "Took back the registration of "
        } else {
            "Took back the former registration "
        })?;
        was_ephemeral = manifest["registration"]["ephemeral"] == true;
        ensure!(machine.github.registrations()? == before + 1, "one registration for the change of {field}");
        id = runner.registered_id()?;
    }
    for field in ["replace", "tokenType"] {
        manifest[field] = if field == "replace" { json!(false) } else { json!("access") };
        runner.reconfigure(&manifest)?;
        runner.restart()?;
        runner.expect("Keeping the registration").with_context(|| format!("after a change of {field}"))?;
    }
    runner.stop()?;
    runner.remove_drop_ins()
}

pub fn token(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "changing")?;
    runner.restart()?;
    runner.registered_id()?;
    let before = machine.github.registrations()?;
    runner.set_token("github_pat_fakeROTATED11111111")?;
    runner.restart()?;
    runner.expect("Registering changing anew: the content of the token file changed")?;
    runner.registered_id()?;
    ensure!(machine.github.registrations()? == before + 1);
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    runner.stop()
}

pub fn registration_token(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "one-hour")?;
    let token = machine.github.registration_token("repos/octo-org/example")?;
    machine.secrets.add(&token);
    fs::write("/run/secrets/one-hour.token", &token)?;
    runner.restart()?;
    runner.registered_id()?;
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    runner.stop()
}

pub fn adoption(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "adopted")?;
    runner.restart()?;
    let id = runner.registered_id()?;
    runner.stop()?;

    // What nixpkgs' module would have left: no ledger, a token copy of root's, a link into the store.
    fs::remove_file(runner.ledger_path())?;
    fs::copy("/run/secrets/adopted.token", runner.state(".current-token"))?;
    set_mode(runner.state(".current-token"), 0o600)?;
    let config = runner.manifest()?["registration"].to_string();
    let stored = "/nix/store/00000000000000000000000000000000-github-runner-adopted-config.json";
    match fs::write(stored, &config) {
        Ok(()) => symlink(stored, runner.state(".nixos-current-config.json"))?,
        // NixOS' store is read-only.
        Err(_) => fs::write(runner.state(".nixos-current-config.json"), config)?,
    }
    let former = logs_of_a_dynamic_user(&runner)?;

    let before = machine.github.registrations()?;
    runner.restart()?;
    runner.expect("Adopting the registration of adopted")?;
    ensure!(runner.registered_id()? == id && machine.github.registrations()? == before, "nobody registered anew");
    let left = names(runner.state("."))?;
    ensure!(!left.iter().any(|name| name == ".current-token"), "the token copy is still there: {left:?}");
    let kept = names(&former)?;
    ensure!(kept.iter().any(|name| name == "Runner_former-utc.log"), "former logs are kept: {kept:?}");
    ensure!(!kept.iter().any(|name| name == "d"), "what a job left beside them is not: {kept:?}");
    ensure!(mode_and_owner(&former)? == (0o750, 0), "jobs cannot write logs any more");
    runner.restart()?;
    runner.expect("Keeping the registration of adopted")?;
    runner.stop()
}

/// Makes the logs directory what systemd makes for a unit with a dynamic user, after a job filled it. Returns where it is.
fn logs_of_a_dynamic_user(runner: &Runner<'_>) -> Result<String> {
    let directory = "/var/log/private/github-runner/adopted";
    fs::remove_dir_all(runner.logs(""))?;
    // So deep a tree kept systemd 252 from starting a unit whose logs directory it is.
    let depth = 600;
    fs::create_dir_all(format!("{directory}/{}", vec!["d"; depth].join("/")))?;
    set_mode("/var/log/private", 0o700)?;
    fs::write(format!("{directory}/Runner_former-utc.log"), "former")?;
    for path in [directory.to_owned(), format!("{directory}/d"), format!("{directory}/Runner_former-utc.log")] {
        chown(path, Some(64_999), Some(64_999))?;
    }
    symlink("../private/github-runner/adopted", "/var/log/github-runner/adopted")?;
    Ok(directory.into())
}

pub fn work_on_disk(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "on-disk")?;
    let work = "/var/lib/gh-work/on-disk";
    ensure!(fs::metadata(work).is_err(), "{work} is there already");
    let job = r#"touch "$HOME/mine" && test "$(pwd -P)" = "$PWD" && test "$PWD" = /var/lib/gh-work/on-disk"#;
    machine.github.script(&json!({ "run": [{ "job": { "name": "build", "command": job } }] }))?;
    for _ in 0..2 {
        runner.restart()?;
        runner.wait_for_line("completed with result: Succeeded")?;
        // The state directory's own user, whatever number it has in this run.
        let user = runner.property("MainPID").and_then(|pid| mode_and_owner(format!("/proc/{pid}")))?.1;
        ensure!(mode_and_owner(work)?.1 == user, "{work} belongs to {}, not to {user}", mode_and_owner(work)?.1);
        ensure!(user != 0);
    }
    machine.github.script(&json!({}))?;
    runner.restart()?;
    wait_for("an empty work directory", || Ok(names(work)?.iter().all(|name| name != "mine").then_some(())))?;
    ensure!(fs::canonicalize(work)? == std::path::Path::new(work), "a link on the way to the work directory");
    runner.stop()
}
