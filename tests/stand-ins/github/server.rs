//! Starting, asking and stopping a stand-in.
//!
//! A server runs on a thread of its own, so that programs without an async runtime can
//! embed it.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use axum::Router;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::{
    faults::Fault,
    proxy::{self, Asked},
    record::Record,
    service::{self, Door, Inner},
    state::State,
    tls::{Tls, TlsListener},
};

/// The file with the certificate of an authority that the stand-in made.
const CA: &str = "ca.pem";

/// How to start a stand-in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where to listen; `127.0.0.1:0` if absent.
    pub listen: Option<SocketAddr>,
    /// Serve TLS as well, with a proxy that leads there.
    pub tls: Option<Tls>,
    /// What GitHub knows at first.
    pub state: State,
    /// Rewritten, complete or not at all, after each change.
    pub state_file: Option<PathBuf>,
    /// One line of JSON appended for each request.
    pub record_file: Option<PathBuf>,
}

/// A running stand-in. It stops when this is dropped.
pub struct GitHub {
    address: SocketAddr,
    secure: Option<Secure>,
    door: Door,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a stand-in with TLS has besides.
struct Secure {
    address: SocketAddr,
    proxy: SocketAddr,
    asked: Asked,
    /// Holds the certificate of the authority, if it is known.
    files: Option<TempDir>,
}

/// Sockets that are bound, but not yet served.
struct Sockets {
    plain: TcpListener,
    secure: Option<(TcpListener, TlsAcceptor, TcpListener)>,
}

/// Starts a stand-in; it answers when this returns.
///
/// # Errors
///
/// An address is taken, a file cannot be written, or the certificate is of no use.
pub fn start(config: Config) -> Result<GitHub> {
    let open = |path: &PathBuf| {
        let file = File::options().create(true).append(true).open(path);
        file.with_context(|| format!("Failed to open {}", path.display()))
    };
    let inner = Inner {
        state: config.state,
        faults: Vec::new(),
        records: Vec::new(),
        jwts: Vec::new(),
        state_file: config.state_file,
        record_file: config.record_file.as_ref().map(open).transpose()?,
    };
    inner.save()?;
    let door = Door { inner: Arc::new(Mutex::new(inner)), secure: false };
    let mut sockets = Sockets { plain: bind(config.listen)?, secure: None };
    let address = sockets.plain.local_addr()?;
    let mut secure = None;
    if let Some(tls) = config.tls {
        let (listener, proxy) = (bind(tls.listen)?, bind(None)?);
        let files = tls.identity.ca.as_deref().map(in_directory).transpose()?;
        let (address, proxy_address) = (listener.local_addr()?, proxy.local_addr()?);
        secure = Some(Secure { address, proxy: proxy_address, asked: Asked::default(), files });
        sockets.secure = Some((listener, tls.identity.acceptor()?, proxy));
    }
    let asked = secure.as_ref().map(|secure| secure.asked.clone()).unwrap_or_default();
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = door.clone();
    let thread = thread::spawn(move || {
        runtime.block_on(async move {
            tokio::select! {
                // Sockets that were bound can be served.
                _ = serve(sockets, served, asked) => {}
                _ = stopped => {}
            }
        });
    });
    Ok(GitHub { address, secure, door, stop: Some(stop), thread: Some(thread) })
}

fn bind(address: Option<SocketAddr>) -> Result<TcpListener> {
    let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listener = TcpListener::bind(address).with_context(|| format!("Failed to listen on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn in_directory(ca: &str) -> Result<TempDir> {
    let files = tempfile::tempdir().context("Failed to create a directory for the certificate")?;
    fs::write(files.path().join(CA), ca).context("Failed to write the certificate of the authority")?;
    Ok(files)
}

async fn serve(sockets: Sockets, door: Door, asked: Asked) -> io::Result<()> {
    let router = |door| Router::new().fallback(service::serve).with_state(door);
    if let Some((listener, acceptor, proxy)) = sockets.secure {
        let target = listener.local_addr()?;
        let listener = TlsListener::new(tokio::net::TcpListener::from_std(listener)?, acceptor)?;
        let door = Door { secure: true, ..door.clone() };
        tokio::spawn(axum::serve(listener, router(door)).into_future());
        tokio::spawn(proxy::serve(tokio::net::TcpListener::from_std(proxy)?, target, asked));
    }
    axum::serve(tokio::net::TcpListener::from_std(sockets.plain)?, router(door)).await
}

impl GitHub {
    /// Where it listens for plain HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.secure.as_ref().map(|secure| secure.address)
    }

    /// The base that stands for `https://api.github.com`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// For `https_proxy`: leads to the TLS port, whatever the host is.
    pub fn proxy_url(&self) -> Option<String> {
        self.secure.as_ref().map(|secure| format!("http://{}", secure.proxy))
    }

    /// For `SSL_CERT_FILE`: the authority, if the stand-in made it.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.secure.as_ref()?.files.as_ref().map(|files| files.path().join(CA))
    }

    /// The hosts that were asked for through the proxy, as `api.github.com:443`.
    pub fn proxied_hosts(&self) -> Vec<String> {
        self.secure.as_ref().map(|secure| secure.asked.all()).unwrap_or_default()
    }

    /// Everything seen so far.
    pub fn records(&self) -> Vec<Record> {
        self.door.lock().records.clone()
    }

    /// A copy of what GitHub knows now.
    pub fn state(&self) -> State {
        self.door.lock().state.clone()
    }

    /// Changes what GitHub knows.
    ///
    /// # Errors
    ///
    /// The state file cannot be written.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut inner = self.door.lock();
        let result = change(&mut inner.state);
        inner.save()?;
        Ok(result)
    }

    /// Makes coming requests fail.
    pub fn inject(&self, fault: Fault) {
        self.door.lock().faults.push(fault);
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed already.
            _ = thread.join();
        }
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only if the server is gone already.
            _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// Writes a file so that a reader finds it complete or not at all.
///
/// # Errors
///
/// The file or its neighbour with the suffix `.new` cannot be written.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("Failed to write {}", path.display()))
}
