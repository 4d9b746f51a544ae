//! A GARM that is a value: what a step changes in it is what GARM's sources say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Inputs, plan};
use crate::contract::protocol::Secret;
use crate::frontend::fleet::declaration::Declaration;
use crate::frontend::fleet::material::{Material, Proof};
use crate::frontend::fleet::memory::{Memory, Remembered};
use crate::frontend::fleet::refuse::parse;
use crate::frontend::fleet::report::Report;
use crate::frontend::fleet::seen::{Seen, Webhook, kind_of};
use crate::frontend::fleet::step::{Action, Kind, Plan, Step};
use crate::frontend::fleet::wire;

/// A GARM, what is remembered of it, and the secrets that it has.
#[derive(Clone, Default)]
pub struct World {
    pub seen: Seen,
    pub memory: Memory,
    made: usize,
}

fn example() -> Value {
    serde_json::from_str(include_str!("../../../../tests/fixtures/garm-fleet-v1.json")).unwrap()
}

/// What the fixture declares, after a change.
pub fn declared(change: impl FnOnce(&mut Value)) -> Declaration {
    let mut value = example();
    change(&mut value);
    parse(value.to_string().as_bytes()).unwrap()
}

fn fake(text: &str) -> Proof {
    Proof::token(Secret::new(text.into()))
}

/// All secrets with this text.
fn material(declared: &Declaration, text: &str) -> Material {
    let proofs = |names: Vec<&String>| -> BTreeMap<String, Result<Proof, String>> {
        names.into_iter().map(|name| (name.clone(), Ok(fake(text)))).collect()
    };
    let credentials = proofs(declared.credentials.keys().collect());
    let webhooks = proofs(declared.repositories.keys().chain(declared.organizations.keys()).collect());
    let certificates = BTreeMap::from([("ghes".into(), Ok("bm8=".into()))]);
    Material { credentials, webhooks, certificates }
}

impl World {
    pub fn plan(&self, declared: &Declaration, text: &str) -> Plan {
        plan(Inputs { declared, seen: &self.seen, memory: &self.memory, material: &material(declared, text) })
    }

    /// Does a step as GARM does; with `is_lost` its answer does not arrive.
    fn apply(&mut self, declared: &Declaration, step: &Step, text: &str, is_lost: bool) {
        let mut body = Value::Object(step.body.clone());
        self.made += 1;
        let made = format!("id-{}", self.made);
        match step.kind {
            Kind::Controller => {
                let seen = &mut self.seen.controller;
                let url = |field: &str, known: &str| body[field].as_str().unwrap_or(known).to_owned();
                seen.metadata_url = url("metadata_url", &seen.metadata_url);
                seen.callback_url = url("callback_url", &seen.callback_url);
                seen.webhook_url = url("webhook_url", &seen.webhook_url);
            }
            Kind::Endpoint => {
                let known = self.seen.endpoints.iter().position(|known| Some(&known.name) == step.id.as_ref());
                let known = known.map(|at| self.seen.endpoints.remove(at)).unwrap_or_default();
                let text = |field: &str, known: &str| body[field].as_str().unwrap_or(known).to_owned();
                self.seen.endpoints.push(wire::Endpoint {
                    name: step.name.clone(),
                    description: text("description", &known.description),
                    base_url: text("base_url", &known.base_url),
                    api_base_url: text("api_base_url", &known.api_base_url),
                    upload_base_url: text("upload_base_url", &known.upload_base_url),
                    ca_cert_bundle: body["ca_cert_bundle"].as_str().map(String::from).or(known.ca_cert_bundle),
                });
            }
            Kind::Credentials => {
                if step.action == Action::Create {
                    body["id"] = json!(self.made);
                    body["auth-type"] = body["auth_type"].clone();
                    body["endpoint"] = json!({"name": body["endpoint"]});
                    self.seen.credentials.push(serde_json::from_value(body).unwrap());
                } else {
                    let mut known = self.seen.credentials.iter_mut();
                    let known = known.find(|known| Some(known.id.to_string()) == step.id).unwrap();
                    known.description = body["description"].as_str().unwrap_or(&known.description).into();
                }
                let digest = fake(text).digest([0; 16]);
                if step.with_secret && !is_lost {
                    self.memory.credentials.insert(step.name.clone(), digest);
                }
            }
            Kind::Repository | Kind::Organization => {
                let wanted = match step.kind {
                    Kind::Repository => &declared.repositories[&step.name],
                    _ => &declared.organizations[&step.name],
                };
                let all = match step.kind {
                    Kind::Repository => &mut self.seen.repositories,
                    _ => &mut self.seen.organizations,
                };
                if step.action == Action::Create {
                    body["id"] = json!(made);
                    body["pool_balancing_type"] = body["pool_balancer_type"].clone();
                    body["endpoint"] = json!({"name": declared.credentials[&wanted.credentials].endpoint});
                    all.push(serde_json::from_value(body).unwrap());
                    self.seen.webhooks.insert((step.kind, step.name.clone()), Webhook::Missing);
                } else {
                    let known = all.iter_mut().find(|known| Some(&known.id) == step.id.as_ref()).unwrap();
                    let text = |field: &str, known: &str| body[field].as_str().unwrap_or(known).to_owned();
                    known.pool_balancing_type = text("pool_balancer_type", &known.pool_balancing_type);
                    known.credentials_name = text("credentials_name", &known.credentials_name);
                }
                if step.with_secret && !is_lost {
                    self.memory.webhooks.insert(step.name.clone(), fake(text).digest([0; 16]));
                }
            }
            Kind::Webhook => {
                self.seen.webhooks.insert((kind_of(&step.name), step.name.clone()), Webhook::Active);
            }
            Kind::Pool if step.action == Action::Adopt => {
                self.memory.pools.retain(|_, known| known.id != step.id);
                self.memory.pools.insert(step.name.clone(), Remembered { id: step.id.clone() });
            }
            Kind::Pool | Kind::ScaleSet => self.pool(declared, step, body, made, is_lost),
        }
    }

