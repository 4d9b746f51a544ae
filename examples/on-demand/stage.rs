//! The stage: a host in a temporary directory, its GitHub, and the programs that run on it, each started as its unit does.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use crate::broker::Broker;
use crate::caller::{self, Reply};
use crate::desk::{self, Way};
use crate::github::{self, Config, GitHub, State, Tls};
use crate::machine;
use crate::page::Page;
use crate::settings::{self, PREFIX};
use crate::times::HANGS;

/// The access token. Nobody has it.
pub const TOKEN: &str = "ghp_fakeFAKEfakeFAKEfakeFAKEfakeFAKEfake";

/// Everything that a chapter needs.
pub struct Stage {
    pub page: Page,
    pub github: GitHub,
    way: Way,
    door: Program,
    desk: Program,
    /// What programs say, as it comes.
    lines: (Sender<String>, Receiver<String>),
    /// Parts of registrations that were made.
    pub keys: Vec<String>,
    /// The file that the machine has locked for as long as it lives.
    pub alive: Option<File>,
    // Removed when dropped.
    _directory: TempDir,
}

/// A program with the socket that is its standard input, which is there also when the program is not.
struct Program {
    socket: UnixListener,
    child: Option<(Child, JoinHandle<()>)>,
}

impl Program {
    fn listen(path: &Path) -> Result<Self> {
        let socket = UnixListener::bind(path)
            .with_context(|| format!("Failed to listen at {}: set TMPDIR to a shorter path", path.display()))?;
        Ok(Self { socket, child: None })
    }

    /// Starts it, unless it runs. Both programs end by themselves when nobody needs them.
    fn start(&mut self, mut command: Command, lines: &Sender<String>) -> Result<()> {
        if let Some((child, _)) = &mut self.child
            && child.try_wait()?.is_none()
        {
            return Ok(());
        }
        self.kill()?;
        let command = command.stdin(OwnedFd::from(self.socket.try_clone()?)).stderr(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("Failed to start {}", command.get_program().display()))?;
        let stream = child.stderr.take().context("A program has no standard error")?;
        self.child = Some((child, forward(stream, lines.clone())));
        Ok(())
    }

    /// Kills it, and waits until everything that it said has come.
    fn kill(&mut self) -> Result<()> {
        if let Some((mut child, reader)) = self.child.take() {
            // Fails only if it is gone already.
            _ = child.kill();
            child.wait().context("Failed to wait for a program")?;
            _ = reader.join();
        }
        Ok(())
    }
}

fn forward(stream: impl Read + Send + 'static, sender: Sender<String>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    })
}

impl Stage {
    /// A host that was just configured, with door and broker as the first one and the second one of these programs.
    pub fn new([door, runnerctl]: [PathBuf; 2]) -> Result<Self> {
        let directory = tempfile::tempdir().context("Failed to make a temporary directory")?;
        let root = directory.path().canonicalize()?;
        let shown = root.to_str().context("The temporary directory's path is no text: set TMPDIR")?.to_owned();
        for name in ["state", "run", "machines", "credentials", "listener", "job"] {
            fs::DirBuilder::new().mode(0o700).create(root.join(name))?;
        }
        symlink(std::env::current_exe()?, root.join("listener/Runner.Listener"))?;
        symlink(door, root.join("github-runner-door"))?;
        fs::write(root.join("machine-id"), "00000000000000000000000000000001\n")?;
        fs::write(root.join("token"), format!("{TOKEN}\n"))?;
        settings::write(&root)?;
        let github = github::start(Config {
            tls: Some(Tls::for_hosts(&["api.github.com"])?),
            state: State { pats: vec![TOKEN.to_owned()], last_id: 20, ..State::default() },
            ..Config::default()
        })?;
        let way = Way {
            proxy: github.proxy_url().context("The stand-in has no proxy")?,
            authority: github.ca_file().context("The stand-in has no authority")?,
            runnerctl,
            root: root.clone(),
        };
        let job =
            json!({ "name": "build", "command": "touch built; while [ ! -e ../../../job/end ]; do sleep 0.1; done" });
        let script = json!({ "github": github.url(), "run": [{ "await": root.join("job/begin") }, { "job": job }] });
        settings::put(&root.join("listener/stand-in.json"), &script)?;
        let lines = channel();
        let lookups = Broker { way: way.clone(), manifest: root.join("manifest.json"), ledger: None };
        look_up(UnixListener::bind(root.join("broker"))?, lookups, lines.0.clone());
        Ok(Self {
            page: Page::new(shown),
            github,
            door: Program::listen(&root.join("door.sock"))?,
            desk: Program::listen(&root.join("desk.sock"))?,
            way,
            lines,
            keys: vec![],
            alive: None,
            _directory: directory,
        })
    }

