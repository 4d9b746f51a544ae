//! A GARM for tests: as much of its API as declaring a fleet needs, in memory.
//!
//! It wants tokens and refuses as GARM does, by its sources: what is missing, taken, still in use or not to be changed. Stricter than
//! GARM it refuses fields that GARM would silently ignore. It makes no instances and asks no GitHub. Rules have it lose requests or
//! answers, cut them, or fail.
//!
//! It must never be part of a shipped package and use nothing of the code under test.
//!
//! Embed it in a test with `#[path = "../stand-ins/garm/mod.rs"] mod garm;` and [`Garm::start`].

#![allow(dead_code, reason = "each program that embeds the stand-in uses another part")]

mod http;
mod make;
mod routes;
mod state;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use state::State;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Then {
    /// It is not done, and the connection ends.
    LoseRequest,
    /// It is done, and the connection ends.
    LoseAnswer,
    /// It is done, and half of the answer arrives.
    CutAnswer,
    /// It is not done, and this is the answer.
    Say(u16, &'static str),
    /// It is done, and the answer comes after a while.
    Late(Duration),
}

/// The requests that something happens to.
struct Rule {
    method: &'static str,
    path: String,
    left: usize,
    then: Then,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Vec<String>>,
    is_over: Mutex<bool>,
    changed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running GARM. It ends when this is dropped.
pub struct Garm {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Garm {
    /// Starts one that was never used, with provider `incus`.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if *lock(&serving.is_over) {
                    return;
                }
                let serving = Arc::clone(&serving);
                // A client that goes breaks its connection, and nothing else.
                thread::spawn(move || _ = http::serve(&serving, stream));
            }
        });
        Self { shared, address }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it knows, to look at and to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    /// Has something happen to the next `times` requests of a method whose path ends so.
    pub fn rule(&self, method: &'static str, path: &str, times: usize, then: Then) {
        lock(&self.shared.rules).push(Rule { method, path: path.into(), left: times, then });
    }

    /// Forgets all rules.
    pub fn obey(&self) {
        lock(&self.shared.rules).clear();
    }

    /// All requests since the last call, as `METHOD PATH`, without logins.
    pub fn requests(&self) -> Vec<String> {
        let all = std::mem::take(&mut *lock(&self.shared.log));
        all.into_iter().filter(|request| request != "POST /auth/login").collect()
    }

    /// Those of them that change something.
    pub fn writes(&self) -> Vec<String> {
        self.requests().into_iter().filter(|request| !request.starts_with("GET ")).collect()
    }
}

impl Drop for Garm {
    fn drop(&mut self) {
        *lock(&self.shared.is_over) = true;
        self.shared.changed.notify_all();
        // Whoever accepts sees it with the next connection.
        _ = TcpStream::connect(self.address);
    }
}
