//! How it stands with a fleet: each thing that is declared or that GARM has, and what keeps it from being as declared. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::declaration::{Declaration, GITHUB};
use super::memory::Memory;
use super::plan::pair;
use super::seen::{Seen, kind_of};
use super::step::{Action, Kind, Plan};
use super::wire::{Instance, Pool};
use crate::model::plain;

/// The version of the form of [`Report::json`].
const VERSION: u64 = 1;

/// All of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Always 1.
    pub version: u64,
    /// The id of the controller; empty before its first run.
    pub controller: String,
    /// Its version.
    pub controller_version: String,
    /// In the order of passes, those that are not declared last.
    pub things: Vec<Thing>,
}

/// One thing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Thing {
    /// What it is.
    pub kind: Kind,
    /// Its name in the declaration; of a pool that nobody remembers its id.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// Its id in GARM, of pools and scale sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many instances of each status a pool or scale set has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub instances: BTreeMap<String, usize>,
    /// What differs, or why it cannot be as declared.
    pub said: Vec<String>,
}

/// How something stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As declared.
    InPlace,
    /// The next pass makes it.
    Missing,
    /// The next pass changes it.
    Differs,
    /// No pass can bring it about.
    Refused,
    /// GARM has it, and the declaration does not.
    NotDeclared,
}

impl State {
    /// In the words of the table and of figures.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::Refused => "refused",
            Self::NotDeclared => "not declared",
        }
    }
}

impl Report {
    /// Puts it together.
    #[must_use]
    pub fn of(declared: &Declaration, seen: &Seen, memory: &Memory, plan: &Plan, instances: &[Instance]) -> Self {
        let mut things = Vec::new();
        let mut add = |kind, name: &str, found: Option<&Pool>| {
            let (state, said) = judged(plan, kind, name);
            let (id, instances) = (found.map(|pool| pool.id.clone()), counted(instances, kind, found));
            things.push(Thing { kind, name: name.into(), state, id, instances, said });
        };
        add(Kind::Controller, "controller", None);
        declared.endpoints.keys().for_each(|name| add(Kind::Endpoint, name, None));
        declared.credentials.keys().for_each(|name| add(Kind::Credentials, name, None));
        for (kind, entities) in
            [(Kind::Repository, &declared.repositories), (Kind::Organization, &declared.organizations)]
        {
            for (name, entity) in entities {
                add(kind, name, None);
                if entity.install_webhook {
                    add(Kind::Webhook, name, None);
                }
            }
        }
        let pairs = pair(declared, seen, memory);
        for name in declared.pools.keys() {
            add(Kind::Pool, name, pairs.get(name.as_str()).and_then(super::plan::Pairing::pool));
        }
        for name in declared.scale_sets.keys() {
            add(Kind::ScaleSet, name, scale_set(declared, seen, name));
        }
        for orphan in orphans(declared, seen, memory) {
            let counted = counted(instances, orphan.kind, orphan.pool);
            let id = orphan.pool.map(|pool| pool.id.clone());
            let said = orphan.pool.map(|pool| format!("of {}", pool.whose.shown())).into_iter().collect();
            let (kind, name, state) = (orphan.kind, orphan.name, State::NotDeclared);
            things.push(Thing { kind, name, state, id, instances: counted, said });
        }
        let (controller, controller_version) = (seen.controller.id.clone(), seen.controller.version.clone());
        Self { version: VERSION, controller, controller_version, things }
    }

    /// Whether everything that is declared is there as declared.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.things.iter().all(|thing| matches!(thing.state, State::InPlace | State::NotDeclared))
    }

    /// For programs.
    ///
    /// # Errors
    ///
    /// Never, as far as is known.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let head = ["KIND", "NAME", "STATE", "INSTANCES", ""].map(String::from);
        let row = |thing: &Thing| {
            let instances: Vec<String> =
                thing.instances.iter().map(|(status, count)| format!("{count} {status}")).collect();
            let name = plain(&thing.name);
            [
                thing.kind.to_string(),
                name,
                thing.state.word().into(),
                plain(&instances.join(", ")),
                plain(&thing.said.join("; ")),
            ]
        };
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(self.things.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        rows.iter().fold(String::new(), |text, row| {
            let cells = row.iter().zip(widths.into_iter().chain([0]));
            let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            text + line.join("  ").trim_end() + "\n"
        })
    }
}

