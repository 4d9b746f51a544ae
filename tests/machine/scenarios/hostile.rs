//! Jobs that want more than they may have.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::doctor::doctor;
use crate::Machine;
use crate::runner::Runner;
use crate::tools::{mode_and_owner, names, run, set_mode};

const VICTIM: &str = "/var/lib/machine-tests-victim";

/// These succeed, which shows that the others were tried in earnest, and that jobs find what they need.
const CONTROLS: &[&str] = &[
    "test -e $STATE_DIRECTORY/.runner",
    "test -d /run/systemd/system",
    "test -w /run/systemd/journal/socket",
    "test -w /run/systemd/userdb/io.systemd.DynamicUser",
    "! command -v perl || perl -MIO::Socket::UNIX -e \"exit !IO::Socket::UNIX->new(q(/run/systemd/userdb/io.systemd.DynamicUser))\"",
    // A call that the sandbox refuses says so, and does not end the process: here mount(2).
    "! command -v perl || perl -MConfig -MErrno -e \"exit !(syscall(\\$Config{archname} =~ /x86_64/ ? 165 : 40, 0, 0, 0, 0, 0) == -1 && \\$!{EPERM})\"",
];

/// Each attempt must fail inside of the sandbox.
const ATTEMPTS: &[&str] = &[
    "cat /run/secrets/RUNNER.token",
    "ls /run/secrets/",
    "ls /var/lib/github-runner-registrations",
    "cat /var/lib/github-runner-registrations/RUNNER.json",
    "touch /var/lib/github-runner-registrations/x",
    "ls $STATE_DIRECTORY/.staged-token",
    "cat /proc/1/environ",
    "grep -ra ghp_fake $STATE_DIRECTORY",
    "ls /run/github-runner-broker",
    "ls /run/credentials/*",
    "perl -MIO::Socket::UNIX -e \"exit !IO::Socket::UNIX->new(q(/run/github-runner-broker/RUNNER))\"",
    "systemctl start github-runner-broker-RUNNER.socket",
    "cat /run/secrets/app.pem",
    // What could start something that outlives the job.
    "test -S /run/dbus/system_bus_socket",
    "busctl list",
    "loginctl enable-linger",
    "systemd-run --user true",
    "ls /run/user",
    "ls /run/systemd/private",
    "ls /run/systemd/io.systemd*",
    "ls /run/systemd/*/io.systemd.Machine",
    // What earlier runs logged.
    "ls /var/log/github-runner/RUNNER",
    "touch /var/log/github-runner/RUNNER/x.log",
    "cat /run/stand-in/private/github.json",
    "touch /etc/x",
    "touch /var/lib/x",
];

pub fn reaches_nothing(machine: &Machine) -> Result<()> {
    // Registered by `configure`, by a JIT configuration, and as a user of the host.
    ["hostile", "recovering-jit", "override-static-user"].into_iter().try_for_each(|name| spy(machine, name))
}

fn spy(machine: &Machine, name: &'static str) -> Result<()> {
    let mut runner = Runner::new(machine, name)?;
    let attempt = |what: &&str| {
        let what = what.replace("RUNNER", name);
        format!("if ( {what} ) > /dev/null 2>&1; then echo 'reached: {what}' >> report; fi; ")
    };
    let mut job: String = CONTROLS.iter().chain(ATTEMPTS).map(attempt).collect();
    // The environment of every process that shows it: no secret was left in one.
    job += "cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep -i -e ghp_fake -e INPUT_ >> report; ";
    job += "echo 'tried everything' >> report; cp report $RUNNER_ROOT/_diag/report.log";
    machine.github.script(&json!({ "run": [{ "job": { "name": "spy", "command": job } }] }))?;
    runner.restart()?;
    runner.wait_for_line("completed with result: Succeeded")?;
    machine.github.script(&json!({}))?;
    runner.stop()?;
    // The next run of an ephemeral runner may have done the same.
    let report = fs::read_to_string(runner.logs("report.log"))?;
    for name in names(runner.logs("."))?.iter().filter(|name| name.starts_with("report.log")) {
        fs::remove_file(runner.logs(name))?;
    }
    let reached: Vec<String> = CONTROLS.iter().map(|control| format!("reached: {control}\n")).collect();
    ensure!(report == format!("{}tried everything\n", reached.concat()), "{report}");
    Ok(())
}

