//! One request of a value and back, as every client here makes it.

use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::http::{HeaderValue, Request, Response, header};
use ureq::typestate::AgentScope;
use ureq::{Agent, AsSendBody, Body, Error};

use super::call::Call;
use super::proxy::Proxied;

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

/// What holds for every client: no redirects, statuses are no errors, and the proxy is chosen here.
pub fn settings(proxy: Option<&Proxied>) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        // The library would choose by other rules.
        .proxy(proxy.map(|proxied| proxied.proxy.clone()))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .user_agent(concat!("github-runners-nixos/", env!("CARGO_PKG_VERSION")))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
}

/// Sends `call` to `address`, and returns with the head of the answer; within `limit` the body has to be read as well.
pub fn exchange(
    agent: &Agent,
    service: Service,
    address: &str,
    call: &Call,
    authorization: Option<HeaderValue>,
    limit: Duration,
) -> Result<Response<Body>, Error> {
    let mut request = Request::builder().method(call.method.word()).uri(address);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = service.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    match &call.body {
        None => run(agent, request.body(())?, limit),
        Some(body) => {
            let request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string())?;
            run(agent, request, limit)
        }
    }
}

/// Sends a request, and returns with the head of the answer; within `limit` the body has to be read as well.
pub fn run<B: AsSendBody>(agent: &Agent, request: Request<B>, limit: Duration) -> Result<Response<Body>, Error> {
    agent.run(agent.configure_request(request).timeout_global(Some(limit)).build())
}
