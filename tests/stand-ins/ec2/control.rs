//! What tests tell the program over HTTP: `POST /stand-in/…` with JSON, unsigned. Tests in the same process have [`super::Ec2`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::http::{Request, Response};
use super::rules::Rule;
use super::state::{After, State};

/// Where all of it is.
pub const PREFIX: &str = "/stand-in/";

/// How it behaves from now on, as far as it is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    pub start: Option<After>,
    pub end: Option<After>,
    pub lag: Option<After>,
    /// Seconds.
    pub kept: Option<u64>,
    pub page_size: Option<usize>,
    /// Seconds.
    pub clock_offset: Option<i64>,
    pub quotas: BTreeMap<String, f64>,
    pub quotas_refused: Option<bool>,
    /// Free addresses by subnet.
    pub addresses: BTreeMap<String, u32>,
}

/// An instance that something is done to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    instance: String,
    #[serde(default)]
    text: String,
}

impl State {
    /// Changes how it behaves.
    pub fn set(&mut self, settings: &Settings) {
        let change = |old: &mut After, new: Option<After>| *old = new.unwrap_or(*old);
        change(&mut self.start, settings.start);
        change(&mut self.end, settings.end);
        change(&mut self.lag, settings.lag);
        self.kept = settings.kept.map_or(self.kept, Duration::from_secs);
        self.page_size = settings.page_size.unwrap_or(self.page_size);
        self.clock_offset = settings.clock_offset.unwrap_or(self.clock_offset);
        self.quotas.extend(settings.quotas.clone());
        self.quotas_refused = settings.quotas_refused.unwrap_or(self.quotas_refused);
        for subnet in &mut self.subnets {
            subnet.free = settings.addresses.get(&subnet.id).copied().unwrap_or(subnet.free);
        }
    }

    /// The log, with counts by action.
    pub fn told_log(&self) -> Value {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &self.log {
            *counts.entry(&entry.action).or_default() += 1;
        }
        json!({"requests": self.log, "counts": counts})
    }
}

/// Does what a test says.
pub fn answer(state: &mut State, request: &Request) -> Response {
    let what = request.path.strip_prefix(PREFIX).unwrap_or_default();
    if request.method != "POST" {
        return Response::plain(405, "POST, with JSON or nothing\n");
    }
    match act(state, what, &request.body) {
        Ok(value) => Response { status: 200, kind: "application/json", body: value.to_string().into() },
        Err(why) => Response::plain(400, why + "\n"),
    }
}

fn act(state: &mut State, what: &str, body: &[u8]) -> Result<Value, String> {
    match what {
        "instances" => return Ok(state.instances.iter().map(super::Instance::json).collect()),
        "log" => return Ok(state.told_log()),
        "clear" => {
            state.log.clear();
            state.rules.clear();
        }
        "rules" => state.rules.extend(parsed::<Vec<Rule>>(body)?),
        "settings" => state.set(&parsed(body)?),
        "interrupt" => {
            let id = parsed::<Named>(body)?.instance;
            if !state.interrupt(&id) {
                return Err(format!("{id} is no spot instance that stands"));
            }
        }
        "power-off" => {
            let id = named(state, body)?.instance;
            state.has_ended(&id);
        }
        "console" => {
            let named = named(state, body)?;
            if let Some(instance) = state.instance_mut(&named.instance) {
                instance.console = named.text;
            }
        }
        _ => return Err(format!("there is nothing at {PREFIX}{what}")),
    }
    Ok(Value::Null)
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn named(state: &State, body: &[u8]) -> Result<Named, String> {
    let named: Named = parsed(body)?;
    if state.instance(&named.instance).is_none() { Err(format!("there is no {}", named.instance)) } else { Ok(named) }
}
