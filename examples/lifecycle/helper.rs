//! Where the helper's program is. `cargo run --example` builds examples only, so the demonstration has it built.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

const NAME: &str = "github-runner-helper";

/// Builds the helper with the profile and into the target directory of this program. Without Cargo, takes the one
/// that lies beside it.
pub fn helper() -> Result<PathBuf> {
    let own = env::current_exe().context("Failed to find this program")?;
    // target/<profile>/examples/lifecycle
    let profile = own.ancestors().nth(2).context("This program lies in no target directory: use `cargo run`")?;
    let program = profile.join(NAME);
    let Some(cargo) = env::var_os("CARGO") else {
        ensure!(
            program.exists(),
            "Started without Cargo and without {} beside it: use `cargo run --release --example lifecycle`",
            program.display()
        );
        eprintln!("Started without Cargo, so the {NAME} that was built before is used.");
        return Ok(program);
    };
    let target = profile.parent().context("This program lies in no target directory: use `cargo run`")?;
    eprintln!("Cargo builds the helper, unless it is up to date.");
    let status = Command::new(cargo)
        // All that is needed was there to build this program.
        .args(["build", "--quiet", "--offline", "--bin", NAME, "--profile"])
        .arg(profile.file_name().filter(|name| *name != "debug").unwrap_or(OsStr::new("dev")))
        .arg("--target-dir")
        .arg(target)
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .stdin(Stdio::null())
        .status()
        .context("Failed to run Cargo")?;
    ensure!(status.success(), "Cargo could not build {NAME} ({status})");
    ensure!(program.exists(), "Cargo built {NAME}, but not as {}: start this without `--target`", program.display());
    Ok(program)
}
