//! Instances of Incus or LXD, by the client that GARM's provider has as well, at the server's socket.
//!
//! An instance carries this host's id in the place of a controller's and its class in that of a pool's: other hosts may have
//! instances in the same project, and GARM as well. It is told its user data by cloud-init, and is stopped when it powered off, so
//! whoever sees that ends it. Nothing outside of it ends an instance whose desk is away: it does so itself, at its deadline.

use std::path::PathBuf;

use super::{Kind, Launch, Seen, Unmade, material};
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::{Maker, Token};
use crate::frontend::ondemand::settings::{Architecture, KindSettings};
use crate::machines::incus::{self, Connection, Endpoint, Image, Limits, Owner, Specification, Status};
use crate::machines::{Fault, Machines as _};

/// What an instance says of itself to people.
const DESCRIPTION: &str = "Runner of one workflow's job, made on demand";

/// The instances of this host in one project.
#[derive(Clone, Debug)]
pub struct Incus {
    connection: Connection,
    host: String,
}

impl Incus {
    /// Those that carry the id `host`, which tells this host from all others and never changes.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>, project: &str, host: &str) -> Self {
        let connection = Connection { endpoint: Endpoint::Socket(socket.into()), project: project.into() };
        Self { connection, host: host.into() }
    }

    /// A client for one call. `class` is needed to make something.
    fn client(&self, class: Option<&str>) -> Result<incus::Incus, Fault> {
        let owner = Owner { controller: self.host.clone(), pool: class.map(String::from) };
        incus::Incus::open(&self.connection, owner)
    }
}

/// What is asked for; the user data is put in by the caller.
fn specify(name: String, launch: &Launch<'_>, user_data: String) -> Result<Specification, Fault> {
    let KindSettings::Incus { image, profiles, virtual_machine, cpu, memory, disk, .. } = &launch.class.kind else {
        return Err(Fault::Configuration(format!("{} is no order for an instance of Incus", launch.key)));
    };
    let (architecture, os_arch) = architecture(&launch.class.architecture)?;
    Ok(Specification {
        name,
        description: DESCRIPTION.into(),
        kind: if *virtual_machine { incus::Kind::VirtualMachine } else { incus::Kind::Container },
        architecture: architecture.into(),
        profiles: profiles.clone(),
        image: Image::Local(image.clone()),
        user_data,
        os_type: "linux".into(),
        os_arch: os_arch.into(),
        secure_boot: false,
        limits: Limits { cpu: cpu.clone(), memory: memory.clone(), disk: disk.clone() },
        network: None,
        target: None,
    })
}

/// A class's architecture as servers write it, and as images' tags do.
fn architecture(class: &Architecture) -> Result<(&'static str, &'static str), Fault> {
    match class.as_str() {
        "x86_64" | "amd64" | "x64" => Ok(("x86_64", "amd64")),
        "aarch64" | "arm64" => Ok(("aarch64", "arm64")),
        other => Err(Fault::Configuration(format!(
            "There is no Incus for architecture {other}: set the `architecture` of the class to x86_64 or aarch64"
        ))),
    }
}

impl Kind for Incus {
    fn maker(&self) -> Maker {
        Maker::Incus
    }

    fn name(&self, _: &Key, token: &Token) -> String {
        format!("od-{}", token.as_str())
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade> {
        let name = self.name(launch.key, launch.token);
        let specification = specify(name, launch, material::user_data(launch)?)?;
        let client = self.client(Some(launch.key.class.as_str()))?;
        // A client for pools makes a stopped one anew. Here that one has had its job.
        match client.get(&specification.name) {
            Err(Fault::NotFound(_)) => Ok(client.create(&specification).map(drop)?),
            Err(fault) => Err(fault.into()),
            Ok(_) => Err(Fault::Duplicate(format!("Instance {} is there already", specification.name)).into()),
        }
    }

    fn look(&self) -> Result<Vec<Seen>, Fault> {
        let listed = self.client(None)?.list()?.into_iter();
        Ok(listed.map(|found| Seen::standing(found.name, found.status == Status::Stopped)).collect())
    }

    fn end(&self, name: &str) -> Result<(), Fault> {
        self.client(None)?.delete(name)
    }

    fn console(&self, name: &str) -> Result<String, Fault> {
        match self.client(None)?.console(name) {
            Err(Fault::NotFound(_)) => Ok(String::new()),
            read => read,
        }
    }
}

#[cfg(test)]
#[path = "incus_tests.rs"]
mod tests;
