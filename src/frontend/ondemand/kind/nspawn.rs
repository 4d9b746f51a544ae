//! Machines of systemd-nspawn on this host, which are those that jobs of GitLab have as well.
//!
//! Their names are numbers: a job's there, a number of the order's token here, whose highest bit is set. GitLab counts from 1 on,
//! so neither ever has a number of the other. A machine ends by itself at its deadline, and its supervisor sees to that.

use std::path::PathBuf;

use super::{Kind, Launch, Seen, Unmade, material};
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::{Maker, Token};
use crate::frontend::ondemand::settings::KindSettings;
use crate::machines::nspawn::Client;
use crate::machines::{self, Fault, Machines as _, Specification, State};
use crate::model::shown;

/// No job of GitLab has a number with this bit.
const OURS: u64 = 1 << 63;

/// The machines of one run directory.
#[derive(Clone, Debug)]
pub struct Nspawn {
    directory: PathBuf,
}

impl Nspawn {
    /// Those whose supervisors have this run directory, which is [`crate::machines::nspawn::RUN_DIRECTORY`] but for tests.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    fn client(&self) -> Client<'static> {
        Client::new(&self.directory)
    }
}

/// The number of the machine of a token.
fn number(token: &Token) -> machines::Token {
    machines::Token(token.number() | OURS)
}

/// Reads [`Kind::name`]; nothing is ever done to a machine of somebody else.
fn named(name: &str) -> Result<machines::Token, Fault> {
    let number = name.parse().ok().filter(|number| number & OURS != 0);
    let foreign = || Fault::Other(format!("No machine of an order is called {}: nothing was done", shown(name)));
    number.map(machines::Token).ok_or_else(foreign)
}

impl Kind for Nspawn {
    fn maker(&self) -> Maker {
        Maker::Nspawn
    }

    fn name(&self, _: &Key, token: &Token) -> String {
        number(token).to_string()
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade> {
        let KindSettings::Nspawn { image } = &launch.class.kind else {
            let fault = format!("{} is no order for a machine of systemd-nspawn", launch.key);
            return Err(Fault::Configuration(fault).into());
        };
        let specification = Specification {
            token: number(launch.token),
            image: image.clone(),
            lifetime: launch.lifetime,
            cache: None,
            user_data: Some(material::user_data(launch)?),
        };
        Ok(self.client().create(&specification).map(drop)?)
    }

    fn look(&self) -> Result<Vec<Seen>, Fault> {
        let listed = self.client().list()?.into_iter().filter(|instance| instance.token.0 & OURS != 0);
        // One that ends goes away by itself, and one whose supervisor was too busy to answer does not end.
        let seen =
            |instance: machines::Instance| Seen::standing(instance.token.to_string(), instance.state == State::Stopped);
        Ok(listed.map(seen).collect())
    }

    fn end(&self, name: &str) -> Result<(), Fault> {
        self.client().delete(named(name)?)
    }

    fn console(&self, name: &str) -> Result<String, Fault> {
        match self.client().console(named(name)?) {
            Err(Fault::NotFound(_)) => Ok(String::new()),
            read => read,
        }
    }
}

#[cfg(test)]
#[path = "nspawn_tests.rs"]
mod tests;
