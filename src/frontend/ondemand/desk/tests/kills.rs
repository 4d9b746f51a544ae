//! A desk that is a process of its own, and is killed at its N-th system call of a kind: what the next one finds is enough to
//! leave nothing, and to make no second machine beside the first.
//!
//! The server and the machines are this process's and live on, as they do when a real desk is killed.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::super::hands::{Kinds, Paths};
use super::super::run;
use super::cloud;
use super::server::{OneDoor, Server, serve};
use super::world::{create, home, settings};
use crate::frontend::ondemand::kind::ec2::Ec2;
use crate::frontend::ondemand::kind::{Kind, Launch, Seen, Unmade};
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::{Maker, Order, State, Token};
use crate::frontend::ondemand::settings::{KindSettings, Settings};
use crate::frontend::ondemand::source::Source;
use crate::frontend::ondemand::wire::{Question, VERSION};
use crate::machines::Fault;
use crate::registration::jit::JitRegistration;
use crate::wait::wait_for;

const LABEL: &str = "od-7-build";
const STEM: &str = "od-7-build.x86_64";
/// Names the directory of a desk that is a process of its own.
const HOME: &str = "DESK_HOME";
/// Every kind of call by which a desk changes something that outlives it.
const CHANGES: [&str; 6] = ["?write", "?fsync", "?renameat", "?renameat2", "?unlinkat", "?connect"];
/// How many calls of a kind lie between two kills, unless every one is asked for. strace counts those of each thread by themselves.
const DISTANCE: usize = 4;
/// Set, a desk is killed at every call.
const EVERY: &str = "CRASH_AT_EVERY_CALL";
/// A desk makes no more calls of one kind in an order's life.
const MOST: usize = 2_000;
/// How many kinds are tried at the same time.
const WORKERS: usize = 6;

/// Machines that are files: the id of the runner in each.
struct Files(PathBuf);

impl Kind for Files {
    fn maker(&self) -> Maker {
        Maker::Nspawn
    }

    fn name(&self, _: &Key, token: &Token) -> String {
        token.as_str().into()
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade> {
        let other = |error: std::io::Error| Fault::Unavailable(error.to_string());
        let registration = JitRegistration::parse(&fs::read(launch.registration).map_err(other)?).unwrap();
        let path = self.0.join(self.name(launch.key, launch.token));
        match fs::File::create_new(&path) {
            Err(_) => Err(Fault::Duplicate("It is there".into()).into()),
            Ok(_) => Ok(fs::write(path, registration.id.to_string()).map_err(other)?),
        }
    }

    fn look(&self) -> Result<Vec<Seen>, Fault> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        Ok(names.map(|name| Seen::standing(name, false)).collect())
    }

    fn end(&self, name: &str) -> Result<(), Fault> {
        _ = fs::remove_file(self.0.join(name));
        Ok(())
    }

    fn console(&self, _: &str) -> Result<String, Fault> {
        Ok(String::new())
    }
}

/// Not a test by itself: the desk that the others kill.
#[test]
#[ignore = "a process of its own"]
fn desk_process() {
    let home = PathBuf::from(std::env::var_os(HOME).expect("only for the tests below"));
    let settings = Settings::parse(&fs::read(home.join("settings.json")).unwrap()).unwrap();
    let paths = Paths { state: home.join("state"), runtime: home.join("run"), machine_id: home.join("machine-id") };
    let mut kinds = Kinds::default();
    for (name, class) in &settings.classes {
        match &class.kind {
            KindSettings::Ec2 { broker, place, .. } => {
                kinds.add(Arc::new(Ec2::new(broker, name.clone(), place)), [name.clone()]);
            }
            _ => kinds.add(Arc::new(Files(home.join("machines"))), [name.clone()]),
        }
    }
    let doors = Box::new(OneDoor(settings.broker.clone()));
    let socket: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    run(settings, paths, |_, _| Ok(kinds), doors, socket).unwrap();
}