fn judged(plan: &Plan, kind: Kind, name: &str) -> (State, Vec<String>) {
    let refused = plan.refused.iter().filter(|refused| refused.kind == kind && refused.name == name);
    let mut said: Vec<String> = refused.map(|refused| refused.said.clone()).collect();
    if !said.is_empty() {
        return (State::Refused, said);
    }
    let mut state = State::InPlace;
    for step in plan.steps.iter().filter(|step| step.kind == kind && step.name == name) {
        match step.action {
            Action::Create => state = State::Missing,
            Action::Update => {
                state = State::Differs;
                said.push(format!("differs in {}", step.fields().join(", ")));
            }
            Action::Adopt => {
                state = State::Differs;
                said.push("is not remembered, and will be taken over".into());
            }
        }
    }
    (state, said)
}

fn counted(instances: &[Instance], kind: Kind, pool: Option<&Pool>) -> BTreeMap<String, usize> {
    let Some(pool) = pool else { return BTreeMap::new() };
    let is_of = |instance: &&Instance| match kind {
        Kind::ScaleSet => instance.scale_set_id == pool.id,
        _ => instance.pool_id == pool.id,
    };
    instances.iter().filter(is_of).fold(BTreeMap::new(), |mut counts, instance| {
        *counts.entry(instance.status.clone()).or_default() += 1;
        counts
    })
}

/// What GARM has of a declared scale set.
fn scale_set<'a>(declared: &Declaration, seen: &'a Seen, name: &str) -> Option<&'a Pool> {
    let wanted = declared.scale_sets.get(name)?;
    let at_github = wanted.name.as_deref().unwrap_or(name);
    let entity = seen.entity(declared, kind_of(&wanted.entity), &wanted.entity)?;
    let mut sets = seen.scale_sets.iter();
    sets.find(|set| set.whose.entity_id() == entity.id && set.name.eq_ignore_ascii_case(at_github))
}

/// Something that GARM has and nobody declares.
pub struct Orphan<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its name; of a pool the one under which it was declared, or its id.
    pub name: String,
    /// What GARM knows it by.
    pub id: String,
    /// Of pools and scale sets.
    pub pool: Option<&'a Pool>,
}

/// GARM does not tell the case of these names.
fn is_in<T>(declared: &BTreeMap<String, T>, name: &str) -> bool {
    declared.keys().any(|known| known.eq_ignore_ascii_case(name))
}

/// Everything that GARM has and that is not declared. What cannot be told from declared pools is none of them.
#[must_use]
pub fn orphans<'a>(declared: &Declaration, seen: &'a Seen, memory: &Memory) -> Vec<Orphan<'a>> {
    let mut orphans = Vec::new();
    for found in &seen.endpoints {
        if found.name != GITHUB && !is_in(&declared.endpoints, &found.name) {
            orphans.push(Orphan { kind: Kind::Endpoint, name: found.name.clone(), id: found.name.clone(), pool: None });
        }
    }
    for found in &seen.credentials {
        if !is_in(&declared.credentials, &found.name) {
            let id = found.id.to_string();
            orphans.push(Orphan { kind: Kind::Credentials, name: found.name.clone(), id, pool: None });
        }
    }
    for (kind, entities) in [(Kind::Repository, &declared.repositories), (Kind::Organization, &declared.organizations)]
    {
        let known: BTreeSet<&str> =
            entities.keys().filter_map(|name| Some(seen.entity(declared, kind, name)?.id.as_str())).collect();
        let others = seen.entities(kind).iter().filter(|found| !known.contains(found.id.as_str()));
        orphans.extend(others.map(|found| Orphan { kind, name: found.full_name(), id: found.id.clone(), pool: None }));
    }
    let pairs = pair(declared, seen, memory);
    let known: BTreeSet<&str> = pairs.values().filter_map(|pair| Some(pair.pool()?.id.as_str())).collect();
    for pool in seen.pools.iter().filter(|pool| !known.contains(pool.id.as_str())) {
        let remembered = memory.pools.iter().find(|(_, known)| known.id.as_deref() == Some(&pool.id));
        let name = remembered.map_or_else(|| pool.id.clone(), |(name, _)| name.clone());
        orphans.push(Orphan { kind: Kind::Pool, name, id: pool.id.clone(), pool: Some(pool) });
    }
    let sets = declared.scale_sets.keys();
    let known: BTreeSet<&str> = sets.filter_map(|name| Some(scale_set(declared, seen, name)?.id.as_str())).collect();
    for set in seen.scale_sets.iter().filter(|set| !known.contains(set.id.as_str())) {
        orphans.push(Orphan { kind: Kind::ScaleSet, name: set.name.clone(), id: set.id.clone(), pool: Some(set) });
    }
    orphans
}
