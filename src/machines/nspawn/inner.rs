//! Parts of this program that have to be processes of their own: a namespace belongs to a process, and so does the
//! signal at the death of a parent.
//!
//! `unsafe` is forbidden, so nothing runs between fork and exec. In its place the program starts itself with one of
//! these names, does the one thing, and becomes the program that is meant.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

/// This program, also if its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// The command of this program's command line that leads here.
pub const COMMAND: &str = "inner";

/// A user namespace that exists as long as this value.
#[derive(Debug)]
pub struct UserNamespace {
    holder: Child,
    /// A descriptor of the namespace.
    pub file: File,
}

impl UserNamespace {
    /// Makes one in which the ids from `inside` on are those from `outside` on, `count` of them.
    ///
    /// # Errors
    ///
    /// If the kernel has no user namespaces for this process, or does not allow these ids.
    pub fn new(inside: u32, outside: u32, count: u32) -> Result<Self> {
        let mut holder = Command::new(SELF)
            .args([COMMAND, "user-namespace"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("Failed to start the holder of a user namespace")?;
        match Self::open(&mut holder, &format!("{inside} {outside} {count}\n")) {
            Ok(file) => Ok(Self { holder, file }),
            Err(error) => {
                end(&mut holder);
                Err(error.context("Failed to make a user namespace"))
            }
        }
    }

    fn open(holder: &mut Child, map: &str) -> Result<File> {
        let mut said = [0];
        let read = holder.stdout.as_mut().context("no output")?.read(&mut said)?;
        if read == 0 {
            bail!("unshare(2) failed, see the line before");
        }
        let process = Path::new("/proc").join(holder.id().to_string());
        for name in ["uid_map", "gid_map"] {
            let mut file = File::options().write(true).open(process.join(name))?;
            file.write_all(map.as_bytes()).with_context(|| format!("the ids {} are not allowed", map.trim_end()))?;
        }
        Ok(File::open(process.join("ns/user"))?)
    }
}

impl Drop for UserNamespace {
    fn drop(&mut self) {
        end(&mut self.holder);
    }
}

fn end(holder: &mut Child) {
    // The holder has nothing to lose, and is ours until it is waited for.
    if let Err(error) = holder.kill().and_then(|()| holder.wait()) {
        tracing::warn!("Failed to end the holder of a user namespace: {error}");
    }
}

/// `program`, which dies with the process that starts it.
#[must_use]
pub fn bound_to_us(program: &str) -> Command {
    let mut command = Command::new(SELF);
    command.args([COMMAND, "bound", program]);
    command
}

/// `program` in the network namespace of `file`, which becomes its standard input and is given on as such.
#[must_use]
pub fn in_network_of(process: u32, program: &str) -> Command {
    let mut command = Command::new(SELF);
    command.args([COMMAND, "network", &process.to_string(), program]);
    command
}

/// What a child does that was started by one of the functions above: the arguments after [`COMMAND`].
///
/// # Errors
///
/// If it cannot; otherwise it becomes another program, or ends with its standard input.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let text: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    match text.as_slice() {
        [what] if *what == "user-namespace" => {
            die_with_parent()?;
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).context("Failed to make a user namespace")?;
            std::io::stdout().write_all(b"+").context("Failed to say that the user namespace is there")?;
            std::io::stdout().flush().context("Failed to say that the user namespace is there")?;
            std::io::stdin().read_to_end(&mut Vec::new()).map(drop).context("Failed to wait")
        }
        [what, program, rest @ ..] if *what == "bound" => {
            die_with_parent()?;
            // What it makes in a machine is for all users of that.
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
            Err(become_program(program, rest))
        }
        [what, process, program, rest @ ..] if *what == "network" => {
            die_with_parent()?;
            let path = Path::new("/proc").join(process).join("ns/net");
            let namespace = File::open(&path).with_context(|| format!("Failed to open {}", path.display()))?;
            nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET)
                .context("Failed to enter the network of a machine")?;
            Err(become_program(program, rest))
        }
        _ => bail!("`{COMMAND}` is for this program itself"),
    }
}

fn die_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("Failed to bind a process to its parent")
}

fn become_program(program: &OsStr, arguments: &[&OsStr]) -> anyhow::Error {
    let error = Command::new(program).args(arguments).exec();
    anyhow!(error).context(format!("Failed to start {}", program.display()))
}
