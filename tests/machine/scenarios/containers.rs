//! Engines of containers for jobs: what works with each, what stays closed, and that nothing outlives its runner.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::profiles::{tries, version};
use crate::Machine;
use crate::runner::{Runner, drop_in};
use crate::tools::{mode_and_owner, names, run, wait_for};

/// Makes `/opt/tools.tar`, an image, and the program that stands for docker's, which understands as much.
const PREPARE: &str = r#"
set -e
mkdir -p /opt/docker-client/bin /opt/tools/bin /opt/tools/etc /opt/tools/tmp
printf '#!/bin/sh\nexec /usr/bin/podman "$@"\n' > /opt/docker-client/bin/docker
chmod 0755 /opt/docker-client/bin/docker
cp /bin/busybox /opt/tools/bin
for name in sh cat chown chroot echo grep ls mkdir sleep test touch true umount; do ln -sf busybox /opt/tools/bin/$name; done
echo 'root:x:0:0::/:/bin/sh' > /opt/tools/etc/passwd
tar -C /opt/tools -cf /opt/tools.tar .
# As udev has it on a host.
chmod 0666 /dev/net/tun
"#;

/// A container without a network, which takes less time, and one that is given all that there is.
const RUN: &str = "docker run --rm --network none";
const HOST: &str = "docker run --rm --network host --pid host --privileged --volume /:/host tools";

/// What works with podman, and what it is called.
fn opened() -> Vec<(&'static str, String)> {
    let status = |line: &str| format!("grep -q '{line}' /proc/self/status");
    vec![
        ("an image", "docker import /opt/tools.tar tools".into()),
        ("a container", format!("test $({RUN} tools echo said) = said")),
        ("the other client", "podman run --rm --network none tools true".into()),
        ("a network", "docker run --rm --network slirp4netns tools grep -q tap0 /proc/net/route".into()),
        (
            "a build",
            format!(
                "echo file > file && printf 'FROM tools\\nRUN echo built > /built\\nCOPY file /\\n' > Dockerfile && \
                 docker build --network none --tag made . && {RUN} made test -e /built -a -e /file"
            ),
        ),
        (
            "files in the workspace",
            format!(
                "{RUN} --volume $PWD:/w tools sh -c 'mkdir /w/d && touch /w/root /w/d/f && chown 1000 /w/d/f' && \
                 test $(stat -c %u root) = $(id -u) && rm -rf d root && test ! -e d"
            ),
        ),
        ("/tmp", format!("touch /tmp/shared && {RUN} --volume /tmp:/t tools test -e /t/shared")),
        // As actions/runner makes the container of `container:`, and looks at those of `services:`.
        ("the store, in container:", "docker start -a $(docker create --network none tools test -d /nix/store)".into()),
        ("no store without", format!("{RUN} tools test ! -e /nix/store")),
        (
            "the socket where it is usual",
            format!("{RUN} -v /var/run/docker.sock:/var/run/docker.sock tools test -S /var/run/docker.sock"),
        ),
        (
            "health checks",
            "docker run -d --name sound --health-cmd true --network none tools sleep 1000 && \
             test $(docker inspect --format '{{print .State.Health.Status}}' sound) = healthy"
                .into(),
        ),
        ("all that its unit shows", format!("{HOST} test -d /host/etc -a -d /host/opt/tools")),
        ("readable files", "touch readable && test $(stat -c %a readable) = 644".into()),
        ("the whole sandbox", [status("NoNewPrivs:.1"), status("CapBnd:.0000000000000000")].join(" && ")),
    ]
}

/// What stays closed, from a container that was given all that there is.
fn closed() -> Vec<(&'static str, String)> {
    let mut closed: Vec<(&str, String)> = [
        ("the ledger", "ls /host/var/lib/github-runner-registrations"),
        ("the secret", "cat /host/run/secrets/may-podman.token"),
        ("brokers", "ls /host/run/github-runner-broker"),
        ("the system bus", "ls /host/run/dbus"),
        ("managers of users", "ls /host/run/user"),
        ("the manager", "test -e /host/run/systemd/private -o -e /host/run/systemd/notify"),
        ("processes of others", "test -e /proc/1"),
        ("files of root", "cat /host/etc/shadow"),
        ("files of the system", "touch /host/etc/made"),
        ("what is mounted over the ledger", "umount /host/var/lib/github-runner-registrations"),
        ("messages of the kernel", "test -e /host/dev/kmsg"),
        ("settings of the kernel", "sh -c 'echo 1 > /host/proc/sys/kernel/sysrq'"),
        ("programs as root", "chroot /host /usr/bin/sudo -n true"),
    ]
    .map(|(what, command)| (what, format!("{HOST} {command}")))
    .into();
    closed.push(("mounts of the host", "mount -t tmpfs none /mnt".into()));
    closed
}

fn engine(name: &str) -> String {
    format!("github-runner-containers@{name}.service")
}

