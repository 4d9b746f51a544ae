//! The way to a server by the rules of Go's programs (`golang.org/x/net/http/httpproxy`), which users of GARM have written their
//! variables for: a proxy may be named without `http://`, and in `no_proxy` addresses and ranges of them count. Pure, but for the
//! variables that it is given.

// Nothing of it can open a connection.
use core::net::IpAddr;

use ureq::ProxyProtocol;

use super::proxy::{Proxied, proxy_unless};

/// The proxy through which `host` is reached at `port`; `None` if there is none on the way.
///
/// # Errors
///
/// As [`proxy_unless`]. A proxy of https is refused as well: it would be shown the certificate that is for the server, and be held
/// to the server's.
pub fn proxy_to(host: &str, port: u16, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxied>, String> {
    let whole = |name: &str| {
        let value = variable(name)?;
        let is_bare = name.eq_ignore_ascii_case("https_proxy") && !value.trim().is_empty() && !value.contains("://");
        Some(if is_bare { format!("http://{}", value.trim()) } else { value })
    };
    let found = proxy_unless(host, whole, |list| passes_by(list, host, port))?;
    match found {
        Some(proxied) if proxied.proxy.protocol() == ProxyProtocol::Https => Err(format!(
            "The variable {} names a proxy of https, which this program does not speak: name one of http, or leave it out for \
             {host} by `no_proxy`.",
            proxied.variable
        )),
        found => Ok(found),
    }
}

/// Whether `list` holds `host` at `port`.
fn passes_by(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let (network, bits) = (network.parse().ok(), bits.parse().ok());
            return matches!((address, network, bits), (Some(address), Some(network), Some(bits)) if lies_in(address, network, bits));
        }
        let (name, at) = split_port(&entry);
        if at.is_some_and(|at| at != port) {
            return false;
        }
        if let Ok(named) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return address == Some(named);
        }
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
        match name.strip_prefix('.') {
            Some(_) => host.ends_with(name),
            None => host == name || host.strip_suffix(name).is_some_and(|before| before.ends_with('.')),
        }
    })
}

/// A name and the port behind it. An address of IPv6 without brackets has none.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let split = entry.rsplit_once(':').filter(|(name, _)| !name.contains(':') || name.ends_with(']'));
    split.and_then(|(name, port)| Some((name, Some(port.parse().ok()?)))).unwrap_or((entry, None))
}

fn lies_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |a: u128, b: u128, width: u32| bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0);
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_programs_in_go_read_it() {
        for (list, host, expected) in [
            ("incus.example", "incus.example", true),
            ("example", "incus.example", true),
            ("example", "incusexample", false),
            (".example", "incus.example", true),
            (".incus.example", "incus.example", false),
            ("*.example", "incus.example", true),
            (" a, INCUS.example ", "Incus.Example", true),
            ("incus.example:8443", "incus.example", true),
            ("incus.example:443", "incus.example", false),
            ("*", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3:8443", "10.1.2.3", true),
            ("10.1.2.3:1", "10.1.2.3", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/16", "10.1.2.3", false),
            ("0.0.0.0/0", "10.1.2.3", true),
            ("10.0.0.0/33", "10.1.2.3", false),
            ("10.0.0.0/x", "10.1.2.3", false),
            ("fd00::/8", "[fd00::1]", true),
            ("fd00::1", "[fd00::1]", true),
            ("[fd00::1]:8443", "[fd00::1]", true),
            ("::/129", "[fd00::1]", false),
            (",,: ,", "incus.example", false),
            ("", "incus.example", false),
        ] {
            assert_eq!(passes_by(list, host, 8443), expected, "{list} {host}");
        }
    }

    #[test]
    fn a_proxy_is_one_of_http_unless_it_says_otherwise_and_one_of_socks_or_https_is_refused_without_its_password() {
        let to = |value: &str| {
            let to = proxy_to("incus.example", 8443, |name| (name == "HTTPS_PROXY").then(|| value.to_owned()));
            to.map(|proxied| proxied.map(|proxied| proxied.address))
        };
        for (value, address) in [
            ("proxy.example:3128", Some("proxy.example:3128")),
            ("proxy.example", Some("proxy.example:80")),
            (" 192.0.2.1:3128\n", Some("192.0.2.1:3128")),
            ("me:secret@proxy.example:3128", Some("proxy.example:3128")),
            ("", None),
            (" ", None),
        ] {
            assert_eq!(to(value).unwrap().as_deref(), address, "{value}");
        }
        for value in ["socks5://me:secret@proxy.example:1080", "secret proxy", "http://"] {
            let refused = to(value).unwrap_err();
            let (start, way_out) = ("The variable HTTPS_PROXY names no usable proxy", "write it as http://HOST:PORT");
            assert!(
                refused.starts_with(start) && refused.contains(way_out) && !refused.contains("secret"),
                "{refused}"
            );
        }
        let refused = to("https://me:secret@proxy.example").unwrap_err();
        assert!(
            refused.contains("HTTPS_PROXY names a proxy of https") && refused.contains("name one of http"),
            "{refused}"
        );
        assert!(!refused.contains("secret"), "{refused}");
    }
}
