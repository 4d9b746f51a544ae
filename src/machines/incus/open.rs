//! The way to a server: its socket, or the certificates for https, and why one of these cannot be used.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::connection::Endpoint;
use crate::http::{Channel, Identity, NoWay, Service, Unusable};
use crate::machines::Fault;
use crate::model::shown;

const SERVICE: Service = Service { name: "the server", headers: &[] };
/// A chain of certificates has a tenth of it.
const LARGEST_PEM: u64 = 1 << 20;

/// Reads the certificates and the environment; asks nothing.
pub fn channel(endpoint: &Endpoint) -> Result<Channel, Fault> {
    let (url, client_certificate, client_key, server_certificate, ca) = match endpoint {
        Endpoint::Socket(path) => return Ok(Channel::socket(path, SERVICE)),
        Endpoint::Https { url, client_certificate, client_key, server_certificate, ca } => {
            (url, client_certificate, client_key, server_certificate.as_deref(), ca.as_deref())
        }
    };
    let (certificate, key) = (read(client_certificate)?, read(client_key)?);
    let (pinned, authorities) = (server_certificate.map(read).transpose()?, ca.map(read).transpose()?);
    let identity = Identity {
        certificate: &certificate,
        key: &key,
        pinned: pinned.as_deref(),
        authorities: authorities.as_deref(),
    };
    let unusable = |what: &str, path: Option<&Path>, why: &str| {
        let path = path.map(|path| format!(" {}", path.display())).unwrap_or_default();
        format!("Failed to use {what}{path}: {why}")
    };
    Channel::https(url, &identity, SERVICE).map_err(|fault| {
        Fault::Configuration(match fault {
            NoWay::Address(why) => {
                format!("Failed to use the address {}: {why}; it is written https://HOST:8443", shown(url))
            }
            NoWay::Proxy(sentence) | NoWay::Identity(Unusable::System(sentence)) => sentence,
            NoWay::Identity(Unusable::Certificate(why)) => {
                unusable("the client's certificate", Some(client_certificate), &why)
            }
            NoWay::Identity(Unusable::Key(why)) => unusable("the client's key", Some(client_key), &why),
            NoWay::Identity(Unusable::Pinned(why)) => unusable("the server's certificate", server_certificate, &why),
            NoWay::Identity(Unusable::Authorities(why)) => unusable("the authority's certificate", ca, &why),
        })
    })
}

/// Reads a certificate or a key.
fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_PEM).read_to_end(&mut bytes));
    read.map_err(|error| {
        Fault::Configuration(format!("Failed to read {}: {error}; this user has to be able to", path.display()))
    })?;
    Ok(bytes)
}
