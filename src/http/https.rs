//! Requests over TLS, through the proxy that the environment names for the host.
//!
//! Trusts what the system trusts and follows no redirect.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::Agent;
use ureq::http::HeaderValue;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::call::{Broken, Call, Response, Transport};
use super::exchange::{Service, exchange, settings};
use super::fault::Route;
use super::roots::trusted;
use super::runner::{ignored, proxy_to};
use crate::contract::protocol::Secret;

/// A page of a hundred runners with many labels has a tenth of it.
pub const LARGEST_BODY: u64 = 2 << 20;

/// The network, as far as one host.
pub struct Https {
    service: Service,
    agent: Agent,
    route: Route,
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
        let config = settings(proxy.as_ref()).tls_config(tls(variable)?).https_only(true).build();
        let route = Route { service: service.name, proxy, ignored: ignored(variable) };
        Ok(Self { service, agent: config.new_agent(), route })
    }
}

/// What the system trusts.
///
/// # Errors
///
/// There are no certificates.
pub fn tls(variable: impl Fn(&str) -> Option<String>) -> Result<TlsConfig, String> {
    let roots = trusted(variable)?;
    let roots = roots.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    let provider = Arc::new(ring::default_provider());
    Ok(TlsConfig::builder().root_certs(RootCerts::from(roots)).unversioned_rustls_crypto_provider(provider).build())
}

impl Transport for Https {
    fn send(&self, address: &str, call: &Call, bearer: Option<&Secret>, limit: Duration) -> Result<Response, Broken> {
        let broken = |why: &str| Broken { why: why.into(), lasting: true };
        let authorization = bearer.map(|bearer| {
            let mut authorization = HeaderValue::try_from(format!("Bearer {}", bearer.expose()))
                .map_err(|_| broken("the credential holds characters that cannot be sent"))?;
            authorization.set_sensitive(true);
            Ok(authorization)
        });
        let sent = exchange(&self.agent, self.service, address, call, authorization.transpose()?, limit);
        sent.and_then(|response| read(response, LARGEST_BODY)).map_err(|error| self.route.explained(&error))
    }
}

/// All of an answer of at most `largest` bytes.
pub fn read(mut response: ureq::http::Response<ureq::Body>, largest: u64) -> Result<Response, ureq::Error> {
    let body = response.body_mut().with_config().limit(largest).read_to_vec()?;
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = response.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect();
    Ok(Response { status: response.status().as_u16(), headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

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
