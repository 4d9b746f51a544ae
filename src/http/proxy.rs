//! Which proxy leads to a host. Pure, but for the variables that it is given.
//!
//! Must not tell what a value holds besides the proxy's address: that can be a password.

// Nothing of it can open a connection.
use core::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};

/// A proxy, and how sentences name it.
#[derive(Clone, Debug)]
pub struct Proxied {
    /// For the library.
    pub proxy: Proxy,
    /// Host and port, without name and password.
    pub address: String,
    /// The variable that names it.
    pub variable: &'static str,
}

impl Proxied {
    /// As it is called within a sentence.
    #[must_use]
    pub fn named(&self) -> String {
        format!("the proxy {} (of {})", self.address, self.variable)
    }

    /// Whether its address holds a name or a password.
    #[must_use]
    pub fn has_credential(&self) -> bool {
        self.proxy.username().is_some() || self.proxy.password().is_some()
    }
}

/// The proxy on the way to `host`, unless that is this host, or the list of those who are reached directly has it.
///
/// # Errors
///
/// One sentence: the proxy that is named is none that can be used. To pass it by could be worse than not going at all.
pub fn proxy_unless(
    host: &str,
    variable: impl Fn(&str) -> Option<String>,
    passes_by: impl Fn(&str) -> bool,
) -> Result<Option<Proxied>, String> {
    // The first one that is not empty; what is left of it without spaces may well be.
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)))
    };
    let Some((name, value)) = first(["https_proxy", "HTTPS_PROXY"]) else { return Ok(None) };
    let value = value.trim();
    let direct = first(["no_proxy", "NO_PROXY"]).is_some_and(|(_, list)| passes_by(&list));
    if value.is_empty() || is_loopback(host) || direct {
        return Ok(None);
    }
    let is_http = |proxy: &Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    // The runner takes what stands before the first colon for the protocol.
    let proxy = Proxy::new(value).ok().filter(|proxy| value.contains("://") && is_http(proxy));
    let proxy = proxy.ok_or_else(|| {
        format!("The variable {name} names no usable proxy: write it as http://HOST:PORT, or leave it out for {host} by `no_proxy`.")
    })?;
    let address = format!("{}:{}", proxy.host(), proxy.port());
    Ok(Some(Proxied { proxy, address, variable: name }))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
