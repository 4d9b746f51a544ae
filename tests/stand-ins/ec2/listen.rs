//! Ports and their connections, each served by a thread, with TLS if wanted. All of it ends with a [`Door`].

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::{self, Request, Response};

/// Answers requests; without an answer the connection is cut.
pub type Answers = Arc<dyn Fn(Request) -> Option<Response> + Send + Sync>;

/// As whom to serve TLS: a chain and its key, both PEM.
#[derive(Clone)]
pub struct Tls {
    pub certificate: String,
    pub key: String,
}

impl Tls {
    fn config(&self) -> Result<Arc<ServerConfig>> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        let chain = chain.context("Failed to understand the certificate")?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).context("Failed to understand the key")?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("Failed to use the certificate")?;
        Ok(Arc::new(config))
    }
}

/// A port that is served. It is closed, and its connections are cut, when this is dropped.
pub struct Door {
    address: SocketAddr,
    listener: TcpListener,
    lines: Arc<Mutex<Lines>>,
}

#[derive(Default)]
struct Lines {
    is_closed: bool,
    count: u64,
    open: BTreeMap<u64, TcpStream>,
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a port that is bound, in whatever network it is.
///
/// # Errors
///
/// The certificate is of no use, or the port is none.
pub fn serve(listener: TcpListener, tls: Option<&Tls>, answers: Answers) -> Result<Door> {
    let config = tls.map(Tls::config).transpose()?;
    let door = Door { address: listener.local_addr()?, listener: listener.try_clone()?, lines: Arc::default() };
    let lines = Arc::clone(&door.lines);
    accept(listener, lines, move |stream| {
        // What a client does to its connection is the client's matter.
        _ = match config.as_ref().map(|config| ServerConnection::new(Arc::clone(config))) {
            None => http::serve(stream, &*answers),
            Some(Ok(tls)) => http::serve(StreamOwned::new(tls, stream), &*answers),
            Some(Err(_)) => Ok(()),
        };
    });
    Ok(door)
}

/// Carries what comes until the end, and tells of the end.
fn pump(mut from: &TcpStream, mut to: &TcpStream) {
    if io::copy(&mut from, &mut to).is_err() {
        _ = from.shutdown(Shutdown::Both);
    }
    _ = to.shutdown(Shutdown::Write);
}

fn accept(listener: TcpListener, lines: Arc<Mutex<Lines>>, served: impl Fn(TcpStream) + Send + Sync + 'static) {
    let served = Arc::new(served);
    thread::spawn(move || {
        // Ends when the door is shut: then nothing can be accepted.
        while let Ok((stream, _)) = listener.accept() {
            let Ok(copy) = stream.try_clone() else { continue };
            _ = stream.set_nodelay(true);
            let number = {
                let mut lines = lock(&lines);
                if lines.is_closed {
                    return;
                }
                lines.count += 1;
                let number = lines.count;
                lines.open.insert(number, copy);
                number
            };
            let (served, lines) = (Arc::clone(&served), Arc::clone(&lines));
            thread::spawn(move || {
                served(stream);
                if let Some(stream) = lock(&lines).open.remove(&number) {
                    _ = stream.shutdown(Shutdown::Both);
                }
            });
        }
    });
}

impl Door {
    /// Leads every connection to another port, from a thread of the network of whoever calls this.
    ///
    /// # Errors
    ///
    /// The port is none.
    pub fn forward(listener: TcpListener, target: SocketAddr) -> Result<Self> {
        let door = Self { address: listener.local_addr()?, listener: listener.try_clone()?, lines: Arc::default() };
        let lines = Arc::clone(&door.lines);
        accept(listener, lines, move |inner| {
            // Nobody listens there: the connection ends.
            let Ok(outer) = TcpStream::connect(target) else { return };
            let (Ok(from), Ok(to)) = (inner.try_clone(), outer.try_clone()) else { return };
            let back = thread::spawn(move || pump(&outer, &inner));
            pump(&from, &to);
            _ = back.join();
        });
        Ok(door)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut lines = lock(&self.lines);
        lines.is_closed = true;
        for stream in lines.open.values() {
            _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes whoever accepts, also where nobody can connect from here. Such a socket is none of a stream, but is shut as one.
        if let Ok(copy) = self.listener.try_clone() {
            _ = TcpStream::from(OwnedFd::from(copy)).shutdown(Shutdown::Both);
        }
    }
}
