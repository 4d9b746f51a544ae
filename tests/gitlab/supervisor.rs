//! A stand-in for the supervisors of a host: speaks their side of the protocol and runs scripts on this machine, as this user.
//!
//! It exists so that the driver is tested without root, and with supervisors that are slow, silent, dead or lying. Jobs in real
//! machines have claims of their own beside these.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendFlags,
    SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, recvmsg, sendmsg, socket_with,
};
use serde_json::{Value, json};

/// What a supervisor does in place of what it should.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers this to the next errand.
    Errand(Value),
    /// Makes no progress with the next errand until its asker is gone.
    Slow,
    /// Answers this to the next stage, at once.
    Stage(Value),
    /// Closes the connection of the next stage without an answer.
    Mute,
    /// Removes the next machine only after as long.
    Lingers(Duration),
}

/// All supervisors of a host.
#[derive(Clone)]
pub struct Supervisors {
    directory: PathBuf,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    faults: VecDeque<Fault>,
    /// Every message, in order, with the number of descriptors that came along.
    messages: Vec<(Value, usize)>,
    /// The process of the last pidfd.
    owner: Option<i32>,
    /// Groups of the stages that run, by job.
    groups: BTreeMap<u64, Vec<Pid>>,
}

impl Supervisors {
    /// Listens in this run directory.
    pub fn start(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("jobs")).unwrap();
        let supervisors = Self { directory: directory.into(), known: Arc::default() };
        let listener = listener(&directory.join("machines.sock"));
        let host = supervisors.clone();
        thread::spawn(move || host.serve(&listener, |host, connection| host.errand(&connection)));
        supervisors
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes something go wrong once.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// What was asked so far, without the names of keys: `make`, `stage`, `cancel`, `end`, `clear`.
    pub fn asked(&self) -> Vec<String> {
        let word = |message: &Value| match message {
            Value::String(word) => word.clone(),
            Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
            other => other.to_string(),
        };
        self.lock().messages.iter().map(|(message, _)| word(message)).collect()
    }

    /// Every message with its descriptors.
    pub fn messages(&self) -> Vec<(Value, usize)> {
        self.lock().messages.clone()
    }

    /// Whose end the last machine was to end with.
    pub fn owner(&self) -> Option<i32> {
        self.lock().owner
    }

    pub fn job(&self, id: u64) -> PathBuf {
        self.directory.join("jobs").join(id.to_string())
    }

    fn take(&self, is: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut known = self.lock();
        let at = known.faults.iter().position(is)?;
        known.faults.remove(at)
    }

    fn serve(&self, listener: &OwnedFd, each: impl Fn(Self, OwnedFd) + Clone + Send + 'static) {
        while let Ok(connection) = accept_with(listener, SocketFlags::CLOEXEC) {
            let (host, each) = (self.clone(), each.clone());
            thread::spawn(move || each(host, connection));
        }
    }

    fn note(&self, message: &Value, descriptors: &[OwnedFd]) {
        self.lock().messages.push((message.clone(), descriptors.len()));
    }

    fn errand(&self, connection: &OwnedFd) {
        let Some((message, descriptors)) = receive(connection) else { return };
        self.note(&message, &descriptors);
        if let Some(id) = message["clear"]["job"].as_u64() {
            self.remove(id);
            return send(connection, &json!("ready"));
        }
        let id = message["make"]["job"].as_u64().expect("an order");
        self.lock().owner = descriptors.first().and_then(pid_of);
        send(connection, &json!({"doing": "Booting"}));
        match self.take(|fault| matches!(fault, Fault::Errand(_) | Fault::Slow)) {
            Some(Fault::Errand(answer)) => return send(connection, &answer),
            Some(Fault::Slow) => {
                // Its end alone makes it readable.
                _ = receive(connection);
                return self.note(&json!("abandoned"), &[]);
            }
            _ => {}
        }
        if fs::create_dir(self.job(id)).is_err() {
            return send(connection, &json!({"failed": {"kind": "duplicate", "reason": "It exists"}}));
        }
        let listener = listener(&self.job(id).join("socket"));
        let host = self.clone();
        thread::spawn(move || host.serve(&listener, move |host, connection| host.request(id, &connection)));
        send(connection, &json!("ready"));
    }

