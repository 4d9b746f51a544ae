//! The unprivileged side: asks for machines, runs stages in them, ends them.
//!
//! It opens sockets below the run directory, which root made, and believes what comes from there. It never starts a
//! process, and holds nothing that outlives it: if it dies, the supervisor sees the end of the connection.

mod given;
mod wait;

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use super::protocol::{Answer, Errand, LONGEST_STAGE, Order, Progress, Request, VERSION};
use super::record::Record;
use super::wire::Connection;
use crate::machines::{Fault, Instance, Machines, Specification, State, Token};
use wait::{await_end, comes_first};

/// Speaks to the supervisors of this host.
pub struct Client<'a> {
    directory: PathBuf,
    owner: Option<BorrowedFd<'a>>,
    stop: Option<BorrowedFd<'a>>,
    told: Box<dyn Fn(&str) + 'a>,
}

/// What a stage reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct Streams<'a> {
    /// The script, a regular file or a memfd: the standard input of `bash`. The machine gets this very descriptor.
    pub script: BorrowedFd<'a>,
    /// The writing end of a pipe.
    pub stdout: BorrowedFd<'a>,
    /// The writing end of a pipe.
    pub stderr: BorrowedFd<'a>,
}

/// A stage that runs. Dropping it ends the stage.
#[derive(Debug)]
pub struct Stage(Connection);

