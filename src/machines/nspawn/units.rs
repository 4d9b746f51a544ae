//! The units of systemd for a host, as text: one template for all hosts. Pure.
//!
//! `gitlab-nspawn-executor units` prints them where there is no Nix; the NixOS module renders the same directives
//! (nixos/machines/units.nix), and `tests/fixtures/gitlab-nspawn-units` holds both to it. A
//! job is one instance of the template: its connection starts it, its control group holds it with all limits, its end takes
//! everything along.

use std::path::Path;

use super::settings::{Limits, NetworkMode, Settings};

/// How long the last step of a unit may take, in seconds: longer than `ended` tries.
const STOP: u64 = 300;

/// Within this time a supervisor has to say that it is alive, in seconds: enough to make a machine. Later it asks for less.
const WATCHDOG: u64 = 600;

/// How long a supervisor that did not may take to end by itself, in seconds.
const ABORT: u64 = 10;

/// One file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unit {
    /// Where it belongs.
    pub path: &'static str,
    /// What is in it.
    pub text: String,
}

/// Every file of a host, each after a line that says where it belongs.
#[must_use]
pub fn all(settings: &Settings, file: &Path, program: &Path) -> String {
    let units = files(settings, file, program);
    let texts: Vec<String> = units.iter().map(|unit| format!("# {}\n{}", unit.path, unit.text)).collect();
    texts.join("\n")
}

/// Every file of a host with these settings, in `file`, and this `program`.
#[must_use]
pub fn files(settings: &Settings, file: &Path, program: &Path) -> Vec<Unit> {
    let mut files = vec![
        Unit { path: "/etc/systemd/system/gitlab-nspawn.socket", text: socket(settings) },
        Unit { path: "/etc/systemd/system/gitlab-nspawn@.service", text: service(settings, file, program) },
        Unit { path: "/etc/systemd/system/gitlab-nspawn.slice", text: SLICE.into() },
        Unit { path: "/etc/sysusers.d/gitlab-nspawn.conf", text: GROUP.into() },
        Unit { path: "/etc/tmpfiles.d/gitlab-nspawn.conf", text: at_boot(settings) },
    ];
    if settings.network.mode == NetworkMode::Private {
        files.push(Unit { path: "/etc/sysctl.d/60-gitlab-nspawn.conf", text: FORWARDING.into() });
    }
    files
}

fn socket(settings: &Settings) -> String {
    format!(
        "\
[Unit]
Description=Machines for jobs of GitLab

[Socket]
ListenSequentialPacket={}/machines.sock
Accept=yes
# More than the slots: retries, cleanups and refusals come beside, and a unit that ends still counts.
MaxConnections={}
# Nobody who may connect can stop the socket for all by doing it often.
TriggerLimitIntervalSec=0
SocketMode=0660
SocketGroup=gitlab-nspawn
DirectoryMode=0755

[Install]
WantedBy=sockets.target
",
        settings.run_directory.display(),
        2 * settings.slots + 16
    )
}

fn service(settings: &Settings, file: &Path, program: &Path) -> String {
    let (program, file) = (program.display(), file.display());
    format!(
        "\
[Unit]
Description=Machine for a job of GitLab (%i)
CollectMode=inactive-or-failed

[Service]
Type=exec
ExecStart={program} supervise --settings {file}
ExecStopPost={program} ended --settings {file}
StandardInput=socket
StandardOutput=journal
StandardError=journal
Slice=gitlab-nspawn.slice
# nspawn and its machine stay in this unit, and manage what is below it.
Delegate=yes
KillMode=mixed
TimeoutStopSec={STOP}
TimeoutAbortSec={ABORT}
WatchdogSec={WATCHDOG}
NotifyAccess=main
PrivateMounts=yes
# The kernel kills what is too large in the machine; the supervisor says so and goes on.
OOMPolicy=continue
OOMScoreAdjust=-900
{}{}{}",
        limits(&settings.limits),
        DEVICES,
        settings
            .devices
            .iter()
            .fold(String::new(), |lines, device| lines + &format!("DeviceAllow={} rwm\n", device.display()))
    )
}

