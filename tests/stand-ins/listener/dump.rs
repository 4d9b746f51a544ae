//! A description of how the stand-in was started, for tests to assert on.
//!
//! Values of the environment are digests, so that no secret is at rest. Arguments are
//! written as they are: a secret among them is the very thing that a test looks for.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use nix::unistd::{getgid, getuid};
use serde::Serialize;

use super::{environment::Environment, shared::sha256};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Dump {
    /// First argument, as typed.
    command: Option<String>,
    argv: Vec<String>,
    /// Name to SHA-256 of the value.
    environment: BTreeMap<String, String>,
    /// Four octal digits.
    umask: String,
    cwd: String,
    stdin_is_null: bool,
    uid: u32,
    gid: u32,
    pid: u32,
    /// Descriptors above 2 and what they are.
    descriptors: BTreeMap<u32, String>,
}

/// Writes a new file into `directory`, complete or not at all. File names sort by time.
/// A directory that is absent or not writable for this user asks for no dump.
///
/// # Errors
///
/// The description cannot be made or written.
pub fn dump(directory: &Path, argv: &[OsString], environment: &Environment) -> Result<()> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let name = format!("{:020}-{}", elapsed.as_nanos(), process::id());
    let temporary = directory.join(format!(".{name}.new"));
    // Before the file of the dump is open, which would be among them.
    let descriptors = descriptors()?;
    let Ok(mut file) = File::create_new(&temporary) else {
        return Ok(());
    };
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let dump = Dump {
        command: argv.get(1).map(text),
        argv: argv.iter().map(text).collect(),
        environment: environment.iter().map(|(name, value)| (text(name), sha256(value.as_bytes()))).collect(),
        umask: umask()?,
        cwd: env::current_dir().unwrap_or_default().display().to_string(),
        stdin_is_null: fs::read_link("/proc/self/fd/0").is_ok_and(|path| path == Path::new("/dev/null")),
        uid: getuid().as_raw(),
        gid: getgid().as_raw(),
        pid: process::id(),
        descriptors,
    };
    file.write_all(&serde_json::to_vec_pretty(&dump)?)?;
    let target = directory.join(format!("{name}.json"));
    fs::rename(&temporary, &target).with_context(|| format!("Failed to write {}", target.display()))
}

/// Read, not set and restored: the umask belongs to the whole process.
fn umask() -> Result<String> {
    let status = fs::read_to_string("/proc/self/status").context("Failed to read the umask")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    Ok(line.context("The kernel names no umask")?.trim().to_owned())
}

fn descriptors() -> Result<BTreeMap<u32, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number = entry.file_name().to_string_lossy().parse::<u32>()?;
        let target = fs::read_link(entry.path()).unwrap_or_default();
        // The listing itself needs one.
        let own = target.starts_with("/proc") && target.ends_with("fd");
        if number > 2 && !own {
            found.insert(number, target.display().to_string());
        }
    }
    Ok(found)
}