impl<'a> Client<'a> {
    /// For the supervisors with this run directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.into(), owner: None, stop: None, told: Box::new(|_| {}) }
    }

    /// Machines that are made end with the process of this pidfd. Without one they end with this process. One that has user data
    /// ends with neither.
    #[must_use]
    pub fn for_runner(self, pidfd: BorrowedFd<'a>) -> Self {
        Self { owner: Some(pidfd), ..self }
    }

    /// Gives a machine up that is being made when this descriptor can be read: [`Machines::create`] then returns a fault,
    /// once nothing of the machine stands.
    #[must_use]
    pub fn until(self, stop: BorrowedFd<'a>) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// Says how far a machine is, while it is made.
    #[must_use]
    pub fn telling(self, told: impl Fn(&str) + 'a) -> Self {
        Self { told: Box::new(told), ..self }
    }

    /// Starts a stage. The caller closes its own copies of the pipes' writing ends.
    ///
    /// # Errors
    ///
    /// [`Fault::NotFound`] if there is no machine of this job, [`Fault::Unavailable`] if its supervisor does not answer.
    pub fn stage(&self, token: Token, name: &str, streams: Streams<'_>) -> Result<Stage, Fault> {
        if name.len() > LONGEST_STAGE {
            return Err(Fault::Other(format!(
                "The name of the stage has {} bytes, more than {LONGEST_STAGE}",
                name.len()
            )));
        }
        let connection = self.connect(token)?;
        let Streams { script, stdout, stderr } = streams;
        connection.send(&Request::Stage { name: name.into() }, &[script, stdout, stderr]).map_err(unavailable)?;
        Ok(Stage(connection))
    }

    fn job(&self, token: Token) -> PathBuf {
        self.directory.join("jobs").join(token.to_string())
    }

    /// A connection to the supervisor of a job.
    fn connect(&self, token: Token) -> Result<Connection, Fault> {
        Connection::open(&self.job(token).join("socket")).map_err(|error| match error {
            Errno::NOENT | Errno::CONNREFUSED => Fault::NotFound(format!("There is no machine of job {token}")),
            error => Fault::Unavailable(format!(
                "Failed to reach the supervisor of job {token}: {error}; is this user in the group of the socket?"
            )),
        })
    }

    /// A new supervisor.
    fn order(&self, errand: &Errand, descriptors: &[BorrowedFd<'_>]) -> Result<Connection, Fault> {
        let path = self.directory.join("machines.sock");
        let connection = Connection::open(&path).map_err(|error| {
            Fault::Unavailable(format!(
                "Failed to connect to {}: {error}; is gitlab-nspawn.socket started, and this user in its group?",
                path.display()
            ))
        })?;
        connection.send(errand, descriptors).map_err(unavailable)?;
        Ok(connection)
    }

    /// Hands on what a new supervisor says until it is ready: true. False means that `stop` came first, and that the supervisor
    /// has heard of it.
    fn await_ready(&self, connection: &Connection, stop: Option<BorrowedFd<'_>>) -> Result<bool, Fault> {
        loop {
            if let Some(stop) = stop
                && comes_first(stop, connection)?
            {
                connection.finish().map_err(unavailable)?;
                // What it says until it has seen that is of no interest, only its end.
                while let Ok(Some(_)) = connection.receive::<Progress>() {}
                return Ok(false);
            }
            match connection.receive().map_err(unavailable)?.map(|received| received.message) {
                Some(Progress::Doing(text)) => (self.told)(&text),
                Some(Progress::Ready) => return Ok(true),
                Some(Progress::Failed(fault)) => return Err(fault),
                None => {
                    return Err(Fault::Unavailable(
                        "The supervisor ended before the machine was ready; `journalctl -u 'gitlab-nspawn@*'` says why"
                            .into(),
                    ));
                }
            }
        }
    }

    fn ask(&self, token: Token, request: &Request) -> Result<Answer, Fault> {
        let connection = self.connect(token)?;
        connection.send(request, &[]).map_err(unavailable)?;
        let answer = connection.receive().map_err(unavailable)?;
        answer
            .map(|received| received.message)
            .ok_or_else(|| Fault::Unavailable(format!("The supervisor of job {token} ended before it answered")))
    }

    fn look(&self, token: Token) -> Result<Instance, Fault> {
        let record = Record::read(&self.job(token)).map_err(|error| Fault::Other(format!("{error:#}")))?;
        let record = record.ok_or_else(|| Fault::NotFound(format!("There is no machine of job {token}")))?;
        let state = match self.ask(token, &Request::Look) {
            Ok(Answer::Look { ready: true, .. }) => State::Running,
            Ok(Answer::Look { ready: false, .. }) => State::Starting,
            _ => State::Ending,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Instance { token, image: record.image, state, age: now.saturating_sub(record.made) })
    }
}

impl Machines for Client<'_> {
    type Id<'a> = Token;
    type Specification = Specification;
    type Instance = Instance;

    fn create(&self, specification: &Specification) -> Result<Instance, Fault> {
        let given = match &specification.user_data {
            Some(text) => given::user_data(text)?,
            None => given::owner(self.owner)?,
        };
        let order = Order {
            version: VERSION,
            job: specification.token.0,
            image: specification.image.clone(),
            timeout: specification.lifetime.as_secs(),
            cache: specification.cache,
            user_data: specification.user_data.is_some(),
        };
        let connection = self.order(&Errand::Make(order), &[given.as_fd()])?;
        if !self.await_ready(&connection, self.stop)? {
            self.delete(specification.token)?;
            return Err(Fault::Unavailable("The machine was given up while it was made".into()));
        }
        Ok(Instance { token: specification.token, image: specification.image.clone(), state: State::Running, age: 0 })
    }

    fn delete(&self, token: Token) -> Result<(), Fault> {
        if !self.job(token).try_exists().unwrap_or(true) {
            return Ok(());
        }
        match self.ask(token, &Request::End) {
            Ok(_) => {}
            // Its unit ends already, or its supervisor is gone: one that is new sees to what is left.
            Err(Fault::NotFound(_) | Fault::Unavailable(_)) => {
                let connection = self.order(&Errand::Clear { job: token.0 }, &[])?;
                self.await_ready(&connection, None)?;
            }
            Err(fault) => return Err(fault),
        }
        await_end(&self.directory.join("jobs"), token)
    }

    fn get(&self, token: Token) -> Result<Instance, Fault> {
        self.look(token)
    }

    fn list(&self) -> Result<Vec<Instance>, Fault> {
        let jobs = self.directory.join("jobs");
        let entries = match fs::read_dir(&jobs) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => {
                entries.map_err(|error| Fault::Unavailable(format!("Failed to list {}: {error}", jobs.display())))?
            }
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut tokens: Vec<Token> = names.map(Token).collect();
        tokens.sort_unstable();
        let mut found = Vec::new();
        for token in tokens {
            match self.look(token) {
                // It ended while the others were looked at.
                Err(Fault::NotFound(_)) => {}
                looked => found.push(looked?),
            }
        }
        Ok(found)
    }

    fn start(&self, token: Token) -> Result<(), Fault> {
        self.look(token).map(drop)
    }

    fn stop(&self, token: Token) -> Result<(), Fault> {
        self.look(token)?;
        Err(Fault::Configuration("Machines of systemd-nspawn run once: they are deleted, never stopped".into()))
    }

    fn console(&self, token: Token) -> Result<String, Fault> {
        match self.ask(token, &Request::Console)? {
            Answer::Console(text) => Ok(text),
            other => Err(Fault::Other(format!("The supervisor of job {token} answered {other:?}"))),
        }
    }
}

impl Stage {
    /// Ends the stage: SIGTERM to all of its processes, SIGKILL to what is left after `grace`. [`Stage::answer`] follows.
    ///
    /// # Errors
    ///
    /// If the supervisor is gone.
    pub fn cancel(&self, grace: Duration) -> Result<(), Fault> {
        self.0.send(&Request::Cancel { grace: grace.as_secs() }, &[]).map_err(unavailable)
    }

    /// Waits for the end of the stage. Readable before means that it does not wait.
    ///
    /// # Errors
    ///
    /// [`Fault::Unavailable`] if the supervisor ended without an answer, which is a fault of the host or an operator's kill.
    pub fn answer(&self) -> Result<Answer, Fault> {
        let answer = self.0.receive().map_err(unavailable)?;
        answer
            .map(|received| received.message)
            .ok_or_else(|| Fault::Unavailable("The supervisor of this job was killed, and its machine with it".into()))
    }
}

impl AsFd for Stage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(error: anyhow::Error) -> Fault {
    Fault::Unavailable(format!("{error:#}"))
}
