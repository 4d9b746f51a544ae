//! Registering through a broker: with an App, by JIT configurations, and how long that takes.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Machine;
use crate::runner::Runner;
use crate::tools::{mode_and_owner, names, run, set_mode, wait_for};

/// A key that opens nothing but the stand-in.
const KEY: &str = include_str!("../../stand-ins/github/app-key.pem");
const PUBLIC_KEY: &str = include_str!("../../stand-ins/github/app-public-key.pem");

/// Gives the machine the key of an App, and lets the server know the App; once.
pub fn install_app(machine: &Machine) -> Result<()> {
    if fs::exists("/run/secrets/app.pem")? {
        return Ok(());
    }
    fs::write("/run/secrets/app.pem", KEY)?;
    set_mode("/run/secrets/app.pem", 0o400)?;
    for line in KEY.lines().filter(|line| !line.starts_with('-')).take(3) {
        machine.secrets.add(line);
    }
    let permissions =
        json!({ "administration": "write", "contents": "write", "organization_self_hosted_runners": "write" });
    machine.github.tell(
        "apps",
        &json!({ "id": 7, "client-id": "Iv23fakeFAKEfakeFAKE", "public-key": PUBLIC_KEY, "installations": [
            { "id": 70, "account": "octo-org", "account-type": "Organization", "permissions": permissions, "suspended": false }
        ] }),
    )
}

pub fn app(machine: &Machine) -> Result<()> {
    install_app(machine)?;
    let mut runner = Runner::new(machine, "app")?;
    runner.restart()?;
    let id = runner.settles()?;
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    ensure!(runner.settles()? == id, "an App's runner keeps its registration");
    runner.stop()?;

    let mut runner = Runner::new(machine, "app-jit")?;
    runner.restart()?;
    runner.settles()?;
    runner.stop()?;
    ensure!(runner.listed()? == [0_u64; 0], "a stopped ephemeral runner is taken back");

    let tokens = machine.github.answered("POST", "/access_tokens")?;
    let bodies: Vec<String> = tokens.iter().map(|record| record["body"].to_string()).collect();
    let organisation = r#"{"permissions":{"organization_self_hosted_runners":"write"}}"#;
    let repository = r#"{"permissions":{"administration":"write"},"repositories":["example"]}"#;
    for narrow in [organisation, repository] {
        ensure!(bodies.iter().any(|body| body == narrow), "no token was narrowed to {narrow}: {bodies:?}");
    }
    ensure!(bodies.iter().all(|body| [organisation, repository].contains(&body.as_str())), "wider tokens: {bodies:?}");
    ensure!(machine.github.answered("GET", "/app/installations")?.is_empty(), "installations were listed");
    ensure!(!machine.github.answered("GET", "/orgs/octo-org/installation")?.is_empty(), "nothing was looked up");
    Ok(())
}

pub fn five_jobs(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "jit")?;
    let job = "test ! -e left-over && touch left-over && ! env | grep -i -e INPUT_ -e JITCONFIG";
    machine.github.script(&json!({ "run": [{ "job": { "name": "build", "command": job } }] }))?;
    let before = machine.github.registrations()?;
    let by_listener = machine.github.answered("POST", "/actions/runners/register")?.len();
    runner.restart()?;
    wait_for("five jobs", || {
        let done = runner.journal()?.matches("completed with result: Succeeded").count();
        Ok((done >= 5).then_some(()))
    })?;
    machine.github.script(&json!({}))?;
    wait_for("the registration after the last job", || {
        Ok((machine.github.registrations()? >= before + 6 && runner.registered_id().is_ok()).then_some(()))
    })?;
    ensure!(!runner.journal()?.contains("completed with result: Failed"), "a job failed: {}", runner.journal()?);
    runner.stop()?;
    ensure!(runner.listed()? == [0_u64; 0], "GitHub still lists {:?}", runner.listed()?);
    ensure!(
        machine.github.answered("POST", "/actions/runners/register")?.len() == by_listener,
        "a listener registered"
    );
    let ledger = runner.ledger()?;
    ensure!(ledger["leftBehind"] == json!([]) && ledger["runner"].is_null(), "the ledger still names some: {ledger}");
    let files = names(runner.state("."))?;
    ensure!(
        !files.iter().any(|name| name.starts_with(".runner") || name.starts_with(".cred")),
        "files are left: {files:?}"
    );
    Ok(())
}

pub fn rotation(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "keeps-token")?;
    runner.restart()?;
    let (id, registrations) = (runner.settles()?, machine.github.registrations()?);
    runner.set_token("ghp_fakeROTATEDbutKEPT11111111")?;
    runner.restart()?;
    runner.expect("Keeping the registration")?;
    ensure!(runner.settles()? == id && machine.github.registrations()? == registrations);

    // One that ends soon is complained about at every start.
    let expiring = "github_pat_fakeEXPIRING22222222";
    machine.secrets.add(expiring);
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() + 5 * 24 * 60 * 60;
    runner.set_token(expiring)?;
    machine.github.tell("pats", &json!({ "token": expiring, "expires": soon }))?;
    runner.restart()?;
    runner.expect("The access token in /run/secrets/keeps-token.token expires on 20")?;
    ensure!(runner.settles()? == id);
    runner.stop()
}

