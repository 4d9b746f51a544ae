//! TLS for clients that insist on it, with a certificate authority of the test's own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use axum::serve::Listener;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

use super::replace;

/// Names of the files that [`Identity::write`] makes.
const FILES: [&str; 3] = ["ca.pem", "certificate.pem", "key.pem"];

/// How to serve TLS besides plain HTTP.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where to listen; `127.0.0.1:0` if absent.
    pub listen: Option<SocketAddr>,
    /// As whom.
    pub identity: Identity,
}

impl Tls {
    /// For an embedded stand-in: a new authority, and a certificate for these hosts.
    ///
    /// # Errors
    ///
    /// A host is no name that a certificate can have.
    pub fn for_hosts(hosts: &[&str]) -> Result<Self> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Ok(Self { listen: None, identity: Identity::make(&hosts)? })
    }
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate of the authority, which a client has to trust, if it is known.
    pub ca: Option<String>,
    /// The certificate of the server.
    pub certificate: String,
    key: String,
}

/// What is odd about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// It was good once.
    Over,
    /// It will be good.
    ToCome,
    /// It is one of an authority.
    Authority,
    /// It names its host in the old way alone.
    CommonNameOnly,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes an authority and, signed by it, a certificate for `hosts`. The key of the
    /// authority is forgotten at once, so nobody can sign anything else with it.
    ///
    /// # Errors
    ///
    /// A host is no name that a certificate can have.
    pub fn make(hosts: &[String]) -> Result<Self> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Stand-in authority, for tests only");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let ca = authority.self_signed(&authority_key)?.pem();

        let mut server = CertificateParams::new(hosts).context("Failed to name the hosts of the certificate")?;
        server.distinguished_name.push(DnType::CommonName, "Stand-in for GitHub");
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?.pem();
        Ok(Self { ca: Some(ca), certificate, key: key.serialize_pem() })
    }

    /// An odd certificate for `hosts` that nobody else signed.
    ///
    /// # Errors
    ///
    /// A host is no name that a certificate can have.
    pub fn alone(hosts: &[String], odd: Odd) -> Result<Self> {
        let mut server = CertificateParams::new(hosts).context("Failed to name the hosts of the certificate")?;
        server.distinguished_name.push(DnType::CommonName, hosts[0].as_str());
        match odd {
            Odd::Over => {
                (server.not_before, server.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
            }
            Odd::ToCome => {
                (server.not_before, server.not_after) = (date_time_ymd(4001, 1, 1), date_time_ymd(4002, 1, 1));
            }
            Odd::Authority => server.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Odd::CommonNameOnly => server.subject_alt_names.clear(),
        }
        let key = KeyPair::generate()?;
        let certificate = server.self_signed(&key)?.pem();
        Ok(Self { ca: None, certificate, key: key.serialize_pem() })
    }

    /// Reads a certificate, followed by what it needs to be trusted, and its key.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let read = |file: &Path| fs::read_to_string(file).with_context(|| format!("Failed to read {}", file.display()));
        Ok(Self { ca: None, certificate: read(certificate)?, key: read(key)? })
    }

    /// Writes `ca.pem`, `certificate.pem` and `key.pem`; returns the paths in this order.
    ///
    /// # Errors
    ///
    /// The directory or a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<[PathBuf; 3]> {
        fs::create_dir_all(directory).with_context(|| format!("Failed to create {}", directory.display()))?;
        let paths = FILES.map(|name| directory.join(name));
        let contents = [self.ca.as_deref().unwrap_or_default(), &self.certificate, &self.key];
        for (path, content) in paths.iter().zip(contents) {
            replace(path, content.as_bytes())?;
        }
        Ok(paths)
    }

    /// What makes connections secure.
    ///
    /// # Errors
    ///
    /// The certificate or the key is no PEM, or they do not belong together.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        let chain = chain.context("Failed to understand the certificate")?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).context("Failed to understand the key")?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("Failed to use the certificate")?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Secure connections. Each shakes hands in a task of its own, so that a client that
/// says nothing keeps no other one waiting.
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Accepts from `listener` from now on; needs a runtime around it.
    ///
    /// # Errors
    ///
    /// The listener has no address.
    pub fn new(listener: TcpListener, acceptor: TlsAcceptor) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(16);
        tokio::spawn(accept(listener, acceptor, sender));
        Ok(Self { address, ready })
    }
}

async fn accept(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let (stream, address) = Listener::accept(&mut listener).await;
        // An answer follows the end of the handshake at once, and must not wait for that to be acknowledged. Fails
        // only if the client is gone already.
        _ = stream.set_nodelay(true);
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            // A client that does not trust the certificate goes away by itself.
            if let Ok(stream) = acceptor.accept(stream).await {
                // Fails only if the server is gone already.
                _ = sender.send((stream, address)).await;
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The task that sends ends only with the runtime.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}
