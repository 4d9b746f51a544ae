//! Requests to one server that knows its clients without a bearer's token: by its socket, or by a certificate.
//!
//! An answer is read as it comes and never kept as a whole: a list of many instances is larger than this program may be.

use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::Uri;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, BodyReader, Error};

use super::bypass::proxy_to;
use super::call::{Broken, Call};
use super::exchange::{Service, exchange, settings};
use super::fault::Route;
use super::socket::{Nowhere, Socket};
use super::tls::{Identity, Tls, Unusable, server_name};

/// Where https goes that names no port, as in the Go providers; servers usually listen at 8443 (`core.https_address`).
const PORT: u16 = 443;
/// Stands in the place of a host before the path of each request to a socket.
const NOBODY: &str = "http://localhost";

/// One server.
pub struct Channel {
    service: Service,
    agent: Agent,
    base: String,
    /// As sentences name it.
    named: String,
    route: Route,
}

/// Why there is no way to a server.
#[derive(Debug, Eq, PartialEq)]
pub enum NoWay {
    /// A certificate or a key.
    Identity(Unusable),
    /// The address is none: the end of a sentence.
    Address(String),
    /// The proxy is none: a sentence.
    Proxy(String),
}

impl Channel {
    /// Through the socket at `path`, to which no proxy leads.
    #[must_use]
    pub fn socket(path: &Path, service: Service) -> Self {
        let agent = Agent::with_parts(settings(None).build(), Socket(path.into()), Nowhere);
        let route = Route { service: service.name, proxy: None, ignored: None };
        Self { service, agent, base: NOBODY.into(), named: format!("socket {}", path.display()), route }
    }

    /// To `url`, which is `https://HOST[:PORT]`, as `identity`, through the proxy that the environment names.
    ///
    /// # Errors
    ///
    /// What of it cannot be used.
    pub fn https(url: &str, identity: &Identity<'_>, service: Service) -> Result<Self, NoWay> {
        Self::https_by(url, identity, service, |name| std::env::var(name).ok())
    }

    fn https_by(
        url: &str,
        identity: &Identity<'_>,
        service: Service,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, NoWay> {
        let base = url.trim_end_matches('/');
        let address = |why: &str| NoWay::Address(why.into());
        let uri: Uri = base.parse().map_err(|_| address("it is no address"))?;
        if uri.scheme_str() != Some("https") {
            return Err(address("it does not begin with https://"));
        }
        let authority = uri.authority().ok_or_else(|| address("it names no host"))?;
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(address("it is more than https://HOST:PORT"));
        }
        let (host, port) = (authority.host(), authority.port_u16().unwrap_or(PORT));
        server_name(host).ok_or_else(|| address("its host is neither a name nor an address"))?;
        let proxy = proxy_to(host, port, &variable).map_err(NoWay::Proxy)?;
        let tls = Tls::new(identity, &variable).map_err(NoWay::Identity)?;
        let connector = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default()).chain(tls);
        let config = settings(proxy.as_ref()).https_only(true).build();
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        let route = Route { service: service.name, proxy, ignored: None };
        Ok(Self { service, agent, named: base.into(), base: base.into(), route })
    }

    /// As sentences name the server: its socket or its address.
    #[must_use]
    pub fn named(&self) -> &str {
        &self.named
    }

    /// Sends `call`, and reads the whole answer of at most `largest` bytes as JSON, all within `limit`. The status is not
    /// looked at.
    ///
    /// # Errors
    ///
    /// There is no complete answer, or it is of another form; nothing of it is repeated.
    pub fn json<T: DeserializeOwned>(&self, call: &Call, limit: Duration, largest: u64) -> Result<T, Broken> {
        let body = self.begin(call, limit, largest)?;
        serde_json::from_reader(BufReader::new(body)).map_err(|error| {
            if error.is_io() {
                return self.explained(&of_reading(error.into()));
            }
            // The text of the error could repeat a value; its place cannot.
            let why = format!("its answer has an unexpected form at line {}, column {}", error.line(), error.column());
            Broken { why, lasting: false }
        })
    }

    /// Sends `call`, and reads the whole answer, of which at most `largest` bytes.
    ///
    /// # Errors
    ///
    /// There is no complete answer.
    pub fn bytes(&self, call: &Call, limit: Duration, largest: u64) -> Result<(u16, Vec<u8>), Broken> {
        let (status, mut body) = self.head(call, limit, largest)?;
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).map_err(|error| self.explained(&of_reading(error)))?;
        Ok((status, bytes))
    }

    fn begin(&self, call: &Call, limit: Duration, largest: u64) -> Result<BodyReader<'static>, Broken> {
        self.head(call, limit, largest).map(|(_, body)| body)
    }

    fn head(&self, call: &Call, limit: Duration, largest: u64) -> Result<(u16, BodyReader<'static>), Broken> {
        let address = format!("{}{}", self.base, call.path);
        let answer = exchange(&self.agent, self.service, &address, call, None, limit);
        let answer = answer.map_err(|error| self.explained(&error))?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().into_with_config().limit(largest).reader()))
    }

    /// Why there is no answer, with the way out.
    fn explained(&self, error: &Error) -> Broken {
        let lasting = |why: String| Broken { why, lasting: true };
        match error {
            Error::Io(error) if self.base == NOBODY => match error.kind() {
                ErrorKind::NotFound => {
                    lasting(format!("there is no {}: start the server, or correct the path", self.named))
                }
                ErrorKind::PermissionDenied => lasting(format!(
                    "the {} does not let this user in: add it to the socket's group (incus-admin, lxd), or use a certificate",
                    self.named
                )),
                ErrorKind::ConnectionRefused => {
                    Broken { why: format!("nobody listens at {}: start the server", self.named), lasting: false }
                }
                _ => self.route.explained(&Error::Io(io::Error::new(error.kind(), error.to_string()))),
            },
            error => match rejected(error) {
                Some(fault) => lasting(format!(
                    "the certificate of {} is not accepted ({fault}): it has to be the pinned one, or signed by an \
                     authority that is believed, for this name",
                    self.named
                )),
                None => self.route.explained(error),
            },
        }
    }
}

