//! The step `config`: tells gitlab-runner where things are in a machine.
//!
//! It makes nothing, and it reads the settings, so that a mistake in them is the first thing that a job's log says.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::settings::Settings;
use super::verdict::Verdict;
use super::{BUILDS, CACHE};

/// Answers on standard output.
#[must_use]
pub fn run(settings: &Path) -> Verdict {
    let done = Settings::read(settings).and_then(|_| {
        let host = nix::unistd::gethostname().context("Failed to read the name of this host")?;
        write(&answer(&host.to_string_lossy()))
    });
    done.map_or_else(|error| Verdict::System(format!("{error:#}")), |()| Verdict::Success)
}

fn write(answer: &Value) -> Result<()> {
    let mut output = std::io::stdout().lock();
    serde_json::to_writer(&mut output, answer).context("Failed to answer")?;
    output.flush().context("Failed to answer")
}

/// No `job_env`: it would get into the environment of later calls.
fn answer(host: &str) -> Value {
    json!({
        "builds_dir": BUILDS,
        "cache_dir": CACHE,
        "builds_dir_is_shared": false,
        "hostname": host,
        "driver": {"name": "gitlab-nspawn-executor", "version": env!("CARGO_PKG_VERSION")},
        "shell": "bash",
    })
}
