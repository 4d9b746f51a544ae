//! The private network of a machine: two ends of a cable, addresses that never change, and what the host lets through.
//!
//! The addresses are set by the host from outside before anything of the image runs, so an image needs no network
//! service. The host's own addresses are closed but for the ports that the operator named, and its loopback is another
//! network altogether. Machines do not reach each other.
//!
//! Rules are those of one table for all machines, replaced as a whole with each machine, so that a firewall that was
//! restarted meanwhile cannot leave one open. Forwarding itself is the host's setting: `units` prints it, `doctor`
//! looks at it.

use core::net::IpAddr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::inner::in_network_of;
use super::range::{Addresses, INTERFACES, NETWORK4, NETWORK6, Slot};
use super::settings::Ports;

/// The machine's end.
pub const INSIDE: &str = "host0";

/// The table of all rules.
const TABLE: &str = "inet gitlab_nspawn";

/// What `ip -batch` is told for the host's end.
#[must_use]
fn outside(slot: Slot) -> String {
    let (name, Addresses { host4, host6, .. }) = (slot.interface(), slot.addresses());
    format!("address add {host4}/30 dev {name}\naddress add {host6}/126 dev {name} nodad\nlink set {name} up\n")
}

/// What `ip -batch` is told in the machine's network.
#[must_use]
fn inside(slot: Slot) -> String {
    let Addresses { host4, machine4, host6, machine6 } = slot.addresses();
    format!(
        "link set lo up\nlink set {INSIDE} up\naddress add {machine4}/30 dev {INSIDE}\naddress add {machine6}/126 dev {INSIDE} nodad\n\
         route add default via {host4}\nroute add ::/0 via {host6} dev {INSIDE}\n"
    )
}

/// What `nft` is told: all rules, in one transaction.
#[must_use]
fn rules(ports: &Ports) -> String {
    let mut open = String::new();
    for (protocol, ports) in [("tcp", &ports.tcp), ("udp", &ports.udp)] {
        if !ports.is_empty() {
            let list: Vec<String> = ports.iter().map(u16::to_string).collect();
            // Writing to a string cannot fail.
            _ = writeln!(open, "    {protocol} dport {{ {} }} accept", list.join(", "));
        }
    }
    format!(
        r#"table {TABLE}
delete table {TABLE}
table {TABLE} {{
  chain host {{
    ct state established,related accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, echo-request }} accept
    icmp type echo-request accept
{open}    reject
  }}
  chain prerouting {{
    type filter hook prerouting priority raw; policy accept;
    iifname "{INTERFACES}*" fib saddr . iif oif missing drop
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{INTERFACES}*" jump host
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    oifname "{INTERFACES}*" ct state established,related accept
    iifname "{INTERFACES}*" oifname "{INTERFACES}*" reject
    oifname "{INTERFACES}*" drop
    iifname "{INTERFACES}*" ip daddr 169.254.0.0/16 drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "{INTERFACES}*" ip saddr {NETWORK4} masquerade
    oifname != "{INTERFACES}*" ip6 saddr {NETWORK6} masquerade
  }}
}}
"#
    )
}

/// Connects the machine whose first process has the number `leader`: rules, then addresses, then it is up.
///
/// # Errors
///
/// If `ip` or `nft` is missing or refuses.
pub fn connect(slot: Slot, leader: u32, ports: &Ports, lock: &Path) -> Result<()> {
    let turn = turn(lock)?;
    tell(Command::new("nft").args(["-f", "-"]), &rules(ports))?;
    drop(turn);
    let mut command = in_network_of(leader, "ip");
    tell(command.args(["-batch", "-"]), &inside(slot))?;
    refuse_routes(slot)?;
    tell(Command::new("ip").args(["-batch", "-"]), &outside(slot))
}

/// Asks the kernel whether it would take the rules, and changes nothing but for modules that the kernel loads to tell.
///
/// # Errors
///
/// If it would not, or `nft` is missing.
pub fn try_rules(ports: &Ports) -> Result<()> {
    hand(Command::new("nft").args(["--check", "-f", "-"]), &rules(ports))
}

/// Keeps the host from taking routes and addresses that a machine advertises, before the interface is up. A host without
/// IPv6 has nothing to be set.
fn refuse_routes(slot: Slot) -> Result<()> {
    let path = format!("/proc/sys/net/ipv6/conf/{}/accept_ra", slot.interface());
    match fs::write(&path, "0") {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to write {path}"))
        }
        _ => Ok(()),
    }
}

/// Takes the host's end away, which takes the other one along. It is usually gone with the machine.
///
/// # Errors
///
/// If it is there and cannot be taken away.
pub fn disconnect(slot: Slot) -> Result<()> {
    let name = slot.interface();
    // Of the network that this process is in, whatever is mounted on /sys.
    let listed = || fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let is_there = || listed().lines().any(|line| line.trim_start().starts_with(&format!("{name}:")));
    if !is_there() {
        return Ok(());
    }
    match tell(Command::new("ip").args(["link", "delete", &name]), "") {
        // The kernel was faster.
        Err(_) if !is_there() => Ok(()),
        told => told,
    }
}

