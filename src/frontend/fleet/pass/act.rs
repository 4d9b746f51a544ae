//! Does one step after the other, and remembers each at once.
//!
//! A step that GARM refuses is told, and what needs it is left out; the others are done. When GARM does not answer, nobody knows
//! what became of the step, so the pass ends there, and the next one looks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;

use super::api::{Failure, Garm};
use super::look::word;
use super::store::Store;
use crate::frontend::fleet::declaration::Declaration;
use crate::frontend::fleet::material::{Material, Proof};
use crate::frontend::fleet::memory::{Memory, Remembered};
use crate::frontend::fleet::seen::{Seen, kind_of};
use crate::frontend::fleet::step::{Action, Kind, Plan, Step};
use crate::frontend::fleet::wire::is_id;
use crate::registration::credential::salt;

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Done {
    /// How many steps were done.
    pub count: usize,
    /// What GARM did not do, each a sentence.
    pub faults: Vec<String>,
    /// Why the pass ended before its end.
    pub away: Option<String>,
}

/// What does it.
pub struct Actor<'a> {
    garm: &'a Garm,
    declared: &'a Declaration,
    material: &'a Material,
    store: &'a Store,
    memory: &'a mut Memory,
    /// Ids of repositories and organizations.
    ids: BTreeMap<(Kind, String), String>,
}

/// Why a step was not done.
enum Stop {
    Failure(Failure),
    /// What it needs is not there, for a reason that was told already.
    Waits,
    Ours(anyhow::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Ours(error)
    }
}

impl<'a> Actor<'a> {
    /// Prepares it.
    pub fn new(
        garm: &'a Garm,
        declared: &'a Declaration,
        material: &'a Material,
        seen: &Seen,
        (store, memory): (&'a Store, &'a mut Memory),
    ) -> Self {
        let both = [(Kind::Repository, &declared.repositories), (Kind::Organization, &declared.organizations)];
        let names = both.into_iter().flat_map(|(kind, entities)| entities.keys().map(move |name| (kind, name)));
        let ids = names.filter_map(|(kind, name)| {
            let entity = seen.entity(declared, kind, name)?;
            Some(((kind, name.clone()), entity.id.clone()))
        });
        Self { garm, declared, material, store, ids: ids.collect(), memory }
    }

    /// Does all of it.
    ///
    /// # Errors
    ///
    /// If it cannot be remembered.
    pub fn run(&mut self, plan: &Plan) -> Result<Done> {
        let mut done = Done::default();
        let mut missing: BTreeSet<(Kind, String)> = BTreeSet::new();
        for step in &plan.steps {
            if self.needs(step).iter().any(|needed| missing.contains(needed)) {
                missing.insert((step.kind, step.name.clone()));
                continue;
            }
            match self.step(step) {
                Ok(()) => {
                    done.count += 1;
                    tracing::info!("{}", step.told(false));
                }
                Err(Stop::Failure(Failure::Away(why))) => {
                    done.away = Some(why);
                    return Ok(done);
                }
                Err(Stop::Failure(failure)) => {
                    done.faults.push(format!("{} {} was not done: {}", step.kind, step.name, failure.said()));
                    if step.action == Action::Create {
                        missing.insert((step.kind, step.name.clone()));
                    }
                }
                Err(Stop::Waits) => {
                    missing.insert((step.kind, step.name.clone()));
                }
                Err(Stop::Ours(error)) => return Err(error),
            }
        }
        Ok(done)
    }

