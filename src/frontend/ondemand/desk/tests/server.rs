//! A GitHub behind brokers' sockets: what it knows, what it was asked, and how it misbehaves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde_json::json;

use super::super::hands::Doors;
use crate::contract::manifest::Manifest;
use crate::contract::protocol::{Answer, Issue, Outcome, RemoteRunner, Request, Secret, Verb};
use crate::contract::workflow::{Artifact, QueuedJob, RunState, SigningKey, WorkflowRun};

pub const REPOSITORY: u64 = 123_456;

/// A way in which the server misbehaves once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mischief {
    /// It makes the runner, and its answer gets lost.
    LosesAnswer,
    /// It refuses to make any.
    Refuses,
}

#[derive(Debug, Default)]
pub struct Server {
    pub runners: BTreeMap<u64, RemoteRunner>,
    /// Labels of jobs that wait, each with its run.
    pub queued: BTreeSet<(u64, String)>,
    /// Runs that are over.
    pub over: BTreeSet<u64>,
    /// Runs of forks.
    pub forks: BTreeSet<u64>,
    pub artifacts: Vec<Artifact>,
    /// The next list lacks this one, as if it had slipped through between two pages.
    pub slips: Option<u64>,
    pub is_down: bool,
    /// It takes no requests, and says that it does again since long ago.
    pub is_limited: bool,
    pub mischief: Option<Mischief>,
    /// What was asked, by its word.
    pub asked: Vec<&'static str>,
    pub made: u64,
}

impl Server {
    fn named(&self, name: &str) -> Option<RemoteRunner> {
        self.runners.values().find(|runner| runner.name == name).cloned()
    }

    fn answer(&mut self, instance: &str, verb: Verb) -> Outcome {
        self.asked.push(match &verb {
            Verb::Issue(_) => "issue",
            Verb::Retire { .. } => "retire",
            Verb::Observe(_) => "observe",
            Verb::List => "list",
            Verb::Run { .. } => "run",
            Verb::Jobs { .. } => "jobs",
            Verb::Artifact { .. } => "artifact",
            Verb::Keys => "keys",
            Verb::Preflight => "preflight",
            Verb::Audience => "audience",
        });
        if self.is_down {
            return Outcome::Unreachable("it is down".into());
        }
        if self.is_limited {
            return Outcome::RateLimited(0);
        }
        match verb {
            Verb::Observe(_) => Outcome::Seen(self.named(instance)),
            Verb::Issue(Issue::Jit { .. }) => self.make(instance),
            Verb::Issue(Issue::Token) | Verb::Preflight | Verb::Audience => panic!("nobody needs this"),
            Verb::Retire { id, .. } => match self.runners.get(&id) {
                None => Outcome::Gone,
                Some(runner) if runner.busy => Outcome::Busy,
                Some(_) => {
                    self.runners.remove(&id);
                    Outcome::Retired
                }
            },
            Verb::List => {
                let slips = self.slips.take();
                let shown = self.runners.values().filter(|runner| Some(runner.id) != slips);
                Outcome::Listed(shown.cloned().collect())
            }
            Verb::Run { run, .. } => Outcome::Run((run < 1_000).then(|| WorkflowRun {
                id: run,
                repository: REPOSITORY,
                head_repository: Some(if self.forks.contains(&run) { 7 } else { REPOSITORY }),
                state: if self.over.contains(&run) { RunState::Completed } else { RunState::InProgress },
                attempt: 1,
            })),
            Verb::Jobs { run, .. } => {
                let jobs = self.queued.iter().filter(|(of, _)| *of == run);
                Outcome::Jobs(
                    jobs.map(|(run, label)| QueuedJob { id: 1, run: *run, labels: vec![label.clone()] }).collect(),
                )
            }
            Verb::Artifact { run, name, .. } => {
                let is_it = |artifact: &&Artifact| artifact.run == run && artifact.name == name;
                Outcome::Artifact(self.artifacts.iter().find(is_it).cloned())
            }
            Verb::Keys => {
                let key = SigningKey { kid: "other".into(), n: "AQ".into(), e: "AQAB".into() };
                Outcome::Keys(vec![key])
            }
        }
    }

    fn make(&mut self, name: &str) -> Outcome {
        let mischief = self.mischief.take();
        if mischief == Some(Mischief::Refuses) {
            return Outcome::Refused("The group is gone.".into());
        }
        if let Some(seen) = self.named(name) {
            return Outcome::NameTaken(seen);
        }
        self.made += 1;
        let id = 100 + self.made;
        self.runners.insert(id, RemoteRunner { id, name: name.into(), online: false, busy: false });
        if mischief == Some(Mischief::LosesAnswer) {
            return Outcome::Unreachable("the answer got lost".into());
        }
        let settings = json!({ "AgentId": id.to_string(), "AgentName": name, "Ephemeral": "True" });
        let file = |name: &str, text: String| (name.to_owned(), Secret::new(text));
        let files = BTreeMap::from([
            file(".runner", settings.to_string()),
            file(".credentials", "{}".into()),
            file(".credentials_rsaparams", "{}".into()),
        ]);
        Outcome::Jit { id, name: name.into(), files }
    }
}

/// Answers at a socket as brokers of this server do.
pub fn serve(path: &Path, server: &Arc<Mutex<Server>>) {
    let listener = UnixListener::bind(path).unwrap();
    let server = Arc::clone(server);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let server = Arc::clone(&server);
            std::thread::spawn(move || {
                for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
                    let Request { instance, verb, .. } = serde_json::from_str(&line).unwrap();
                    let outcome = server.lock().unwrap().answer(instance.as_str(), verb);
                    let answer = serde_json::to_string(&Answer::unasked(outcome)).unwrap() + "\n";
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// One socket for the brokers of all orders.
pub struct OneDoor(pub PathBuf);

impl Doors for OneDoor {
    fn with(&self, _: &Manifest, ask: &mut dyn FnMut(&Path)) -> Result<()> {
        ask(&self.0);
        Ok(())
    }

    fn forget(&self, _: &str) -> Result<()> {
        Ok(())
    }
}
