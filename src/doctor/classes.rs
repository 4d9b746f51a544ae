//! Whether a class of runners on demand has what makes its machines.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::finding::Finding;
use super::options::Options;
use crate::contract::cloud::Checked;
use crate::contract::names::order;
use crate::frontend::ondemand::kind::ec2;
use crate::frontend::ondemand::label::Class;
use crate::frontend::ondemand::settings::{ClassSettings, KindSettings};
use crate::machines::nspawn::RUN_DIRECTORY;
use crate::units::Units;

const TOPIC: &str = "class";

/// As much of the settings of machines of systemd-nspawn as is needed here: the rest is checked in a section of its own.
#[derive(Deserialize)]
struct File {
    machines: Machines,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Machines {
    images: Map<String, Value>,
    run_directory: Option<PathBuf>,
}

/// Checks a class.
pub fn class(class: &Class, settings: &ClassSettings, options: &Options<'_>, units: &dyn Units) -> Vec<Finding> {
    let name = class.as_str();
    vec![match &settings.kind {
        KindSettings::Local { unit, .. } => local(name, unit, units),
        KindSettings::Nspawn { image } => nspawn(name, image, options.machines),
        KindSettings::Incus { socket, .. } => incus(name, socket),
        KindSettings::Ec2 { broker, .. } => return cloud(class, broker),
    }]
}

fn local(name: &str, template: &str, units: &dyn Units) -> Finding {
    // Any instance of a template has its definition.
    let unit = order(template, "doctor");
    match units.show(&[&unit]).map(|mut shown| shown.remove(&unit)) {
        Ok(Some(shown)) if shown.is_defined => Finding::good(TOPIC, format!("{name} has its unit {template}@.service")),
        Ok(_) => Finding::fault(
            TOPIC,
            format!("{name} has no unit: systemd does not know {template}@.service"),
            "switch to the configuration that has this class",
        ),
        Err(error) => Finding::fault(TOPIC, format!("{error:#}"), "run this on the host itself, where systemd is"),
    }
}

fn nspawn(name: &str, image: &str, settings: &Path) -> Finding {
    let read = || -> anyhow::Result<Machines> {
        let File { machines } = serde_json::from_slice(&fs::read(settings)?)?;
        Ok(machines)
    };
    let machines =
        match read().with_context(|| format!("{name} cannot know its image: failed to read {}", settings.display())) {
            Ok(machines) => machines,
            Err(error) => {
                return Finding::fault(
                    TOPIC,
                    format!("{error:#}"),
                    "enable `services.gitlab-nspawn`, which makes machines",
                );
            }
        };
    if !machines.images.contains_key(image) {
        let names: Vec<&str> = machines.images.keys().map(String::as_str).collect();
        return Finding::fault(
            TOPIC,
            format!("{name} wants the image {image}, which {} does not have", settings.display()),
            format!("add it to `services.ci-machines.images`, or use one of these: {}", names.join(", ")),
        );
    }
    let directory = machines.run_directory.as_deref().unwrap_or(Path::new(RUN_DIRECTORY));
    let socket = directory.join("machines.sock");
    // Nobody is asked: each connection makes systemd start a process.
    if !fs::symlink_metadata(&socket).is_ok_and(|found| found.file_type().is_socket()) {
        return Finding::fault(
            TOPIC,
            format!("{name} has nobody who makes its machines: there is no socket {}", socket.display()),
            "start it with `systemctl start gitlab-nspawn.socket`",
        );
    }
    Finding::good(TOPIC, format!("{name} has its image {image} and who makes machines"))
}

/// What the broker of a cloud says: of its credential, of what instances need, and of what it may do.
fn cloud(class: &Class, socket: &Path) -> Vec<Finding> {
    let name = class.as_str();
    let way_out = "see `journalctl --unit 'github-runner-broker-on-demand-cloud-*'` and docs/on-demand-ec2.md";
    match ec2::check(socket, class) {
        Err(fault) => vec![Finding::fault(TOPIC, format!("{name}: {fault}"), way_out)],
        Ok(checked) => {
            let finding = |one: Checked| {
                let said = format!("{name}, {}: {}", one.what, one.words);
                match one.good {
                    Some(true) => Finding::good(TOPIC, said),
                    Some(false) => Finding::fault(TOPIC, said, way_out),
                    None => Finding::warning(TOPIC, said, way_out),
                }
            };
            checked.into_iter().map(finding).collect()
        }
    }
}

fn incus(name: &str, socket: &Path) -> Finding {
    match UnixStream::connect(socket) {
        Ok(_) => Finding::good(TOPIC, format!("{name} reaches its server at {}", socket.display())),
        Err(error) => Finding::fault(
            TOPIC,
            format!("{name} does not reach its server at {}: {error}", socket.display()),
            "start Incus or LXD, or correct `incus.socket`",
        ),
    }
}
