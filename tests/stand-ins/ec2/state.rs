//! What an EC2 knows, and how it is set to behave.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::form::Form;
use super::instance::Instance;
use super::rules::Rule;
use super::shared::unix_now;
use super::world::{self, Image, Kind, Subnet};

/// When something is seen to have happened.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum After {
    /// This many requests to list instances do not see it yet, and the next one does.
    Looks(u32),
    /// So many milliseconds are over.
    Ms(u64),
}

impl After {
    /// Whether it is seen.
    pub fn is_over(self, looks: u32, since: Instant) -> bool {
        match self {
            Self::Looks(count) => looks >= count,
            Self::Ms(time) => since.elapsed() >= Duration::from_millis(time),
        }
    }
}

/// A credential that is accepted.
#[derive(Clone, Debug)]
#[allow(clippy::struct_field_names, reason = "the names are AWS's")]
pub struct Key {
    pub access_key: String,
    pub secret_key: String,
    /// Of a temporary one: requests have to bring it.
    pub session_token: Option<String>,
}

/// The role of a host, whose credential its metadata service gives.
#[derive(Clone, Debug)]
pub struct HostRole {
    pub name: String,
    pub key: Key,
    /// Seconds until what is given out now is over.
    pub lasts: u64,
}

/// What happens to instances, for whoever makes real machines of them.
#[derive(Clone, Debug)]
pub enum Event {
    /// An instance is wanted.
    Launched(String),
    /// It has to end.
    Ending(String),
}

/// A request as it is remembered.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub action: String,
    /// What was answered; 0 for an answer that was lost.
    pub status: u16,
    /// The code of a refusal, or nothing.
    pub code: String,
    /// Without user data.
    pub parameters: BTreeMap<String, String>,
}

/// All of it.
pub struct State {
    pub region: String,
    pub keys: Vec<Key>,
    /// Whose credential the host gets, if it has a role.
    pub host: Option<HostRole>,
    pub images: Vec<Image>,
    pub kinds: Vec<Kind>,
    pub subnets: Vec<Subnet>,
    pub groups: Vec<String>,
    /// In the order of their launch, also those that nobody is shown any more.
    pub instances: Vec<Instance>,
    pub rules: Vec<Rule>,
    pub log: Vec<Entry>,
    /// Quotas by code.
    pub quotas: BTreeMap<String, f64>,
    /// Whether quotas may not be asked for.
    pub quotas_refused: bool,
    /// When a pending instance runs.
    pub start: After,
    /// When one that is shutting down is terminated.
    pub end: After,
    /// When a new one is listed.
    pub lag: After,
    /// How long one that is terminated is listed.
    pub kept: Duration,
    /// How many items a page has at most.
    pub page_size: usize,
    /// How far the clock here is ahead, in seconds.
    pub clock_offset: i64,
    /// Whether instances are real machines, which say themselves when they start and end.
    pub is_booted: bool,
    pub(super) events: Option<mpsc::Sender<Event>>,
    /// By zone, or by nothing for requests without a zone, and by token: the parameters and the instance.
    pub(super) tokens: BTreeMap<(String, String), (Form, String)>,
    /// Pages that were not asked for yet, each with its action.
    pub(super) pages: BTreeMap<String, (String, Vec<String>)>,
    pub(super) requests: u64,
}

impl State {
    pub(super) fn new(region: &str, keys: Vec<Key>) -> Self {
        Self {
            region: region.into(),
            keys,
            host: None,
            images: world::images(),
            kinds: world::kinds(),
            subnets: world::subnets(region),
            groups: vec![world::GROUP.into()],
            instances: Vec::new(),
            rules: Vec::new(),
            log: Vec::new(),
            // Virtual processors of standard types: spot, and at the list price.
            quotas: BTreeMap::from([("L-34B43A08".into(), 64.0), ("L-1216C47A".into(), 64.0)]),
            quotas_refused: false,
            start: After::Looks(0),
            end: After::Looks(0),
            lag: After::Looks(0),
            kept: Duration::from_secs(3_600),
            page_size: 1_000,
            clock_offset: 0,
            is_booted: false,
            events: None,
            tokens: BTreeMap::new(),
            pages: BTreeMap::new(),
            requests: 0,
        }
    }

    /// Seconds since the epoch, by the clock here.
    pub fn now(&self) -> u64 {
        unix_now().saturating_add_signed(self.clock_offset)
    }

    /// A credential that is accepted.
    pub fn key(&self, access_key: &str) -> Option<&Key> {
        let hosts = self.host.as_ref().map(|host| &host.key);
        self.keys.iter().chain(hosts).find(|key| key.access_key == access_key)
    }

    /// An instance, also one that nobody is shown any more.
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == id)
    }

    /// The same, to change it.
    pub fn instance_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.iter_mut().find(|instance| instance.id == id)
    }

    /// How many requests of an action there were.
    pub fn count(&self, action: &str) -> usize {
        self.log.iter().filter(|entry| entry.action == action).count()
    }

    pub(super) fn tell(&self, event: Event) {
        if let Some(events) = &self.events {
            // Nobody makes machines any more: the program ends.
            _ = events.send(event);
        }
    }
}
