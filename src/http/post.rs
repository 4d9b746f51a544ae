//! Requests of text with headers of their own, as signed interfaces and metadata services need them.
//!
//! Over TLS through the proxy that the environment names, or without both to an address of the network beside this host. Trusts what
//! the system trusts and follows no redirect. What the headers hold is never in an error.

use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderValue, Request};

use super::call::{Broken, Method, Response};
use super::exchange::{run, settings};
use super::fault::Route;
use super::https::{LARGEST_BODY, read, tls};
use super::runner::proxy_to;

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// What is done.
    pub method: Method,
    /// The whole address.
    pub address: &'a str,
    /// Names and values. What proves who asks is among them.
    pub headers: &'a [(&'a str, String)],
    /// The body; empty for none.
    pub body: &'a str,
}

/// The way to one host.
#[derive(Debug)]
pub struct Post {
    agent: Agent,
    route: Route,
    is_secure: bool,
    largest: u64,
}

impl Post {
    /// Over TLS to `host`, which sentences call `service`.
    ///
    /// # Errors
    ///
    /// One sentence: no certificates, or a proxy that is none.
    pub fn secure(host: &str, service: &'static str) -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok();
        let proxy = proxy_to(host, variable)?;
        let config = settings(proxy.as_ref()).tls_config(tls(variable)?).https_only(true).build();
        let route = Route { service, proxy, ignored: None };
        Ok(Self { agent: config.new_agent(), route, is_secure: true, largest: LARGEST_BODY })
    }

    /// Without TLS and without a proxy.
    #[must_use]
    pub fn plain(service: &'static str) -> Self {
        let route = Route { service, proxy: None, ignored: None };
        Self { agent: settings(None).build().new_agent(), route, is_secure: false, largest: LARGEST_BODY }
    }

    /// The same way, for answers of at most `largest` bytes.
    #[must_use]
    pub fn up_to(self, largest: u64) -> Self {
        Self { largest, ..self }
    }

    /// Sends a request and waits at most `limit` for the complete answer.
    ///
    /// # Errors
    ///
    /// No complete answer.
    pub fn send(&self, form: &Form<'_>, limit: Duration) -> Result<Response, Broken> {
        let broken = |why: &str| Broken { why: why.into(), lasting: true };
        let scheme = if self.is_secure { "https://" } else { "http://" };
        if !form.address.starts_with(scheme) {
            return Err(broken("the address has another scheme than the way to it"));
        }
        let mut request = Request::builder().method(form.method.word()).uri(form.address);
        for (name, value) in form.headers {
            let mut value =
                HeaderValue::try_from(value).map_err(|_| broken("a header holds characters that cannot be sent"))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        // Methods that have a body say how long it is, also if it is empty: as a stream of no length not everybody takes one.
        let sent = if form.body.is_empty() && !matches!(form.method, Method::Post | Method::Put) {
            request.body(()).map_err(ureq::Error::from).and_then(|request| run(&self.agent, request, limit))
        } else {
            request.body(form.body).map_err(ureq::Error::from).and_then(|request| run(&self.agent, request, limit))
        };
        sent.and_then(|response| read(response, self.largest)).map_err(|error| self.route.explained(&error))
    }
}
