//! The driver and the runner's stand-in. `cargo run --example` builds one example only, so this one has them built.

use std::env;
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};

/// Where the driver is.
pub static DRIVER: OnceLock<String> = OnceLock::new();

/// Builds both with the profile and into the target directory of this program, if Cargo started it.
pub fn build() -> Result<()> {
    let own = env::current_exe().context("Failed to find this program")?;
    // target/<profile>/examples/gitlab-job
    let profile = own.ancestors().nth(2).context("This program lies in no target directory: use `cargo run`")?;
    if let Some(cargo) = env::var_os("CARGO") {
        eprintln!("Cargo builds the executor and the stand-in for gitlab-runner, unless they are up to date.");
        let status = Command::new(cargo)
            // All that is needed was there to build this program.
            .args(["build", "--quiet", "--offline", "--bin", "gitlab-nspawn-executor"])
            .args(["--example", "stand-in-gitlab-runner", "--profile"])
            .arg(profile.file_name().filter(|name| *name != "debug").unwrap_or(OsStr::new("dev")))
            .arg("--target-dir")
            .arg(profile.parent().context("This program lies in no target directory: use `cargo run`")?)
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .stdin(Stdio::null())
            .status()
            .context("Failed to run Cargo")?;
        ensure!(status.success(), "Cargo could not build the programs ({status})");
    }
    let driver = profile.join("gitlab-nspawn-executor");
    ensure!(driver.exists(), "{} is missing: use `cargo run --release --example gitlab-job`", driver.display());
    DRIVER.get_or_init(|| driver.to_string_lossy().into_owned());
    Ok(())
}