    fn request(&self, id: u64, connection: &OwnedFd) {
        let Some((message, descriptors)) = receive(connection) else { return };
        self.note(&message, &descriptors);
        if message == "end" {
            send(connection, &json!("ending"));
            return self.remove(id);
        }
        match self.take(|fault| matches!(fault, Fault::Stage(_) | Fault::Mute)) {
            Some(Fault::Stage(answer)) => return send(connection, &answer),
            Some(_) => return,
            None => {}
        }
        let [script, stdout, stderr] = descriptors.try_into().expect("three descriptors");
        let (stdout, stderr): (OwnedFd, OwnedFd) = (stdout, stderr);
        let mut command = Command::new("bash");
        command.stdin(Stdio::from(script)).stdout(stdout).stderr(stderr).process_group(0).env_clear();
        command.env("PATH", "/usr/bin:/bin").current_dir("/");
        let child = command.spawn().expect("bash");
        drop(command);
        let answer = self.follow(id, child, connection);
        send(connection, &answer);
    }

    /// Waits for a stage, and obeys its asker meanwhile.
    fn follow(&self, id: u64, mut child: Child, connection: &OwnedFd) -> Value {
        let group = Pid::from_raw(-child.id().cast_signed());
        self.lock().groups.entry(id).or_default().push(group);
        let (mut deadline, mut open) = (None::<Instant>, true);
        loop {
            if let Some(status) = child.try_wait().expect("a child") {
                return match status.code() {
                    Some(code) => json!({"exit": code}),
                    None if self.job(id).exists() => json!({"signal": status.signal()}),
                    None => json!({"gone": "ended"}),
                };
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                _ = kill(group, Signal::SIGKILL);
            }
            let mut polled = [PollFd::new(connection, PollFlags::IN)];
            let moment = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
            if !open || poll(&mut polled, Some(&moment)).expect("poll") == 0 {
                thread::sleep(Duration::from_millis(if open { 0 } else { 2 }));
                continue;
            }
            if let Some((message, _)) = receive(connection) {
                self.note(&message, &[]);
                let grace = message["cancel"]["grace"].as_u64().expect("nothing else follows");
                _ = kill(group, Signal::SIGTERM);
                deadline = Some(Instant::now() + Duration::from_secs(grace));
            } else {
                self.note(&json!("left"), &[]);
                open = false;
                _ = kill(group, Signal::SIGKILL);
            }
        }
    }

    fn remove(&self, id: u64) {
        if let Some(Fault::Lingers(time)) = self.take(|fault| matches!(fault, Fault::Lingers(_))) {
            thread::sleep(time);
        }
        let parked = self.directory.join(format!("removed-{id}"));
        // In one step: no supervisor leaves half a directory.
        _ = fs::rename(self.job(id), &parked);
        for group in self.lock().groups.remove(&id).unwrap_or_default() {
            _ = kill(group, Signal::SIGKILL);
        }
        _ = fs::remove_dir_all(&parked);
    }
}

/// The process of a pidfd.
fn pid_of(pidfd: &OwnedFd) -> Option<i32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}

fn listener(path: &Path) -> OwnedFd {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 16).unwrap();
    socket
}

fn send(connection: &OwnedFd, message: &Value) {
    let text = message.to_string();
    // Whoever asked may be gone.
    _ = sendmsg(connection, &[IoSlice::new(text.as_bytes())], &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL);
}

fn receive(connection: &OwnedFd) -> Option<(Value, Vec<OwnedFd>)> {
    let mut text = vec![0; 16 << 10];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(connection.as_fd(), &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    let descriptors = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => rights.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let descriptors = descriptors.collect();
    (received.bytes > 0).then(|| (serde_json::from_slice(&text[..received.bytes]).expect("JSON"), descriptors))
}
