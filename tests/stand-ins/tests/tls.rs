//! TLS and the proxy, asked by a client that knows `https://api.github.com` only.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::Arc,
};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::{
    github::{self, Config, GitHub, State, Tls},
    harness::{PAT, Running, Stand, example, finish},
    wait::wait_for,
};

const RUNNERS: &str = "/orgs/octo-org/actions/runners";

fn github() -> GitHub {
    let tls = Tls::for_hosts(&["api.github.com", "github.com"]).unwrap();
    let state = State { pats: vec![PAT.to_owned()], ..State::default() };
    github::start(Config { state, tls: Some(tls), ..Config::default() }).unwrap()
}

/// Sends a listing over TLS through `stream`; gives the whole answer.
fn list(stream: TcpStream, host: &'static str, ca: &Path) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), host.try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let head = format!(
        "GET {RUNNERS} HTTP/1.1\r\nhost: {host}\r\nuser-agent: x\r\nauthorization: Bearer {PAT}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A tunnel to `host` through the proxy at `url`.
fn tunnel(url: &str, host: &str) -> TcpStream {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
    stream
}

#[test]
fn tls_and_plain_http_are_the_same_github() {
    let github = github();
    let stream = TcpStream::connect(github.tls_address().unwrap()).unwrap();
    let answer = list(stream, "api.github.com", &github.ca_file().unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(crate::client::ask_as(&github, PAT, "GET", RUNNERS).status, 200);
    let secure: Vec<bool> = github.records().iter().map(|record| record.secure).collect();
    assert_eq!(secure, [true, false]);
}

#[test]
fn the_proxy_leads_every_host_here_and_remembers_it() {
    let github = github();
    let (proxy, ca) = (github.proxy_url().unwrap(), github.ca_file().unwrap());
    let answer = list(tunnel(&proxy, "api.github.com"), "api.github.com", &ca).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(github.records()[0].host, "api.github.com");
    assert!(list(tunnel(&proxy, "ghe.example"), "ghe.example", &ca).is_err(), "the certificate names no such host");
    assert_eq!(github.proxied_hosts(), ["api.github.com:443", "ghe.example:443"]);
}

#[test]
fn a_client_that_says_nothing_keeps_nobody_waiting() {
    let github = github();
    let _silent = TcpStream::connect(github.tls_address().unwrap()).unwrap();
    let stream = TcpStream::connect(github.tls_address().unwrap()).unwrap();
    list(stream, "github.com", &github.ca_file().unwrap()).unwrap();
}

#[test]
fn the_program_makes_an_authority_and_serves_with_it() {
    let stand = Stand::new();
    let program = example("stand-in-github");
    let mut make = Command::new(&program);
    make.arg("--make-ca").arg(stand.path("tls")).args(["--host", "api.github.com", "--host", "github.com"]);
    finish(&mut make).expect(0);
    let address = stand.path("address");
    let mut serve = Command::new(&program);
    serve.arg("--address-file").arg(&address).args(["--tls-listen", "127.0.0.1:0"]);
    serve.arg("--tls-certificate").arg(stand.path("tls/certificate.pem"));
    let _running = Running::start(serve.arg("--tls-key").arg(stand.path("tls/key.pem")));
    let text = wait_for("the addresses", || fs::read_to_string(&address).ok());
    let stream = TcpStream::connect(text.lines().nth(1).unwrap()).unwrap();
    let answer = list(stream, "api.github.com", &stand.path("tls/ca.pem")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
}
