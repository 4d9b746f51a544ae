//! The command `setup`: prints a shell script that makes what instances need at a server.
//!
//! Project, network with its rules, profile and a certificate for that project alone. It is printed and not run, because it
//! needs the rights of the server's administrator, which this program should never have.

// Nothing of it can open a connection.
use core::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};

use super::bootstrap::is_name;
use super::script::assigned;

/// What the script does with its values.
const SCRIPT: &str = include_str!("setup.sh");

/// What is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// Address and port of GARM as guests reach it.
    pub garm: String,
    /// `incus` or `lxc`.
    pub client: String,
    /// The project to make.
    pub project: String,
    /// The profile to make, which is the flavor of pools.
    pub profile: String,
    /// The bridge to make.
    pub network: String,
    /// The pool of storage to use, which exists.
    pub storage: String,
}

/// The script.
///
/// # Errors
///
/// The option whose value cannot work.
pub fn script(wish: &Wish) -> Result<String> {
    let garm: SocketAddr = wish.garm.parse().ok().context(
        "Option --garm needs the address and port by which instances reach GARM, such as 192.0.2.10:9997 or [2001:db8::1]:443",
    )?;
    if garm.ip().is_unspecified() || garm.ip().is_loopback() {
        bail!("Option --garm has an address that means the instance itself: use one of the host of GARM");
    }
    if !["incus", "lxc"].contains(&wish.client.as_str()) {
        bail!("Option --client can be `incus` or `lxc`, the client of LXD");
    }
    for (option, name) in [
        ("--project", &wish.project),
        ("--profile", &wish.profile),
        ("--network", &wish.network),
        ("--storage", &wish.storage),
    ] {
        if !is_name(name) {
            bail!("Option {option} needs a name of letters, digits and `-` that begins with a letter");
        }
    }
    if wish.network.len() > 13 {
        bail!("Option --network needs a name of at most 13 letters, as all interfaces");
    }
    let host = if garm.is_ipv4() { format!("{}/32", garm.ip()) } else { format!("{}/128", garm.ip()) };
    let (port, outside) = (garm.port().to_string(), outside());
    let values = [
        ("client", wish.client.as_str()),
        ("project", wish.project.as_str()),
        ("profile", wish.profile.as_str()),
        ("network", wish.network.as_str()),
        ("storage", wish.storage.as_str()),
        ("garm", &host),
        ("port", &port),
        ("outside", &outside),
    ];
    Ok(format!("#!/bin/sh\n{}{SCRIPT}", assigned(&values)))
}

/// Every address that is none of a local network. Rules that reject go before those that allow, so what is local cannot be
/// named as such: GARM usually is.
fn outside() -> String {
    const LOCAL: [(u32, u32); 8] = [
        // This network, private, shared, loopback, link-local, private, private, multicast and reserved.
        (0x0000_0000, 0x00ff_ffff),
        (0x0a00_0000, 0x0aff_ffff),
        (0x6440_0000, 0x647f_ffff),
        (0x7f00_0000, 0x7fff_ffff),
        (0xa9fe_0000, 0xa9fe_ffff),
        (0xac10_0000, 0xac1f_ffff),
        (0xc0a8_0000, 0xc0a8_ffff),
        (0xe000_0000, 0xffff_ffff),
    ];
    let (mut next, mut ranges) = (0_u32, Vec::new());
    for (first, last) in LOCAL {
        if first > next {
            let [from, to] = [next, first - 1].map(Ipv4Addr::from);
            ranges.push(format!("{from}-{to}"));
        }
        next = last.wrapping_add(1);
    }
    // The part of IPv6 that is routed.
    ranges.push("2000::/3".into());
    ranges.join(",")
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