fn limits(limits: &Limits) -> String {
    let mut lines = vec![format!("TasksMax={}", limits.tasks)];
    lines.extend(limits.memory.as_ref().map(|memory| format!("MemoryMax={memory}\nMemorySwapMax=0")));
    lines.extend(limits.cpu_weight.map(|weight| format!("CPUWeight={weight}")));
    lines.extend(limits.io_weight.map(|weight| format!("IOWeight={weight}")));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// What nspawn itself needs to make a machine's `/dev`, and terminals.
const DEVICES: &str = "\
DevicePolicy=closed
DeviceAllow=char-pts rw
DeviceAllow=/dev/net/tun rwm
DeviceAllow=/dev/fuse rwm
";

/// Who may ask for machines: the user of gitlab-runner has to be in it.
const GROUP: &str = "g gitlab-nspawn -\n";

const SLICE: &str = "\
[Unit]
Description=Machines for jobs of GitLab

[Slice]
# Limits for all jobs together belong here, such as MemoryMax=.
";

/// After a power cut nothing of a job is wanted; what is in `/run` is gone anyway.
fn at_boot(settings: &Settings) -> String {
    format!("R! {}/jobs\n", settings.state_directory.display())
}

const FORWARDING: &str = "\
# Machines reach the network through this host. With IPv6 forwarding Linux ignores router advertisements, unless accept_ra is 2.
net.ipv4.ip_forward = 1
net.ipv6.conf.all.forwarding = 1
net.ipv6.conf.default.accept_ra = 2
net.ipv6.conf.all.accept_ra = 2
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::nspawn::SETTINGS;

    fn texts(machines: &str) -> String {
        let settings = Settings::parse(format!("{{\"machines\": {machines}}}").as_bytes()).unwrap();
        all(&settings, Path::new(SETTINGS), Path::new("/usr/bin/gitlab-nspawn-executor"))
    }

    /// Evaluation tests hold the NixOS module to the same files.
    #[test]
    fn a_host_without_nix_gets_what_the_module_makes_of_the_same_settings() {
        let settings = Settings::parse(include_bytes!("../../../tests/fixtures/gitlab-nspawn-settings.json")).unwrap();
        let text = all(&settings, Path::new(SETTINGS), Path::new("/usr/local/bin/gitlab-nspawn-executor"));
        let fixture = include_str!("../../../tests/fixtures/gitlab-nspawn-units");
        assert_eq!(text, fixture, "after a change of these, change nixos/machines/units.nix, too");
    }

    #[test]
    fn a_unit_holds_everything_of_its_job() {
        let text = texts(r#"{"images": {"debian": {"root": "/var/lib/images/debian"}}}"#);
        for line in [
            "ListenSequentialPacket=/run/gitlab-nspawn/machines.sock",
            "Accept=yes",
            "SocketMode=0660",
            "ExecStopPost=/usr/bin/gitlab-nspawn-executor ended --settings /etc/gitlab-nspawn/settings.json",
            "Delegate=yes",
            "KillMode=mixed",
            "TasksMax=16384",
            "OOMPolicy=continue",
            "DevicePolicy=closed",
            "Slice=gitlab-nspawn.slice",
            "g gitlab-nspawn -",
            "R! /var/lib/gitlab-nspawn/jobs",
            "net.ipv4.ip_forward = 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("MemoryMax=") || text.contains("such as MemoryMax=."), "{text}");
        let ended = crate::machines::nspawn::ended::PATIENCE + crate::machines::nspawn::ended::CACHE;
        assert!(STOP > ended.as_secs());
    }

    #[test]
    fn what_is_configured_is_in_the_text() {
        let text = texts(
            r#"{"images": {"a": {"root": "/a"}}, "devices": ["/dev/kvm"], "network": {"mode": "none"},
                "limits": {"memory": "4G", "tasks": 100, "cpuWeight": 20, "ioWeight": 30}}"#,
        );
        for line in [
            "MemoryMax=4G",
            "MemorySwapMax=0",
            "TasksMax=100",
            "CPUWeight=20",
            "IOWeight=30",
            "DeviceAllow=/dev/kvm rwm",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("forward"), "{text}");
    }
}
