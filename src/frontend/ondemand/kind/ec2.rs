//! Instances of EC2, by the broker of their class, which alone has the credential.
//!
//! A machine goes by its token. What was asked for lies in memory until its runner is there: a request that is repeated, perhaps by the
//! next desk and with another configuration, is for the same place, image and user data, so that it makes no second instance.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cloud::{Broker, Silence};
use super::{Condition, Kind, Launch, Seen, Unmade, material, request};
use crate::contract::cloud::{self, Checked, Image, Outcome, Placement, Refusal, Verb};
use crate::contract::protocol::Secret;
use crate::frontend::ondemand::label::{Class, Key};
use crate::frontend::ondemand::order::{Maker, Token};
use crate::frontend::ondemand::settings::KindSettings;
use crate::machines::Fault;

/// How long a look at an image is good for.
const IMAGE: Duration = Duration::from_secs(60 * 60);
/// How long EC2 is asked for an instance: all candidates of an order together have a minute.
const LAUNCH: Duration = Duration::from_secs(30);
/// For everything else.
const USUAL: Duration = Duration::from_secs(20);

/// The instances of one class.
#[derive(Debug)]
pub struct Ec2 {
    broker: Broker,
    place: String,
    image: Mutex<Option<(Instant, Image)>>,
}

impl Ec2 {
    /// Those that the broker at this socket makes, at a place of EC2 that has this name.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>, class: Class, place: &str) -> Self {
        Self { broker: Broker { socket: socket.into(), class }, place: place.into(), image: Mutex::default() }
    }

    /// What is asked for: as before, if it was asked for before.
    fn request(&self, launch: &Launch<'_>, file: &Path) -> Result<cloud::Launch, Unmade> {
        let token = launch.token.as_str();
        if let Some(before) = request::read(file)?.filter(|before| before.token == token) {
            return Ok(before);
        }
        let user_data = Secret::new(material::user_data(launch)?);
        let known = self.image.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let image = known.filter(|(since, _)| since.elapsed() < IMAGE).map(|(_, image)| image);
        let not_asked = |why: &dyn std::fmt::Display| Unmade::NotAsked(why.to_string());
        let placement = match self.broker.ask(Verb::Place { token: token.into(), image }, USUAL) {
            Ok(Outcome::Placed(placement)) => placement,
            // Nothing is made by that question.
            Ok(Outcome::Refused(refusal @ (Refusal::Passing(_) | Refusal::Slower(_)))) => {
                return Err(not_asked(&refusal));
            }
            Ok(other) => return Err(unmade(other, launch)),
            Err(silence) => return Err(not_asked(&Fault::from(silence))),
        };
        self.remember(Some(&placement));
        let wanted = cloud::Launch { token: token.into(), name: launch.key.to_string(), placement, user_data };
        request::write(file, &wanted)?;
        Ok(wanted)
    }

    fn remember(&self, placement: Option<&Placement>) {
        let mut image = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        match placement {
            None => *image = None,
            Some(placed) if image.as_ref().is_none_or(|(_, known)| *known != placed.image) => {
                *image = Some((Instant::now(), placed.image.clone()));
            }
            Some(_) => {}
        }
    }

    fn ask(&self, verb: Verb) -> Result<Outcome, Fault> {
        match self.broker.ask(verb, USUAL)? {
            Outcome::Refused(refusal) => Err(fault(&refusal)),
            outcome => Ok(outcome),
        }
    }
}

/// What the broker of a class finds of everything that its instances need.
///
/// # Errors
///
/// If it does not answer, or has no credential.
pub fn check(socket: &Path, class: &Class) -> Result<Vec<Checked>, Fault> {
    match Ec2::new(socket, class.clone(), "").ask(Verb::Check)? {
        Outcome::Checked(all) => Ok(all),
        _ => Err(strange()),
    }
}

