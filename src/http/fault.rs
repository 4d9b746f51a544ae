//! Why a request has no answer, in sentences.
//!
//! They name hosts and faults, never an address with its query, a header or a body.

use std::io::ErrorKind;

use ureq::{Error, Timeout};

use super::call::Broken;
use super::proxy::Proxied;
use super::roots::unacceptable;

/// The way that requests take.
#[derive(Debug)]
pub struct Route {
    /// Whom they go to, as sentences name it.
    pub service: &'static str,
    /// What they pass on the way.
    pub proxy: Option<Proxied>,
    /// What is to be said besides when a certificate is not accepted.
    pub ignored: Option<String>,
}

impl Route {
    /// Why there is no answer. What cannot be the host's fault is told as the proxy's, if there is one.
    pub fn explained(&self, error: &Error) -> Broken {
        let proxy = self.proxy.as_ref();
        let passing = |why: String| Broken { why, lasting: false };
        let through = || proxy.map_or_else(String::new, |proxy| format!(", through {}", proxy.named()));
        match error {
            Error::Timeout(Timeout::Connect) if proxy.is_some() => {
                passing(format!("no connection could be made in time{}", through()))
            }
            Error::Timeout(_) => passing(format!("{} did not answer in time{}", self.service, through())),
            Error::HostNotFound => self.nameless(),
            Error::ConnectionFailed => passing(match proxy {
                Some(proxy) => format!("no connection could be made to {}", proxy.named()),
                None => "no connection could be made".into(),
            }),
            Error::BodyExceedsLimit(_) => passing(format!("{}'s answer is far too long", self.service)),
            Error::ConnectProxyFailed(said) => refused_by_proxy(said, proxy),
            #[cfg(feature = "ctl")]
            Error::Rustls(error) => self.insecure(error),
            Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => self.insecure(error),
                // The library's own words for it point to its manual.
                None if error.kind() == ErrorKind::UnexpectedEof => {
                    passing(format!("the connection was closed without an answer{}", through()))
                }
                // What the system's resolver says has no kind of its own.
                None if error.to_string().starts_with("failed to lookup address") => self.nameless(),
                // Only making a connection ends like this, and the first one goes to the proxy.
                None if is_of_connecting(error.kind()) => passing(match proxy {
                    Some(proxy) => format!("no connection could be made to {}: {error}", proxy.named()),
                    None => format!("no connection could be made: {error}"),
                }),
                None => passing(format!("the connection failed: {error}{}", through())),
            },
            Error::Protocol(_) | Error::Http(_) => passing(format!("the answer is not HTTP{}", through())),
            #[cfg(feature = "ctl")]
            Error::Tls(fault) => passing(format!("the connection cannot be made secure: {fault}{}", through())),
            _ => passing(format!("the request failed{}", through())),
        }
    }

    fn nameless(&self) -> Broken {
        let whose = self.proxy.as_ref().map_or_else(|| "the host".into(), Proxied::named);
        Broken { why: format!("the name of {whose} has no address, or nobody tells it"), lasting: false }
    }

    fn insecure(&self, error: &rustls::Error) -> Broken {
        let through =
            self.proxy.as_ref().map_or_else(String::new, |proxy| format!("on the way through {}, ", proxy.named()));
        match error {
            rustls::Error::InvalidCertificate(fault) => {
                let besides = self.ignored.as_ref().map_or_else(String::new, |ignored| format!(". {ignored}"));
                Broken { why: format!("{through}{}{besides}", unacceptable(fault)), lasting: true }
            }
            other => Broken { why: format!("{through}the connection cannot be made secure: {other}"), lasting: false },
        }
    }
}

fn is_of_connecting(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkDown
    )
}

