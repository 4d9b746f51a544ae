//! Where programs of this repository are. `cargo run --example` builds examples only, so demonstrations have them built.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// Builds two programs with the profile and into the target directory of this one, the example of this name. Without Cargo,
/// takes those that lie beside it.
pub fn programs(example: &str, names: [&str; 2]) -> Result<[PathBuf; 2]> {
    let own = env::current_exe().context("Failed to find this program")?;
    // target/<profile>/examples/<example>
    let profile = own.ancestors().nth(2).context("This program lies in no target directory: use `cargo run`")?;
    let programs = names.map(|name| profile.join(name));
    let missing = || programs.iter().find(|program| !program.exists());
    if let Some(cargo) = env::var_os("CARGO") {
        build(&cargo, profile, names)?;
        if let Some(program) = missing() {
            bail!("Cargo built {}, but elsewhere: start this without `--target`", program.display());
        }
    } else {
        if let Some(program) = missing() {
            bail!(
                "Started without Cargo and without {} beside it: use `cargo run --release --example {example}`",
                program.display()
            );
        }
        eprintln!("Started without Cargo, so the programs that were built before are used.");
    }
    Ok(programs)
}

fn build(cargo: &OsStr, profile: &Path, [one, other]: [&str; 2]) -> Result<()> {
    let target = profile.parent().context("This program lies in no target directory: use `cargo run`")?;
    eprintln!("Cargo builds {one} and {other}, unless they are up to date.");
    let status = Command::new(cargo)
        // All that is needed was there to build this program.
        .args(["build", "--quiet", "--offline", "--bin", one, "--bin", other, "--profile"])
        .arg(profile.file_name().filter(|name| *name != "debug").unwrap_or(OsStr::new("dev")))
        .arg("--target-dir")
        .arg(target)
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .stdin(Stdio::null())
        .status()
        .context("Failed to run Cargo")?;
    ensure!(status.success(), "Cargo could not build {one} and {other} ({status})");
    Ok(())
}