/// How many processes of its broker a runner has had so far: each connection is one.
fn brokers(runner: &Runner<'_>) -> Result<u64> {
    let socket = format!("github-runner-broker-{}.socket", runner.name);
    run("systemctl", &["show", "--value", "--property=NAccepted", &socket])?.trim().parse().context("no number")
}

/// How many steps before the listener run in the sandbox.
fn sandboxed_steps(runner: &Runner<'_>) -> Result<usize> {
    let unit = run("systemctl", &["cat", &runner.unit])?;
    Ok(unit.lines().filter(|line| line.starts_with("ExecStartPre=/")).count())
}

/// Starts a stopped runner, and counts the processes of its broker that this took.
fn brokers_of_a_start(runner: &mut Runner<'_>) -> Result<u64> {
    let before = brokers(runner)?;
    runner.restart()?;
    Ok(brokers(runner)? - before)
}

pub fn processes(machine: &Machine) -> Result<()> {
    install_app(machine)?;
    for (name, sandboxed) in [("jit", 1), ("app-jit", 0)] {
        let mut runner = Runner::new(machine, name)?;
        let (steps, started) = (sandboxed_steps(&runner)?, brokers_of_a_start(&mut runner)?);
        let before = brokers(&runner)?;
        runner.stop()?;
        let stopped = brokers(&runner)? - before;
        println!("figure {name}: {steps} sandboxed steps, {started} brokers for a start, {stopped} for a stop");
        ensure!((steps, started, stopped) == (sandboxed, 1, 1), "{name} takes more than it needs");
        ensure!(runner.listed()? == [0_u64; 0] && runner.ledger()?["runner"].is_null(), "{}", runner.ledger()?);
    }
    let mut runner = Runner::new(machine, "basic")?;
    runner.restart()?;
    let id = runner.settles()?;
    runner.stop()?;
    let kept = brokers_of_a_start(&mut runner)?;
    runner.expect("Keeping the registration of basic")?;
    wait_for("the listener to be online", || {
        Ok(machine.github.runners("basic")?.iter().any(|runner| runner["status"] == "online").then_some(()))
    })?;
    super::fleet::pass()?;
    let before = brokers(&runner)?;
    runner.stop()?;
    let stopped = brokers(&runner)? - before;
    let seen = brokers_of_a_start(&mut runner)?;
    println!(
        "figure basic: {} sandboxed steps, {kept} brokers for a start that keeps, {seen} after a pass, {stopped} for a stop",
        sandboxed_steps(&runner)?
    );
    runner.expect(&format!("GitHub listed id {id} as online"))?;
    ensure!((kept, stopped, seen) == (1, 0, 0), "a kept registration takes more than it needs");
    ensure!(runner.settles()? == id);
    // Nobody but root can say so.
    ensure!(mode_and_owner("/run/github-runner-broker/.seen-basic")? == (0o600, 0));
    runner.stop()
}

/// The time from the start of a unit to its listener, by method.
pub fn figures(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "jit")?;
    let mut manifest = runner.manifest()?;
    let mut medians = Vec::new();
    for method in ["jit", "configure"] {
        manifest["method"] = json!(method);
        runner.reconfigure(&manifest)?;
        let mut times = Vec::new();
        for _ in 0..7 {
            runner.stop()?;
            runner.restart()?;
            let at = |name: &str| -> Result<u64> {
                runner.property(name)?.parse().with_context(|| format!("{name} is no number"))
            };
            times.push(at("ExecMainStartTimestampMonotonic")? - at("InactiveExitTimestampMonotonic")?);
        }
        times.sort_unstable();
        medians.push(times[times.len() / 2]);
    }
    runner.stop()?;
    runner.remove_drop_ins()?;
    let milliseconds = |micro: u64| f64::from(u32::try_from(micro).unwrap_or(u32::MAX)) / 1000.0;
    let (jit, configure) = (milliseconds(medians[0]), milliseconds(medians[1]));
    println!(
        "figure from the start of an ephemeral unit to its listener: {jit:.0} ms by JIT configuration, {configure:.0} ms with the stand-in's configure, ratio {:.2}",
        jit / configure
    );
    let exposure = run("systemd-analyze", &["security", "--no-pager", "github-runner-broker-jit@x.service"])?;
    let line = exposure.lines().last().unwrap_or_default().to_owned();
    println!("figure {}", line.trim_start_matches(|c: char| !c.is_ascii_alphabetic()));
    let level = line.split_whitespace().find_map(|word| word.parse::<f64>().ok());
    ensure!(level.is_some_and(|level| level <= 1.5), "the broker is exposed: {line}");
    Ok(())
}
