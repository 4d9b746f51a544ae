//! The lines of a sandbox that can be lifted, what takes their place then, and which option opens as much. Pure.

use super::copy::Sandbox;
use super::filter;

/// One of them.
#[derive(Debug, Eq, PartialEq)]
pub struct Line {
    /// The directive.
    pub name: &'static str,
    /// What stands behind the unit's lines to lift it.
    pub lifted: &'static [&'static str],
    /// The options of a runner that open it, the least first; empty stands for `serviceOverrides`.
    pub options: &'static [&'static str],
}

const fn line(name: &'static str, lifted: &'static [&'static str], options: &'static [&'static str]) -> Line {
    Line { name, lifted, options }
}

const BY_HAND: &[&str] = &[""];

/// All of them. A dynamic user forces some that then cannot be lifted alone.
pub const ALL: [Line; 33] = [
    line("DynamicUser", &["DynamicUser=no", "User=nobody"], &["createUser"]),
    line("NoNewPrivileges", &["NoNewPrivileges=no"], &["sandbox.sudo"]),
    line("RestrictNamespaces", &["RestrictNamespaces=no"], &["sandbox.namespaces"]),
    line("RestrictSUIDSGID", &["RestrictSUIDSGID=no"], &["", "sandbox.namespaces", "sandbox.sudo"]),
    // As a whole; see filter.rs for its entries.
    line(filter::NAME, &["SystemCallFilter="], &["sandbox.sudo"]),
    line("SystemCallArchitectures", &["SystemCallArchitectures="], BY_HAND),
    line("CapabilityBoundingSet", &["CapabilityBoundingSet=~"], &["sandbox.sudo"]),
    line("PrivateUsers", &["PrivateUsers=no"], &["sandbox.sudo"]),
    line("PrivateDevices", &["PrivateDevices=no"], &["devices"]),
    line("DeviceAllow", &["DeviceAllow="], &["devices"]),
    line("DevicePolicy", &["DevicePolicy=auto"], BY_HAND),
    line("PrivateTmp", &["PrivateTmp=no"], BY_HAND),
    line("PrivateNetwork", &["PrivateNetwork=no"], BY_HAND),
    line("PrivateMounts", &["PrivateMounts=no"], BY_HAND),
    line("PrivatePIDs", &["PrivatePIDs=no"], BY_HAND),
    line("PrivateIPC", &["PrivateIPC=no"], BY_HAND),
    line("ProcSubset", &["ProcSubset=all"], BY_HAND),
    line("ProtectClock", &["ProtectClock=no"], BY_HAND),
    line("ProtectControlGroups", &["ProtectControlGroups=no"], BY_HAND),
    line("ProtectHome", &["ProtectHome=no"], BY_HAND),
    line("ProtectHostname", &["ProtectHostname=no"], BY_HAND),
    line("ProtectKernelLogs", &["ProtectKernelLogs=no"], BY_HAND),
    line("ProtectKernelModules", &["ProtectKernelModules=no"], BY_HAND),
    line("ProtectKernelTunables", &["ProtectKernelTunables=no"], BY_HAND),
    line("ProtectProc", &["ProtectProc=default"], BY_HAND),
    line("ProtectSystem", &["ProtectSystem=no"], BY_HAND),
    line("RemoveIPC", &["RemoveIPC=no"], BY_HAND),
    line("RestrictAddressFamilies", &["RestrictAddressFamilies="], BY_HAND),
    line("RestrictRealtime", &["RestrictRealtime=no"], BY_HAND),
    line("LockPersonality", &["LockPersonality=no"], BY_HAND),
    line("MemoryDenyWriteExecute", &["MemoryDenyWriteExecute=no"], BY_HAND),
    line("IPAddressDeny", &["IPAddressDeny="], &["trust"]),
    line("UMask", &["UMask=0022"], &["sandbox.umask"]),
];

/// What a dynamic user brings along, whatever the unit says; see systemd.exec(5).
const OF_A_DYNAMIC_USER: [&str; 6] =
    ["NoNewPrivileges", "RestrictSUIDSGID", "PrivateTmp", "ProtectHome", "ProtectSystem", "RemoveIPC"];

/// Those that a sandbox has. An empty value is a line for lists that allow, and none for those that deny.
#[must_use]
pub fn present(sandbox: &Sandbox) -> Vec<&'static Line> {
    let is_dynamic = sandbox.is_on("DynamicUser");
    let allows = ["CapabilityBoundingSet", "DeviceAllow"];
    let has = |line: &&Line| {
        let forced = is_dynamic && OF_A_DYNAMIC_USER.contains(&line.name);
        let values = sandbox.values(line.name);
        forced || sandbox.is_on(line.name) || (allows.contains(&line.name) && !values.is_empty())
    };
    ALL.iter().filter(has).filter(|line| line.name != "ProcSubset" || sandbox.values("ProcSubset") != ["all"]).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_dynamic_user_has_lines_that_nobody_wrote() {
        let names = |text: &str| -> Vec<&str> {
            present(&Sandbox::parse(text, Path::new("/w"))).iter().map(|line| line.name).collect()
        };
        assert_eq!(names("[Service]\nUMask=0066\nPrivateNetwork=false\nProcSubset=all\n"), ["UMask"]);
        assert_eq!(names("[Service]\nCapabilityBoundingSet=\nSystemCallFilter=\n"), ["CapabilityBoundingSet"]);
        assert_eq!(
            names("[Service]\nDynamicUser=yes\n"),
            [
                "DynamicUser",
                "NoNewPrivileges",
                "RestrictSUIDSGID",
                "PrivateTmp",
                "ProtectHome",
                "ProtectSystem",
                "RemoveIPC"
            ]
        );
    }

    #[test]
    fn the_module_has_no_line_that_cannot_be_lifted() {
        let golden = include_str!("../../../tests/eval/golden/persistent.service");
        let sandbox = Sandbox::parse(golden, Path::new("/w"));
        let not_lines = ["PrivateTmp", "ProcSubset"];
        for (name, _) in golden.lines().filter_map(|line| line.split_once('=')) {
            let is_switch = ["Private", "Protect", "Restrict", "SystemCall"].iter().any(|kind| name.starts_with(kind));
            let is_known = ALL.iter().any(|line| line.name == name) || not_lines.contains(&name);
            assert!(!is_switch || is_known || name == "SystemCallErrorNumber", "{name}");
        }
        assert!(present(&sandbox).len() > 20);
    }
}
