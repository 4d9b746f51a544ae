//! What stands before a door: the proxy of a host, with TLS, and with GitHub's issuer of ID tokens at an address of its own.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::times::HANGS;

/// The ID token that everybody gets.
pub const TOKEN: &str = "eyFAKE.FAKE-ID-TOKEN.FAKE_SIGNATURE";

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// The door gets it, and its answer is lost.
    Lost,
    /// The door never gets it; the proxy says this status and body itself.
    Own(u16, &'static str),
}

type Client = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// A proxy. Requests have their fates one after the other, and those that follow go through.
pub struct Proxy {
    /// `https://localhost:PORT`.
    pub address: String,
    directory: TempDir,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Before the door of this socket.
    pub fn before(socket: &Path, fates: impl IntoIterator<Item = Fate>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(directory.path().join("ca.pem"), identity.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let seen = Arc::new(Mutex::new(vec![]));
        let (config, heads, socket) = (Arc::new(config), Arc::clone(&seen), socket.to_owned());
        let fates: Arc<Mutex<VecDeque<Fate>>> = Arc::new(Mutex::new(fates.into_iter().collect()));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(HANGS)).unwrap();
                let (fates, heads, socket) = (Arc::clone(&fates), Arc::clone(&heads), socket.clone());
                thread::spawn(move || serve(StreamOwned::new(connection, stream), &socket, &fates, &heads));
            }
        });
        Self { address, directory, seen }
    }

    /// The certificate that clients have to trust.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// First line and authorization of each request for an ID token.
    pub fn tokens(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// One connection. A client that does not trust the certificate says nothing.
fn serve(
    stream: StreamOwned<ServerConnection, TcpStream>,
    socket: &Path,
    fates: &Mutex<VecDeque<Fate>>,
    tokens: &Mutex<Vec<String>>,
) {
    let mut client = BufReader::new(stream);
    let Some((head, body)) = request(&mut client) else { return };
    if head.contains(" /token?") {
        let authorization = head.lines().find(|line| line.starts_with("Authorization:")).unwrap_or_default();
        tokens.lock().unwrap().push(format!("{} {authorization}", head.lines().next().unwrap_or_default()));
        return say(&mut client, &plain(200, &format!("{{\"count\":1,\"value\":\"{TOKEN}\"}}")));
    }
    let fate = fates.lock().unwrap().pop_front();
    if let Some(Fate::Own(status, body)) = fate {
        return say(&mut client, &plain(status, body));
    }
    let mut door = UnixStream::connect(socket).unwrap();
    let head = head.replacen("\r\n", "\r\nX-Real-IP: 192.0.2.1\r\n", 1);
    door.write_all(head.as_bytes()).unwrap();
    door.write_all(&body).unwrap();
    let mut answer = vec![];
    door.read_to_end(&mut answer).unwrap();
    if fate.is_none() {
        say(&mut client, &answer);
    }
}

/// Head and body of a request.
fn request(client: &mut Client) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    client.read_exact(&mut body).unwrap();
    Some((head, body))
}

fn plain(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn say(client: &mut Client, bytes: &[u8]) {
    let stream = client.get_mut();
    stream.write_all(bytes).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
}