    /// A path of this host.
    pub fn path(&self, name: &str) -> PathBuf {
        self.way.root.join(name)
    }

    /// Starts the desk, unless it runs.
    pub fn start_desk(&mut self) -> Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg0(desk::NAME).args(self.way.arguments()).env_remove("JOURNAL_STREAM");
        self.desk.start(command, &self.lines.0)
    }

    /// Kills the desk, and shows what it said before.
    pub fn kill_desk(&mut self) -> Result<()> {
        self.desk.kill()?;
        while let Ok(line) = self.lines.1.try_recv() {
            self.show(&line)?;
        }
        Ok(())
    }

    /// Asks at the door, whose socket has it and the desk started, and shows what is answered.
    pub fn ask(&mut self, method: &str, target: &str, body: &str) -> Result<Reply> {
        self.start_desk()?;
        let mut command = Command::new(self.path("github-runner-door"));
        command.arg("--desk").arg(self.path("desk.sock")).args(["--prefix", PREFIX]).env_remove("JOURNAL_STREAM");
        self.door.start(command, &self.lines.0)?;
        let reply = caller::ask(&self.path("door.sock"), (method, target), body)?;
        self.hide()?;
        self.page.command(format!("{method} {target} {body}").trim_end())?;
        self.page.said(&format!("HTTP {} {}", reply.status, spaced(&reply.body.to_string())))?;
        Ok(reply)
    }

    /// Shows what programs say until one of them says this.
    pub fn until(&mut self, part: &str) -> Result<()> {
        loop {
            let line = self.lines.1.recv_timeout(HANGS).with_context(|| format!("Nobody says {part:?}"))?;
            self.hide()?;
            self.show(&line)?;
            if line.contains(part) {
                return Ok(());
            }
        }
    }

    fn show(&mut self, line: &str) -> Result<()> {
        ensure!(!line.starts_with("error: "), "A program failed: {line}");
        match line.strip_prefix("broker: ") {
            // The desk looks again and again, and may be killed meanwhile.
            Some(line) if line.contains("Listing the runners") || line.contains("whoever asked is gone") => Ok(()),
            Some(line) => self.page.broker(line),
            None => self.page.said(line),
        }
    }

    /// All secrets that exist, also those that GitHub made.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.github.state().secrets();
        secrets.extend(self.keys.iter().cloned());
        secrets.push(TOKEN.to_owned());
        secrets
    }

    /// From now on nothing that is secret by now can be shown.
    pub fn hide(&mut self) -> Result<()> {
        self.page.hide(self.secrets())
    }
}

/// Has a broker look things up for whoever connects.
fn look_up(listener: UnixListener, broker: Broker, lines: Sender<String>) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // One after another: each look is a connection of its own.
            let say = |line: &str| drop(lines.send(format!("broker: {line}")));
            if let Err(error) = broker.answer(stream, say)
                && lines.send(format!("error: {error:#}")).is_err()
            {
                return;
            }
        }
    });
}

/// JSON with spaces, so that long lines can be broken.
fn spaced(text: &str) -> String {
    text.replace("\":", "\": ").replace(",\"", ", \"")
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whatever failed, nothing is left running.
        _ = self.desk.kill();
        _ = self.door.kill();
        for entry in fs::read_dir(self.path("machines")).into_iter().flatten().flatten() {
            _ = machine::stop(&entry.path());
        }
    }
}