/// Gets the machine ready.
fn prepare() -> Result<()> {
    run("sh", &["-c", PREPARE])?;
    if version()? < 257 {
        // It sets no-new-privileges for each of these, and newer ones do not.
        let lines = "PrivateDevices=no\nProtectClock=no\nProtectKernelModules=no\nRestrictRealtime=no";
        for name in ["may-podman", "may-podman-anew"] {
            drop_in(&engine(name), "older", &format!("[Service]\nRestrictAddressFamilies=\n{lines}\n"))?;
        }
    }
    Ok(())
}

pub fn without_root(machine: &Machine) -> Result<()> {
    prepare()?;
    let (opened, closed) = (opened(), closed());
    let expected: Vec<&str> = opened.iter().map(|(what, _)| *what).collect();
    let probes: Vec<_> = opened.iter().chain(&closed).cloned().collect();
    tries(machine, "may-podman", &probes, &expected)?;
    tries(machine, "hostile", &probes, &["the whole sandbox"])
}

/// A job can write what the engine keeps.
pub fn heals(machine: &Machine) -> Result<()> {
    prepare()?;
    let probes: Vec<_> = opened().into_iter().take(2).collect();
    let expected: Vec<&str> = probes.iter().map(|(what, _)| *what).collect();
    tries(machine, "may-podman", &probes, &expected)?;
    let kept = "/var/lib/github-runner-containers/may-podman";
    let spoil =
        format!("find {kept} -name db.sql -o -name bolt_state.db | while read f; do echo spoiled > $f; echo $f; done");
    ensure!(!run("sh", &["-c", &spoil])?.is_empty(), "nothing is kept in {kept}");
    tries(machine, "may-podman", &probes, &expected)
}

/// The processes of a user by their command lines.
fn processes(user: &str) -> Result<Vec<String>> {
    let uid: u32 = run("id", &["-u", user])?.trim().parse()?;
    let mut found = vec![];
    for name in names("/proc")?.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let process = Path::new("/proc").join(name);
        // One that ended meanwhile is none.
        let Ok((_, owner)) = mode_and_owner(&process) else { continue };
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        // Others than root have the second numbers in a container.
        if owner == uid || (1_000_000..1_200_000).contains(&owner) {
            found.push(String::from_utf8_lossy(&line).replace('\0', " ").chars().take(60).collect());
        }
    }
    Ok(found)
}

fn activity(unit: &str) -> Result<String> {
    Ok(run("systemctl", &["show", "--value", "--property", "ActiveState", unit])?.trim().into())
}

/// Waits until nothing of an engine is left but what it keeps.
fn is_gone(name: &str, user: &str) -> Result<()> {
    let mut left = String::new();
    wait_for(&format!("the end of all containers of {name}"), || {
        let (activity, processes) = (activity(&engine(name))?, processes(user)?);
        // systemd removes them in the background.
        let directories: Vec<String> =
            [names("/tmp")?, names("/var/tmp")?].concat().into_iter().filter(|place| place.contains(name)).collect();
        left = format!("{activity}, {processes:?}, {directories:?}");
        Ok((activity == "inactive" && processes.is_empty() && directories.is_empty()).then_some(()))
    })
    .with_context(|| left)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    ensure!(!mounts.contains("containers"), "mounts: {mounts}");
    ensure!(!Path::new(&format!("/run/github-runner-containers/{name}.sock")).exists(), "its socket is open");
    Ok(())
}

/// Fails if root, put where an engine is, sees what is closed for jobs: rights of files alone would not be enough.
fn hides(name: &str) -> Result<()> {
    let main = run("systemctl", &["show", "--value", "--property", "MainPID", &engine(name)])?;
    let look = format!(
        "ls -A /var/lib/github-runner-registrations /run/github-runner-broker /run/dbus /run/user | grep -v :; \
         cat /run/secrets/{name}.token; ls -d /run/systemd/private /run/systemd/system 2> /dev/null; true"
    );
    let seen = run("nsenter", &["--target", main.trim(), "--mount", "sh", "-c", &look])?;
    ensure!(seen.trim().is_empty(), "an engine shows {seen}");
    Ok(())
}

/// Leaves containers that no signal ends, a file of another user in the workspace, and one that makes new ones for ever.
const LEAVE: &str = "docker import /opt/tools.tar tools && docker network create net && \
    docker run -d --network none -v $PWD:/w tools sh -c 'touch /w/f && chown 1000 /w/f && sleep 1000' && \
    docker run -d --network host --privileged -v /:/host -e CONTAINER_HOST -e HOME=/tmp tools chroot /host \
    sh -c 'while true; do podman --remote run -d --network none tools sleep 1000; sleep 0.2; done' && touch /tmp/left";

/// What the next job finds of that.
const NOTHING: &str = "test -z \"$(docker ps --all --quiet)\" && test ! -e /tmp/left && ! docker network inspect net";

fn job(command: &str) -> Value {
    json!({ "run": [{ "job": { "name": "containers", "command": command } }] })
}

