//! What a server knows: projects, profiles, images, instances, and operations that change them when their time has come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::operation::{Effect, Operation, taken};
use super::rules::{Rule, Then};
use super::{FINGERPRINT, Flavor, IMAGE, PROFILE, PROJECT};

/// How long what takes. Nothing, unless tests say so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Durations {
    /// The image is downloaded. Nothing is to be seen of the instance before.
    pub download: Duration,
    /// An instance is made.
    pub create: Duration,
    /// It starts.
    pub start: Duration,
    /// It stops.
    pub stop: Duration,
    /// It is deleted.
    pub delete: Duration,
    /// It has an address, counted from its start.
    pub address: Duration,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    pub fingerprint: String,
    pub aliases: Vec<String>,
    pub kind: &'static str,
    pub architecture: &'static str,
}

/// A profile.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub config: Map<String, Value>,
    pub devices: Value,
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Made {
    /// The body of the request.
    pub body: Value,
    /// 102 is stopped, 103 running.
    pub status: u16,
    /// When it was started. One whose status is an error runs all the same if it was.
    pub started: Option<Instant>,
    /// Addresses beside that of every guest.
    pub addresses: Vec<Value>,
}

impl Made {
    /// Whether it runs, whatever is wrong with it.
    pub fn runs(&self) -> bool {
        self.status == 103 || (self.status == 112 && self.started.is_some())
    }
}

/// How long operations are known after their end.
const KEPT: Duration = Duration::from_secs(5);

/// All of it.
pub struct State {
    pub projects: Vec<String>,
    pub profiles: BTreeMap<String, Profile>,
    pub images: Vec<Image>,
    pub instances: BTreeMap<(String, String), Made>,
    pub durations: Durations,
    /// Instances of whom lists tell the name alone: their host is away, or they cannot be read.
    pub untold: Vec<String>,
    /// Whether guests get addresses.
    pub has_addresses: bool,
    /// What guests wrote to their consoles.
    pub console: String,
    /// What is known besides of what a server can do.
    pub extensions: Vec<&'static str>,
    pub(super) rules: Vec<Rule>,
    pub(super) requests: Vec<String>,
    pub(super) operations: Vec<Operation>,
    /// The stand-in ends.
    pub(super) is_over: bool,
    /// Nobody can connect.
    pub(super) is_away: bool,
    counted: u64,
}

impl State {
    pub(super) fn new() -> Self {
        let root = json!({"root": {"type": "disk", "path": "/", "pool": "default"}});
        let image = |fingerprint: &str, alias: &str, kind, architecture| Image {
            fingerprint: fingerprint.into(),
            aliases: vec![alias.into()],
            kind,
            architecture,
        };
        Self {
            projects: vec!["default".into(), PROJECT.into()],
            profiles: BTreeMap::from([
                ("default".into(), Profile { devices: root, ..Profile::default() }),
                (PROFILE.into(), Profile::default()),
            ]),
            images: vec![
                image(FINGERPRINT, IMAGE, "container", "x86_64"),
                image(&"b".repeat(64), "trixie-vm", "virtual-machine", "x86_64"),
                image(&"c".repeat(64), "trixie-arm", "container", "aarch64"),
            ],
            instances: BTreeMap::new(),
            durations: Durations::default(),
            untold: Vec::new(),
            has_addresses: true,
            console: String::new(),
            extensions: Vec::new(),
            rules: Vec::new(),
            requests: Vec::new(),
            operations: Vec::new(),
            is_over: false,
            is_away: false,
            counted: 0,
        }
    }

    /// Whether nobody takes new connections.
    pub(super) fn is_away(&self) -> bool {
        self.is_over || self.is_away
    }

    /// The names of the instances of a project.
    pub fn names(&self, project: &str) -> Vec<String> {
        self.instances.keys().filter(|(of, _)| of == project).map(|(_, name)| name.clone()).collect()
    }

    /// Adds an instance with this status, 102 or 103, and these keys in its configuration.
    pub fn add(&mut self, project: &str, name: &str, status: u16, config: &[(&str, &str)]) {
        let config: Map<String, Value> = config.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let body =
            json!({"name": name, "type": "container", "architecture": "x86_64", "config": config, "profiles": []});
        let started = (status == 103).then(Instant::now);
        self.instances.insert((project.into(), name.into()), Made { body, status, started, addresses: Vec::new() });
    }

