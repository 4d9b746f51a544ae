//! `github-runnerctl desk`: runners on demand, with what makes machines on this host.

use std::collections::BTreeMap;
use std::io::stdin;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::frontend::ondemand::desk::{self, Kinds, Paths};
use crate::frontend::ondemand::kind::Kind;
use crate::frontend::ondemand::label::Class;
use crate::frontend::ondemand::settings::{KindSettings, Settings};

/// Serves the socket that is the standard input.
///
/// # Errors
///
/// If the settings or the socket cannot be used, or another desk runs.
pub fn run(settings: &Path) -> Result<()> {
    let text = std::fs::read(settings).with_context(|| format!("Failed to read {}", settings.display()))?;
    let settings = Settings::parse(&text).with_context(|| format!("Failed to use {}", settings.display()))?;
    let socket = stdin().as_fd().try_clone_to_owned().context("Failed to take the socket")?;
    let kinds = kinds(&settings)?;
    desk::run(settings, Paths::default(), kinds, socket)
}
