//! The socket, the port for https, and their connections.

use std::fs;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection, SignatureScheme, StreamOwned};

use super::{Shared, http};

/// What listens and who is connected, so that all of it can end.
#[derive(Default)]
pub struct Lines {
    connections: Vec<Line>,
    ports: Vec<u16>,
    socket: Option<PathBuf>,
}

enum Line {
    Socket(UnixStream),
    Port(TcpStream),
}

impl Line {
    fn cut(&self) {
        // It may be gone already.
        _ = match self {
            Self::Socket(stream) => stream.shutdown(Shutdown::Both),
            Self::Port(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

/// A client that is known by a certificate, for one project.
pub struct Trusted {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// Of the client.
    pub certificate: PathBuf,
    /// Of the client.
    pub key: PathBuf,
    /// Of the server, which signed it itself.
    pub server: PathBuf,
}

fn lines(shared: &Shared) -> std::sync::MutexGuard<'_, Lines> {
    shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a socket from now on.
pub fn on_socket(shared: &Arc<Shared>, path: &Path) {
    let listener = UnixListener::bind(path).expect("a socket");
    lines(shared).socket = Some(path.into());
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if shared.lock().is_away() {
                return;
            }
            lines(&shared).connections.extend(stream.try_clone().map(Line::Socket));
            let shared = Arc::clone(&shared);
            // A client that goes breaks its connection, and nothing else.
            thread::spawn(move || {
                _ = http::serve(&shared, &mut stream, None);
                // The list of connections has a copy, which would keep it open.
                _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
}

/// A key and a certificate that it signs itself, as servers and clients of Incus and LXD make theirs.
fn identity(directory: &Path, name: &str, names: &[&str]) -> (PathBuf, PathBuf) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let paths = (directory.join(format!("{name}.crt")), directory.join(format!("{name}.key")));
    fs::write(&paths.0, certificate.pem()).expect("a file");
    fs::write(&paths.1, key.serialize_pem()).expect("a file");
    paths
}

fn der(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).expect("a certificate")
}

/// Serves https from now on, to a new client that is trusted for one project.
pub fn on_https(shared: &Arc<Shared>, directory: &Path, project: &str) -> Trusted {
    // Its name is that of a host elsewhere, as it usually is.
    let (server, server_key) = identity(directory, "server", &["server.example"]);
    let (certificate, key) = identity(directory, "client", &[]);
    let known = der(&certificate);
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_client_cert_verifier(Arc::new(Anybody(provider)))
        .with_single_cert(vec![der(&server)], PrivateKeyDer::from_pem_file(server_key).expect("a key"))
        .expect("a certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a port").port();
    lines(shared).ports.push(port);
    let (shared, project) = (Arc::clone(shared), project.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            if shared.lock().is_over {
                return;
            }
            lines(&shared).connections.extend(stream.try_clone().map(Line::Port));
            let (shared, project, known) = (Arc::clone(&shared), project.clone(), known.clone());
            let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else { continue };
            thread::spawn(move || _ = serve(&shared, StreamOwned::new(connection, stream), &project, &known));
        }
    });
    Trusted { url: format!("https://127.0.0.1:{port}"), certificate, key, server }
}

fn serve(
    shared: &Shared,
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    project: &str,
    known: &CertificateDer<'_>,
) -> std::io::Result<()> {
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    let is_known = stream.conn.peer_certificates().and_then(|chain| chain.first()) == Some(known);
    // Strangers may see the first page alone.
    let project = if is_known { project } else { "" };
    let served = http::serve(shared, &mut stream, Some(project));
    stream.sock.shutdown(Shutdown::Both).and(served)
}

/// Takes every certificate of a client, whose key is proven: who is trusted is decided later.
#[derive(Debug)]
struct Anybody(Arc<rustls::crypto::CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Forgets what a server that is started again has forgotten, and breaks all connections.
pub fn forget(shared: &Shared) {
    shared.lock().operations.clear();
    shared.changed.notify_all();
    for line in lines(shared).connections.drain(..) {
        line.cut();
    }
}

/// Breaks everything, and listens again after a while.
pub fn restart(shared: &Arc<Shared>, path: &Path, away: Duration) {
    shared.lock().is_away = true;
    // Whoever accepts sees it with the next connection.
    _ = UnixStream::connect(path);
    fs::remove_file(path).expect("a socket");
    forget(shared);
    let (shared, path) = (Arc::clone(shared), path.to_owned());
    thread::spawn(move || {
        thread::sleep(away);
        let mut state = shared.lock();
        state.is_away = false;
        if !state.is_over {
            drop(state);
            on_socket(&shared, &path);
        }
    });
}

/// Ends all threads.
pub fn end(shared: &Shared) {
    shared.lock().is_over = true;
    forget(shared);
    let lines = lines(shared);
    for port in &lines.ports {
        _ = TcpStream::connect(("127.0.0.1", *port));
    }
    if let Some(path) = &lines.socket {
        _ = UnixStream::connect(path);
    }
}
