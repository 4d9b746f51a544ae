//! A GitHub behind brokers' sockets, a kind of machine in memory, and a desk whose clock the test sets.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;

use super::super::event::Event;
use super::super::hands::{Hands, Kinds, Paths};
use super::super::slots::Schedule;
use super::super::state::Desk;
use super::super::waiting::{Answered, Caller};
use super::server::{OneDoor, REPOSITORY, Server, serve};
use crate::contract::protocol::Secret;
use crate::frontend::ondemand::kind::{Kind, Launch, Seen, Unmade};
use crate::frontend::ondemand::label::{Class, Key};
use crate::frontend::ondemand::order::{Maker, Order, State, Token};
use crate::frontend::ondemand::settings::Settings;
use crate::frontend::ondemand::wire::{self, Ask, Question};
use crate::machines::Fault;
use crate::registration::jit::JitRegistration;
use crate::times::HANGS;

/// One machine: the runner on it, and whether it stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vm {
    pub runner: u64,
    pub is_stopped: bool,
}

#[derive(Default)]
pub struct Vms {
    pub all: Mutex<BTreeMap<String, Vm>>,
    pub fault: Mutex<Option<Fault>>,
    /// Which kind these are, if another one than the rest.
    pub maker: Mutex<Option<Maker>>,
    /// How many were asked for, ever.
    pub launches: Mutex<u32>,
    /// Whose end was asked for, ever.
    pub ends: Mutex<Vec<String>>,
    /// Held, an end takes until it is let go.
    pub slow: Mutex<()>,
    /// Whether nobody can list them.
    pub is_silent: AtomicBool,
}

impl Kind for Vms {
    fn maker(&self) -> Maker {
        self.maker.lock().unwrap().unwrap_or(Maker::Nspawn)
    }

    fn name(&self, _: &Key, token: &Token) -> String {
        format!("vm-{}", token.as_str())
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade> {
        *self.launches.lock().unwrap() += 1;
        if let Some(fault) = self.fault.lock().unwrap().clone() {
            return Err(fault.into());
        }
        let name = self.name(launch.key, launch.token);
        let registration = JitRegistration::parse(&std::fs::read(launch.registration).unwrap()).unwrap();
        assert_eq!(registration.repository, *launch.repository);
        let mut all = self.all.lock().unwrap();
        if all.contains_key(&name) {
            return Err(Fault::Duplicate("It is there".into()).into());
        }
        all.insert(name, Vm { runner: registration.id, is_stopped: false });
        Ok(())
    }

    fn look(&self) -> Result<Vec<Seen>, Fault> {
        if self.is_silent.load(Ordering::SeqCst) {
            return Err(Fault::Unavailable("it does not answer".into()));
        }
        let all = self.all.lock().unwrap();
        Ok(all.iter().map(|(name, vm)| Seen::standing(name.clone(), vm.is_stopped)).collect())
    }

    fn end(&self, name: &str) -> Result<(), Fault> {
        self.ends.lock().unwrap().push(name.into());
        drop(self.slow.lock());
        self.all.lock().unwrap().remove(name);
        Ok(())
    }

    fn console(&self, _: &str) -> Result<String, Fault> {
        Ok("booted\n".into())
    }
}

/// The directories and files that a desk needs.
pub fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    for name in ["state", "run"] {
        std::fs::DirBuilder::new().mode(0o700).create(path(name)).unwrap();
    }
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(path("token"), "ghp_0000000000000000000000000000000000fake").unwrap();
    std::fs::write(path("machine-id"), "00000000000000000000000000000001\n").unwrap();
    home
}

/// Settings of a desk there.
pub fn settings(home: &Path) -> serde_json::Value {
    let path = |name: &str| home.join(name);
    let manifest = json!({
        "version": 2, "instance": "on-demand", "replace": false, "tokenType": "access", "githubApp": null,
        "method": null, "reRegisterOnTokenChange": true, "registrationInterval": 60, "listener": "/nonexistent",
        "registration": {
            "ephemeral": true, "extraLabels": ["on-demand"], "name": "on-demand", "noDefaultLabels": true,
            "runnerGroup": null, "tokenFile": path("token"), "url": "https://github.com/octo-org", "workDir": null,
        },
        "repositories": [{ "name": "octo-org/example", "id": REPOSITORY }],
    });
    std::fs::write(path("manifest.json"), manifest.to_string()).unwrap();
    let class = json!({
        "max": 8, "ttl": 3600, "processors": 0, "pricePerHour": 0, "architecture": "x86_64", "notOnline": 300,
        "noJob": 300, "forks": true, "kind": { "nspawn": { "image": "debian" } },
    });
    json!({
        "version": 1, "address": "https://ci.example.org", "prefix": "od", "compatiblePrefix": "rr_runner_",
        "manifest": path("manifest.json"), "broker": path("broker"), "brokerProperties": [],
        "repositories": [{
            "name": "octo-org/example", "id": REPOSITORY, "owner": 42, "proofs": ["queue"], "forks": true,
        }],
        "classes": { "x86_64": class, "arm64": class },
        "limits": {}, "textfileDirectory": null,
    })
}

