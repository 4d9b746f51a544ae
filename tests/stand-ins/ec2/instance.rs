//! One instance: what it was asked for, what it does, and how it is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use super::shared::Utc;
use super::world::VPC;
use super::xml::{list, tag, text};

/// How much of a console is kept.
const CONSOLE: usize = 64 << 10;

/// What an instance does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopped,
}

impl Condition {
    /// As EC2 writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopped => "stopped",
        }
    }

    /// As an element of this name.
    pub fn xml(self, name: &str) -> String {
        let code = match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopped => 80,
        };
        tag(name, &(text("code", code) + &text("name", self.word())))
    }
}

/// How the metadata service of an instance behaves.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataOptions {
    /// `required` or `optional`.
    pub http_tokens: String,
    pub http_put_response_hop_limit: u64,
    /// `enabled` or `disabled`.
    pub http_endpoint: String,
    pub instance_metadata_tags: String,
}

impl MetadataOptions {
    /// As an element.
    pub fn xml(&self, state: &str) -> String {
        let inner = [
            text("state", state),
            text("httpTokens", &self.http_tokens),
            text("httpPutResponseHopLimit", self.http_put_response_hop_limit),
            text("httpEndpoint", &self.http_endpoint),
            text("instanceMetadataTags", &self.instance_metadata_tags),
        ];
        inner.concat()
    }
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    pub id: String,
    /// What it was asked for by, or nothing.
    pub token: String,
    pub condition: Condition,
    /// Since when.
    pub since: Instant,
    /// How many requests to list instances there were since.
    pub looks: u32,
    /// When it was launched.
    pub launched: Instant,
    /// The same, in seconds since the epoch.
    pub launch_time: u64,
    /// How many requests to list instances there were since.
    pub age: u32,
    /// Code and message of the reason of its state.
    pub reason: Option<(String, String)>,
    pub image: String,
    pub kind: String,
    pub architecture: &'static str,
    pub subnet: String,
    pub zone: String,
    pub groups: Vec<String>,
    pub public_address: Option<bool>,
    pub is_spot: bool,
    /// `stop` or `terminate`.
    pub shutdown: String,
    pub metadata: MetadataOptions,
    pub disks: Vec<BTreeMap<String, String>>,
    /// By type of resource.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    pub user_data: Vec<u8>,
    pub console: String,
    /// Where a real machine writes its console.
    pub console_file: Option<PathBuf>,
}

impl Instance {
    /// Changes what it does.
    pub fn become_(&mut self, condition: Condition, reason: Option<(&str, &str)>) {
        (self.condition, self.since, self.looks) = (condition, Instant::now(), 0);
        if let Some((code, message)) = reason {
            self.reason = Some((code.into(), format!("{code}: {message}")));
        }
    }

    /// Whether anything of it stands, or may stand again.
    pub fn is_over(&self) -> bool {
        self.condition == Condition::Terminated
    }

    /// Its own tags.
    pub fn own_tags(&self) -> impl Iterator<Item = (&String, &String)> {
        self.tags.get("instance").into_iter().flatten()
    }

    /// `spot` or `on-demand`.
    pub fn market(&self) -> &'static str {
        if self.is_spot { "spot" } else { "on-demand" }
    }

    /// What it wrote last.
    pub fn console_text(&self) -> Vec<u8> {
        let written = self.console_file.as_ref().and_then(|file| fs::read(file).ok());
        let all = written.unwrap_or_else(|| self.console.clone().into_bytes());
        all[all.len().saturating_sub(CONSOLE)..].to_vec()
    }

    /// How it is told by `DescribeInstances`, without the element around it.
    pub fn xml(&self) -> String {
        let reason = self.reason.as_ref().map_or(String::new(), |(code, message)| {
            tag("stateReason", &(text("code", code) + &text("message", message)))
        });
        let tags = self.own_tags().map(|(key, value)| text("key", key) + &text("value", value));
        let parts = [
            text("instanceId", &self.id),
            text("imageId", &self.image),
            self.condition.xml("instanceState"),
            text("privateDnsName", ""),
            text("dnsName", ""),
            text("reason", self.reason.as_ref().map_or("", |(_, message)| message)),
            text("amiLaunchIndex", 0),
            text("instanceType", &self.kind),
            text("launchTime", Utc::from_unix(self.launch_time).iso().replace('Z', ".000Z")),
            tag("placement", &(text("availabilityZone", &self.zone) + &text("tenancy", "default"))),
            tag("monitoring", &text("state", "disabled")),
            if self.is_over() { String::new() } else { text("subnetId", &self.subnet) + &text("vpcId", VPC) },
            reason,
            text("architecture", self.architecture),
            text("rootDeviceType", "ebs"),
            text("clientToken", &self.token),
            if self.is_spot { text("instanceLifecycle", "spot") } else { String::new() },
            list("groupSet", self.groups.iter().map(|group| text("groupId", group))),
            list("tagSet", tags),
            tag("metadataOptions", &self.metadata.xml("applied")),
        ];
        parts.concat()
    }

    /// All of it, for tests.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id, "token": self.token, "state": self.condition.word(), "market": self.market(),
            "stateReason": self.reason.as_ref().map(|(code, _)| code), "type": self.kind, "image": self.image,
            "subnet": self.subnet, "zone": self.zone, "groups": self.groups, "publicAddress": self.public_address,
            "userData": String::from_utf8_lossy(&self.user_data), "userDataBase64": STANDARD.encode(&self.user_data),
            "metadataOptions": self.metadata, "disks": self.disks, "tags": self.tags, "shutdownBehavior": self.shutdown,
            "launchTime": self.launch_time,
        })
    }
}
