//! `github-runnerctl desk`: runners on demand, with what makes machines on this host.

use std::io::stdin;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::frontend::ondemand::desk::{self, ByUnits, Kinds, Paths};
use crate::frontend::ondemand::kind::ec2::Ec2;
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
    let doors = Box::new(ByUnits::new(&settings, &paths));
    desk::run(settings, paths, kinds, doors, socket)
}

/// What makes machines of the configured classes, and what may have made some before. Units of this host and machines of
/// systemd-nspawn can be looked for in any case.
fn kinds(settings: &Settings, paths: &Paths) -> Result<Kinds> {
    let of = |fits: &dyn Fn(&KindSettings) -> bool| -> Vec<Class> {
        let classes = settings.classes.iter().filter(|(_, class)| fits(&class.kind));
        classes.map(|(class, _)| class.clone()).collect()
    };
    let mut kinds = Kinds::default();
    let local = of(&|kind| matches!(kind, KindSettings::Local { .. }));
    kinds.add(Arc::new(Local::new(Systemd::default(), settings)), local);
    let nspawn = of(&|kind| matches!(kind, KindSettings::Nspawn { .. }));
    kinds.add(Arc::new(Nspawn::new(RUN_DIRECTORY)), nspawn);
    let host = paths.host()?;
    for server in desk::servers(settings, paths)? {
        let here = |kind: &KindSettings| matches!(kind, KindSettings::Incus { socket, project, .. } if (socket, project) == (&server.socket, &server.project));
        let incus = Incus::new(&server.socket, &server.project, &host);
        kinds.add(Arc::new(incus), of(&here));
    }
    for (name, class) in &settings.classes {
        if let KindSettings::Ec2 { broker, place, .. } = &class.kind {
            kinds.add(Arc::new(Ec2::new(broker, name.clone(), place)), [name.clone()]);
        }
    }
    Ok(kinds)
}
