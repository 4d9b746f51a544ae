//! Starting, telling and stopping a stand-in. It runs on threads of its own, so that programs without an async runtime can embed it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::api::{self, Reply};
use super::control::{self, Settings};
use super::http::{Request, Response};
use super::instance::Instance;
use super::listen::{self, Door, Tls};
use super::metadata::{Metadata, Whose};
use super::rules::Rule;
use super::state::{Entry, Event, HostRole, Key, State};

/// How to start a stand-in.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; `127.0.0.1:0` if absent.
    pub listen: Option<SocketAddr>,
    /// Serve TLS, and nothing plain.
    pub tls: Option<Tls>,
    pub region: String,
    pub keys: Vec<Key>,
    /// The role of the host, which [`Ec2::serve_host_metadata`] tells of.
    pub host: Option<HostRole>,
}

impl Default for Config {
    fn default() -> Self {
        let key =
            Key { access_key: super::ACCESS_KEY.into(), secret_key: super::SECRET_KEY.into(), session_token: None };
        Self { listen: None, tls: None, region: super::REGION.into(), keys: vec![key], host: None }
    }
}

/// What all threads share.
pub struct Shared {
    state: Mutex<State>,
    is_over: Mutex<bool>,
    /// Whoever delays an answer waits here for the end.
    over: Condvar,
}

impl Shared {
    /// Takes the lock.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A test that failed with it in hand has said what is wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Option<Response> {
        let reply = {
            let mut state = self.lock();
            if request.path.starts_with(control::PREFIX) {
                Reply::Now(control::answer(&mut state, request))
            } else {
                api::answer(&mut state, request)
            }
        };
        match reply {
            Reply::Now(response) => Some(response),
            Reply::Late(time, response) => self.pause(time).then_some(response),
            Reply::Never => None,
        }
    }

    /// Waits, and no longer than the server lives; whether it lives.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            is_over = self.over.wait_timeout(is_over, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

/// A running stand-in. It stops when this is dropped.
pub struct Ec2 {
    shared: Arc<Shared>,
    door: Door,
    scheme: &'static str,
}

/// Starts a stand-in; it answers when this returns.
///
/// # Errors
///
/// The address is taken, or the certificate is of no use.
pub fn start(config: Config) -> Result<Ec2> {
    let address = config.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listener = TcpListener::bind(address).with_context(|| format!("Failed to listen on {address}"))?;
    let mut state = State::new(&config.region, config.keys);
    state.host = config.host;
    let shared = Arc::new(Shared { state: Mutex::new(state), is_over: Mutex::new(false), over: Condvar::new() });
    let served = Arc::clone(&shared);
    let door = listen::serve(listener, config.tls.as_ref(), Arc::new(move |request| served.answer(&request)))?;
    Ok(Ec2 { shared, door, scheme: if config.tls.is_some() { "https" } else { "http" } })
}

impl Ec2 {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// The same, as clients want it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }

    /// Looks at what it knows, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.shared.lock())
    }

    /// Has coming requests treated in another way.
    pub fn inject(&self, rule: Rule) {
        self.with(|state| state.rules.push(rule));
    }

    /// Changes how it behaves.
    pub fn set(&self, settings: &Settings) {
        self.with(|state| state.set(settings));
    }

    /// All instances, in the order of their launch.
    pub fn instances(&self) -> Vec<Instance> {
        self.with(|state| state.instances.clone())
    }

    /// All requests.
    pub fn log(&self) -> Vec<Entry> {
        self.with(|state| state.log.clone())
    }

    /// How many requests of an action there were.
    pub fn count(&self, action: &str) -> usize {
        self.with(|state| state.count(action))
    }

    /// Takes a spot instance away; whether there was one that stood.
    pub fn interrupt(&self, id: &str) -> bool {
        self.with(|state| state.interrupt(id))
    }

    /// An instance powers itself off.
    pub fn power_off(&self, id: &str) {
        self.with(|state| state.has_ended(id));
    }

    /// What an instance has written to its console.
    pub fn set_console(&self, id: &str, text: &str) {
        self.with(|state| {
            if let Some(instance) = state.instance_mut(id) {
                instance.console = text.into();
            }
        });
    }

    /// Instances are real machines from now on: whoever makes them is told of them here.
    pub fn booted(&self) -> mpsc::Receiver<Event> {
        let (sender, events) = mpsc::channel();
        self.with(|state| (state.is_booted, state.events) = (true, Some(sender)));
        events
    }

    /// Serves the metadata of an instance at a port that is bound, in whatever network it is.
    ///
    /// # Errors
    ///
    /// The port is none.
    pub fn serve_metadata(&self, id: &str, listener: TcpListener) -> Result<Door> {
        self.serve(Whose::Instance(id.into()), listener)
    }

    /// Serves the metadata of the host that uses this, with the credential of its role.
    ///
    /// # Errors
    ///
    /// The port is none.
    pub fn serve_host_metadata(&self, listener: TcpListener) -> Result<Door> {
        self.serve(Whose::Host, listener)
    }

    fn serve(&self, whose: Whose, listener: TcpListener) -> Result<Door> {
        let metadata = Metadata { shared: Arc::clone(&self.shared), whose, tokens: Mutex::new(BTreeMap::new()) };
        listen::serve(listener, None, Arc::new(move |request| Some(metadata.answer(&request))))
    }
}

impl Drop for Ec2 {
    fn drop(&mut self) {
        *self.shared.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.over.notify_all();
    }
}