/// One try: a host whose desk dies once.
struct Host {
    home: tempfile::TempDir,
    listener: UnixListener,
    server: Arc<Mutex<Server>>,
    cloud: Option<Arc<Mutex<cloud::Asked>>>,
}

/// Where machines are.
#[derive(Clone, Copy)]
enum Place {
    Here,
    Cloud,
}

impl Host {
    fn new(place: Place) -> Self {
        let home = home();
        fs::create_dir(home.path().join("machines")).unwrap();
        let mut settings = settings(home.path());
        let mut asked = None;
        if let Place::Cloud = place {
            let broker = home.path().join("cloud");
            let kind =
                json!({ "ec2": { "broker": broker, "place": "here", "spot": 1, "candidates": 2, "runner": null } });
            // The other one would be a second account.
            settings["classes"].as_object_mut().unwrap().remove("arm64");
            let class = &mut settings["classes"]["x86_64"];
            (class["kind"], class["pricePerHour"]) = (kind, json!(1));
            settings["limits"] = json!({ "costPerDay": 1_000_000 });
            asked = Some(cloud::serve(home.path()));
        }
        fs::write(home.path().join("settings.json"), settings.to_string()).unwrap();
        let server = Arc::new(Mutex::new(Server::default()));
        server.lock().unwrap().queued.insert((7, LABEL.into()));
        serve(&home.path().join("broker"), &server);
        let listener = UnixListener::bind(home.path().join("desk.sock")).unwrap();
        Self { home, listener, server, cloud: asked }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn desk(&self, program: &mut Command) -> Child {
        let arguments = ["--exact", "frontend::ondemand::desk::tests::kills::desk_process", "--ignored", "--nocapture"];
        program
            .args(arguments)
            .env(HOME, self.home.path())
            .stdin(Stdio::from(OwnedFd::from(self.listener.try_clone().unwrap())))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace has to be installed")
    }

    /// Asks for the runner; whether anybody answers does not matter.
    fn order(&self) {
        let ask = create(LABEL, &["x86_64"]);
        let source = Source::of([192, 0, 2, 1].into());
        let line = Question { version: VERSION, source, wait: 0, token: None, ask }.line().unwrap();
        let mut stream = UnixStream::connect(self.path("desk.sock")).unwrap();
        std::io::Write::write_all(&mut stream, &line).unwrap();
        // Kept open until the desk has read it.
        thread::spawn(move || drop(std::io::Read::read_to_end(&mut stream, &mut Vec::new())));
    }

    fn read(&self) -> Option<Order> {
        let key = Key::from_stem(STEM).unwrap();
        let text = fs::read(self.path("state/orders").join(format!("{STEM}.json"))).ok()?;
        Some(Order::parse(&text, &key).expect("a file appears complete or not at all"))
    }

    fn machines(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path("machines")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The cloud was asked for one thing only under each token, if there is one.
    fn asks_for_nothing_else(&self, when: &str) {
        let fault = self.cloud.as_ref().and_then(|cloud| cloud.lock().unwrap().fault.clone());
        assert_eq!(fault, None, "{when}: another request under the same token");
    }

    /// What happens on machines: a runner comes online, takes its job, and is done.
    fn live(&self) {
        let machines = self.machines();
        assert!(machines.len() <= 1, "two machines at once");
        let mut server = self.server.lock().unwrap();
        let was_listed = server.asked.contains(&"list");
        for machine in machines {
            let Some(id) = fs::read_to_string(&machine).ok().and_then(|id| id.parse::<u64>().ok()) else { continue };
            let Some(runner) = server.runners.get_mut(&id) else { continue };
            if !runner.online {
                runner.online = true;
            } else if !runner.busy {
                // A list has to have shown it in between.
                runner.busy = was_listed;
            } else {
                server.runners.remove(&id);
                _ = fs::remove_file(machine);
            }
        }
        if was_listed {
            server.asked.clear();
        }
    }
}

/// Kills a desk at its call; false if it made no such call.
fn dies_at(place: Place, kind: &str, number: usize) -> bool {
    let when = format!("killed at {kind} {number}");
    let host = Host::new(place);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={kind}")]);
    strace.args(["-e", &format!("inject={kind}:signal=SIGKILL:when={number}")]).arg(this());
    let mut desk = host.desk(&mut strace);
    host.order();
    let mut died = false;
    wait_for(&format!("the end of a desk, {when}"), || {
        host.live();
        if let Some(status) = desk.try_wait().unwrap() {
            died = status.signal() == Some(9) || status.code() == Some(137);
            assert!(died, "{when}: the desk ended with {status}");
            return Some(());
        }
        host.read().is_some_and(|order| order.state == State::Ended).then_some(())
    });
    if !died {
        end(desk);
        return false;
    }
    let second = host.desk(&mut Command::new(this()));
    host.order();
    wait_for(&format!("the end of the order, {when}"), || {
        host.live();
        host.read().is_some_and(|order| order.state == State::Ended).then_some(())
    });
    wait_for(&format!("an empty server, {when}"), || {
        let server = host.server.lock().unwrap();
        (server.runners.is_empty() && host.machines().is_empty()).then_some(())
    });
    end(second);
    assert_eq!(fs::read_dir(host.path("run/orders")).unwrap().count(), 0, "{when}");
    host.asks_for_nothing_else(&when);
    true
}

fn this() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Ends a desk as systemd does.
fn end(mut desk: Child) {
    let pid = Pid::from_raw(i32::try_from(desk.id()).unwrap());
    // Of strace it is the child that has to hear it.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let child = children.split_whitespace().next().and_then(|child| child.parse().ok());
    _ = kill(child.map_or(pid, Pid::from_raw), Signal::SIGTERM);
    wait_for("the end of a desk that was told to end", || desk.try_wait().unwrap());
}

/// Kills desks at every so many calls of each kind; how many died.
fn kills(place: Place, distance: usize) -> usize {
    let kinds = Mutex::new(CHANGES.into_iter());
    let next = || kinds.lock().unwrap().next();
    let work = || {
        let mut kills = 0;
        while let Some(kind) = next() {
            kills += (1..MOST).step_by(distance).take_while(|number| dies_at(place, kind, *number)).count();
        }
        kills
    };
    thread::scope(|scope| {
        let workers = [(); WORKERS].map(|()| scope.spawn(work));
        workers.into_iter().map(|worker| worker.join().expect("the claims hold at every kill")).sum()
    })
}

fn distance(usual: usize, of_all: usize) -> usize {
    if std::env::var_os(EVERY).is_some() { of_all } else { usual }
}

#[test]
fn a_desk_that_is_killed_at_any_change_leaves_an_order_that_the_next_one_ends() {
    let kills = kills(Place::Here, distance(DISTANCE, 1));
    assert!(kills > 10, "died at {kills} places only");
}

#[test]
fn a_desk_with_a_cloud_that_is_killed_at_any_change_asks_for_the_same_and_leaves_nothing() {
    // Looks at a cloud are seconds apart, so each life takes longer.
    let kills = kills(Place::Cloud, distance(24, 2));
    assert!(kills > 4, "died at {kills} places only");
}

#[test]
fn a_desk_that_is_killed_while_a_cloud_makes_its_instance_asks_for_the_same_again() {
    let host = Host::new(Place::Cloud);
    let cloud = host.cloud.clone().expect("this host has one");
    cloud.lock().unwrap().is_silent = true;
    let mut first = host.desk(&mut Command::new(this()));
    host.order();
    wait_for("a request to the cloud", || cloud.lock().unwrap().has_launched().then_some(()));
    first.kill().unwrap();
    first.wait().unwrap();
    let second = host.desk(&mut Command::new(this()));
    // Before its runner is there, or that would tell the desk that the request came through.
    wait_for("a repeat of the request", || cloud.lock().unwrap().was_repeated().then_some(()));
    host.asks_for_nothing_else("killed before the answer");
    wait_for("the end of the order", || {
        host.live();
        host.read().is_some_and(|order| order.state == State::Ended).then_some(())
    });
    end(second);
}
