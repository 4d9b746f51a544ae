//! The HTTP side: takes requests apart, records them, and keeps the files up to date.
//!
//! A server runs on a thread of its own, so that programs without an async runtime can
//! embed it. Everything happens under one lock: requests are answered one at a time,
//! and a record is complete before its answer leaves.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write as _,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Query, Request, State as Shared},
    http::{HeaderMap, header, request::Parts},
    response::Response,
};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    answer::Answer,
    auth, control,
    faults::{self, Fault},
    record::{Record, redact, redact_json},
    routes::{self, Seen},
    state::State,
};

/// Larger bodies than this are not read; a registration has about a kilobyte.
const LARGEST_BODY: usize = 1 << 20;

/// How to start a stand-in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where to listen; `127.0.0.1:0` if absent.
    pub listen: Option<SocketAddr>,
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
    inner: Arc<Mutex<Inner>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    state: State,
    faults: Vec<Fault>,
    records: Vec<Record>,
    state_file: Option<PathBuf>,
    record_file: Option<File>,
}

/// Starts a stand-in; it answers when this returns.
///
/// # Errors
///
/// The address is taken, or a file cannot be written.
pub fn start(config: Config) -> Result<GitHub> {
    let listen = config.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listener = TcpListener::bind(listen).with_context(|| format!("Failed to listen on {listen}"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let open = |path: &PathBuf| {
        let file = File::options().create(true).append(true).open(path);
        file.with_context(|| format!("Failed to open {}", path.display()))
    };
    let inner = Inner {
        state: config.state,
        faults: Vec::new(),
        records: Vec::new(),
        state_file: config.state_file,
        record_file: config.record_file.as_ref().map(open).transpose()?,
    };
    inner.save()?;
    let inner = Arc::new(Mutex::new(inner));
    let (stop, stopped) = oneshot::channel();
    let router = Router::new().fallback(serve).with_state(Arc::clone(&inner));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = thread::spawn(move || {
        runtime.block_on(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                return;
            };
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                _ = stopped => {}
            }
        });
    });
    Ok(GitHub { address, inner, stop: Some(stop), thread: Some(thread) })
}

impl GitHub {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base that stands for `https://api.github.com`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything seen so far.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// A copy of what GitHub knows now.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Changes what GitHub knows.
    ///
    /// # Errors
    ///
    /// The state file cannot be written.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut inner = self.lock();
        let result = change(&mut inner.state);
        inner.save()?;
        Ok(result)
    }

    /// Makes coming requests fail.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed already.
            _ = thread.join();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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

async fn serve(Shared(inner): Shared<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = inner.answer(&parts, body);
    let answer = inner.save().map_or_else(|error| Answer::error(500, &format!("{error:#}")), |()| answer);
    let number = inner.records.len();
    drop(inner);
    response(answer, number)
}

fn response(answer: Answer, number: usize) -> Response {
    let mut builder =
        Response::builder().status(answer.status).header("x-github-request-id", format!("STAND:IN:{number}"));
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    let response = match answer.body {
        Some(body) => {
            builder.header(header::CONTENT_TYPE, "application/json; charset=utf-8").body(Body::from(body.to_string()))
        }
        None => builder.body(Body::empty()),
    };
    // Only an injected header or status that is no header or status gets here.
    response.unwrap_or_else(|_| Response::new(Body::from("The injected fault is not valid HTTP")))
}

impl Inner {
    fn answer(&mut self, parts: &Parts, body: Value) -> Answer {
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        if let Some(path) = path.strip_prefix("/_stand-in") {
            let Self { state, faults, records, .. } = self;
            return control::control((method, path), body, state, faults, records);
        }
        let (credential, authorization) = auth::read(text(&parts.headers, header::AUTHORIZATION));
        let seen = Seen {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Query::<HashMap<_, _>>::try_from_uri(&parts.uri).map_or_else(|_| HashMap::new(), |query| query.0),
            host: text(&parts.headers, header::HOST).unwrap_or_default().to_owned(),
            credential,
            body,
        };
        let user_agent = text(&parts.headers, header::USER_AGENT).map(str::to_owned);
        // Before the effect, so that a token is still known when it is used up.
        let mut secrets = self.state.secrets();
        let answer = match faults::take(&mut self.faults, method, path) {
            Some(fault) if fault.after_effect => {
                routes::route(&mut self.state, &seen);
                fault.answer()
            }
            Some(fault) => fault.answer(),
            None if user_agent.is_none() => Answer::error(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
            ),
            None => routes::route(&mut self.state, &seen),
        };
        secrets.extend(self.state.secrets());
        let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
        let redacted = redact(target, &secrets);
        let mut headers: Vec<String> = parts.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        let record = Record {
            method: seen.method,
            secret_in_path: redacted != target,
            path: redacted,
            host: seen.host,
            user_agent,
            headers,
            authorization,
            body: redact_json(&seen.body, &secrets),
            status: answer.status,
        };
        self.keep(record);
        answer
    }

    fn keep(&mut self, record: Record) {
        if let (Some(file), Ok(line)) = (&mut self.record_file, serde_json::to_string(&record)) {
            // The records in memory stay the authority; a full disk must not stop a test.
            _ = writeln!(file, "{line}");
        }
        self.records.push(record);
    }

    fn save(&self) -> Result<()> {
        match &self.state_file {
            None => Ok(()),
            Some(path) => replace(path, serde_json::to_string_pretty(&self.state)?.as_bytes()),
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
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
