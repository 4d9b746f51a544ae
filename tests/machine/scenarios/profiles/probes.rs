//! Jobs of runners with one option each, which try what every option opens and what stays closed with all of them.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use anyhow::{Result, ensure};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::{tries, version};
use crate::Machine;
use crate::tools::{run, set_mode};

const SUDOERS: &str = "/etc/sudoers.d/machine-tests";

/// What a job tries, and what it is called.
const PROBES: &[(&str, &str)] = &[
    ("namespaces", "unshare --user --map-root-user true"),
    ("mounts in them", "unshare --user --map-root-user --mount mount -t tmpfs none /tmp"),
    ("bubblewrap", "bwrap --ro-bind / / --dev-bind /dev /dev true"),
    ("a shared repository", "git init --shared shared"),
    ("a setuid bit", "cp /usr/bin/true mine && chmod u+s mine && test -u mine"),
    ("a node", "test -c /dev/net/tun"),
    ("a node of a group", "true < /dev/grouped > /dev/grouped"),
    ("readable files", "touch made && test $(stat -c %a made) = 644"),
    ("sudo with its bit", "test $(command -v sudo) = /run/wrappers/bin/sudo"),
    ("root by sudo", "test $(sudo -n id -u) = 0"),
    ("all tokens by sudo", "sudo -n test -s /proc/1/root/run/secrets/hostile.token"),
    (
        "the home that the host knows",
        "test \"$HOME\" = \"$(getent passwd $(id -u) | cut -d: -f6)\" && touch $HOME/mine",
    ),
    ("a cache of tools", "mkdir -p \"$RUNNER_TOOL_CACHE\" && touch \"$RUNNER_TOOL_CACHE/tool\""),
    ("the home of may-user", "ls /var/lib/github-runner-home/may-user"),
    ("the cache of may-user", "touch /var/cache/gh-ci/theirs"),
    // These stay closed, whatever is open.
    ("other nodes", "ls /dev/kmsg || ls /dev/fuse || ls /dev/mem || ls /dev/sd*"),
    ("a node of its own", "mknod node c 1 3"),
    ("mounts of the host", "mount -t tmpfs none /mnt"),
    ("the name of the host", "hostname other"),
    ("processes of others", "ls /proc/1/cmdline"),
    ("the ledger", "ls /var/lib/github-runner-registrations"),
    ("sockets of brokers", "ls /run/github-runner-broker"),
    ("secrets", "cat /run/secrets/*.token"),
    ("the bus", "busctl list || systemd-run --user true"),
    ("the home of root", "ls /root"),
    ("the system", "touch /etc/made || touch /usr/made || touch /var/lib/made"),
];

/// What the distribution has not, and a host with such runners has.
pub fn prepare() -> Result<()> {
    // As NixOS has it, where no program in the store has the bit.
    fs::create_dir_all("/run/wrappers/bin")?;
    if !fs::exists("/run/wrappers/bin/sudo")? {
        symlink("/usr/bin/sudo", "/run/wrappers/bin/sudo")?;
    }
    run("groupadd", &["--force", "--system", "gh-devices"])?;
    if !fs::exists("/dev/grouped")? {
        // Of the driver of /dev/null.
        mknod("/dev/grouped", SFlag::S_IFCHR, Mode::empty(), makedev(1, 3))?;
    }
    let group = run("getent", &["group", "gh-devices"])?;
    let id = group.split(':').nth(2).and_then(|id| id.parse().ok());
    ensure!(id.is_some(), "a group without a number: {group}");
    chown("/dev/grouped", None, id)?;
    set_mode("/dev/grouped", 0o660)
}

/// Lets both users be root, one of whose runners has no option for that.
pub fn let_use_sudo() -> Result<()> {
    let rule = |user: &str| format!("{user} ALL=(ALL) NOPASSWD: ALL\n");
    fs::write(SUDOERS, rule("gh-runner") + &rule("github-runner-may-sudo"))?;
    set_mode(SUDOERS, 0o440)
}

pub fn opened(machine: &Machine) -> Result<()> {
    prepare()?;
    let_use_sudo()?;
    let probes: Vec<(&str, String)> = PROBES.iter().map(|(what, command)| (*what, (*command).to_owned())).collect();
    let tries = |name: &str, expected: &[&str]| tries(machine, name, &probes, expected);
    tries("hostile", &[])?;
    tries(
        "may-namespaces",
        &["namespaces", "mounts in them", "bubblewrap", "a shared repository", "a setuid bit", "readable files"],
    )?;
    tries("may-devices", &["a node"])?;
    tries("may-grouped", &["a node", "a node of a group"])?;
    tries(
        "may-user",
        &["the home that the host knows", "a cache of tools", "the home of may-user", "the cache of may-user"],
    )?;
    let without_rule = ["a shared repository", "a setuid bit", "sudo with its bit", "the home that the host knows"];
    let mut with_rule = without_rule.to_vec();
    // Before, systemd takes it for granted that who has any filter of system calls gains no rights.
    if version()? >= 255 {
        with_rule.splice(3..3, ["root by sudo", "all tokens by sudo"]);
    }
    tries("may-sudo", &with_rule)?;
    fs::remove_file(SUDOERS)?;
    tries("may-sudo", &without_rule)
}