pub fn outlives_nothing(machine: &Machine) -> Result<()> {
    prepare()?;
    let mut runner = Runner::new(machine, "may-podman")?;
    let leave = |runner: &mut Runner<'_>| {
        machine.github.script(&job(LEAVE))?;
        runner.restart()?;
        runner.wait_for_line("completed with result: ")?;
        runner.expect("completed with result: Succeeded")
    };
    let expect_nothing = |runner: &mut Runner<'_>| {
        // Images are kept.
        machine.github.script(&job(&format!("{NOTHING} && docker image inspect tools")))?;
        runner.restart()?;
        runner.wait_for_line("completed with result: ")?;
        runner.expect("completed with result: Succeeded")?;
        machine.github.script(&json!({}))
    };

    leave(&mut runner)?;
    ensure!(activity(&engine("may-podman"))? == "active", "the engine does not run");
    hides("may-podman")?;
    runner.stop()?;
    is_gone("may-podman", "gh-runner").context("after a stop")?;
    ensure!(run("systemctl", &["is-failed", &engine("may-podman")]).is_err(), "its end is a failure");

    // One that ends by itself and is not started again, as when it is not configured any more.
    runner.drop_in("once", "[Service]\nRestart=no\n")?;
    leave(&mut runner)?;
    run("systemctl", &["kill", "--kill-whom=main", "--signal=KILL", &runner.unit])?;
    is_gone("may-podman", "gh-runner").context("after an end that nobody asked for")?;
    runner.remove_drop_ins()?;

    leave(&mut runner)?;
    expect_nothing(&mut runner).context("after a restart")?;

    // As if it had crashed. The next command finds another one, which has nothing of it.
    machine.github.script(&job(&format!(
        "{LEAVE} && rm /tmp/left && touch left && while test ! -e go; do sleep 0.1; done; sleep 1; {NOTHING}"
    )))?;
    runner.restart()?;
    wait_for("containers", || Ok(runner.work("left").exists().then_some(())))?;
    run("systemctl", &["kill", "--kill-whom=main", "--signal=KILL", &engine("may-podman")])?;
    fs::write(runner.work("go"), "")?;
    machine.github.script(&json!({}))?;
    runner.wait_for_line("completed with result: ")?;
    runner.expect("completed with result: Succeeded").context("after a crash")?;
    runner.stop()?;
    is_gone("may-podman", "gh-runner").context("after a crash")
}

pub fn anew_in_each_cycle(machine: &Machine) -> Result<()> {
    prepare()?;
    let mut runner = Runner::new(machine, "may-podman-anew")?;
    machine.github.script(&job(&format!("{NOTHING} && test -z \"$(docker images --quiet)\" && {LEAVE}")))?;
    runner.restart()?;
    wait_for("three jobs", || {
        let journal = runner.journal()?;
        ensure!(!journal.contains("completed with result: Failed"), "a job failed: {journal}");
        Ok((journal.matches("completed with result: Succeeded").count() >= 3).then_some(()))
    })?;
    machine.github.script(&json!({}))?;
    runner.stop()?;
    is_gone("may-podman-anew", "gh-containers")
}

/// podman as root in the place of docker: what answers at the socket is all the same to a job.
const DOCKER: &str = r#"
set -e
printf '[containers]\ncgroups = "disabled"\n[engine]\ncgroup_manager = "cgroupfs"\n' > /opt/docker.conf
cd /run/systemd/system
printf '[Socket]\nListenStream=/run/docker.sock\nSocketMode=0660\nSocketGroup=docker\n' > docker.socket
printf '[Service]\nEnvironment=CONTAINERS_CONF=/opt/docker.conf\nExecStart=/usr/bin/podman system service --time=0\n' > docker.service
systemctl daemon-reload
systemctl start docker.socket
"#;

pub fn of_the_host(machine: &Machine) -> Result<()> {
    prepare()?;
    run("sh", &["-c", DOCKER])?;
    // The program that stands for docker's is told what that one knows.
    let told =
        |command: &str| format!("export CONTAINER_HOST=$DOCKER_HOST CONTAINERS_CONF=/opt/docker.conf; {command}");
    let commands = [
        ("an image", "docker import /opt/tools.tar tools"),
        ("a container", "test $(docker run --rm --network none tools echo said) = said"),
        (
            "the store, in container:",
            "docker start -a $(docker create --network none -v /var/run/docker.sock:/var/run/docker.sock tools test -d /nix/store)",
        ),
        // What the option says: such a job is root.
        ("files of root", "docker run --rm --network none -v /:/host tools grep -q ^root /host/etc/shadow"),
        ("readable files", "touch readable && test $(stat -c %a readable) = 644"),
        ("a user of its own", "test $(id -u) -ge 61184"),
    ]
    .map(|(what, command)| (what, told(command)));
    let names = commands.each_ref().map(|(what, _)| *what);
    tries(machine, "may-docker", &commands, &names)?;
    tries(machine, "hostile", &commands, &["a user of its own"])?;
    run("systemctl", &["stop", "docker.socket", "docker.service"]).map(drop)
}
