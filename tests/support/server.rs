//! A broker with a server behind it, in this process: for starts whose credential is one of the API.
//!
//! It does what the protocol says and keeps the rule that the real one keeps: it retires nobody whom the copy of the ledger
//! does not name that it got for the connection, nor anybody whom the ledger on disk does not name. The real broker has tests of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use github_runners::contract::audience::{Audience, Reach, Sight};
use github_runners::contract::protocol::{Answer, Issue, Outcome, RemoteRunner, Request, Secret, Verb, Whom};
use serde_json::{Value, json};

/// What the server gives out to be staged.
pub const MINTED: &str = "MINTEDFAKETOKENFAKETOKEN";

/// Ends the thread.
const STOP: &str = "stop\n";

/// Is answered with itself.
const SETTLED: &str = "settled\n";

/// What the server knows, and how it behaves.
#[derive(Debug, Default)]
pub struct State {
    pub runners: Vec<RemoteRunner>,
    /// Ids of deleted runners.
    pub deleted: Vec<u64>,
    /// Every verb, in order.
    pub asked: Vec<Verb>,
    /// The id that was given out last.
    pub last: u64,
    /// Answers everything in place of the server.
    pub instead: Option<Outcome>,
    /// Answers who can have code run; a private repository's unless told otherwise.
    pub audience: Option<Outcome>,
    /// Makes the next JIT configuration and dies before it answers.
    pub mute_at_jit: bool,
    pub expires: Option<u64>,
    /// Another file in each JIT configuration.
    pub extra_file: Option<String>,
    /// Takes the holder of the name away for a JIT configuration, as the manifest's `replace` says.
    pub replace: bool,
    /// Makes the next runner by JIT configuration, but lets its answer get lost on the way.
    pub uncertain: bool,
    /// Somebody else's runners that come right after a look.
    pub after_look: Vec<RemoteRunner>,
    /// All runners there are from the next look for an attempt's on.
    pub after_attempt: Option<Vec<RemoteRunner>>,
    /// Answers the next request for a JIT configuration, which has its effect all the same.
    pub after_jit: Option<Outcome>,
    /// Answers everything from the next deletion on.
    pub after_retire: Option<Outcome>,
    /// Refuses to look for what an attempt made.
    pub no_attempts: Option<String>,
    /// Another address that never answers.
    pub silent: Option<String>,
    /// The configured name, by which a look goes; `runner1` unless told otherwise.
    pub name: Option<String>,
    /// How many connections were asked anything, each of which is a process of systemd's.
    pub connections: u32,
}