    /// Lets everything that goes on end now, and whatever begins later take no time.
    pub fn finish(&mut self) {
        self.durations = Durations::default();
        for operation in &mut self.operations {
            operation.due = operation.due.min(Instant::now());
            if let Some((seen, _)) = &mut operation.record {
                *seen = operation.due.min(*seen);
            }
        }
    }

    /// Begins an operation.
    pub(super) fn begin(
        &mut self,
        description: &'static str,
        (project, name): (&str, &str),
        effect: Effect,
        takes: Duration,
    ) -> &mut Operation {
        self.counted += 1;
        let operation = Operation {
            id: format!("00000000-0000-4000-8000-{:012}", self.counted),
            description,
            project: project.into(),
            name: name.into(),
            effect,
            due: Instant::now() + takes,
            record: None,
            ended: None,
            is_forgotten: false,
        };
        self.operations.push(operation);
        self.operations.last_mut().expect("the one that was added")
    }

    /// Has the operation that was begun last fail, or be forgotten at its end.
    pub(super) fn spoil(&mut self, then: &Then) {
        let Some(operation) = self.operations.last_mut() else { return };
        match then {
            Then::FailOperation(why) => {
                let why = (*why).to_owned();
                operation.effect = match operation.effect {
                    Effect::Create { .. } => Effect::FailCreation(why),
                    _ => Effect::Fail(why),
                };
            }
            Then::ForgetOperation => operation.is_forgotten = true,
            Then::Pretend => {
                (operation.effect, operation.due, operation.record) = (Effect::Nothing, Instant::now(), None);
            }
            _ => {}
        }
    }

    /// An operation that is still known.
    pub(super) fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// What is being done to an instance.
    pub(super) fn busy(&self, project: &str, name: &str) -> Option<&Operation> {
        let is_on = |operation: &&Operation| operation.project == project && operation.name == name;
        self.operations.iter().filter(is_on).find(|operation| {
            operation.ended.is_none() && !matches!(operation.effect, Effect::Fail(_) | Effect::Nothing)
        })
    }

    /// Does what has come to its time, in that order, and forgets what is over.
    pub(super) fn settle(&mut self, flavor: Flavor) {
        let now = Instant::now();
        self.show(flavor, now);
        let mut due: Vec<usize> = (0..self.operations.len())
            .filter(|at| self.operations[*at].ended.is_none() && self.operations[*at].due <= now)
            .collect();
        due.sort_by_key(|at| self.operations[*at].due);
        for at in due {
            let Operation { project, name, effect, due, .. } = self.operations[at].clone();
            let result = self.apply(flavor, &(project, name), effect, due);
            self.operations[at].ended = Some((due, result));
        }
        self.operations.retain(|operation| match &operation.ended {
            Some((end, _)) => !operation.is_forgotten && now.duration_since(*end) < KEPT,
            None => true,
        });
    }

    /// Shows the instances whose images are there.
    pub(super) fn show(&mut self, flavor: Flavor, now: Instant) {
        for operation in &mut self.operations {
            let Some((_, made)) = operation.record.take_if(|(seen, _)| *seen <= now) else { continue };
            let key = (operation.project.clone(), operation.name.clone());
            match self.instances.entry(key) {
                Entry::Vacant(free) => _ = free.insert(made),
                Entry::Occupied(_) => operation.effect = Effect::Fail(taken(flavor).into()),
            }
        }
    }

    fn apply(&mut self, flavor: Flavor, key: &(String, String), effect: Effect, due: Instant) -> Result<(), String> {
        let Some(instance) = self.instances.get_mut(key) else {
            return match effect {
                Effect::Fail(why) | Effect::FailCreation(why) => Err(why),
                Effect::Nothing => Ok(()),
                _ => Err("Instance not found".into()),
            };
        };
        match effect {
            // LXD does not know the wish to start it, and says nothing.
            Effect::Create { start } if start && flavor == Flavor::Incus => {
                (instance.status, instance.started) = (103, Some(due));
            }
            Effect::Create { .. } | Effect::Nothing => {}
            Effect::Start => (instance.status, instance.started) = (103, Some(due)),
            Effect::Stop => (instance.status, instance.started) = (102, None),
            Effect::Delete => {
                self.instances.remove(key);
            }
            Effect::Fail(why) => return Err(why),
            Effect::FailCreation(why) => {
                self.instances.remove(key);
                return Err(why);
            }
        }
        Ok(())
    }
}
