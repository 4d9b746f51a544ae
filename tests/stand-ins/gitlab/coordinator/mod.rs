//! Starting and stopping the coordinator, and the questions of a test.

mod git;
mod jobs;
mod log;
mod routes;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};
use axum::Router;
use serde_json::Value;
use tokio::sync::oneshot;

pub use jobs::{Cancel, Ended, Job, example_job};
pub use log::plain;

use jobs::Jobs;

/// The token of the only runner that is known; nobody has it.
pub const RUNNER_TOKEN: &str = "glrt-fakeFAKEfakeFAKE";

/// A running coordinator. It stops when this is dropped.
pub struct Coordinator {
    address: SocketAddr,
    jobs: Arc<Mutex<Jobs>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What each request gets.
#[derive(Clone)]
struct Door {
    jobs: Arc<Mutex<Jobs>>,
    /// Directory of the bare repositories, if any are served.
    repositories: Option<PathBuf>,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coordinator {
    /// Listens on a free port of loopback, and answers when this returns. Bare repositories below `repositories` are served
    /// under their paths.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub fn start(repositories: Option<PathBuf>) -> Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), repositories)
    }

    /// The same on another address, for machines that do not share loopback.
    ///
    /// # Errors
    ///
    /// The address is taken.
    pub fn start_at(address: SocketAddr, repositories: Option<PathBuf>) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("Failed to listen on {address}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let jobs = Arc::new(Mutex::new(Jobs::default()));
        let door = Door { jobs: Arc::clone(&jobs), repositories };
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::spawn(move || {
            runtime.block_on(async move {
                // A socket that was bound can be served.
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let router = Router::new().fallback(routes::serve).with_state(door);
                tokio::select! {
                    _ = axum::serve(listener, router).into_future() => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, jobs, stop: Some(stop), thread: Some(thread) })
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `url` of a runner's configuration.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives this job, in the form of section 9, to the next runner that asks.
    pub fn queue(&self, job: Value) {
        self.lock().queue(job);
    }

    /// What is known of a job.
    pub fn job(&self, id: u64) -> Option<Job> {
        self.lock().get(id).cloned()
    }

    /// What a job said so far, without time stamps.
    pub fn log(&self, id: u64) -> String {
        self.job(id).map(|job| String::from_utf8_lossy(&plain(&job.log)).into_owned()).unwrap_or_default()
    }

    /// How a job ended; `None` as long as it runs.
    pub fn ended(&self, id: u64) -> Option<Ended> {
        self.job(id)?.ended
    }

    /// Tells the runner at its next word about this job.
    pub fn cancel(&self, id: u64, how: Cancel) {
        if let Some(job) = self.lock().get_mut(id) {
            job.cancel = Some(how);
        }
    }
}

impl Drop for Coordinator {
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