/// What came of asking for a machine, if it is none.
fn unmade(outcome: Outcome, launch: &Launch<'_>) -> Unmade {
    let KindSettings::Ec2 { spot, candidates, .. } = launch.class.kind else {
        return Fault::Configuration(format!("{} is no order for an instance of EC2", launch.key)).into();
    };
    match outcome {
        Outcome::Refused(Refusal::NoSpot(why)) => Unmade::NoRoomUpTo(spot, code(&why)),
        Outcome::Refused(Refusal::Quota(why)) => Unmade::NoRoomUpTo(candidates, code(&why)),
        Outcome::Refused(Refusal::Slower(why)) => Unmade::NotAsked(why),
        Outcome::Refused(refusal) => fault(&refusal).into(),
        _ => strange().into(),
    }
}

/// The code of what EC2 says. Its words name accounts and networks, and callers are told what an order has; they stand in the journal.
fn code(why: &str) -> String {
    let code = why.split(": ").next().unwrap_or_default();
    let is_code = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    if is_code { code.into() } else { why.into() }
}

fn fault(refusal: &Refusal) -> Fault {
    let why = code(&refusal.to_string());
    match refusal {
        Refusal::NoRoom(_) | Refusal::NoSpot(_) | Refusal::Quota(_) => Fault::NoCapacity(why),
        Refusal::Over(_) => Fault::Duplicate(why),
        Refusal::Configuration(_) | Refusal::Credential(_) => Fault::Configuration(why),
        Refusal::Passing(_) | Refusal::Slower(_) => Fault::Unavailable(why),
        Refusal::Mismatch(_) => Fault::Other(why),
    }
}

fn strange() -> Fault {
    Fault::Unavailable("The broker answers another question: it is of another release".into())
}

impl Kind for Ec2 {
    fn maker(&self) -> Maker {
        Maker::Ec2
    }

    fn name(&self, _: &Key, token: &Token) -> String {
        token.as_str().into()
    }

    fn launch(&self, launch: &Launch<'_>) -> Result<(), Unmade> {
        let file = request::beside(launch.registration);
        let wanted = self.request(launch, &file)?;
        let asked = match self.broker.ask(Verb::Launch(Box::new(wanted)), LAUNCH) {
            Err(Silence::Unasked(why)) => return Err(Unmade::NotAsked(why)),
            asked => asked.map_err(Fault::from)?,
        };
        if matches!(asked, Outcome::Refused(Refusal::Configuration(_))) {
            // It may have been the image, of which there is another one by now.
            self.remember(None);
        }
        match asked {
            Outcome::Launched => Ok(()),
            other => Err(unmade(other, launch)),
        }
    }

    fn look(&self) -> Result<Vec<Seen>, Fault> {
        let Outcome::Listed(instances) = self.ask(Verb::List)? else { return Err(strange()) };
        let seen = instances.into_iter().map(|instance| Seen {
            condition: match instance.condition {
                cloud::Condition::Alive => Condition::Alive,
                cloud::Condition::Stopped => Condition::Stopped,
                cloud::Condition::Over => Condition::Over,
                cloud::Condition::NoRoom => Condition::NoRoom,
            },
            name: instance.token,
        });
        Ok(seen.collect())
    }

    fn end(&self, name: &str) -> Result<(), Fault> {
        self.ask(Verb::End { token: name.into() }).map(drop)
    }

    fn seal(&self, name: &str) -> Result<(), Fault> {
        self.ask(Verb::Seal { token: name.into() }).map(drop)
    }

    fn place(&self) -> Option<&str> {
        Some(&self.place)
    }

    fn is_far(&self) -> bool {
        true
    }

    fn console(&self, name: &str) -> Result<String, Fault> {
        match self.ask(Verb::Console { token: name.into() })? {
            Outcome::Console(text) => Ok(text),
            _ => Err(strange()),
        }
    }
}

#[cfg(test)]
#[path = "ec2_tests.rs"]
mod tests;
