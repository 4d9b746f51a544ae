//! A stand-in for Incus 6.0.4 and for LXD 5.0.2: what their interface does for instances, without making any.
//!
//! Where the two differ it does as the one that it stands in for. Tests tell it how long operations take, and what goes wrong:
//! answers that get lost, operations that are forgotten, a server that is started again. It serves a socket, and on demand
//! https, from threads of this process.
//!
//! Uses nothing of the code under test.

#![allow(dead_code, unused_imports, reason = "each test program uses the part it needs")]

mod answer;
mod http;
mod instances;
mod listen;
mod operation;
mod routes;
mod rules;
mod state;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

pub use listen::Trusted;
pub use rules::{Rule, Then};
pub use state::{Durations, State};
use state::{Image, Profile};

/// Whom it stands in for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flavor {
    /// Incus 6.0.4.
    Incus,
    /// LXD 5.0.2.
    Lxd,
}

impl Flavor {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Incus, Self::Lxd];
}

/// The project that there is besides `default`.
pub const PROJECT: &str = "garm-project";
/// The profile of both projects besides `default`.
pub const PROFILE: &str = "garm-small";
/// The alias of an image of a container.
pub const IMAGE: &str = "trixie";
/// Its fingerprint.
pub const FINGERPRINT: &str = "5a3c1e5f0d7b4c6a8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9010203040506";

/// A server. It ends with this value.
pub struct StandIn {
    shared: Arc<Shared>,
    directory: TempDir,
}

struct Shared {
    flavor: Flavor,
    state: Mutex<State>,
    /// Something has changed for which somebody waits.
    changed: Condvar,
    lines: Mutex<listen::Lines>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that failed with it in hand has said what is wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandIn {
    /// Starts one at a socket of its own.
    ///
    /// # Panics
    ///
    /// If no socket can be made.
    pub fn start(flavor: Flavor) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let shared = Arc::new(Shared {
            flavor,
            state: Mutex::new(State::new()),
            changed: Condvar::new(),
            lines: Mutex::default(),
        });
        let server = Self { shared, directory };
        listen::on_socket(&server.shared, &server.socket());
        server
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("unix.socket")
    }

    /// A directory that ends with the server.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Listens with TLS as well, to a client whose certificate is trusted for this project alone.
    ///
    /// # Panics
    ///
    /// If no certificate can be made or no port is free.
    pub fn trust(&self, project: &str) -> Trusted {
        listen::on_https(&self.shared, self.directory.path(), project)
    }

    /// Looks at its state, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.lock();
        state.settle(self.shared.flavor);
        let looked = look(&mut state);
        self.shared.changed.notify_all();
        looked
    }

    /// Has requests treated in another way from now on.
    pub fn inject(&self, rule: Rule) {
        self.with(|state| state.rules.push(rule));
    }

    /// How long operations take from now on.
    pub fn take(&self, durations: Durations) {
        self.with(|state| state.durations = durations);
    }

    /// Method and path of every request since the last time, without the project where it is the usual one.
    pub fn requests(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.requests))
    }

    /// The names of all instances of the usual project.
    pub fn names(&self) -> Vec<String> {
        self.with(|state| state.names(PROJECT))
    }

    /// Adds an instance of the usual project with these keys in its configuration.
    pub fn add(&self, name: &str, status: u16, config: &[(&str, &str)]) {
        self.with(|state| state.add(PROJECT, name, status, config));
    }

    /// Breaks every connection and forgets every operation, as a server does that is started again. Nobody can connect for
    /// this long.
    pub fn restart(&self, away: Duration) {
        listen::restart(&self.shared, &self.socket(), away);
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        listen::end(&self.shared);
    }
}