    /// What has to be there before a step.
    fn needs(&self, step: &Step) -> Vec<(Kind, String)> {
        let declared = self.declared;
        let credentials = |name: &str| declared.credentials.get(name).map(|one| (Kind::Endpoint, one.endpoint.clone()));
        match step.kind {
            Kind::Credentials => credentials(&step.name).into_iter().collect(),
            Kind::Repository | Kind::Organization => {
                let entities =
                    if step.kind == Kind::Repository { &declared.repositories } else { &declared.organizations };
                let entity = entities.get(&step.name);
                entity.map(|entity| (Kind::Credentials, entity.credentials.clone())).into_iter().collect()
            }
            _ => step.entity.iter().map(|entity| (kind_of(entity), entity.clone())).collect(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Stop> {
        let proof = self.proof(step)?;
        let mut body = step.body.clone();
        if let Some(proof) = proof {
            proof.put_into(&mut body);
        }
        let (id, body) = (step.id.as_deref().unwrap_or_default(), Value::Object(body));
        match (step.kind, step.action) {
            (_, Action::Adopt) => self.remember_pool(&step.name, Some(id))?,
            (Kind::Controller, _) => self.garm.update(&["controller"], &body)?,
            (Kind::Endpoint, Action::Create) => drop(self.garm.create(&["github", "endpoints"], &body)?),
            (Kind::Endpoint, Action::Update) => self.garm.update(&["github", "endpoints", id], &body)?,
            (Kind::Credentials, Action::Create) => drop(self.garm.create(&["github", "credentials"], &body)?),
            (Kind::Credentials, Action::Update) => self.garm.update(&["github", "credentials", id], &body)?,
            (Kind::Repository | Kind::Organization, Action::Create) => {
                let made = self.garm.create(&[word(step.kind)], &body)?;
                self.ids.insert((step.kind, step.name.clone()), id_of(&made)?);
            }
            (Kind::Repository | Kind::Organization, Action::Update) => {
                self.garm.update(&[word(step.kind), id], &body)?;
            }
            (Kind::Webhook, _) => self.install(step, &body)?,
            (Kind::Pool, Action::Create) => {
                let (way, entity) = self.entity(step)?;
                // Before the request, so that a lost answer is known for one.
                self.remember_pool(&step.name, None)?;
                let made = self.garm.create(&[way, &entity, "pools"], &body)?;
                self.remember_pool(&step.name, Some(&id_of(&made)?))?;
            }
            (Kind::Pool, Action::Update) => self.garm.update(&["pools", id], &body)?,
            (Kind::ScaleSet, Action::Create) => {
                let (way, entity) = self.entity(step)?;
                self.garm.create(&[way, &entity, "scalesets"], &body)?;
            }
            (Kind::ScaleSet, Action::Update) => self.garm.update(&["scalesets", id], &body)?,
        }
        self.remember_secret(step)?;
        Ok(())
    }

    /// The secret that goes with a step.
    fn proof(&self, step: &Step) -> Result<Option<&'a Proof>, Stop> {
        if !step.with_secret {
            return Ok(None);
        }
        let proofs = if step.kind == Kind::Credentials { &self.material.credentials } else { &self.material.webhooks };
        // What could not be read was refused by the plan.
        proofs.get(&step.name).and_then(|proof| proof.as_ref().ok()).map(Some).ok_or(Stop::Waits)
    }

    fn entity(&self, step: &Step) -> Result<(&'static str, String), Stop> {
        let name = step.entity.clone().ok_or(Stop::Waits)?;
        let kind = kind_of(&name);
        let id = self.ids.get(&(kind, name)).cloned().ok_or(Stop::Waits)?;
        Ok((word(kind), id))
    }

    fn install(&self, step: &Step, body: &Value) -> Result<(), Stop> {
        let (way, entity) = self.entity(step)?;
        match self.garm.create(&[way, &entity, "webhook"], body) {
            // It was there before the repository was.
            Err(failure) if failure.is(409) => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }

    fn remember_pool(&mut self, name: &str, id: Option<&str>) -> Result<()> {
        // A pool that is declared under another name is not that of the former any more.
        self.memory.pools.retain(|other, known| other == name || id.is_none() || known.id.as_deref() != id);
        self.memory.pools.insert(name.into(), Remembered { id: id.map(String::from) });
        self.store.write(self.memory)
    }

    fn remember_secret(&mut self, step: &Step) -> Result<(), Stop> {
        let Some(proof) = self.proof(step)? else { return Ok(()) };
        let digest = proof.digest(salt()?);
        let known =
            if step.kind == Kind::Credentials { &mut self.memory.credentials } else { &mut self.memory.webhooks };
        known.insert(step.name.clone(), digest);
        Ok(self.store.write(self.memory)?)
    }
}

/// The id of what was made. Without one the answer was cut.
fn id_of(made: &Value) -> Result<String, Failure> {
    let id = made["id"].as_str().filter(|id| is_id(id));
    id.map(String::from).ok_or_else(|| Failure::Away("GARM does not say what it made".into()))
}
