//! Repositories and organizations, and their webhooks. Pure.

use serde_json::{Map, json};

use super::inputs::{Inputs, differs};
use crate::frontend::fleet::declaration::{Balancer, Entity};
use crate::frontend::fleet::seen::{Webhook, endpoint_of};
use crate::frontend::fleet::step::{Action, Kind, Plan, Step};
use crate::frontend::fleet::wire;
use crate::model::shown;

/// What GARM takes for it if nobody says anything.
const USUAL: &str = "roundrobin";

pub fn plan(inputs: Inputs<'_>, kind: Kind, plan: &mut Plan) {
    let declared = inputs.declared;
    let entities = if kind == Kind::Repository { &declared.repositories } else { &declared.organizations };
    for (name, wanted) in entities {
        match inputs.seen.entity(declared, kind, name) {
            Some(found) => update(inputs, (kind, name), wanted, found, plan),
            None => create(inputs, (kind, name), wanted, plan),
        }
    }
}

fn create(inputs: Inputs<'_>, (kind, name): (Kind, &str), wanted: &Entity, plan: &mut Plan) {
    let elsewhere = inputs.seen.entities(kind).iter().find(|other| other.full_name().eq_ignore_ascii_case(name));
    if let Some(other) = elsewhere {
        let said = format!(
            "it stands at endpoint {}, its credentials are of {}, and GARM cannot move it: declare credentials of the \
             former, or delete it with its pools first",
            shown(&other.endpoint.name),
            shown(endpoint_of(inputs.declared, kind, name))
        );
        plan.refuse(kind, name, said);
        return;
    }
    if let Some(Err(why)) = inputs.material.webhooks.get(name) {
        plan.refuse(kind, name, why.clone());
        return;
    }
    let mut step = Step::new(Action::Create, kind, name);
    let (owner, short) = name.split_once('/').map_or((None, name), |(owner, short)| (Some(owner), short));
    if let Some(owner) = owner {
        step.body.insert("owner".into(), json!(owner));
    }
    step.body.insert("name".into(), json!(short));
    step.body.insert("credentials_name".into(), json!(wanted.credentials));
    step.body.insert("pool_balancer_type".into(), json!(word(wanted.pool_balancer)));
    step.body.insert("forge_type".into(), json!("github"));
    step.with_secret = true;
    plan.steps.push(step);
    if wanted.install_webhook {
        plan.steps.push(webhook(name));
    }
}

fn update(inputs: Inputs<'_>, (kind, name): (Kind, &str), wanted: &Entity, found: &wire::Entity, plan: &mut Plan) {
    let mut body = Map::new();
    if !found.credentials_name().eq_ignore_ascii_case(&wanted.credentials) {
        body.insert("credentials_name".into(), json!(wanted.credentials));
    }
    let balancing = if found.pool_balancing_type.is_empty() { USUAL.into() } else { found.pool_balancing_type.clone() };
    differs(&mut body, "pool_balancer_type", &word(wanted.pool_balancer).to_owned(), &balancing);
    let is_new = match inputs.material.webhooks.get(name) {
        Some(Ok(proof)) => !proof.is(inputs.memory.webhooks.get(name)),
        Some(Err(why)) => {
            plan.refuse(kind, name, why.clone());
            false
        }
        None => false,
    };
    plan.steps.extend(Step::update(kind, name, &found.id, body, is_new));
    if !wanted.install_webhook {
        return;
    }
    match inputs.seen.webhooks.get(&(kind, name.to_owned())) {
        Some(Webhook::Missing) => plan.steps.push(webhook(name)),
        Some(Webhook::Unknown(why)) => plan.refuse(Kind::Webhook, name, why.clone()),
        Some(Webhook::Inactive) => {
            let said = "GitHub has it and does not call it: make it active in the settings of GitHub";
            plan.refuse(Kind::Webhook, name, said.into());
        }
        Some(Webhook::Active) | None => {}
    }
}

fn webhook(name: &str) -> Step {
    let mut step = Step::new(Action::Create, Kind::Webhook, name);
    step.entity = Some(name.into());
    step.body.insert("webhook_endpoint_type".into(), json!("direct"));
    step
}

fn word(balancer: Balancer) -> &'static str {
    match balancer {
        Balancer::RoundRobin => USUAL,
        Balancer::Pack => "pack",
    }
}
