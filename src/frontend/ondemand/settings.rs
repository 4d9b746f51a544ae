//! What the module tells desk and operators about runners on demand, as JSON (version 1). Pure.
//!
//! Paths and names only, never a secret. Where the credential is, for which address runners are registered and in which group
//! stands in the manifest of the broker, from which the desk makes that of each order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::label::{Class, Grammar, Prefix};
use super::limits::{ClassLimits, LONGEST_TTL, Limits};
use super::order::Proof;
use super::plan::Times;
use super::proof::Served;
use crate::model::{Repository, id};

/// The version of the format.
pub const VERSION: u64 = 1;

/// For so many seconds a cloud may not list what it has made (ec2.md, guess 4).
const CLOUD_LAG: u64 = 300;

/// Everything that is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Always [`VERSION`].
    pub version: u64,
    /// The address of this service, for which ID tokens have to be made.
    pub address: String,
    /// How labels begin.
    pub prefix: Prefix,
    /// How labels of workflows begin that were written for another service.
    pub compatible_prefix: Option<Prefix>,
    /// The manifest of the broker that looks things up.
    pub manifest: PathBuf,
    /// The socket of that broker.
    pub broker: PathBuf,
    /// The sandbox of brokers of orders: properties as `systemd-run` takes them.
    pub broker_properties: Vec<String>,
    /// Whose runs are served.
    pub repositories: Vec<RepositorySettings>,
    /// What can be ordered.
    pub classes: BTreeMap<Class, ClassSettings>,
    /// How much of it.
    pub limits: Limits,
    /// Where figures are written for whoever collects them.
    pub textfile_directory: Option<PathBuf>,
}

/// A repository whose runs are served.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RepositorySettings {
    /// Its name.
    pub name: Repository,
    /// Its id on the server.
    #[serde(deserialize_with = "id")]
    pub id: u64,
    /// The id of its owner there; needed for ID tokens.
    pub owner: Option<u64>,
    /// Which proofs it takes. Of those that a request can have, the first one counts.
    pub proofs: Vec<Proof>,
    /// Whether runs of pull requests from forks are served.
    pub forks: bool,
}

/// A class of runners.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClassSettings {
    /// Open orders of it.
    pub max: u32,
    /// The life of an order, in seconds.
    pub ttl: u64,
    /// The processors of a machine, for the limit on all together.
    pub processors: u32,
    /// What an hour costs, in ten-thousandths of the operator's unit.
    pub price_per_hour: super::order::Cost,
    /// Part of the label `arch_…` that its runners have besides that of their order.
    pub architecture: Architecture,
    /// After so many seconds a machine should have its runner.
    pub not_online: u64,
    /// After so many seconds a runner should have its job.
    pub no_job: u64,
    /// Whether runs of pull requests from forks may have it.
    pub forks: bool,
    /// What makes its machines.
    pub kind: KindSettings,
}

/// An architecture, as the label `arch_…` names it: 1 to 16 of `a-z`, `0-9` and `_`.
pub type Architecture = Class;

/// What makes the machines of a class.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum KindSettings {
    /// A unit of this host.
    #[serde(rename_all = "camelCase")]
    Local {
        /// The name of the template up to its `@`; its instance is the stem of an order.
        unit: String,
        /// Where its jobs run, as the server is to write it into the registration; `%i` stands for the instance.
        work_directory: String,
    },
    /// A machine of systemd-nspawn.
    Nspawn {
        /// The name of an image of `services.ci-machines.images`.
        image: String,
    },
    /// An instance of Incus or LXD.
    #[serde(rename_all = "camelCase")]
    Incus {
        /// The server's socket.
        socket: PathBuf,
        /// The project.
        project: String,
        /// An alias, or the beginning of a fingerprint.
        image: String,
        /// Profiles in the order in which they apply.
        profiles: Vec<String>,
        /// Whether it is a virtual machine, not a container.
        virtual_machine: bool,
        /// Processors, memory and disk, as the server writes them.
        cpu: Option<String>,
        /// Such as `4GiB`.
        memory: Option<String>,
        /// Such as `20GiB`.
        disk: Option<String>,
    },
    /// An instance of EC2, made by a broker of the class.
    Ec2 {
        /// The broker's socket.
        broker: PathBuf,
        /// Which place of EC2 it is: its instances are found there alone.
        place: String,
        /// How many of the candidates are spot instances; these come first.
        spot: u32,
        /// How many candidates there are.
        candidates: u32,
        /// The runner, for images that have none.
        runner: Option<Download>,
    },
}