    fn pool(&mut self, declared: &Declaration, step: &Step, mut body: Value, made: String, is_lost: bool) {
        let name = step.entity.clone().unwrap();
        let entity = self.seen.entity(declared, kind_of(&name), &name).unwrap().id.clone();
        if let Some(tags) = body.get("tags").or(body.get("labels")).cloned() {
            body["tags"] = tags.as_array().unwrap().iter().map(|tag| json!({"name": tag})).collect();
        }
        if let Some(group) = body.get("runner_group").cloned() {
            body["github-runner-group"] = group;
        }
        let all = if step.kind == Kind::Pool { &mut self.seen.pools } else { &mut self.seen.scale_sets };
        if step.action == Action::Create {
            body["id"] = json!(made);
            body[if name.contains('/') { "repo_id" } else { "org_id" }] = json!(entity);
            all.push(serde_json::from_value(body).unwrap());
            if step.kind == Kind::Pool {
                self.memory.pools.insert(step.name.clone(), Remembered { id: (!is_lost).then_some(made) });
            }
            return;
        }
        let known = all.iter_mut().find(|known| Some(&known.id) == step.id.as_ref()).unwrap();
        let new: wire::Pool = serde_json::from_value(body.clone()).unwrap();
        for field in body.as_object().unwrap().keys() {
            match field.as_str() {
                "tags" => known.tags = new.tags.clone(),
                "priority" => known.priority = new.priority,
                "max_runners" => known.max_runners = new.max_runners,
                "min_idle_runners" => known.min_idle_runners = new.min_idle_runners,
                "image" => known.image.clone_from(&new.image),
                "flavor" => known.flavor.clone_from(&new.flavor),
                "os_type" => known.os_type.clone_from(&new.os_type),
                "os_arch" => known.os_arch.clone_from(&new.os_arch),
                "enabled" => known.enabled = new.enabled,
                "runner_bootstrap_timeout" => known.runner_bootstrap_timeout = new.runner_bootstrap_timeout,
                "runner_prefix" => known.runner_prefix.clone_from(&new.runner_prefix),
                "runner_group" | "github-runner-group" => known.runner_group.clone_from(&new.runner_group),
                "extra_specs" => known.extra_specs = new.extra_specs.clone(),
                other => panic!("GARM's update has no field {other}"),
            }
        }
    }

    /// A pass that ends after `most` steps, the last one of which may have lost its answer.
    pub fn pass(&mut self, declared: &Declaration, text: &str, most: usize, is_lost: bool) {
        let plan = self.plan(declared, text);
        for (at, step) in plan.steps.iter().take(most).enumerate() {
            self.apply(declared, step, text, is_lost && at + 1 == most);
        }
    }

    pub fn report(&self, declared: &Declaration) -> Report {
        Report::of(declared, &self.seen, &self.memory, &self.plan(declared, "s"), &[])
    }
}
