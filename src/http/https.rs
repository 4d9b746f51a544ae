//! Requests over TLS, through the proxy that the environment names for the host.
//!
//! Trusts what the system trusts and follows no redirect. What it says about a failure names hosts and faults, never an
//! address with its query, a header or a body.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::http::{HeaderValue, Request, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, Error, Timeout};

use super::call::{Broken, Call, Method, Response, Transport};
use super::proxy::{Proxied, proxy_to};
use super::roots::{ignored, trusted, unacceptable};
use crate::contract::protocol::Secret;

/// A page of a hundred runners with many labels has a tenth of it.
const LARGEST_BODY: u64 = 2 << 20;
const BUFFER: usize = 16 << 10;
/// A host that does not even take connections is not waited for as long as one that works.
const CONNECT: Duration = Duration::from_secs(10);

/// Whom requests go to, and what each of them says.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// As sentences name it.
    pub name: &'static str,
    /// Headers of each request besides: names in lower case, and values.
    pub headers: &'static [(&'static str, &'static str)],
}

/// The network, as far as one host.
pub struct Https {
    service: Service,
    agent: Agent,
    proxy: Option<Proxied>,
    /// What is to be said besides when a certificate is not accepted.
    ignored: Option<String>,
}

impl Https {
    /// Reads the certificates and the environment, for `host` alone, where `service` is.
    ///
    /// # Errors
    ///
    /// One sentence: no certificates, or a proxy that is none.
    pub fn to(host: &str, service: Service) -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok();
        let proxy = proxy_to(host, variable)?;
        let roots = trusted(variable)?;
        let roots = roots.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            // The library would choose by other rules.
            .proxy(proxy.as_ref().map(|proxied| proxied.proxy.clone()))
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("github-runners-nixos/", env!("CARGO_PKG_VERSION")))
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        Ok(Self { service, agent: config.new_agent(), proxy, ignored: ignored(variable) })
    }

    fn run<B: AsSendBody>(&self, request: Request<B>, limit: Duration) -> Result<Response, Error> {
        let request = self.agent.configure_request(request).timeout_global(Some(limit)).build();
        read(self.agent.run(request)?)
    }
}

fn read(mut response: ureq::http::Response<Body>) -> Result<Response, Error> {
    let body = response.body_mut().with_config().limit(LARGEST_BODY).read_to_vec()?;
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = response.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect();
    Ok(Response { status: response.status().as_u16(), headers, body })
}

impl Transport for Https {
    fn send(&self, address: &str, call: &Call, bearer: &Secret, limit: Duration) -> Result<Response, Broken> {
        let broken = |why: &str| Broken { why: why.into(), lasting: true };
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", bearer.expose()))
            .map_err(|_| broken("the credential holds characters that cannot be sent"))?;
        authorization.set_sensitive(true);
        let method = match call.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        let request = Request::builder().method(method).uri(address).header(header::AUTHORIZATION, authorization);
        let request = self.service.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let sent = match &call.body {
            None => request.body(()).map_err(Error::from).and_then(|request| self.run(request, limit)),
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string())
                .map_err(Error::from)
                .and_then(|request| self.run(request, limit)),
        };
        sent.map_err(|error| self.explained(&error))
    }
}

impl Https {
    /// Why there is no answer. What cannot be the host's fault is told as the proxy's, if there is one.
    fn explained(&self, error: &Error) -> Broken {
        let proxy = self.proxy.as_ref();
        let passing = |why: String| Broken { why, lasting: false };
        let through = || proxy.map_or_else(String::new, |proxy| format!(", through {}", proxy.named()));
        match error {
            Error::Timeout(Timeout::Connect) if proxy.is_some() => {
                passing(format!("no connection could be made in time{}", through()))
            }
            Error::Timeout(_) => passing(format!("{} did not answer in time{}", self.service.name, through())),
            Error::HostNotFound => self.nameless(),
            Error::ConnectionFailed => passing(match proxy {
                Some(proxy) => format!("no connection could be made to {}", proxy.named()),
                None => "no connection could be made".into(),
            }),
            Error::BodyExceedsLimit(_) => passing(format!("{}'s answer is far too long", self.service.name)),
            Error::ConnectProxyFailed(said) => refused_by_proxy(said, proxy),
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
    use super::*;

    fn https(proxy: Option<&str>) -> Https {
        let proxy =
            proxy_to("api.github.com", |name| proxy.filter(|_| name == "HTTPS_PROXY").map(str::to_owned)).unwrap();
        let service = Service { name: "Example", headers: &[] };
        Https { service, agent: Agent::new_with_defaults(), proxy, ignored: None }
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
            let told = https(Some("http://me:hidden@a:1")).explained(&error);
            assert!(told.why.contains(part) && !told.why.contains("hidden") && !told.lasting, "{told:?}");
            if let Some(part) = direct {
                let told = https(None).explained(&error);
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
                https(Some(proxy)).explained(&Error::ConnectProxyFailed("proxy server responded 407/407".into()));
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
            let told = https(Some("http://a:1")).explained(&Error::Rustls(rustls::Error::InvalidCertificate(fault)));
            assert!(
                told.why.starts_with("on the way through the proxy a:1 (of HTTPS_PROXY), the certificate"),
                "{told:?}"
            );
            assert!(told.why.contains(part) && told.lasting, "{told:?}");
        }
    }

    #[test]
    fn no_variable_is_read_that_the_module_does_not_hand_over() {
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        let variable = |name: &str| {
            asked.borrow_mut().insert(name.to_owned());
            // Of a pair the second one, so that both are asked for.
            (name == "HTTPS_PROXY").then(|| "http://proxy.example:3128".to_owned())
        };
        proxy_to("api.github.com", variable).unwrap();
        _ = trusted(variable);
        _ = ignored(variable);
        let contract = include_str!("../../tests/fixtures/contract.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        let given = contract["brokerEnvironment"].as_array().unwrap();
        let given: Vec<&str> = given.iter().map(|name| name.as_str().unwrap()).collect();
        let asked = asked.into_inner();
        assert!(asked.len() >= 6, "{asked:?}");
        assert!(asked.iter().all(|name| given.contains(&name.as_str())), "{asked:?}");
    }
}
