//! Instances of Incus and of LXD, by one client: both answer to the same requests, and where they differ an answer tells.
//!
//! An instance belongs to a controller, whose id it carries as a tag: one of GARM, or a host that makes runners on demand. Nothing is ever changed about one of somebody
//! else's. The project is looked at before everything else: of a project that does not exist both servers list no instances,
//! and who asked would forget all of its own.
//!
//! What a request did is judged by the body of its answer, never by its status, and is then looked at: Incus says 200 above
//! failures, operations are forgotten five seconds after their end, and an answer can get lost. Every wait has a limit,
//! see [`times`].

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod claims_tests;
mod connection;
#[cfg(test)]
mod connection_tests;
mod create;
mod delete;
#[cfg(test)]
mod hiccup_tests;
mod image;
mod instance;
#[cfg(test)]
mod mishap_tests;
mod open;
mod operation;
#[cfg(test)]
mod owner_tests;
mod power;
mod profile;
#[cfg(test)]
mod race_tests;
mod server;
mod sight;
#[cfg(test)]
mod sight_tests;
mod specification;
#[cfg(test)]
mod stand_tests;
mod times;
mod wire;
#[cfg(test)]
mod wishes_tests;

use std::time::Duration;

use super::{Fault, Machines};
pub use connection::{Connection, Endpoint, Owner};
use server::Server;
pub use specification::{Image, Instance, Kind, Limits, Specification, Status};
use times::Times;

/// No command lasts longer, whatever the server does. Whoever kills calls at a limit of his own needs a later one.
pub const LONGEST: Duration = Times::USUAL.longest();

/// The instances of one owner in one project of one server.
pub struct Incus {
    server: Server,
    owner: Owner,
}

impl Incus {
    /// Reads the certificates and the environment; asks the server nothing.
    ///
    /// # Errors
    ///
    /// [`Fault::Configuration`]: a certificate or key that cannot be used, an address that is none, a proxy that is none.
    pub fn open(connection: &Connection, owner: Owner) -> Result<Self, Fault> {
        Ok(Self { server: Server::open(connection)?, owner })
    }

    /// Whether the server has an image of its own, by an alias or a fingerprint.
    ///
    /// # Errors
    ///
    /// [`Fault::NotFound`] if it has not, with the aliases that it has; otherwise as [`Machines::list`].
    pub fn look_at_image(&self, name: &str) -> Result<(), Fault> {
        self.begin(self.server.times.read)?;
        image::look(&self.server, name)
    }

    /// Begins a command that may last this long as a whole.
    fn begin(&self, whole: Duration) -> Result<(), Fault> {
        self.server.allow(whole);
        self.server.look_at_project()
    }
}

impl Machines for Incus {
    /// The name of an instance.
    type Id<'a> = &'a str;
    type Specification = Specification;
    type Instance = Instance;

    fn create(&self, specification: &Specification) -> Result<Instance, Fault> {
        self.begin(self.server.times.make)?;
        create::run(&self.server, &self.owner, specification)
    }

    fn delete(&self, name: &str) -> Result<(), Fault> {
        self.begin(self.server.times.whole_end())?;
        delete::run(&self.server, &self.owner, name)
    }

    fn get(&self, name: &str) -> Result<Instance, Fault> {
        self.begin(self.server.times.read)?;
        instance::own(&self.server, &self.owner.controller, name)
    }

    fn list(&self) -> Result<Vec<Instance>, Fault> {
        self.begin(self.server.times.read)?;
        instance::list(&self.server, &self.owner)
    }

    fn start(&self, name: &str) -> Result<(), Fault> {
        self.begin(self.server.times.whole_power())?;
        power::start(&self.server, &self.owner.controller, name)
    }

    fn stop(&self, name: &str) -> Result<(), Fault> {
        self.begin(self.server.times.whole_power())?;
        power::stop(&self.server, &self.owner.controller, name)
    }

    fn console(&self, name: &str) -> Result<String, Fault> {
        self.begin(self.server.times.read)?;
        power::console(&self.server, &self.owner.controller, name)
    }
}
