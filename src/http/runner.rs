//! The way to GitHub by the same rules as the runner's (actions/runner `RunnerWebProxy.cs`): a runner that goes another way
//! than its broker registers and never comes online. Pure, but for the variables that it is given.

// Nothing of it can open a connection.
use core::net::IpAddr;

use super::proxy::{Proxied, proxy_unless};

/// Where https goes. The runner asks nobody else there.
const PORT: &str = "443";

/// By which the runner, but no broker, is told to believe everybody.
const NO_VERIFY: &str = "GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY";

/// The proxy through which the runner reaches `host`; `None` if there is none on the way.
///
/// # Errors
///
/// As [`proxy_unless`].
pub fn proxy_to(host: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxied>, String> {
    proxy_unless(host, variable, |list| passes_by(list, host))
}

/// Whether the list of those who are reached directly holds `host`. The runner ignores addresses in it, and so do we.
fn passes_by(list: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        let mut parts = entry.splitn(2, ':').filter(|part| !part.is_empty());
        let Some(name) = parts.next() else { return false };
        let name = name.to_ascii_lowercase();
        let fits = match name.strip_prefix('.') {
            Some(_) => host.ends_with(&name),
            None => host == name || host.strip_suffix(&name).is_some_and(|before| before.ends_with('.')),
        };
        fits && parts.next().is_none_or(|port| port == PORT) && name.parse::<IpAddr>().is_err()
    })
}

/// What is to be told of the runner being told not to check certificates: the broker holds the credential and checks.
#[must_use]
pub fn ignored(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    // As the runner reads it (`StringUtil.ConvertToBoolean`).
    let set = matches!(variable(NO_VERIFY)?.trim().to_ascii_uppercase().as_str(), "1" | "TRUE" | "$TRUE");
    set.then(|| {
        format!(
            "{NO_VERIFY} holds for the runner only: the broker checks certificates all the same, or anybody on the way could take its credential; add the certificate to `security.pki.certificateFiles` instead"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address of the proxy to a host by these variables.
    fn to(host: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Ok(proxy_to(host, get)?.map(|proxied| proxied.address))
    }

    #[test]
    fn https_has_its_own_variables_and_the_small_one_comes_first() {
        for (variables, address) in [
            (&[("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")][..], Some("a:1")),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "http://b:2")], Some("b:2")),
            (&[("HTTPS_PROXY", "http://b:2")], Some("b:2")),
            (&[("https_proxy", " http://a:1\n")], Some("a:1")),
            (&[("https_proxy", "  "), ("HTTPS_PROXY", "http://b:2")], None),
            (&[("https_proxy", "https://me:secret@a")], Some("a:443")),
            (&[("https_proxy", "http://a:1"), ("all_proxy", "socks5://b:2"), ("ALL_PROXY", "%")], Some("a:1")),
            (&[("http_proxy", "http://a:1"), ("HTTP_PROXY", "%"), ("all_proxy", "http://b:2")], None),
            (&[], None),
        ] {
            assert_eq!(to("api.github.com", variables).unwrap().as_deref(), address, "{variables:?}");
        }
    }

    #[test]
    fn the_list_of_those_who_are_reached_directly_is_read_as_the_runner_reads_it() {
        for (list, host, direct) in [
            ("localhost, ghes.example", "ghes.example", true),
            ("\tGHES.Example ,", "ghes.example", true),
            ("example", "ghes.example", true),
            ("example", "ghesexample", false),
            (".example", "ghes.example", true),
            (".ghes.example", "ghes.example", false),
            ("ghes.example:443", "ghes.example", true),
            ("ghes.example:8443", "ghes.example", false),
            ("ghes.example:", "ghes.example", true),
            ("*.example", "ghes.example", false),
            ("*", "ghes.example", false),
            ("10.1.2.3, 10.0.0.0/8", "10.1.2.3", false),
            (":,,: ,", "ghes.example", false),
        ] {
            let variables = [("https_proxy", "http://a:1"), ("no_proxy", list)];
            assert_eq!(to(host, &variables).unwrap().is_none(), direct, "{list} {host}");
        }
        let both = |small| [("https_proxy", "http://a:1"), ("no_proxy", small), ("NO_PROXY", "ghes.example")];
        assert_eq!(to("ghes.example", &both("other")).unwrap().as_deref(), Some("a:1"));
        assert_eq!(to("ghes.example", &both("")).unwrap(), None);
    }

    #[test]
    fn nobody_asks_a_proxy_for_this_host_itself() {
        for host in ["localhost", "LOCALHOST", "127.0.0.2", "::1"] {
            assert_eq!(to(host, &[("https_proxy", "http://a:1")]).unwrap(), None, "{host}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_without_its_password_unless_it_is_passed_by() {
        for value in ["socks5://me:secret@a:1", "a:1", "secret", "ftp://a", "http://", "http://a b"] {
            let error = to("ghes.example", &[("HTTPS_PROXY", value)]).unwrap_err();
            assert!(error.starts_with("The variable HTTPS_PROXY names no usable proxy"), "{error}");
            assert!(!error.contains("secret"), "{error}");
            assert_eq!(to("ghes.example", &[("HTTPS_PROXY", value), ("NO_PROXY", "example")]).unwrap(), None);
        }
    }
}