/// Everything.
pub struct World {
    pub now: u64,
    pub server: Arc<Mutex<Server>>,
    /// The kind that classes had first.
    pub vms: Arc<Vms>,
    /// All kinds; the first one is that of the classes.
    kinds: Vec<Arc<Vms>>,
    pub desk: Desk,
    pub inbox: Receiver<Event>,
    home: TempDir,
    settings: serde_json::Value,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose settings are changed.
    pub fn with(change: impl FnOnce(&mut serde_json::Value)) -> Self {
        let home = home();
        let mut settings = settings(home.path());
        change(&mut settings);
        let server = Arc::new(Mutex::new(Server::default()));
        serve(&home.path().join("broker"), &server);
        let vms = Arc::new(Vms::default());
        let kinds = vec![Arc::clone(&vms)];
        let (desk, inbox) = open(home.path(), &settings, &kinds);
        let now = crate::state::start::now().unwrap();
        Self { now, server, vms, kinds, desk, inbox, home, settings }
    }

    /// Another desk, after a kill: nothing is left but the disk. What was under way is done by then, and nobody hears of it; here
    /// its threads would live on.
    pub fn kill(&mut self) {
        while self.desk.errands + self.desk.looks_out > 0 {
            match self.inbox.recv_timeout(HANGS).expect("an errand has to end") {
                Event::Acted(..) => self.desk.errands -= 1,
                Event::Found(_) => self.desk.looks_out -= 1,
                _ => {}
            }
        }
        (self.desk, self.inbox) = open(self.home.path(), &self.settings, &self.kinds);
    }

    /// The same with other settings.
    pub fn switch(&mut self, change: impl FnOnce(&mut serde_json::Value)) {
        change(&mut self.settings);
        self.kill();
    }

    /// The same with another kind for all classes; that of before has none any more.
    pub fn other_kind(&mut self) {
        self.kinds.insert(0, Arc::default());
        self.kill();
    }

    /// The kind that classes have now.
    pub fn present(&self) -> Arc<Vms> {
        Arc::clone(&self.kinds[0])
    }

