//! The environment as a value of its own.
//!
//! .NET changes only its managed copy of the environment, and jobs inherit that copy;
//! the block in `/proc/<pid>/environ` stays. A map has the same effect.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// Names that start so carry arguments (CommandSettings.cs:111-140).
const INPUT_PREFIX: &str = "ACTIONS_RUNNER_INPUT_";

/// Names and values as a job would inherit them.
#[derive(Clone)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// What this process was started with.
    pub fn inherited() -> Self {
        Self(env::vars_os().collect())
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// A variable that is set, not empty and text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(&OsString::from(name))?;
        value.to_str().filter(|value| !value.is_empty())
    }

    /// `$RUNNER_ROOT` (the patch of nixpkgs), else the directory above the program's.
    pub fn root(&self, directory: &Path) -> PathBuf {
        let above = || directory.parent().unwrap_or(directory).to_owned();
        self.get("RUNNER_ROOT").map_or_else(above, PathBuf::from)
    }

    /// Program.cs:172-199: each `NAME=VALUE` line of `.env` replaces what was inherited;
    /// an empty value removes the name. A file that is absent says nothing.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read.
    pub fn load(&mut self, file: &Path) -> io::Result<()> {
        let bytes = match fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result?,
        };
        let text = String::from_utf8_lossy(&bytes);
        for line in text.trim_start_matches('\u{feff}').lines() {
            match line.split_once('=') {
                None | Some(("", _)) => {}
                Some((name, "")) => _ = self.0.remove(&OsString::from(name)),
                Some((name, value)) => _ = self.0.insert(name.into(), value.into()),
            }
        }
        Ok(())
    }

    /// Removes every `ACTIONS_RUNNER_INPUT_<NAME>` and returns the trimmed, non-empty
    /// values under the rest of the name in lower case.
    pub fn take_inputs(&mut self) -> HashMap<String, String> {
        let mut inputs = HashMap::new();
        self.0.retain(|name, value| {
            let name = name.to_string_lossy().to_lowercase();
            let Some(argument) = name.strip_prefix(&INPUT_PREFIX.to_lowercase()) else {
                return true;
            };
            let value = value.to_string_lossy().trim().to_owned();
            if !value.is_empty() {
                inputs.insert(argument.to_owned(), value);
            }
            false
        });
        inputs
    }
}
