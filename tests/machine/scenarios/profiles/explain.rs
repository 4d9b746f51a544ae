//! `explain` against what jobs fail at: it names the smallest set of lines, and the least that opens them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{probes, version};
use crate::Machine;
use crate::runner::Runner;
use crate::tools::names;

const CTL: &str = "/opt/runnerctl/bin/github-runnerctl";

/// What is in the way, as it is told: directives, and of filters of system calls the entries.
const FHS: &[&str] = &["RestrictNamespaces", "RestrictSUIDSGID", "SystemCallFilter=~@mount ~capset"];
const FHS_DYNAMIC: &[&str] =
    &["DynamicUser", "RestrictNamespaces", "RestrictSUIDSGID", "SystemCallFilter=~@mount ~capset"];
const OLD_FHS: &[&str] = &["RestrictNamespaces", "SystemCallFilter=~@mount ~capset"];
const ENGINE: &[&str] = &[
    "NoNewPrivileges",
    "RestrictNamespaces",
    "CapabilityBoundingSet",
    "PrivateUsers",
    "SystemCallFilter=~@mount ~capset",
];
/// Of a runner that may use sudo.
const OLD_SUDO: &[&str] = &[
    "RestrictNamespaces",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictRealtime",
];
const SUDO: &[&str] = &["NoNewPrivileges", "CapabilityBoundingSet", "PrivateUsers", "SystemCallFilter=~capset"];

/// A question, and the answer.
struct Case {
    runner: &'static str,
    command: &'static str,
    code: i32,
    /// What is said besides.
    says: &'static [&'static str],
    /// The lines that are named, in their order.
    lines: &'static [&'static str],
}

const fn case(runner: &'static str, command: &'static str, code: i32, says: &'static [&'static str]) -> Case {
    Case { runner, command, code, says, lines: &[] }
}

const fn lines(
    runner: &'static str,
    command: &'static str,
    lines: &'static [&'static str],
    says: &'static [&'static str],
) -> Case {
    Case { runner, command, code: 1, says, lines }
}

const BWRAP: &str = "bwrap --ro-bind / / --dev-bind /dev /dev true";
const SETGID: &str = "git init --shared shared";
// A copy has no rights by its file, which Debian's had before it took them from the kernel's table.
const PING: &str = "/usr/local/bin/ping -c 1 127.0.0.1";

const CASES: &[Case] = &[
    case("hostile", "true", 0, &["It works in the sandbox of runner hostile"]),
    case("hostile", "echo said; exit 3", 2, &["| said", "no line is in the way", "it ran as `nobody`"]),
    case("nobody", "true", 3, &["There is no runner nobody"]),
    // Nothing of the runner is in it, and no line keeps it out.
    case("hostile", "ls /var/lib/github-runner/hostile", 2, &["no line is in the way"]),
    case("hostile", "ls /var/lib/github-runner-registrations", 2, &["no line is in the way"]),
    case("may-namespaces", BWRAP, 0, &[]),
    // Setuid and setgid bits.
    lines("hostile", SETGID, &["DynamicUser", "RestrictSUIDSGID"], &["`serviceOverrides.RestrictSUIDSGID = false`"]),
    case("may-namespaces", SETGID, 0, &[]),
    // Nodes.
    lines("hostile", "test -c /dev/net/tun", &["PrivateDevices"], &["`devices`"]),
    case("may-devices", "test -c /dev/net/tun", 0, &[]),
    case("may-devices", "true < /dev/grouped", 2, &["Permission denied", "`deviceGroups`"]),
    case("may-grouped", "true < /dev/grouped", 0, &[]),
    // One of two lines would do: the second one is no longer in the way once the first is lifted.
    lines("hostile", "touch a; test $(stat -c %a a) = 644", &["UMask"], &["`sandbox.umask`"]),
    lines("hostile", PING, &["SystemCallFilter=~capset"], &["`serviceOverrides.SystemCallFilter = [ \"capset\" ]`"]),
    // Without a rule for `nobody` there is more that is in the way than lines.
    case(
        "hostile",
        "sudo -n id",
        2,
        &["With every line lifted it wrote:", "| sudo: a password is required", "`createUser`"],
    ),
];

/// With systemd 257, and a bubblewrap that needs openat2, which the old one does not.
const NEW: &[Case] = &[
    lines("override-static-user", BWRAP, FHS, &["`sandbox.namespaces`"]),
    lines("hostile", BWRAP, FHS_DYNAMIC, &["`createUser`", "`sandbox.namespaces`"]),
    lines("override-static-user", "sudo -n id", SUDO, &["`sandbox.sudo`"]),
    case("may-sudo", "sudo -n id", 0, &[]),
    lines("override-static-user", "podman unshare true", ENGINE, &["`containers.engine = \"podman\"`"]),
];

/// With systemd 252, which takes rights away whenever there is any filter of system calls, and most lines are one.
const OLD: &[Case] = &[
    lines("override-static-user", BWRAP, OLD_FHS, &["`sandbox.namespaces`"]),
    lines("may-sudo", "sudo -n id", OLD_SUDO, &["no new privileges"]),
];

/// Exit code and text of `explain`.
fn explain(case: &Case) -> Result<(i32, String)> {
    let ran = Command::new(CTL)
        .args(["explain", case.runner, "--", "sh", "-c", case.command])
        .stdin(Stdio::null())
        .output()
        .context("Failed to run github-runnerctl")?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    Ok((ran.status.code().unwrap_or(-1), text))
}

/// The lines that an answer names.
fn named(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| Some(line.split_once("  → ")?.0.trim()));
    lines
        .map(|line| if line.starts_with("SystemCallFilter=") { line } else { line.split('=').next().unwrap_or(line) })
        .collect()
}

pub fn explained(machine: &Machine) -> Result<()> {
    probes::prepare()?;
    probes::let_use_sudo()?;
    fs::copy("/usr/bin/ping", "/usr/local/bin/ping")?;
    // As systemd has it on NixOS.
    fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")?;
    for file in ["/etc/subuid", "/etc/subgid"] {
        fs::write(file, "gh-runner:100000:65536\n")?;
    }
    // Runners exist, so that there is something that the copies could show.
    let mut runner = Runner::new(machine, "hostile")?;
    runner.restart()?;
    // As one that was killed left it.
    fs::create_dir_all("/run/github-runner-explain/output")?;
    fs::write("/run/systemd/system/github-runner-explain-7.service", "[Service]\nExecStart=/bin/false\n")?;
    let more = if version()? >= 257 { NEW } else { OLD };
    for case in CASES.iter().chain(more) {
        let (code, text) = explain(case)?;
        let asked = format!("{} {:?}: {code}\n{text}", case.runner, case.command);
        ensure!(code == case.code && case.says.iter().all(|part| text.contains(part)), "{asked}");
        ensure!(named(&text) == case.lines, "{:?} instead of {:?}: {asked}", named(&text), case.lines);
    }
    let left: Vec<String> = names("/run/systemd/system")?.into_iter().filter(|name| name.contains("explain")).collect();
    ensure!(left.is_empty() && !Path::new("/run/github-runner-explain").exists(), "{left:?} are left");
    runner.expect("Listening for Jobs").or(Ok(()))
}
