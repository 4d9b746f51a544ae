//! Orders that run on this host itself, each in a unit of its class's template.
//!
//! The unit's own steps put the registration in place and clear up after the job; systemd ends it at its time, whether or not
//! anybody looks. Here it is only started, looked at and stopped. Its name is made of the template's, which the configuration
//! says, and of label and class, which the grammar let through: no other text reaches systemd, and no other unit is touched.
//!
//! Units are no [`crate::machines::Machines`]: an order never waits for its machine, never starts one again that stopped, and
//! never keeps a stopped one, so half of that trait would be there for nobody.

use std::collections::BTreeMap;

use super::{Kind, Launch, Seen, Unmade};
use crate::contract::names::{ORDER_TEMPLATES, ORDERS, order, order_parts};
use crate::frontend::ondemand::label::{Class, Key};
use crate::frontend::ondemand::order::{Maker, Token};
use crate::frontend::ondemand::settings::{KindSettings, Settings};
use crate::machines::Fault;
use crate::model::plain;
use crate::units::{Activity, Unit, Units};

/// How much of a journal is of use, in bytes.
const MOST: usize = 2048;

/// The units of all orders of this host.
#[derive(Debug)]
pub struct Local<U> {
    units: U,
    /// The templates of the classes that have one.
    templates: BTreeMap<Class, String>,
}

impl<U: Units> Local<U> {
    /// Units that `units` knows, of the classes that are configured so.
    #[must_use]
    pub fn new(units: U, settings: &Settings) -> Self {
        let template = |kind: &KindSettings| match kind {
            KindSettings::Local { unit, .. } => Some(unit.clone()),
            _ => None,
        };
        let classes = settings.classes.iter();
        let templates = classes.filter_map(|(class, settings)| Some((class.clone(), template(&settings.kind)?)));
        Self { units, templates: templates.collect() }
    }

    fn unit(&self, name: &str) -> Result<Unit, Fault> {
        let mut found = self.units.show(&[name]).map_err(|error| unavailable(&error))?;
        found.remove(name).ok_or_else(|| Fault::Unavailable(format!("systemd says nothing about {name}")))
    }

    /// Has systemd forget a failure, which would be shown for as long as the host is up.
    fn forget(&self, name: &str) -> Result<(), Fault> {
        let Err(error) = self.units.reset_failed(name) else { return Ok(()) };
        // Somebody else may have had it forgotten in the meantime.
        if self.unit(name)?.activity == Activity::Failed { Err(unavailable(&error)) } else { Ok(()) }
    }
}

fn unavailable(error: &anyhow::Error) -> Fault {
    Fault::Unavailable(format!("{error:#}"))
}

/// Whether a unit is that of an order, of whichever class.
fn is_of_order(name: &str) -> bool {
    order_parts(name).is_some_and(|(_, stem)| Key::from_stem(stem).is_some())
}

/// Refuses to do anything to a unit that is not one of an order.
fn check(name: &str) -> Result<(), Fault> {
    if is_of_order(name) {
        return Ok(());
    }
    let begin = format!("{ORDER_TEMPLATES}CLASS@");
    Err(Fault::Configuration(format!("Unit {} is no unit of an order, whose names begin with {begin}", plain(name))))
}

impl<U: Units + Send + Sync> Kind for Local<U> {
    fn maker(&self) -> Maker {
        Maker::Local
    }

    fn name(&self, key: &Key, _: &Token) -> String {
        // One of a class that is not configured any more has the name that it would have.
        let usual = || format!("{ORDER_TEMPLATES}{}", key.class.as_str());
        order(&self.templates.get(&key.class).cloned().unwrap_or_else(usual), &key.stem())
    }

    /// Systemd does not remember units that ended well, so one that did its job is no duplicate.
    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade> {
        let name = self.name(launch.key, launch.token);
        check(&name)?;
        let unit = self.unit(&name)?;
        if matches!(unit.activity, Activity::Active | Activity::Starting | Activity::Stopping) {
            return Err(Fault::Duplicate(format!("Unit {name} runs already")).into());
        }
        if !unit.is_defined {
            let way_out = "switch to a configuration that has the class";
            return Err(Fault::NotFound(format!("There is no template of unit {name}: {way_out}")).into());
        }
        if unit.activity == Activity::Failed {
            // After several of them systemd would start it no more.
            self.forget(&name)?;
        }
        self.units.start(&name).map_err(|error| unavailable(&error).into())
    }

    fn look(&self) -> Result<Vec<Seen>, Fault> {
        let found = self.units.list(&[ORDERS]).map_err(|error| unavailable(&error))?;
        let exists = |(name, unit): (String, Unit)| {
            let is_stopped = match unit.activity {
                Activity::Active | Activity::Starting | Activity::Stopping => false,
                Activity::Failed => true,
                Activity::Inactive => return None,
            };
            is_of_order(&name).then(|| Seen::standing(name, is_stopped))
        };
        Ok(found.into_iter().filter_map(exists).collect())
    }

    fn end(&self, name: &str) -> Result<(), Fault> {
        check(name)?;
        if !matches!(self.unit(name)?.activity, Activity::Inactive | Activity::Failed) {
            self.units.stop(name).map_err(|error| unavailable(&error))?;
        }
        match self.unit(name)?.activity {
            Activity::Inactive => Ok(()),
            Activity::Failed => self.forget(name),
            _ => Err(Fault::Busy(format!("Unit {name} was started while it was stopped"))),
        }
    }

    fn console(&self, name: &str) -> Result<String, Fault> {
        check(name)?;
        Ok(last(self.units.journal(name).map_err(|error| unavailable(&error))?))
    }
}

/// As much of these lines, the last one first, as fits, in the order in which they were written.
fn last(lines: Vec<String>) -> String {
    let (mut room, mut taken) = (MOST, Vec::new());
    for line in lines {
        let mut line = plain(&line);
        line.push('\n');
        if line.len() > room {
            // The end of a line tells more than its beginning.
            let from = (line.len() - room..line.len()).find(|at| line.is_char_boundary(*at));
            taken.extend(from.map(|from| line.split_off(from)));
            break;
        }
        room -= line.len();
        taken.push(line);
    }
    taken.reverse();
    taken.concat()
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