/// The broker of runner1; stops when it is dropped.
pub struct Server {
    state: Arc<Mutex<State>>,
    socket: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `root`/broker and reads the ledger at `root`/ledger.
    pub fn start(root: &Path) -> Self {
        let socket = root.join("broker");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let state = Arc::new(Mutex::new(State { last: 40, ..State::default() }));
        let (shared, ledger) = (Arc::clone(&state), root.join("ledger/runner1.json"));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if !serve(&stream.expect("a connection"), &shared, &ledger) {
                    return;
                }
            }
        });
        Self { state, socket, thread: Some(thread) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Waits until everything that was asked has had its effect, also what was asked by a program that is dead by
    /// now. Questions are served in the order of their connections, so this one comes last.
    ///
    /// # Panics
    ///
    /// If the server has panicked.
    pub fn settle(&self) {
        let mut stream = UnixStream::connect(&self.socket).expect("a broker that did not panic");
        stream.write_all(SETTLED.as_bytes()).expect("a broker that did not panic");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("a broker that did not panic");
        assert_eq!(answer, SETTLED, "the broker panicked");
    }

    /// The ids of all runners.
    pub fn ids(&self) -> Vec<u64> {
        self.state().runners.iter().map(|runner| runner.id).collect()
    }

    /// Adds a runner that is offline and idle.
    pub fn add(&self, id: u64, name: &str) {
        self.state().runners.push(RemoteRunner { id, name: name.into(), online: false, busy: false });
    }

    /// What was asked since the last time, as words.
    pub fn asked(&self) -> String {
        let words: Vec<String> = std::mem::take(&mut self.state().asked)
            .iter()
            .map(|verb| match verb {
                Verb::Issue(Issue::Token) => "token".into(),
                Verb::Issue(Issue::Jit { .. }) => "jit".into(),
                Verb::Retire { id, .. } => format!("retire {id}"),
                Verb::Observe(Whom::Id { id, .. }) => format!("observe {id}"),
                Verb::Observe(Whom::Name) => "look".into(),
                Verb::Observe(Whom::Attempt) => "attempt".into(),
                Verb::List => "list".into(),
                Verb::Preflight => "preflight".into(),
                Verb::Audience => "audience".into(),
                Verb::Run { .. } | Verb::Jobs { .. } | Verb::Artifact { .. } | Verb::Keys => "about a workflow".into(),
            })
            .collect();
        words.join(", ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = UnixStream::connect(&self.socket).and_then(|mut stream| stream.write_all(STOP.as_bytes()));
        if std::thread::panicking() {
            // The test has said what is wrong; a second panic would hide it.
            return;
        }
        stop.expect("a broker that listens");
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a broker that did not panic");
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Answers all questions of a connection with the ledger entry that is there at the first one; `false` to stop.
fn serve(stream: &UnixStream, state: &Mutex<State>, ledger: &Path) -> bool {
    let mut reader = BufReader::new(stream);
    let mut texts = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.is_empty() {
            // Tests also kill whoever asks before anything was asked.
            return true;
        }
        if line == STOP {
            return false;
        }
        if line == SETTLED {
            (&*stream).write_all(line.as_bytes()).expect("a test that waits");
            return true;
        }
        let mut state = lock(state);
        let texts = texts.get_or_insert_with(|| {
            state.connections += 1;
            Texts { copy: fs::read(ledger).unwrap_or_default(), disk: ledger.into() }
        });
        if !answer(stream, &mut state, texts, &line) {
            return true;
        }
    }
}

/// The ledger entry as a broker got it for its connection, and where it is now. Empty if there is none.
struct Texts {
    copy: Vec<u8>,
    disk: PathBuf,
}

/// Answers one question; tells whether another one may follow.
fn answer(stream: &UnixStream, state: &mut State, ledger: &Texts, line: &str) -> bool {
    let request: Request = serde_json::from_str(line).expect("a request");
    assert_eq!(request.instance.as_str(), "runner1");
    state.asked.push(request.verb.clone());
    let is_jit = matches!(request.verb, Verb::Issue(Issue::Jit { .. }));
    let mut outcome = state.instead.clone().unwrap_or_else(|| state.outcome(request.verb, ledger));
    if is_jit && let Some(instead) = state.after_jit.take() {
        outcome = instead;
    }
    if is_jit && std::mem::take(&mut state.mute_at_jit) {
        return false;
    }
    let answer = Answer { credential_expires: state.expires, ..Answer::unasked(outcome) };
    let text = serde_json::to_string(&answer).expect("an answer") + "\n";
    // Whoever asked may be dead by now.
    _ = (&*stream).write_all(text.as_bytes());
    true
}

impl State {
    fn outcome(&mut self, verb: Verb, ledger: &Texts) -> Outcome {
        match verb {
            Verb::Observe(Whom::Attempt) if self.no_attempts.is_some() => {
                Outcome::Refused(self.no_attempts.clone().unwrap_or_default())
            }
            Verb::Observe(whom) => {
                let seen = self.seen(&whom, ledger);
                match whom {
                    Whom::Name => self.runners.append(&mut self.after_look),
                    Whom::Attempt => self.after_attempt.take().into_iter().for_each(|runners| self.runners = runners),
                    Whom::Id { .. } => {}
                }
                Outcome::Seen(seen)
            }
            Verb::Retire { id, url } => {
                assert!(names(ledger, id, &url), "the ledger does not name {id} of {url}");
                if self.silent.as_ref() == Some(&url) {
                    return Outcome::Unreachable("nobody answers there".into());
                }
                if url != "https://github.com/octo-org/example" {
                    return Outcome::Gone;
                }
                match self.runners.iter().position(|seen| seen.id == id) {
                    None => Outcome::Gone,
                    Some(at) if self.runners[at].busy => Outcome::Busy,
                    Some(at) => {
                        self.deleted.push(self.runners.remove(at).id);
                        self.instead = self.after_retire.take();
                        Outcome::Retired
                    }
                }
            }
            Verb::Issue(Issue::Token) => Outcome::Token(Secret::new(MINTED.into())),
            Verb::Issue(Issue::Jit { work_folder }) => self.jit(&work_folder),
            Verb::List => Outcome::Listed(self.runners.clone()),
            Verb::Preflight => Outcome::Ready { newest_runner: Some("2.400.0".into()), releases: vec![] },
            Verb::Audience => self
                .audience
                .clone()
                .unwrap_or(Outcome::Audience(Audience { reach: Sight::Is(Reach::Private), approval: None })),
            Verb::Run { .. } | Verb::Jobs { .. } | Verb::Artifact { .. } | Verb::Keys => {
                Outcome::Refused("a runner's step asks nothing about workflows".into())
            }
        }
    }

    fn seen(&self, whom: &Whom, ledger: &Texts) -> Option<RemoteRunner> {
        let configured = self.name.clone().unwrap_or_else(|| "runner1".into());
        let named = |name: &str| self.runners.iter().find(|seen| seen.name == name).cloned();
        match whom {
            Whom::Id { id, .. } => self.runners.iter().find(|seen| seen.id == *id).cloned(),
            Whom::Name => named(&configured),
            Whom::Attempt => {
                let entry: Value = serde_json::from_slice(&ledger.copy).expect("an entry in JSON");
                assert!(entry["attempt"].is_object(), "there is no attempt");
                named(entry["registration"]["name"].as_str().unwrap_or("this-host"))
            }
        }
    }

    fn jit(&mut self, work_folder: &str) -> Outcome {
        if self.uncertain {
            self.uncertain = false;
            self.last += 1;
            self.runners.push(RemoteRunner { id: self.last, name: "runner1".into(), online: false, busy: false });
            return Outcome::Uncertain(self.runners[self.runners.len() - 1].clone());
        }
        if let Some(at) = self.runners.iter().position(|seen| seen.name == "runner1") {
            if !self.replace {
                return Outcome::NameTaken(self.runners[at].clone());
            }
            self.deleted.push(self.runners.remove(at).id);
        }
        self.last += 1;
        let id = self.last;
        self.runners.push(RemoteRunner { id, name: "runner1".into(), online: false, busy: false });
        let settings = json!({ "AgentId": id.to_string(), "AgentName": "runner1", "Ephemeral": "True", "WorkFolder": work_folder });
        let secret = |value: Value| Secret::new(value.to_string());
        let mut files = BTreeMap::from([
            (".runner".into(), secret(settings)),
            (".credentials".into(), secret(json!({ "Scheme": "OAuth" }))),
            (".credentials_rsaparams".into(), secret(json!({ "d": "FAKEKEY" }))),
        ]);
        files.extend(self.extra_file.clone().map(|name| (name, secret(json!({})))));
        Outcome::Jit { id, name: "runner1".into(), files }
    }
}

/// Whether the ledger names this runner, the copy of it as well as the one on disk.
fn names(ledger: &Texts, id: u64, url: &str) -> bool {
    let Ok(disk) = fs::read(&ledger.disk) else { return false };
    [&ledger.copy, &disk].into_iter().all(|text| text_names(text, id, url))
}

fn text_names(text: &[u8], id: u64, url: &str) -> bool {
    let entry: Value = serde_json::from_slice(text).expect("a ledger entry");
    let former = entry["leftBehind"].as_array().expect("a list");
    let is = |runner: &Value| runner["id"] == json!(id) && runner["url"] == json!(url);
    former.iter().any(|left| is(&left["runner"])) || is(&entry["runner"])
}