/// A file that a machine fetches when it boots.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Download {
    /// Where it is.
    pub url: String,
    /// The SHA-256 that it must have, in hexadecimal digits.
    pub sha256: String,
}

#[derive(Deserialize)]
struct Header {
    version: u64,
}

impl Settings {
    /// Reads and checks the text of the settings.
    ///
    /// # Errors
    ///
    /// Names the field that is unknown, missing or wrong, and what to do about it.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let Header { version } = serde_json::from_slice(text).context("they are no JSON object with a `version`")?;
        if version != VERSION {
            bail!(
                "field `version` is {version}, but this program reads version {VERSION}: take the module and the programs from the same release"
            );
        }
        let settings: Self = serde_json::from_slice(text).context(
            "a field is wrong; if it is unknown or missing, take the module and the programs from the same release",
        )?;
        match settings.fault() {
            Some(fault) => bail!("{fault}"),
            None => Ok(settings),
        }
    }

    fn fault(&self) -> Option<String> {
        let mut names = BTreeSet::new();
        for repository in &self.repositories {
            let name = repository.name.as_str();
            if !names.insert(name.to_ascii_lowercase()) {
                return Some(format!("repository {name} is configured twice: names have no upper and lower case"));
            }
            if repository.proofs.is_empty() {
                return Some(format!(
                    "repository {name} takes no proof, so nobody can order for it: name one in `proofs`"
                ));
            }
            if repository.proofs.contains(&Proof::Oidc) && repository.owner.is_none() {
                return Some(format!("repository {name} takes ID tokens and has no `ownerId`: set it"));
            }
        }
        for (class, settings) in &self.classes {
            let class = class.as_str();
            if !(60..=LONGEST_TTL).contains(&settings.ttl) {
                return Some(format!("class {class} has a `ttl` of {} s: use 60 to {LONGEST_TTL}", settings.ttl));
            }
            if let KindSettings::Ec2 { spot, candidates, .. } = &settings.kind
                && (*candidates == 0 || spot > candidates)
            {
                return Some(format!("class {class} has {candidates} candidates, of which {spot} are spot instances"));
            }
            if matches!(settings.kind, KindSettings::Ec2 { .. }) && settings.price_per_hour.0 == 0 {
                return Some(format!("class {class} is of a cloud and costs nothing: set its `pricePerHour`"));
            }
            if settings.price_per_hour.0 > 0 && self.limits.cost_per_day.is_none() {
                return Some(format!("class {class} costs money and there is no `limits.costPerDay`: set it"));
            }
        }
        None
    }

    /// Which labels are taken.
    #[must_use]
    pub fn grammar(&self) -> Grammar {
        Grammar { prefix: self.prefix.clone(), compatible: self.compatible_prefix.clone() }
    }
}

impl RepositorySettings {
    /// What proofs are judged by. An owner that is not configured is nobody's id.
    #[must_use]
    pub fn served(&self) -> Served {
        Served { name: self.name.clone(), id: self.id, owner: self.owner.unwrap_or(0), forks: self.forks }
    }
}

impl ClassSettings {
    /// What limits go by.
    #[must_use]
    pub fn limits(&self) -> ClassLimits {
        ClassLimits { max: self.max, ttl: self.ttl, processors: self.processors, price_per_hour: self.price_per_hour }
    }

    /// On which market the machine of a candidate is bought, for kinds that have several; counted from 1.
    #[must_use]
    pub fn market(&self, candidate: u32) -> Option<&'static str> {
        match self.kind {
            KindSettings::Ec2 { spot, .. } if candidate > 0 => {
                Some(if candidate <= spot { "spot" } else { "on-demand" })
            }
            _ => None,
        }
    }

    /// How long things take.
    #[must_use]
    pub fn times(&self) -> Times {
        let (lag, candidates, seals) = match self.kind {
            KindSettings::Ec2 { candidates, .. } => (CLOUD_LAG, candidates, true),
            // Kinds on this host know at once what there is, and have one candidate: this host.
            _ => (0, 1, false),
        };
        Times { not_online: self.not_online, no_job: self.no_job, lag, candidates, seals }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