/// The proxy answered, but not with a way. `said` holds its status, in the words of the library.
fn refused_by_proxy(said: &str, proxy: Option<&Proxied>) -> Broken {
    let named = proxy.map_or_else(|| "the proxy".into(), Proxied::named);
    let variable = proxy.map_or("https_proxy", |proxy| proxy.variable);
    let status = said.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 3);
    let (why, lasting) = match status {
        Some("407") if proxy.is_some_and(Proxied::has_credential) => {
            (format!("{named} does not accept its name and password (status 407): correct them in {variable}"), true)
        }
        Some("407") => (
            format!(
                "{named} wants a name and a password (status 407): write {variable} as http://NAME:PASSWORD@HOST:PORT"
            ),
            true,
        ),
        Some(status) => (format!("{named} refuses to connect to the host (status {status})"), false),
        None => (format!("{named} gives no answer that could be understood"), false),
    };
    Broken { why, lasting }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::proxy::proxy_unless;

    fn route(proxy: Option<&str>) -> Route {
        let proxy = proxy_unless(
            "api.github.com",
            |name| proxy.filter(|_| name == "HTTPS_PROXY").map(str::to_owned),
            |_| false,
        )
        .unwrap();
        Route { service: "Example", proxy, ignored: None }
    }

    #[test]
    fn a_fault_of_the_proxy_is_told_as_one() {
        let of = |kind: ErrorKind| Error::Io(kind.into());
        let nameless = || Error::Io(std::io::Error::other("failed to lookup address information: Name not known"));
        for (error, part, direct) in [
            (
                Error::ConnectProxyFailed("proxy server responded 403/403".into()),
                "refuses to connect to the host (status 403)",
                None,
            ),
            (Error::ConnectProxyFailed("proxy server did not respond".into()), "gives no answer", None),
            (
                of(ErrorKind::ConnectionRefused),
                "no connection could be made to the proxy a:1 (of HTTPS_PROXY)",
                Some("no connection could be made: "),
            ),
            (
                Error::ConnectionFailed,
                "no connection could be made to the proxy a:1",
                Some("no connection could be made"),
            ),
            (
                nameless(),
                "the name of the proxy a:1 (of HTTPS_PROXY) has no address",
                Some("the name of the host has no"),
            ),
            (
                Error::HostNotFound,
                "the name of the proxy a:1 (of HTTPS_PROXY) has no address",
                Some("the name of the host"),
            ),
            (
                Error::Timeout(Timeout::Connect),
                "no connection could be made in time, through the proxy a:1",
                Some("Example did not answer in time"),
            ),
            (
                Error::Timeout(Timeout::Global),
                "Example did not answer in time, through the proxy",
                Some("Example did not answer in time"),
            ),
            (
                of(ErrorKind::UnexpectedEof),
                "closed without an answer, through the proxy",
                Some("closed without an answer"),
            ),
        ] {
            let told = route(Some("http://me:hidden@a:1")).explained(&error);
            assert!(told.why.contains(part) && !told.why.contains("hidden") && !told.lasting, "{told:?}");
            if let Some(part) = direct {
                let told = route(None).explained(&error);
                assert!(told.why.contains(part) && !told.why.contains("proxy"), "{told:?}");
            }
        }
    }

    #[test]
    fn a_password_that_is_wanted_or_wrong_is_told_apart_and_not_tried_again() {
        for (proxy, part) in [
            ("http://a:1", "wants a name and a password (status 407): write HTTPS_PROXY as"),
            ("http://me:hidden@a:1", "does not accept its name and password (status 407): correct them in HTTPS_PROXY"),
        ] {
            let told =
                route(Some(proxy)).explained(&Error::ConnectProxyFailed("proxy server responded 407/407".into()));
            assert!(told.why.contains(part) && told.lasting, "{told:?}");
        }
    }

    #[test]
    fn a_certificate_is_refused_in_words_and_no_debug_text() {
        use rustls::CertificateError;
        let other =
            |name: &'static str| CertificateError::Other(rustls::OtherError(Arc::new(std::io::Error::other(name))));
        for (fault, part) in [
            (other("CaUsedAsEndEntity"), "one of an authority (CA:TRUE)"),
            (other("UnsupportedCertVersion"), "the form of version 1"),
            (CertificateError::UnknownIssuer, "`security.pki.certificateFiles`"),
            (CertificateError::InvalidPurpose, "serverAuth"),
        ] {
            let told = route(Some("http://a:1")).explained(&Error::Rustls(rustls::Error::InvalidCertificate(fault)));
            assert!(
                told.why.starts_with("on the way through the proxy a:1 (of HTTPS_PROXY), the certificate"),
                "{told:?}"
            );
            assert!(told.why.contains(part) && told.lasting, "{told:?}");
        }
    }
}
