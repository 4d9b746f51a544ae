//! The three bash steps of nixpkgs' module as files: the one place that benchmarks have them from.
//!
//! Only starts that keep a registration run them, so nothing here registers.

use std::fs;
use std::io::{Error, Result};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

const STEPS: &str = include_str!("nixpkgs-steps.sh");
const STEP_MARK: &str = "\n#@ ";

/// Writes the steps into `directory` as `NAME.sh`, and returns them in the order in which they run. The first one is
/// root's; each takes the directories of state, work and logs. `config` describes the registration, as nixpkgs' module
/// has it in the store; `token` is the token file.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write(directory: &Path, config: &Path, token: &Path) -> Result<Vec<PathBuf>> {
    let quoted = |path: &Path| format!("'{}'", path.display());
    let write_one = |part: &str| {
        let (name, text) = part.split_once('\n').ok_or_else(|| Error::other("a step without a text"))?;
        let text = text.replace("@CONFIG@", &quoted(config)).replace("@TOKEN@", &quoted(token));
        let path = directory.join(format!("{name}.sh"));
        fs::write(&path, text.replace("@LISTENER@", "false"))?;
        Ok(path)
    };
    STEPS.split(STEP_MARK).skip(1).map(write_one).collect()
}

/// Puts beside a registration in `state` by what the steps take it for unchanged.
///
/// # Errors
///
/// If a file cannot be written.
pub fn remember(state: &Path, config: &Path, token: &Path) -> Result<()> {
    let copy = state.join(".current-token");
    fs::copy(token, &copy)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
    symlink(config, state.join(".nixos-current-config.json"))
}
