//! `github-runnerctl desk`: runners on demand, with what makes machines on this host.

use std::collections::BTreeMap;
use std::io::stdin;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::frontend::ondemand::desk::{self, ByUnits, Kinds, Paths};
use crate::frontend::ondemand::kind::incus::Incus;
use crate::frontend::ondemand::kind::local::Local;
use crate::frontend::ondemand::kind::nspawn::Nspawn;
use crate::frontend::ondemand::label::Class;
use crate::frontend::ondemand::operate;
use crate::frontend::ondemand::settings::{KindSettings, Settings};
use crate::machines::nspawn::RUN_DIRECTORY;
use crate::units::Systemd;

/// Serves the socket that is the standard input.
///
/// # Errors
///
/// If the settings or the socket cannot be used, or another desk runs.
pub fn run(settings: &Path) -> Result<()> {
    let settings = operate::configured(settings)?;
    let socket = stdin().as_fd().try_clone_to_owned().context("Failed to take the socket")?;
    let paths = Paths::default();
    let kinds = kinds(&settings, &paths.host()?);
    let doors = Box::new(ByUnits::new(&settings, &paths));
    desk::run(settings, paths, kinds, doors, socket)
}

/// What makes machines of the configured classes. The kind of this host's units is there in any case, and so orders of a class that
/// was one of these are still found.
fn kinds(settings: &Settings, host: &str) -> Kinds {
    let mut local: Vec<Class> = vec![];
    let mut nspawn: Vec<Class> = vec![];
    let mut incus: BTreeMap<(PathBuf, String), Vec<Class>> = BTreeMap::new();
    for (class, configured) in &settings.classes {
        match &configured.kind {
            KindSettings::Local { .. } => local.push(class.clone()),
            KindSettings::Nspawn { .. } => nspawn.push(class.clone()),
            KindSettings::Incus { socket, project, .. } => {
                incus.entry((socket.clone(), project.clone())).or_default().push(class.clone());
            }
        }
    }
    let mut kinds = Kinds::default();
    kinds.add(Arc::new(Local::new(Systemd::default(), settings)), local);
    if !nspawn.is_empty() {
        kinds.add(Arc::new(Nspawn::new(RUN_DIRECTORY)), nspawn);
    }
    for ((socket, project), classes) in incus {
        kinds.add(Arc::new(Incus::new(socket, &project, host)), classes);
    }
    kinds
}