/// What is wrong with the certificate of the server, if that is the reason.
fn rejected(error: &Error) -> Option<&rustls::CertificateError> {
    let Error::Io(error) = error else { return None };
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(fault) => Some(fault),
        _ => None,
    }
}

/// What the library wrapped to be handed through a reader.
fn of_reading(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const SERVICE: Service = Service { name: "the server", headers: &[] };
    const LIMIT: Duration = Duration::from_secs(100);

    /// Refuses one way, and tells which one was asked for.
    fn proxy() -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The whole head: who closes before has the client fail while it writes.
            let head = BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            let asked = head.collect::<Vec<_>>().swap_remove(0);
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").unwrap();
            asked
        });
        (address, asked)
    }

    fn identity() -> [String; 2] {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        [certificate.pem(), key.serialize_pem()]
    }

    #[test]
    fn a_proxy_of_the_environment_leads_to_a_server_unless_the_list_has_its_address() {
        let [certificate, key] = identity();
        let (certificate, key) = (certificate.as_bytes(), key.as_bytes());
        let identity = Identity { certificate, key, pinned: Some(certificate), authorities: None };
        let (address, asked) = proxy();
        let variables = |list: &'static str| {
            let address = address.clone();
            move |name: &str| match name {
                "HTTPS_PROXY" => Some(address.clone()),
                "NO_PROXY" => Some(list.to_owned()),
                _ => None,
            }
        };
        let to = |list| Channel::https_by("https://192.0.2.7:8443", &identity, SERVICE, variables(list)).unwrap();
        assert!(to("192.0.2.0/24").route.proxy.is_none());
        let broken = to("10.0.0.0/8").json::<()>(&Call::get("/1.0".into()), LIMIT, 1).unwrap_err();
        assert!(broken.why.contains("refuses to connect to the host (status 403)"), "{broken:?}");
        assert_eq!(asked.join().unwrap(), "CONNECT 192.0.2.7:8443 HTTP/1.1");
    }

    #[test]
    fn an_address_without_a_port_is_that_of_https() {
        let [certificate, key] = identity();
        let certificate = certificate.as_bytes();
        let identity = Identity { certificate, key: key.as_bytes(), pinned: Some(certificate), authorities: None };
        let (address, asked) = proxy();
        let variable = |name: &str| (name == "HTTPS_PROXY").then(|| address.clone());
        let channel = Channel::https_by("https://192.0.2.7", &identity, SERVICE, variable).unwrap();
        channel.json::<()>(&Call::get("/1.0".into()), LIMIT, 1).unwrap_err();
        assert_eq!(asked.join().unwrap(), "CONNECT 192.0.2.7:443 HTTP/1.1");
    }

    #[test]
    fn a_host_that_no_certificate_can_have_is_told_before_anything_is_asked() {
        let identity = Identity { certificate: b"", key: b"", pinned: None, authorities: None };
        for host in ["a_b..example", "-"] {
            let refused = Channel::https_by(&format!("https://{host}:8443"), &identity, SERVICE, |_| None);
            let expected = NoWay::Address("its host is neither a name nor an address".into());
            assert_eq!(refused.err(), Some(expected), "{host}");
        }
    }

    #[test]
    fn an_answer_that_is_larger_than_it_may_be_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Ends where the client has had enough.
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n\"");
            while stream.write_all(&[b'x'; 1000]).is_ok() {}
        });
        let channel = Channel::socket(&path, SERVICE);
        let broken = channel.json::<String>(&Call::get("/1.0".into()), LIMIT, 1_000_000).unwrap_err();
        assert!(broken.why.contains("far too long"), "{broken:?}");
    }
}