/// Takes the rules away if nobody has one of the `slots`. A machine that takes one from now on loads them again, after this.
///
/// # Errors
///
/// If `nft` fails.
pub fn forget_rules(slots: &Path, lock: &Path) -> Result<()> {
    let _turn = turn(lock)?;
    if fs::read_dir(slots).context("Failed to list the ranges of user ids")?.next().is_none() {
        tell(Command::new("nft").args(["-f", "-"]), &format!("table {TABLE}\ndelete table {TABLE}\n"))?;
    }
    Ok(())
}

/// One supervisor after another changes the rules, for as long as the file is open.
fn turn(lock: &Path) -> Result<File> {
    let open = || {
        // Who can open it can hold it.
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(lock)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    };
    open().with_context(|| format!("Failed to lock {}", lock.display()))
}

/// The name servers of this host that a machine can reach.
#[must_use]
pub fn host_name_servers() -> Vec<IpAddr> {
    // The stub of systemd-resolved is on the host's loopback; behind it is the first file.
    let files = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"];
    files.iter().find_map(|path| fs::read_to_string(path).ok()).map_or_else(Vec::new, |text| name_servers(&text))
}

/// Those of the text of a `resolv.conf`.
#[must_use]
fn name_servers(text: &str) -> Vec<IpAddr> {
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    servers.filter(|address| !address.is_loopback() && !address.is_unspecified()).collect()
}

/// A `resolv.conf` for a machine.
#[must_use]
pub fn resolv_conf(servers: &[IpAddr]) -> String {
    servers.iter().fold(String::new(), |text, server| format!("{text}nameserver {server}\n"))
}

/// Has a program set something up by `input`.
fn tell(command: &mut Command, input: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    hand(command, input).with_context(|| format!("Failed to set up the network with {name}"))
}

/// Runs a program with `input`, and repeats what it says if it fails.
fn hand(command: &mut Command, input: &str) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    // The text is far shorter than what a pipe holds. A program that does not want it says why at its end.
    _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_close_the_host_but_for_named_ports() {
        let text = rules(&Ports { tcp: vec![3128, 8080], udp: vec![] });
        assert!(text.contains("    tcp dport { 3128, 8080 } accept\n    reject\n"), "{text}");
        assert!(!text.contains("udp dport"), "{text}");
        assert!(text.starts_with("table inet gitlab_nspawn\ndelete table inet gitlab_nspawn\n"), "{text}");
        assert!(rules(&Ports::default()).contains("echo-request accept\n    reject\n"));
        let spoofed = "priority raw; policy accept;\n    iifname \"glnspawn*\" fib saddr . iif oif missing drop\n";
        assert!(text.contains(spoofed), "{text}");
    }

    #[test]
    fn trying_the_rules_makes_no_table() {
        let list = || {
            Command::new("nft")
                .args(["list", "table"])
                .args(TABLE.split(' '))
                .output()
                .map(|output| output.status.code())
        };
        if list().ok() != Some(Some(1)) || !nix::unistd::Uid::effective().is_root() {
            eprintln!("not root, nft is missing, or a host of machines: no rules were tried");
            return;
        }
        // A kernel without them refuses; then there is no table either.
        _ = try_rules(&Ports { tcp: vec![8080], udp: vec![53] });
        assert_eq!(list().unwrap(), Some(1));
        let unknown = tell(Command::new("nft").args(["--check", "-f", "-"]), "add rule inet no_such_table host accept");
        assert!(unknown.is_err(), "the kernel is asked");
    }

    #[test]
    fn nobody_else_can_hold_the_lock_of_the_rules() {
        let directory = tempfile::tempdir().unwrap();
        let turn = turn(&directory.path().join("lock")).unwrap();
        let mode = std::os::unix::fs::MetadataExt::mode(&turn.metadata().unwrap());
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn both_ends_have_addresses_of_both_kinds() {
        insta::assert_snapshot!(outside(Slot(3)), @r"
        address add 10.213.0.13/30 dev glnspawn3
        address add fd7a:9c41:e0d3::d/126 dev glnspawn3 nodad
        link set glnspawn3 up
        ");
        insta::assert_snapshot!(inside(Slot(3)), @r"
        link set lo up
        link set host0 up
        address add 10.213.0.14/30 dev host0
        address add fd7a:9c41:e0d3::e/126 dev host0 nodad
        route add default via 10.213.0.13
        route add ::/0 via fd7a:9c41:e0d3::d dev host0
        ");
    }

    #[test]
    fn name_servers_on_the_loopback_are_none_for_a_machine() {
        let text = "# nameserver 192.0.2.9\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch example\nnameserver ::1\nnameserver 2001:db8::1\n";
        let servers = name_servers(text);
        assert_eq!(resolv_conf(&servers), "nameserver 192.0.2.1\nnameserver 2001:db8::1\n");
    }
}