    /// The same after a reboot.
    pub fn reboot(&mut self) {
        for entry in std::fs::read_dir(self.home.path().join("run/orders")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        self.vms.all.lock().unwrap().clear();
        self.kill();
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.home.path().join("state").join(name)
    }

    pub fn materials(&self) -> usize {
        std::fs::read_dir(self.home.path().join("run/orders")).unwrap().count()
    }

    /// Asks as the door does; what is answered at once, if anything is.
    pub fn ask(&mut self, ask: Ask) -> Option<wire::Outcome> {
        self.ask_with(ask, None)
    }

    pub fn ask_with(&mut self, ask: Ask, token: Option<&str>) -> Option<wire::Outcome> {
        let answered = self.begin(ask, token, 0);
        self.turn();
        answered.answer.try_recv().ok()
    }

    pub fn begin(&mut self, ask: Ask, token: Option<&str>, wait: u16) -> Answered {
        let token = token.map(|token| Secret::new(token.into()));
        let source = crate::frontend::ondemand::source::Source::of([192, 0, 2, 1].into());
        let (caller, answered) = Caller::new();
        self.desk.arrived(Question { version: wire::VERSION, source, wait, token, ask }, caller, self.now);
        answered
    }

    pub fn create(&mut self, label: &str) -> Option<wire::Outcome> {
        self.ask(create(label, &["x86_64"]))
    }

    /// Lets the desk do what is due, and everything that follows from it at this time.
    pub fn turn(&mut self) {
        for _ in 0..50 {
            self.desk.hear_operator();
            self.desk.step_all(self.now);
            self.desk.schedule = Schedule::new(self.kinds.len());
            let acts = self.desk.errands + self.desk.looks_out;
            self.desk.look_about(self.now);
            while let Some(event) = self.event() {
                self.desk.hear(event, self.now);
            }
            self.desk.step_all(self.now);
            if acts + self.desk.errands + self.desk.looks_out == 0 {
                self.desk.answer_settled();
                return;
            }
        }
        panic!("the desk never rests");
    }

    /// What comes of something that is under way, if anything is.
    pub fn event(&self) -> Option<Event> {
        let is_out = self.desk.errands + self.desk.looks_out + self.desk.schedule.under_way() > 0;
        is_out.then(|| self.inbox.recv_timeout(HANGS).expect("an errand has to end"))
    }

    /// Lets some time pass.
    pub fn after(&mut self, seconds: u64) {
        self.now += seconds;
        self.turn();
    }

    pub fn order(&self, stem: &str) -> &Order {
        &self.desk.orders[&Key::from_stem(stem).unwrap()].order
    }

    pub fn state_of(&self, stem: &str) -> Option<State> {
        self.desk.orders.get(&Key::from_stem(stem).unwrap()).map(|tracked| tracked.order.state)
    }

    /// The runner's listener connects, on every machine.
    pub fn boot(&mut self) {
        let mut server = self.server.lock().unwrap();
        for vm in self.vms.all.lock().unwrap().values() {
            if let Some(runner) = server.runners.get_mut(&vm.runner) {
                runner.online = true;
            }
        }
    }

    /// Waiting jobs go to the runners that are online.
    pub fn start_jobs(&mut self) {
        let mut server = self.server.lock().unwrap();
        let Server { runners, queued, .. } = &mut *server;
        for runner in runners.values_mut().filter(|runner| runner.online) {
            queued.retain(|(_, label)| {
                let takes = !runner.busy && runner.name.starts_with(label);
                runner.busy |= takes;
                !takes
            });
        }
    }

    /// Jobs end: the server forgets their runners, and their machines power off.
    pub fn end_jobs(&mut self) {
        let mut server = self.server.lock().unwrap();
        let done: Vec<u64> = server.runners.values().filter(|runner| runner.busy).map(|runner| runner.id).collect();
        for id in done {
            server.runners.remove(&id);
            self.vms.all.lock().unwrap().retain(|_, vm| vm.runner != id);
        }
    }

    pub fn queue(&self, run: u64, label: &str) {
        self.server.lock().unwrap().queued.insert((run, label.into()));
    }

    /// What was asked of the server since the last time.
    pub fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.server.lock().unwrap().asked)
    }

    /// Nothing is left, on the server or here.
    #[track_caller]
    pub fn is_clean(&self) {
        assert!(self.server.lock().unwrap().runners.is_empty(), "{:?}", self.server.lock().unwrap().runners);
        assert!(self.vms.all.lock().unwrap().is_empty());
        assert_eq!(self.materials(), 0);
    }
}

pub fn create(label: &str, classes: &[&str]) -> Ask {
    let (label, run) = crate::frontend::ondemand::label::Grammar {
        prefix: "od".to_owned().try_into().unwrap(),
        compatible: Some("rr_runner_".to_owned().try_into().unwrap()),
    }
    .parse(label)
    .unwrap();
    let class = |class: &&str| Class::try_from((*class).to_owned()).unwrap();
    Ask::Create { label, classes: classes.iter().map(class).collect(), repository: None, run }
}

fn open(home: &Path, settings: &serde_json::Value, all: &[Arc<Vms>]) -> (Desk, Receiver<Event>) {
    let settings = Settings::parse(settings.to_string().as_bytes()).unwrap();
    let paths = Paths { state: home.join("state"), runtime: home.join("run"), machine_id: home.join("machine-id") };
    let mut kinds = Kinds::default();
    let mut classes: Vec<Class> = settings.classes.keys().cloned().collect();
    for kind in all {
        kinds.add(kind.clone(), classes.drain(..));
    }
    let broker = settings.broker.clone();
    let hands = Hands::open(settings, paths, kinds, Box::new(OneDoor(broker))).unwrap();
    let (events, inbox): (Sender<Event>, _) = channel();
    (Desk::open(Arc::new(hands), events).unwrap(), inbox)
}
