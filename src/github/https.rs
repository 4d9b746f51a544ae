//! Requests over TLS, through the proxy that the environment names.
//!
//! Trusts what the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` included) and follows no redirect. What it says
//! about a failure names hosts and faults, never an address with its query, a header or a body.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::http::{HeaderValue, Request, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, Error, Proxy, ProxyProtocol};

use super::call::{Broken, Call, Method, Response, Transport};
use crate::protocol::Secret;

/// A page of a hundred runners with many labels has a tenth of it.
const LARGEST_BODY: u64 = 2 << 20;
const BUFFER: usize = 16 << 10;
/// A host that does not even take connections is not waited for as long as one that works.
const CONNECT: Duration = Duration::from_secs(10);
const PROXIES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// The network.
pub struct Https(Agent);

impl Https {
    /// Reads the certificates and the environment.
    ///
    /// # Errors
    ///
    /// One sentence: no certificates, or a proxy that is none.
    pub fn new() -> Result<Self, String> {
        for name in PROXIES {
            let set = std::env::var(name).ok().filter(|value| !value.is_empty());
            let is_http = |proxy: Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
            if set.is_some_and(|value| !Proxy::new(&value).is_ok_and(is_http)) {
                // It would be passed by, which could be worse than not going at all. It may hold a password.
                return Err(format!("The variable {name} names no usable proxy: write it as http://HOST:PORT."));
            }
        }
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            return Err("The system has no certificates of authorities: set SSL_CERT_FILE to a file of them.".into());
        }
        let roots = found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("github-runners-nixos/", env!("CARGO_PKG_VERSION")))
            .accept("application/vnd.github+json")
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        Ok(Self(config.new_agent()))
    }

    fn run<B: AsSendBody>(&self, request: Request<B>, limit: Duration) -> Result<Response, Error> {
        let request = self.0.configure_request(request).timeout_global(Some(limit)).build();
        read(self.0.run(request)?)
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
        let request = Request::builder()
            .method(method)
            .uri(address)
            .header(header::AUTHORIZATION, authorization)
            .header("x-github-api-version", "2022-11-28");
        let sent = match &call.body {
            None => request.body(()).map_err(Error::from).and_then(|request| self.run(request, limit)),
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string())
                .map_err(Error::from)
                .and_then(|request| self.run(request, limit)),
        };
        sent.map_err(|error| explained(&error))
    }
}

fn explained(error: &Error) -> Broken {
    let passing = |why: String| Broken { why, lasting: false };
    match error {
        Error::Timeout(_) => passing("GitHub did not answer in time".into()),
        Error::HostNotFound => passing("the name of the host has no address".into()),
        Error::ConnectionFailed => passing("no connection could be made".into()),
        Error::BodyExceedsLimit(_) => passing("GitHub's answer is far too long".into()),
        Error::ConnectProxyFailed(_) => passing("the proxy refused to connect".into()),
        Error::Rustls(error) => insecure(error),
        Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => insecure(error),
            // The library's own words for it point to its manual.
            None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                passing("the connection was closed without an answer".into())
            }
            None => passing(format!("the connection failed: {error}")),
        },
        Error::Protocol(_) | Error::Http(_) => passing("the answer is not HTTP".into()),
        Error::Tls(fault) => passing(format!("the connection cannot be made secure: {fault}")),
        _ => passing("the request failed".into()),
    }
}

fn insecure(error: &rustls::Error) -> Broken {
    match error {
        rustls::Error::InvalidCertificate(fault) => Broken {
            why: format!(
                "the certificate of the host is not trusted ({fault:?}); is its authority known to the system?"
            ),
            lasting: true,
        },
        other => Broken { why: format!("the connection cannot be made secure: {other}"), lasting: false },
    }
}