/// What may outlive a unit is found, and named.
pub fn leftovers(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "hostile")?;
    runner.drop_in("kill-mode", "[Service]\nKillMode=process\n")?;
    let job = "setsid sleep 1000 > /dev/null 2>&1 &";
    machine.github.script(&json!({ "run": [{ "job": { "name": "leaves", "command": job } }] }))?;
    runner.restart()?;
    runner.wait_for_line("completed with result: Succeeded")?;
    machine.github.script(&json!({}))?;
    runner.stop()?;
    let id = runner.ledger()?["runner"]["id"].clone();
    let said = runner.fail_to_start()?;
    ensure!(said.contains("\"sleep\" of user id "), "the process is named: {said}");
    ensure!(said.contains("`systemctl kill --signal=KILL github-runner-hostile.service`"), "and the way out: {said}");
    ensure!(runner.ledger()?["runner"]["id"] == id, "nothing was registered beside it");
    run("systemctl", &["kill", "--signal=KILL", &runner.unit])?;
    runner.remove_drop_ins()?;
    runner.restart()?;
    runner.stop()?;

    let mut runner = Runner::new(machine, "override-static-user")?;
    fs::create_dir_all("/var/lib/systemd/linger")?;
    fs::write("/var/lib/systemd/linger/gh-runner", "")?;
    let warned = runner.restart().and_then(|()| runner.expect("user gh-runner lingers"));
    let told = doctor(&["override-static-user"]);
    fs::remove_file("/var/lib/systemd/linger/gh-runner")?;
    warned?;
    ensure!(told?.contains("its user gh-runner lingers"));
    runner.stop()
}

pub fn state(machine: &Machine) -> Result<()> {
    let mut runner = Runner::new(machine, "hostile")?;
    fs::create_dir_all(VICTIM)?;
    let file = format!("{VICTIM}/file");
    fs::write(&file, "{\"agentId\": 666, \"agentName\": \"VICTIMCONTENT\"}")?;
    set_mode(&file, 0o600)?;
    let before = (fs::read(&file)?, mode_and_owner(&file)?, mode_and_owner(VICTIM)?);
    let plant = |name: &str| format!("rm -rf $RUNNER_ROOT/{name}; ln -s {file} $RUNNER_ROOT/{name}");
    let attacks = [
        plant(".runner"),
        plant(".credentials"),
        format!("{}; {}", plant(".staged-token"), plant(".staged-token.new")),
        format!("{}; rm $RUNNER_ROOT/.runner", plant(".env")),
        format!("rm -rf $RUNNER_ROOT/_diag; ln -s {VICTIM} $RUNNER_ROOT/_diag; rm $RUNNER_ROOT/.runner"),
        format!("cd $RUNNER_ROOT/_diag; ln -s {file} a.log; mkfifo b.log; mkdir -p c.log/d; rm $RUNNER_ROOT/.runner"),
        "rm $RUNNER_ROOT/.runner; mkfifo $RUNNER_ROOT/.runner".into(),
        "truncate -s 2G $RUNNER_ROOT/.runner".into(),
        "ln $RUNNER_ROOT/.runner $RUNNER_ROOT/second".into(),
        "cd $RUNNER_ROOT && rm .runner && i=0; while [ $i -lt 500 ]; do mkdir d && cd d; i=$((i+1)); done".into(),
        format!("ln -s {VICTIM} deep; mkdir -p a/b/c; ln -s / a/b/c/root; rm $RUNNER_ROOT/.credentials"),
        "echo LD_PRELOAD=/evil > $RUNNER_ROOT/.env; chmod 0 $RUNNER_ROOT; chmod 0700 $RUNNER_ROOT; rm $RUNNER_ROOT/.runner".into(),
    ];
    for attack in attacks {
        machine
            .github
            .script(&json!({ "run": [{ "job": { "name": "evil", "command": format!("{attack}; true") } }] }))?;
        runner.restart()?;
        runner.wait_for_line("completed with result: Succeeded")?;
        machine.github.script(&json!({}))?;
        runner.restart().with_context(|| format!("after: {attack}"))?;
        let context = || format!("after: {attack}");
        runner.registered_id().with_context(context)?;
        runner
            .expect(" anew: ")
            .or_else(|error| if attack.contains(".staged") || attack.contains(".env") { Ok(()) } else { Err(error) })
            .with_context(context)?;
        let now = (fs::read(&file)?, mode_and_owner(&file)?, mode_and_owner(VICTIM)?);
        ensure!(now == before, "the victim changed after: {attack}");
        ensure!(fs::read_dir(VICTIM)?.count() == 1, "something was written beside the victim after: {attack}");
        ensure!(!runner.journal()?.contains("VICTIMCONTENT"), "the victim was read after: {attack}");
    }
    runner.stop()
}
