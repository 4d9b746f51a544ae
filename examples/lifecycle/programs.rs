//! Where the two programs are. `cargo run --example` builds examples only, so the demonstration has them built.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

const HELPER: &str = "github-runner-helper";
const RUNNERCTL: &str = "github-runnerctl";

/// The programs of this repository.
pub struct Programs {
    /// What the unit of the runner runs.
    pub helper: PathBuf,
    /// What the unit of its broker runs.
    pub runnerctl: PathBuf,
}

/// Builds both with the profile and into the target directory of this program. Without Cargo, takes those that lie
/// beside it.
pub fn programs() -> Result<Programs> {
    let own = env::current_exe().context("Failed to find this program")?;
    // target/<profile>/examples/lifecycle
    let profile = own.ancestors().nth(2).context("This program lies in no target directory: use `cargo run`")?;
    let programs = Programs { helper: profile.join(HELPER), runnerctl: profile.join(RUNNERCTL) };
    let missing = || [&programs.helper, &programs.runnerctl].into_iter().find(|program| !program.exists());
    if let Some(cargo) = env::var_os("CARGO") {
        build(&cargo, profile)?;
        if let Some(program) = missing() {
            bail!("Cargo built {}, but elsewhere: start this without `--target`", program.display());
        }
    } else {
        if let Some(program) = missing() {
            bail!(
                "Started without Cargo and without {} beside it: use `cargo run --release --example lifecycle`",
                program.display()
            );
        }
        eprintln!("Started without Cargo, so the programs that were built before are used.");
    }
    Ok(programs)
}

fn build(cargo: &OsStr, profile: &Path) -> Result<()> {
    let target = profile.parent().context("This program lies in no target directory: use `cargo run`")?;
    eprintln!("Cargo builds {HELPER} and {RUNNERCTL}, unless they are up to date.");
    let status = Command::new(cargo)
        // All that is needed was there to build this program.
        .args(["build", "--quiet", "--offline", "--bin", HELPER, "--bin", RUNNERCTL, "--profile"])
        .arg(profile.file_name().filter(|name| *name != "debug").unwrap_or(OsStr::new("dev")))
        .arg("--target-dir")
        .arg(target)
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .stdin(Stdio::null())
        .status()
        .context("Failed to run Cargo")?;
    ensure!(status.success(), "Cargo could not build {HELPER} and {RUNNERCTL} ({status})");
    Ok(())
}
