//! A door with its socket, and a desk that the test makes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use github_runners::frontend::ondemand::door::places::Limits;
use github_runners::frontend::ondemand::door::serve::{Door, serve};
use github_runners::frontend::ondemand::label::Grammar;
use github_runners::frontend::ondemand::order::{Reason, State};
use github_runners::frontend::ondemand::wire::{Answer, Ask, Outcome, Question, Runner};
use tempfile::TempDir;

use crate::times::HANGS;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_github-runner-door");

/// The program to run: the built one, or another one in the variable `DOOR`.
pub fn program() -> PathBuf {
    std::env::var_os("DOOR").map_or_else(|| PROGRAM.into(), PathBuf::from)
}

/// A good request, with this target and body.
pub fn put(target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "PUT {target} HTTP/1.1\r\nHost: ci.example.org\r\nX-Real-IP: 192.0.2.1\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// A good look at this target.
pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: ci.example.org\r\nX-Real-IP: 192.0.2.1\r\n\r\n")
}

/// A good request.
pub fn good() -> String {
    put("/v1/runners/od-1-a?wait=300", r#"{"class":"x86_64"}"#)
}

/// What a desk does with a question.
pub enum Act {
    /// Answers.
    Answer(Outcome),
    /// Sends these bytes and ends the connection.
    Send(Vec<u8>),
    /// Waits until the door ends the connection.
    Hold,
}

/// What a desk saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// The lines that came.
    pub lines: Vec<String>,
    /// How many connections the door ended that were held.
    pub abandoned: usize,
}

/// What a desk does with each question.
type Acts = dyn Fn(&Question) -> Act + Send + Sync;

/// A desk of the test.
pub struct Desk {
    pub seen: Arc<Mutex<Seen>>,
}

impl Desk {
    fn open(path: &Path, act: impl Fn(&Question) -> Act + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let act: Arc<Acts> = Arc::new(act);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let writes = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (act, seen) = (Arc::clone(&act), Arc::clone(&writes));
                thread::spawn(move || answer(stream.unwrap(), &*act, &seen));
            }
        });
        Self { seen }
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().lines.clone()
    }
}

fn answer(mut stream: UnixStream, act: &Acts, seen: &Mutex<Seen>) {
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    seen.lock().unwrap().lines.push(line.clone());
    let question = Question::of_line(line.as_bytes()).expect("the door asks what the desk does not read");
    // The door may be gone.
    match act(&question) {
        Act::Answer(outcome) => _ = stream.write_all(&Answer::new(outcome).line().unwrap()),
        Act::Send(bytes) => _ = stream.write_all(&bytes),
        Act::Hold => {
            _ = stream.read(&mut [0]);
            seen.lock().unwrap().abandoned += 1;
        }
    }
}

/// Every runner that is asked for is online.
pub fn online(question: &Question) -> Act {
    all(question, State::Online, None)
}

/// Every runner that is asked for has this state.
pub fn all(question: &Question, state: State, reason: Option<&Reason>) -> Act {
    let classes = match &question.ask {
        Ask::Create { label, classes, .. } => classes.iter().map(|class| (label.clone(), class.clone())).collect(),
        _ => vec![],
    };
    let runner =
        |(label, class)| Runner { label, class, state, since: 1, deadline: 2, market: None, reason: reason.cloned() };
    Act::Answer(Outcome::Runners(classes.into_iter().map(runner).collect()))
}

/// A directory with the door's socket and a desk.
pub struct Host {
    pub socket: PathBuf,
    pub desk: Desk,
    directory: TempDir,
    listener: UnixListener,
    program: Option<Child>,
}

impl Host {
    /// Without a door yet.
    pub fn new(act: impl Fn(&Question) -> Act + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("door");
        let listener = UnixListener::bind(&socket).unwrap();
        let desk = Desk::open(&directory.path().join("desk"), act);
        Self { socket, desk, directory, listener, program: None }
    }

    /// With the built program behind the socket.
    pub fn with_program(act: impl Fn(&Question) -> Act + Send + Sync + 'static) -> Self {
        let mut host = Self::new(act);
        host.start();
        host
    }

    /// With a door of this process, which ends with it.
    pub fn with_limits(act: fn(&Question) -> Act, limits: Limits) -> Self {
        let host = Self::new(act);
        host.serve(limits);
        host
    }

    /// Starts the program as systemd does: the listening socket is its standard input.
    pub fn start(&mut self) {
        let program = Command::new(program())
            .arg("--desk")
            .arg(self.directory.path().join("desk"))
            .args(["--prefix", "od", "--compatible-prefix", "rr_runner_"])
            .stdin(OwnedFd::from(self.listener.try_clone().unwrap()))
            .stderr(Stdio::inherit())
            .spawn();
        self.program = Some(program.unwrap());
    }

    /// The process of the program.
    pub fn process(&self) -> u32 {
        self.program.as_ref().unwrap().id()
    }

    /// Serves the socket in a thread.
    pub fn serve(&self, limits: Limits) -> JoinHandle<anyhow::Result<()>> {
        let prefix = |text: &str| text.to_owned().try_into().unwrap();
        let grammar = Grammar { prefix: prefix("od"), compatible: Some(prefix("rr_runner_")) };
        let door = Door { desk: self.directory.path().join("desk"), grammar, limits };
        let socket = OwnedFd::from(self.listener.try_clone().unwrap());
        thread::spawn(move || serve(socket, door))
    }

    /// A connection on which nothing was said.
    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.set_write_timeout(Some(HANGS)).unwrap();
        stream
    }

    /// Sends these bytes and nothing more, and reads all that comes.
    pub fn says(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        rest(stream)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill().unwrap();
            program.wait().unwrap();
        }
    }
}

/// All that comes. A connection that broke because the door did not read all of what was sent has said everything before.
pub fn rest(mut stream: UnixStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(text).unwrap(),
    }
}

/// The status of an answer.
pub fn status(answer: &str) -> u16 {
    let digits = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// The body of an answer, whose length is the one that its head says.
pub fn body(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.lines().any(|line| line == format!("Content-Length: {}", body.len())), "{answer}");
    serde_json::from_str(body).unwrap()
}
