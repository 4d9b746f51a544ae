//! The units of machines where systemd is the first process: the very ones that are printed for hosts without Nix.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::nspawn::{Unit, groups};

/// The program where it is installed on such a host.
const INSTALLED: &str = "/usr/bin/gitlab-nspawn-executor";

/// The settings there.
const SETTINGS: &str = "/etc/gitlab-nspawn/settings.json";

/// Installs the units for these settings and starts their socket. Names of the host's directories are made in `beside`.
pub fn install(machines: &mut Value, beside: &Path) {
    // Where units look, whatever the directory of this host is.
    machines["runDirectory"] = json!("/run/gitlab-nspawn");
    machines["stateDirectory"] = json!("/var/lib/gitlab-nspawn");
    fs::create_dir_all("/etc/gitlab-nspawn").unwrap();
    fs::write(SETTINGS, json!({"machines": machines}).to_string()).unwrap();
    std::os::unix::fs::symlink("/run/gitlab-nspawn", beside.join("run")).unwrap();
    std::os::unix::fs::symlink("/var/lib/gitlab-nspawn", beside.join("state")).unwrap();
    std::os::unix::fs::symlink("/run/systemd/nspawn", beside.join("nspawn")).unwrap();
    let printed = said(INSTALLED, &["units"]);
    let mut file = String::new();
    for line in printed.lines() {
        if let Some(path) = line.strip_prefix("# /") {
            file = format!("/{path}");
            fs::create_dir_all(Path::new(&file).parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
        } else {
            writeln!(File::options().append(true).open(&file).unwrap(), "{line}").unwrap();
        }
    }
    said("systemd-sysusers", &[]);
    said("systemctl", &["daemon-reload"]);
    // Started anew for each claim, more often than systemd believes anybody; the first time there is nothing to reset.
    _ = Command::new("systemctl").args(["reset-failed", "gitlab-nspawn.socket"]).stderr(Stdio::null()).status();
    said("systemctl", &["restart", "gitlab-nspawn.socket"]);
}

/// The units of jobs that systemd has.
pub fn units() -> Vec<Unit> {
    let listed = said("systemctl", &["list-units", "--plain", "--no-legend", "--all", "gitlab-nspawn@*"]);
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    let unit = |name: &str| {
        let shown = said("systemctl", &["show", "--property=ControlGroup", "--property=MainPID", name]);
        let value =
            |key: &str| shown.lines().find_map(|line| Some(line.strip_prefix(key)?.to_owned())).unwrap_or_default();
        let (group, supervisor) = (value("ControlGroup="), value("MainPID=").parse().unwrap_or(0));
        // Without a group it is about to be forgotten.
        let groups = if group.is_empty() { vec![] } else { groups(group.trim_start_matches('/')) };
        Unit { groups, supervisor }
    };
    names.map(unit).collect()
}

/// What a program says that has to succeed.
pub fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
